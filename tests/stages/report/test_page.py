"""One file, escaped, the same bytes each time, and nothing in it that reaches for the network."""

import json
import re
from html.parser import HTMLParser

import pytest
from experiments import STORY, Experiment

QUESTIONS = {"tales": ["25.0 %", "60"], "toy": ["25.0 %", "60"], "noise": ["–", "–"]}
"""Text → what guessing gets right, and how many questions there are."""


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


def conclusions_of(page: str) -> list[str]:
    """Return the conclusions as text."""
    items = re.search(r'<ul class="conclusions">(.*?)</ul>', page, re.DOTALL)[1]
    return [words(item) for item in items.split("</li>")[:-1]]


def edit_evaluation(experiment: Experiment, cell: str, valid: dict | None = None, **changes: object) -> None:
    """Change what an evaluation says, of the validation split or in all."""
    path = experiment.inputs[f"evaluate:{cell}"] / "evaluation.json"
    evaluation = json.loads(path.read_text())
    path.write_text(json.dumps(evaluation | {"valid": evaluation["valid"] | (valid or {})} | changes))


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


def test_the_conclusion_is_a_sentence(page):
    text = " ".join(re.sub(r"<[^>]+>", "", page[page.index('<ul class="conclusions">') :][:3000]).split())
    assert re.search(
        r"●bpe · llama is the best of 6 on validation, with \d\.\d{3} bits per byte on the test text "
        r"\(95 % interval \d\.\d{3} to \d\.\d{3}, 2 seeds\); next comes \S*bpe · gpt2, "
        r"\d\.\d{3} bits per byte \(\d\.\d %\) behind on validation\.",
        text,
    ), text[:600]


def test_it_is_said_of_how_much_the_figures_speak(tmp_path):
    experiment = Experiment(tmp_path, ("tales", "toy"), ("bpe",), ("gpt2",))
    for seed in (1, 2):
        part = {"documents": 7, "documents_of_split": 1_319}
        edit_evaluation(experiment, f"tales.bpe.gpt2.base.s{seed}", {"documents": 20}, **part)
    page = experiment.report()
    tales, toy = conclusions_of(page)
    assert "bits per byte, test, 7 of 1,319 documents gpt2" in tales.replace("● ", "")
    assert "bits per byte on 7 of the 1,319 documents of the test text (" in tales
    assert "as `evaluation.bytes` asks" in tales
    assert "documents" not in toy and "bits per byte on the test text (" in toy
    assert "Only a part was scored of tales: 20 of 166 documents of validation, 7 of 1,319 of test." in (
        warnings_of(page)
    )
    assert "Corpora, whole; figures are of a part" in words(page)


def test_all_of_it_needs_no_word(page):
    assert not any("Only a part" in warning for warning in warnings_of(page))
    assert "<caption>Corpora</caption>" in page


