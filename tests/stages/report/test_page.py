"""One file, escaped, the same bytes each time, and nothing in it that reaches for the network."""

import json
import re
from html.parser import HTMLParser

import pytest
from experiments import STORY, Experiment


class Elements(HTMLParser):
    """Start tags with their attributes, ids, and the text of each script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "script":
            self.scripts[-1] += data


def table_rows(page: str, table: str) -> list[list[str]]:
    """Return the texts of a table's rows, markup removed."""
    body = re.search(rf'<table id="{table}">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)[1]
    rows = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in body.split("</tr>")[:-1]]
    return [[words(text) for text in row] for row in rows]


def words(html: str) -> str:
    """Return a text without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def answers_of(page: str) -> list[str]:
    """Return the answers as text."""
    found = re.search(r'<ul class="answers">(.*?)</ul>', page, re.DOTALL)[1]
    return [words(answer) for answer in found.split("</li>")[:-1]]


@pytest.fixture(scope="module")
def elements(page) -> Elements:
    return Elements(page)


def test_nothing_is_loaded(page, elements):
    for tag, attributes in elements.tags:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    assert "url(" not in style and "@import" not in style
    policy = next(
        a["content"] for tag, a in elements.tags if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'") and "http" not in policy


def test_texts_cannot_become_markup(page, elements):
    assert len(elements.scripts) == 3
    assert "<b>&" not in page
    data = json.loads(elements.scripts[0])
    assert data["samples"][0]["text"].startswith(f" {STORY}")


def test_names_are_escaped(tmp_path):
    overrides = ({"model.norm": "<i>x</i>"}, {"model.norm": "y"})
    page = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",), (1,), overrides).report()
    assert "<i>x</i>" not in page and "&lt;i&gt;x&lt;/i&gt;" in page


def test_data_cards_are_shown_and_link_nowhere(page):
    assert page.count("<summary>Data card of") == 3
    assert "<h4>Documents</h4>" in page and ">7</td>" in page
    assert "[a](http://b) &lt;b&gt;" in page


def test_tokenizers_are_described(page):
    assert page.count("by script and by token</summary>") == 4
    assert "今天\\u003cb\\u003e" in page and "123,456" in page


def test_ids_are_unique_and_fixed(elements):
    ids = [attributes["id"] for _, attributes in elements.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {"groups", "cells", "chart-groups", "chart-size", "chart-val", "chart-train", "samples"} <= set(
        ids
    )


def test_labels_point_at_what_is_there(elements):
    ids = {attributes.get("id") for _, attributes in elements.tags}
    for _, attributes in elements.tags:
        for key in ("aria-labelledby", "data-filters"):
            assert attributes.get(key) is None or attributes[key] in ids


def test_every_cell_and_group_is_in_a_table(small, page):
    for cell in small.cells:
        assert page.count(f"</span>{cell['cell']}</th>") == 1
    ranking = re.search(r'<table id="groups">(.*?)</table>', page, re.DOTALL)[1]
    assert ranking.count("<tr") == 1 + 15
    assert ranking.count('class="best"') == 3


def test_the_answer_is_a_sentence(page):
    text = " ".join(re.sub(r"<[^>]+>", "", page[page.index('<ul class="answers">') :][:3000]).split())
    assert re.search(
        r"●bpe · llama is the best of 6 on validation, with \d\.\d{3} bits per byte on the test text "
        r"\(95 % interval \d\.\d{3} to \d\.\d{3}, 2 seeds\); next comes \S*bpe · gpt2, "
        r"\d\.\d{3} bits per byte \(\d\.\d %\) behind on validation\.",
        text,
    ), text[:600]


def test_the_answer_tells_what_diverged_and_what_to_do(troubled_page):
    tales, toy, noise = answers_of(troubled_page)
    assert "gpt2 is the only one of 2 groups with a loss, with" in tales
    assert "1 of 4 cells diverged; a group with such a cell ranks last." in tales
    assert toy.startswith(
        "toy diverged No group is the best : each has a cell whose training diverged. Lower"
    )
    assert "training.warmup" in toy and "4 of 4 cells diverged" in toy
    assert "No group is the best" in noise and "2 of 4 cells diverged" in noise


def test_a_group_with_a_diverged_cell_has_no_figures_and_is_never_the_best(troubled_page):
    rows = {(row[0], row[2].split()[1]): row for row in table_rows(troubled_page, "groups")}
    assert rows["tales", "gpt2"][2].endswith("gpt2 best") and "diverged" not in rows["tales", "gpt2"]
    assert rows["tales", "llama"][2].endswith("llama 1 of 2 diverged")
    for row in rows.values():
        if row[2].endswith("diverged"):
            assert row[1] == "–" and row[5:] == ["diverged"] * 4 + ["–"] * 3
    assert sum("best" in row[2] for row in rows.values()) == 1


def test_every_cell_says_how_it_ended(troubled, troubled_page):
    rows = {row[0].split()[1]: row for row in table_rows(troubled_page, "cells")}
    assert rows.keys() == {cell["cell"] for cell in troubled.cells}
    early, finished, diverged = (
        rows[f"tales.bpe.{end}"] for end in ("gpt2.base.s1", "gpt2.base.s2", "llama.base.s2")
    )
    assert early[1].startswith("stopped early: no lower validation loss") and "diverged" not in early
    assert finished[1] == "finished"
    assert diverged[1].startswith("diverged: the loss was nan at step 30") and "&lt;or&gt;" in diverged[1]
    assert diverged[7:12] == ["diverged"] * 5


def test_the_cells_are_unfolded_where_some_diverged(page, troubled_page):
    assert "<details open>\n<summary>All 12 cells" in troubled_page
    assert "<details>\n<summary>All 30 cells" in page


def test_same_inputs_same_bytes(tmp_path):
    first, second = (Experiment(tmp_path / name, ("tales",)).report() for name in ("a", "b"))
    assert first == second


def test_times_stand_in_the_provenance_alone(page):
    before, after = page.split('<section aria-labelledby="provenance-title">')
    assert "2026-01-02" not in before
    assert after.count("<td>2026-01-02T03:04:05+00:00</td>") == 2 * 2  # two environments, from and to


def test_no_samples_while_learning_no_section(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",), (1,))
    (experiment.inputs["train:tales.bpe.gpt2.base.s1"] / "samples.jsonl").write_text("")
    assert 'id="growth"' not in experiment.report()
