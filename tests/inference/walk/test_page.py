"""The page of a walk: complete in itself, escaped, and alive in a browser."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
from cells import tiny
from small_codecs import CODECS

from gptgrid.inference.cell import TrainedCell
from gptgrid.inference.walk.page import MAPPED, render
from gptgrid.inference.walk.steps import Told, walk_cell
from gptgrid.inference.walk.words import read_words

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SCRIPT = '<script>alert(1)</script> & "狐"'
PROBE = """
<script>
const probe = (canvas, x, y) => {
  const box = canvas.getBoundingClientRect();
  canvas.dispatchEvent(new PointerEvent("pointermove",
    { clientX: box.left + x * box.width, clientY: box.top + y * box.height, bubbles: true }));
  return document.getElementById("which").textContent + " " + document.getElementById("reading").textContent;
};
const buttons = [...document.querySelectorAll("#maps button")];
const seen = {
  maps: buttons.length,
  large: probe(document.getElementById("large"), 0.01, 0.99),
  small: probe(buttons[3].querySelector("canvas"), 0.01, 0.01),
  pressed: buttons.map((button) => button.getAttribute("aria-pressed")),
  ink: [[0, 1], [1, 0]].map(([key, query]) => document.getElementById("large").getContext("2d").getImageData(key, query, 1, 1).data[3]),
  width: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  injected: [...document.scripts].filter((script) => script.textContent.startsWith("alert")).length,
};
const result = document.createElement("pre");
result.id = "result";
result.textContent = JSON.stringify(seen);
document.body.append(result);
</script></body>"""


def told(text: str, language: str = "en", **switches: object) -> Told:
    codec = CODECS["bpe"]
    module = tiny(codec.vocab_size, **{"context": 96, **switches}).requires_grad_(False)
    cell = TrainedCell(
        module, codec, {"model": {"context": 96}, "vocab_size": module.vocab_size, "training": {}}
    )
    return walk_cell(cell, text, read_words(language), "all", "all", backward=True)


def data_of(page: str) -> dict:
    """Return what the maps are drawn from."""
    return json.loads(re.search('id="data">(.*?)</script>', page)[1])


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("preset", ["gpt2", "modern", "encoder"])
def test_it_needs_nothing_else_and_is_escaped(preset, language):
    page = render(told(SCRIPT, language, preset=preset), "a <b> cell")
    assert not re.search(r"(src|href)=.(?!data:|#)|https?:|@import|url\(", page)
    assert page.count("<script") == 2
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#34;狐&#34;" in page
    assert "a &lt;b&gt; cell" in page
    assert page == render(told(SCRIPT, language, preset=preset), "a <b> cell")


def test_maps_have_the_weights_of_all_heads():
    found = told("The fox")
    data = data_of(render(found, "cell"))
    assert data["labels"] == found.walk.labels
    for layer, block in enumerate(found.walk.recording.blocks):
        for head in range(2):
            rows = block.attended.weights[0, head].tolist()
            assert data["weights"][layer][head] == [[round(weight, 3) for weight in row] for row in rows]


def test_maps_of_a_long_text_show_its_end():
    found = told("x" * 80)
    page = render(found, "cell")
    data = data_of(page)
    assert len(data["labels"]) == len(data["weights"][0][0]) == MAPPED
    assert data["weights"][0][0][-1][-1] == pytest.approx(
        found.walk.recording.blocks[0].attended.weights[0, 0, -1, -1].item(), abs=1e-3
    )
    assert "last 64 of 81 tokens" in page


def test_the_lens_ends_with_what_the_model_predicts():
    found = told("a;")  # the model expects the second token
    page = render(found, "cell")
    table = page[page.index('class="lens"') :]
    last = table[: table.index("</tbody>")].rsplit("<tr>", 1)[1]
    cells = re.findall(r'<td class="token(.*?)" style=.*? title="(.*?)"', last)
    likeliest = found.walk.recording.logits.argmax(-1).tolist()
    following = [*found.walk.recording.ids[1:], None]
    assert [bool(mark) for mark, _ in cells] == [False, True, False]
    for (mark, text), token, after in zip(cells, likeliest, following, strict=True):
        assert bool(mark) == (token == after)
        assert unescape(text).startswith(found.walk.token(token) + " ")


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [390, 1440])
def test_it_lives_in_a_browser(tmp_path: Path, width: int):
    found = told(SCRIPT)
    page = tmp_path / "walk.html"
    page.write_text(render(found, "cell").replace("</body>", PROBE), encoding="utf-8")
    options = f"--headless --no-sandbox --disable-gpu --no-first-run --virtual-time-budget=4000 --window-size={width},900"
    command = [
        BROWSER,
        *options.split(),
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom",
        page.as_uri(),
    ]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    seen = json.loads(unescape(re.search('<pre id="result">(.*?)</pre>', output)[1]))
    last = found.walk.labels[-1]
    weight = found.walk.recording.blocks[0].attended.weights[0, 0, -1, 0].item()
    assert seen["maps"] == 4
    assert seen["large"] == f"Block 0, head 0: “{last}” looks at “<|endoftext|>”: {weight:.3f}"
    assert seen["small"] == "Block 1, head 1: “<|endoftext|>” looks at “<|endoftext|>”: 1.000"
    assert seen["pressed"] == ["false", "false", "false", "true"]
    shown = found.walk.recording.blocks[1].attended.weights[0, 1]
    assert seen["ink"] == pytest.approx([255 * shown[1, 0].item(), 0], abs=1.5)
    assert seen["width"] <= 0
    assert seen["injected"] == 0