def test_each_convention_is_defined_and_named_beside_its_figures(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"))
    for seed in (1, 2):
        edit_evaluation(
            experiment,
            f"tales.bpe.llama.base.s{seed}",
            convention="document",
            document={"definition": "Each in its document."},
        )
    page = experiment.report()
    assert [row[11] for row in table_rows(page, "groups")] == ["document", "sliding"]
    definitions = re.search(r'<dl class="conventions">(.*?)</dl>', page, re.DOTALL)[1]
    assert words(definitions) == (
        "document (1 group) Each in its document. sliding (1 group) Windows start every 64 tokens, across "
        "documents &lt;b&gt;."
    )
    assert "groups are scored under different conventions" in conclusions_of(page)[0].lower()


def test_the_conclusion_tells_what_diverged_and_what_to_do(troubled_page):
    tales, toy, noise = conclusions_of(troubled_page)
    assert "gpt2 is the only one of 2 groups with a loss, with" in tales
    assert "1 of 4 cells diverged; a group with such a cell ranks last." in tales
    assert toy.startswith(
        "toy diverged No group is the best : each has a cell whose training diverged. Lower"
    )
    assert "training.warmup" in toy and "4 of 4 cells diverged" in toy
    assert "No group is the best" in noise and "2 of 4 cells diverged" in noise


def test_a_model_that_guesses_is_not_called_the_best(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"))
    for cell in experiment.cells:
        edit_evaluation(experiment, cell["cell"], valid={"guessing": 1.0})
    page = experiment.report()
    said = conclusions_of(page)[0]
    assert said.startswith(
        "tales undecided ● llama is the lowest on validation and not the best. No group is the best: the lowest on validation, tales.bpe.llama.base, takes"
    )
    assert 'class="badge">best' not in page and '<tr class="best">' not in page


def test_cautions_stand_in_the_headline_of_their_text(tmp_path):
    found = ("99.10% of <b> the test is in train; give other files",)
    experiment = Experiment(tmp_path, ("tales", "toy"), ("bpe",), ("gpt2",), (1, 2), cautions=found)
    for said in conclusions_of(experiment.report()):
        assert "99.10% of &lt;b&gt; the test is in train; give other files." in said
        assert "2 of 2 trainings have fewer than 100 steps (the shortest 60)" in said


def test_a_group_with_a_diverged_cell_has_no_figures_and_is_never_the_best(troubled_page):
    rows = {(row[0], row[2].split()[1]): row for row in table_rows(troubled_page, "groups")}
    assert rows["tales", "gpt2"][2].endswith("gpt2 best") and "diverged" not in rows["tales", "gpt2"]
    assert rows["tales", "llama"][2].endswith("llama 1 of 2 diverged")
    for row in rows.values():
        if row[2].endswith("diverged"):
            assert row[1] == "–" and row[5:9] == ["diverged"] * 4
            assert row[9:11] == ["–"] * 2 and row[12:] == ["–", *QUESTIONS[row[0]]]
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


def warnings_of(page: str) -> list[str]:
    """Return the paragraphs that warn, as text."""
    return [words(text) for text in re.findall(r'<p class="warning">(.*?)</p>', page, re.DOTALL)]


def test_the_top_says_how_many_cells_failed_and_why(incomplete_page, page):
    top = words(incomplete_page[: incomplete_page.index('<ul class="conclusions">')])
    assert top.endswith(
        "4 of 8 cells failed: killed &lt;b&gt;without&lt;/b&gt; memory (tales.bpe.llama.base.s2); "
        "the disk was full (toy.bpe.gpt2.base.s1 and 1 more); the test loss is nan (toy.bpe.llama.base.s1). "
        "All cells"
    ), top[-400:]
    assert warnings_of(page) == []


def test_many_reasons_are_cut_short(tmp_path):
    failed = {f"train:tales.bpe.llama.base.s{seed}": f"reason {seed}" for seed in range(7)}
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("llama",), tuple(range(8)), failed=failed)
    line = warnings_of(experiment.report())[0]
    assert line.startswith("7 of 8 cells failed: reason 0 (tales.bpe.llama.base.s0); reason 1")
    assert line.endswith("reason 4 (tales.bpe.llama.base.s4); and 2 other reasons. All cells")


def test_failed_cells_are_rows_with_state_and_reason(incomplete, incomplete_page):
    rows = {row[0].split()[1]: row for row in table_rows(incomplete_page, "cells")}
    assert rows.keys() == {cell["cell"] for cell in incomplete.cells}
    failed = rows["tales.bpe.llama.base.s2"]
    assert failed[1] == "failed: killed &lt;b&gt;without&lt;/b&gt; memory"
    assert failed[2:] == ["–"] * 5 + ["failed"] * 5 + ["–"] * 6
    evaluated = rows["toy.bpe.llama.base.s1"]
    assert evaluated[1] == "failed: the test loss is nan" and evaluated[7:12] == ["failed"] * 5
    assert evaluated[-3] == "cpu"
    assert "<details open>\n<summary>All 8 cells" in incomplete_page


def test_a_group_with_failed_cells_has_the_figures_of_the_others(incomplete_page):
    rows = {(row[0], row[2].split()[1]): row for row in table_rows(incomplete_page, "groups")}
    llama = rows["tales", "llama"]
    assert (llama[1], llama[2]) == ("1", "● llama best 1 of 2 failed")
    assert re.fullmatch(r"\d\.\d{3}", llama[5])
    lost = rows["toy", "gpt2"]
    assert lost[1] == "–" and lost[2].endswith("gpt2 2 of 2 failed")
    assert lost[4:] == ["–"] + ["failed"] * 4 + ["–"] * 6


def test_the_conclusion_counts_the_cells_that_finished(incomplete_page):
    tales, toy = conclusions_of(incomplete_page)
    assert "bits per byte on the test text (1 seed)" in tales
    assert "1 of 4 cells failed; figures are those of the others." in tales
    assert "llama is the only one of 2 groups with a loss" in toy and "3 of 4 cells failed" in toy


def test_what_has_no_samples_is_named(incomplete_page):
    assert "Without samples, as sampling failed:" in warnings_of(incomplete_page)
    assert "<li>tales.bpe.gpt2.base.s1: the prompt is longer than the context</li>" in incomplete_page
    assert "<li>tales.bpe.llama.base.s2:" not in incomplete_page


def test_all_cells_failed(tmp_path):
    names = [f"tales.bpe.{model}.base.s{seed}" for model in ("gpt2", "llama") for seed in (1, 2)]
    data = ("corpus:tales", "tokenizer:bpe@tales", "shards:bpe@tales")
    failed = dict.fromkeys((*data, *(f"train:{name}" for name in names)), "tales cannot be downloaded")
    page = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), failed=failed).report()
    assert conclusions_of(page) == ["tales failed No group is the best : all cells failed."]
    assert warnings_of(page)[0].startswith("4 of 4 cells failed: tales cannot be downloaded (tales.bpe.gpt2")
    assert [row[1] for row in table_rows(page, "cells")] == ["failed: tales cannot be downloaded"] * 4
    assert "Not in these tables, as they could not be made:" in warnings_of(page)
    for name in data:
        assert f"<li>{name}: tales cannot be downloaded</li>" in page


