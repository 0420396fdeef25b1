"""The page in a real browser without network: charts, sorting, filters, samples. Skipped where there is none."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from experiments import Experiment

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --virtual-time-budget=8000 --proxy-server=127.0.0.1:9"
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here")

PROBE = """
<script>
const seen = {};
const rows = (id) => [...document.querySelectorAll(`#${id} tbody tr`)].filter((row) => !row.hidden);
const texts = (selector) => [...document.querySelectorAll(selector)].map((element) => element.textContent);
function change(id, value, event = "change") {
  document.getElementById(id).value = value;
  document.getElementById(id).dispatchEvent(new Event(event));
}
seen.charts = document.querySelectorAll(".chart .main-svg").length > 0 &&
  [...document.querySelectorAll(".chart")].every((chart) => chart.querySelector(".point, .lines path"));
seen.buttons = [...document.querySelectorAll("[data-title]")].map((button) => button.dataset.title);
seen.sample = document.querySelector("#samples blockquote").textContent;
seen.samples = texts("#samples blockquote").length;
seen.injected = document.querySelectorAll("#samples script, #samples blockquote b b").length;
const perplexity = [...document.querySelectorAll("#groups th")].find((th) => th.textContent === "Perplexity");
const column = () => rows("groups").map((row) => Number(row.cells[perplexity.cellIndex].dataset.value));
perplexity.firstElementChild.click();
seen.ascending = column();
perplexity.firstElementChild.click();
seen.descending = column();
seen.sorted = perplexity.getAttribute("aria-sort");
const filter = document.querySelector("[data-filters=groups]");
filter.value = "TOY llama";
filter.dispatchEvent(new Event("input"));
seen.filtered = rows("groups").length;
change("filter", "char", "input");
seen.chips = texts("#chips button");
document.querySelector("#chips button").click();
seen.pressed = document.querySelector("#chips button").getAttribute("aria-pressed");
seen.left = texts("#samples h3 span").length / 2;
change("filter", "", "input");
change("text", "2");
seen.prompts = texts("#prompt option");
seen.unit = texts("#chart-val .ytitle")[0];
seen.positions = texts("#chart-positions .xtitle")[0];
seen.best = document.getElementById("chart-groups").layout.shapes.map((line) => line.x0);
seen.bars = document.getElementById("chart-groups").data[0].error_x.array;
change("size", "train_flops");
seen.size = texts("#chart-size .xtitle")[0];
seen.loads = performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => /^http/.test(name));
const result = document.createElement("pre");
result.id = "seen";
result.textContent = JSON.stringify(seen);
document.body.append(result);
</script>
"""


TROUBLE = """
<script>
const seen = {};
const points = (id) => document.getElementById(id).data.at(-1).x.length;
const look = () => ({
  labels: [...document.querySelectorAll("#chart-groups .annotation-text")].map((text) => text.textContent),
  circles: document.querySelectorAll("#chart-groups .trace:last-child .point").length,
  crosses: ["chart-val", "chart-train"].map(points),
  sizes: document.querySelectorAll("#chart-size .point").length,
  cells: [...document.querySelectorAll("#samples h3 small")].map((cell) => cell.textContent),
});
for (const text of [0, 1]) {
  document.getElementById("text").value = text;
  document.getElementById("text").dispatchEvent(new Event("change"));
  seen[text] = look();
}
const result = document.createElement("pre");
result.id = "seen";
result.textContent = JSON.stringify(seen);
document.body.append(result);
</script>
"""


@pytest.fixture(scope="module")
def seen(page, tmp_path_factory) -> dict:
    return probed(page, PROBE, tmp_path_factory.mktemp("browser"))


def probed(page: str, probe: str, folder: Path) -> dict:
    """Return what a script at the end of the page saw."""
    path = folder / "report.html"
    path.write_text(page.replace("</body>", f"{probe}</body>"), encoding="utf-8")
    dom = dump(path, folder / "profile")
    output = re.search(r'<pre id="seen">(.*?)</pre>', dom, re.DOTALL)
    assert output, "the page's script stopped before its end"
    return json.loads(output[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


def dump(path: Path, profile: Path) -> str:
    command = [BROWSER, *QUIET.split(), f"--user-data-dir={profile}", "--dump-dom", path.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_charts_are_drawn_without_network(seen):
    assert seen["charts"] and seen["loads"] == []


def test_no_button_uploads_anything(seen):
    assert seen["buttons"]
    assert not [name for name in seen["buttons"] if re.search("share|cloud|edit", name, re.IGNORECASE)]


def test_samples_are_text(seen):
    assert seen["injected"] == 0
    assert "<b>&" in seen["sample"] and "</script><script>" in seen["sample"]
    assert seen["samples"] == 12


def test_a_click_sorts_by_number_and_back(seen):
    assert seen["ascending"] == sorted(seen["ascending"]) and len(seen["ascending"]) == 15
    assert seen["descending"] == seen["ascending"][::-1] and seen["sorted"] == "descending"


def test_filters_and_chips(seen):
    assert seen["filtered"] == 2
    assert [chip[1:] for chip in seen["chips"]] == ["char · llama", "char · gpt2", "char · encoder"]
    assert (seen["pressed"], seen["left"]) == ("false", 4)


def test_choices_change_what_is_drawn(seen):
    assert seen["prompts"] == ["(the start of a document)"]
    assert (seen["unit"], seen["size"]) == ("nats per token", "training FLOPs")


def test_intervals_are_those_of_differences_to_the_best(seen):
    assert seen["positions"] == "tokens seen in the window"
    best, *others = seen["bars"]
    assert len(seen["best"]) == 1 and best == 0 and len(others) == 2
    assert all(0.005 < bar < 0.05 for bar in others)


def test_what_diverged_is_marked_and_has_no_figure(troubled_page, tmp_path):
    seen = probed(troubled_page, TROUBLE, tmp_path)
    some, everything = seen["0"], seen["1"]
    assert some["labels"] == ["1 of 2 diverged"] and everything["labels"] == ["2 of 2 diverged"] * 2
    assert (some["circles"], some["sizes"], some["crosses"]) == (3, 1, [1, 1])
    assert (everything["circles"], everything["sizes"], everything["crosses"]) == (0, 0, [4, 4])
    assert set(some["cells"]) == {"seed 1", "seed 2", "seed 1, stopped early", "seed 2, diverged"}


def test_what_failed_is_marked_and_the_rest_is_drawn(incomplete_page, tmp_path):
    seen = probed(incomplete_page, TROUBLE, tmp_path)
    some, most = seen["0"], seen["1"]
    assert (some["labels"], most["labels"]) == (["1 of 2 failed"], ["1 of 2 failed", "2 of 2 failed"])
    assert (some["circles"], some["sizes"], some["crosses"]) == (3, 2, [0, 0])
    assert (most["circles"], most["sizes"], most["crosses"]) == (1, 1, [0, 0])
    assert set(most["cells"]) == {"seed 1, failed", "seed 2"}


def test_the_page_works_where_all_cells_failed(tmp_path):
    failed = {f"train:tales.bpe.gpt2.base.s{seed}": "no memory" for seed in (1, 2)}
    page = Experiment(tmp_path / "all", ("tales",), ("bpe",), ("gpt2",), failed=failed).report()
    probe = TROUBLE.replace("[0, 1]", "[0]")
    seen = probed(page, probe, tmp_path)["0"]
    assert seen == {"labels": ["2 of 2 failed"], "circles": 0, "crosses": [0, 0], "sizes": 0, "cells": []}