def test_differing_devices_precisions_and_versions_are_told(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1, 2))
    path = experiment.inputs["train:tales.bpe.llama.base.s2"] / "provenance.json"
    other = {"libraries": {"torch": "2.12.1"}, "precision": "bf16", "device": "cuda (H100)"}
    path.write_text(json.dumps(json.loads(path.read_text()) | other))
    end = " Figures may differ for that reason alone."
    assert warnings_of(experiment.report()) == [
        "Not all cells have the same device: cpu (3 cells), cuda (H100) (1 cell)." + end,
        "Not all cells have the same precision: fp32 (3 cells), bf16 (1 cell)." + end,
        "Not all cells have the same version of torch: 2.13.0 (3 cells), 2.12.1 (1 cell)." + end,
    ]


def test_what_was_kept_from_an_older_source_is_listed(tmp_path, page):
    accepted = {"train:tales.bpe.gpt2.base.s1": "only <messages> changed"}
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",), (1,), accepted=accepted)
    shown = experiment.report()
    assert "<li>train:tales.bpe.gpt2.base.s1: only &lt;messages&gt; changed</li>" in shown
    assert "older source" not in page


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


def test_questions_have_columns_where_some_were_asked(tmp_path, page):
    for shown, columns in (
        (page, True),
        (Experiment(tmp_path, ("noise",), models=("gpt2",)).report(), False),
    ):
        head = shown[shown.index('<table id="groups">') :].split("</thead>")[0]
        for name in ("Right answers", "Right by guessing", "Questions"):
            assert (f">{name}<" in head) == columns


def test_words_that_no_blanks_separate_are_not_counted(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",), (1,))
    path = experiment.inputs["corpus:tales"] / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["facts"]["splits"]["train"]["spaceless"] = 800_000
    assert ">180,000</td>" in experiment.report()
    path.write_text(json.dumps(manifest))
    assert ">180,000</td>" not in experiment.report()
