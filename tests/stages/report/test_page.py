"""One file, escaped, the same bytes each time, and nothing in it that reaches for the network."""

import json
import re
import shutil
from html.parser import HTMLParser

import pandas as pd
import pytest
from experiments import STORY, Experiment

from gptgrid.stages.compare.tables import compare
from gptgrid.stages.report.make import make_report

FIGURES = (3, 11, 13, 14)
"""Columns of the ranking with a mean over seeds: bits per byte of test and validation, losses of both."""


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
    assert '<tbody class="references">' not in ranking
    assert ranking.count('class="best"') == 3


VERDICT = re.compile(
    r"tales \d\.\d{3} bits per byte, test, 2 seeds ● bpe · llama is better than ◆ bpe · gpt2 by (0\.\d{3}) bits per "
    r"byte \(95 %, over seeds and documents: (0\.\d{3}) to (0\.\d{3}); p = 0\.\d+\)\. All 5 other groups are worse\."
)


def test_the_conclusion_is_the_verdict(page):
    said = conclusions_of(page)[0]
    found = VERDICT.match(said)
    assert found, said[:400]
    low, value, high = found[2], found[1], found[3]
    assert low < value < high
    assert table_rows(page, "groups")[1][4] == f"+{value} (+{low} to +{high})"
    assert "overlap" not in page.split('<script type="application/json"')[0].replace("at do not overlap", "")


def edited(experiment: Experiment, **changes: object) -> str:
    """Return the page after changing what comparison.csv says of the second of two groups on tales."""
    compare(experiment.compare_job())
    path = experiment.root / "results" / "compare" / "comparison.csv"
    table = pd.read_csv(path, dtype="str", keep_default_na=False)
    for column, value in changes.items():
        table.loc[table["rank"] == "2", column] = str(value)
    table.to_csv(path, index=False)
    job = experiment.report_job()
    make_report(job)
    return (job.folder / "report.html").read_text(encoding="utf-8")


SHORT = {"difference": 0.004, "difference_low": -0.003, "difference_high": 0.011, "p": 0.41}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"verdict": "not distinguishable", **SHORT, "seeds_needed": 12, "covers": "seeds and documents"},
            "● llama cannot be told apart from ■ gpt2 : difference +0.004 bits per byte (95 %, over seeds and "
            "documents: −0.003 to +0.011; p = 0.41); about 12 seeds of every group would tell.",
        ),
        (
            {"verdict": "not distinguishable", **SHORT, "seeds_needed": "", "covers": "documents"},
            "(95 %, over documents alone: −0.003 to +0.011; p = 0.41).",
        ),
        (
            {"verdict": "not distinguishable", **dict.fromkeys(SHORT, ""), "covers": "nothing"},
            "● llama cannot be told apart from ■ gpt2 : with one seed and one test document there is no interval.",
        ),
        (
            {
                "verdict": "better",
                "difference": -0.05,
                "difference_low": -0.06,
                "difference_high": -0.04,
                "p": 1e-6,
            },
            "■ gpt2 is better than ● llama , which validation chose: difference −0.050 bits per byte (95 %, over "
            "seeds and documents: −0.060 to −0.040; p < 0.0001).",
        ),
        (
            {"verdict": "", **dict.fromkeys(SHORT, "")},
            "● llama is the lowest on validation; against the next, ■ gpt2, there is no verdict.",
        ),
    ],
)
def test_each_verdict_is_a_sentence(tmp_path, changes, said):
    page = edited(Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama")), **changes)
    assert said in conclusions_of(page)[0].replace("&lt;", "<"), conclusions_of(page)[0][:400]


def test_the_others_are_counted_by_verdict(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe", "char"), ("gpt2", "llama", "encoder"))
    page = edited(experiment, verdict="not distinguishable")
    assert "Of the 5 other groups 4 are worse and 1 is not distinguishable." in conclusions_of(page)[0]


def test_one_seed_says_what_intervals_leave_out(tmp_path, page):
    shown = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1,)).report()
    assert "95 %, over documents alone: " in conclusions_of(shown)[0]
    assert warnings_of(shown)[0].startswith(
        "tales: There is one seed a group: intervals and verdicts are for"
    )
    assert not any("one seed a group" in warning for warning in warnings_of(page))


def test_references_stand_apart_and_who_loses_to_them_is_marked(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"))
    test = {"bpb": 1.27, "documents": 183, "documents_of_split": 183}
    found = {"kneser-ney": {"definition": "Grams, <b>counted", "test": test}}
    experiment.put("references:bpe@tales", {}, references_json=json.dumps(found))
    page = experiment.report()
    llama, gpt2 = table_rows(page, "groups")
    assert llama[2] == "● llama best" and gpt2[2] == "■ gpt2 loses to kneser-ney"
    (rows,) = re.findall(r'<tbody class="references">\n<tr><th scope="rowgroup".*?</tbody>', page, re.DOTALL)
    assert "bpe · kneser-ney 1.270 – " in words(rows) and "Grams, &lt;b&gt;counted" in rows


def test_a_reference_that_could_not_be_made_says_why(tmp_path):
    failed = {"references:bpe@tales": "the disk was <full>"}
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",), failed=failed)
    experiment.put("references:bpe@tales", {})
    rows = re.search(r'<tbody class="references">.*?</tbody>', experiment.report(), re.DOTALL)[0]
    assert "bpe · kneser-ney could not be made: the disk was &lt;full&gt; – – " in words(rows)


def test_a_checkpoint_of_others_is_a_row_without_training_figures(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1,))
    name = "train:tales.bpe.gpt2.base.s1"
    steps = {"status": "imported", "ended": None, "train_tokens": None, "train_flops": None, "steps": 0}
    experiment.change(name, **steps)
    experiment.change(name, "inputs", shards=None)
    (experiment.inputs[name] / "provenance.json").write_text("{}")
    (experiment.inputs[name] / "metrics.csv").write_text("step,tokens,train_loss,val_loss\n0,0,,\n")
    (experiment.inputs[name] / "samples.jsonl").write_text("")
    page = experiment.report()
    row = next(row for row in table_rows(page, "groups") if "imported" in row[2])
    assert row[9] == "–" and row[6] == "worse"
    cell = next(row for row in table_rows(page, "cells") if "gpt2" in row[0])
    assert cell[1] == "imported" and cell[5:7] == ["–", "–"] and cell[-3:-1] == ["–", "–"]
    assert not any("trainings were made with the same" in warning for warning in warnings_of(page))
    assert '>node-7</th>\n<td class="n" data-value="1">1</td>' in page.replace("</th><td", "</th>\n<td")


def test_effects_are_a_table(page):
    rows = table_rows(page, "effects")
    assert [row[:4] for row in rows[:3]] == [
        ["tales", "tokenizer", "bpe", "char"],
        ["tales", "model", "llama", "gpt2"],
        ["tales", "model", "encoder", "gpt2"],
    ]
    assert all(re.fullmatch(r"[+−]0\.\d{3} \([+−]0\.\d{3} to [+−]0\.\d{3}\)", row[4]) for row in rows)
    assert table_rows(page, "interactions")[0][:3] == ["tales", "tokenizer: bpe", "model: llama"]


def test_equal_budgets_and_fronts(page, tmp_path):
    rows = table_rows(page, "equal")
    at_end = [row for row in rows if row[:3] == ["tales", "tokens", "123 k"]]
    assert [(row[3], row[4], row[6]) for row in at_end] == [("6 of 6", "● bpe · llama", "◆ bpe · gpt2")]
    assert [row[3] for row in rows if row[:3] == ["tales", "bytes", "123 k"]] == ["3 of 6"]
    assert any(row[:2] == ["tales", "● bpe · llama"] for row in table_rows(page, "pareto"))
    alone = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",)).report()
    assert 'id="equal"' not in alone and 'id="pareto"' not in alone and 'id="budgets-title"' not in alone


def test_weights_on_the_way_are_a_table_where_they_were_scored(page, tmp_path):
    assert 'id="checkpoints"' not in page
    small = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",), seeds=(1,))
    path = small.inputs["evaluate:tales.bpe.gpt2.base.s1"] / "evaluation.json"
    evaluation = json.loads(path.read_text())
    figures = {
        "valid": {"val_loss": 3.0, "bpb": 1.5},
        "test": {"test_loss": 2.5, "bpb": 1.25, "perplexity": 12.2},
    }
    evaluation["checkpoints"] = [{"step": 25, **figures}]
    path.write_text(json.dumps(evaluation))
    steps = json.loads((small.inputs["train:tales.bpe.gpt2.base.s1"] / "manifest.json").read_text())["facts"][
        "steps"
    ]
    assert table_rows(small.report(), "checkpoints") == [
        ["tales.bpe.gpt2.base.s1", "25", f"{100 * 25 / steps:.0f} %", "1.5000", "1.2500", "2.5000"]
    ]


def test_laws_or_the_reason_why_there_is_none(tmp_path, page):
    sizes = ({"model.n_layer": 2}, {"model.n_layer": 4})
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",), (1,), sizes)
    refused = words(experiment.report())
    assert "tales, bpe , 2 cells of 2 sizes and 1 budget: no law is fitted: 2 sizes and 1 budgets;" in refused
    path = experiment.root / "results" / "compare" / "scaling.csv"
    law = {
        "form": "E + A/N^alpha",
        "reason": None,
        "E": 1.0,
        "E_low": 0.9,
        "E_high": 1.1,
        "cautions": "it is <new>",
    }
    law |= {"alpha": 0.34, "alpha_low": 0.3, "alpha_high": 0.4, "held_out": 2e6, "held_out_error": -0.02}
    law |= {"held_out_predicted": 1.98, "held_out_measured": 2.0}
    law |= {f"loss_at_{factor}_times{end}": 1.5 for factor in (2, 10) for end in ("", "_low", "_high")}
    pd.read_csv(path, dtype=object).assign(**law).to_csv(path, index=False)
    job = experiment.report_job()
    make_report(job)
    fitted = words((job.folder / "report.html").read_text(encoding="utf-8"))
    assert "L = E + A/N^alpha. E = 1.000 (0.900 to 1.100), alpha = 0.340 (0.300 to 0.400)" in fitted
    assert (
        "it predicts 1.980 for the largest (2.00 M parameters), which take 2.000: an error of −0.020."
        in fitted
    )
    assert "10 times as large as the largest: 1.500 (1.500 to 1.500)." in fitted
    assert "It is &lt;new&gt;." in fitted and "Scaling laws" not in words(page)


def test_tasks_stand_beside_guessing_and_by_group_of_items(page):
    rows = table_rows(page, "tasks")
    assert rows[0] == ["tales", "● bpe · llama", "40.0 % (29.0 % to 52.0 %)", "45.0 % (33.0 % to 57.0 %)"]
    assert len(rows) == 12
    assert "guessing 25.0 % of 60 items" in words(page)
    assert "objects &lt;b&gt;" in page and "tales on tales, by group of items" in page


def test_items_of_private_text_are_not_named(tmp_path):
    page = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",), private=("tales",)).report()
    assert table_rows(page, "tasks") and "objects &lt;b&gt;" not in page


def test_contexts_have_figures_or_the_reason(tmp_path, page):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",))
    beyond = {"context": 256, "bpb": None, "test_loss": None, "reason": "it has learned <128> positions"}
    for cell in experiment.cells:
        shorter = {"context": 32, "bpb": 2.5, "test_loss": 4.0, "reason": None}
        edit_evaluation(experiment, cell["cell"], contexts=[shorter, beyond])
    shown = experiment.report()
    (row,) = table_rows(shown, "contexts")
    assert row[2] == "2.500" and row[3].startswith("● 1.") and row[4] == "–"
    assert "gpt2: it has learned &lt;128&gt; positions" in shown and 'id="contexts"' not in page


def test_groups_on_the_texts_of_others_are_a_matrix(tmp_path, page):
    experiment = Experiment(tmp_path, ("tales", "toy"), ("bpe",), ("gpt2",))
    for cell in experiment.cells[:2]:
        found = {
            "bpb": 3.5,
            "convention": "sliding",
            "documents": 183,
            "text_digest": "5e57",
            "in_train": None,
        }
        name = f"cross:toy:{cell['cell']}"
        experiment.put(name, {}, evaluation_json=json.dumps(found | {"strange_marks": 0}))
        own = experiment.inputs[f"evaluate:{cell['cell']}"]
        shutil.copyfile(own / "documents.parquet", experiment.inputs[name] / "documents.parquet")
    compare(experiment.job("compare", "train", "evaluate", "corpus", "tokenizer", "shards", "cross"))
    job = experiment.report_job()
    make_report(job)
    rows = table_rows((job.folder / "report.html").read_text(encoding="utf-8"), "cross")
    assert [row[:2] for row in rows] == [["tales", "● gpt2"], ["toy", "● gpt2"]]
    assert re.fullmatch(r"3\.500 \((better|worse|not distinguishable)\)", rows[0][2])
    assert rows[1][2].startswith("● 2.") and 'id="cross"' not in page


def test_where_the_loss_comes_from(page):
    said = words(page[page.index('id="breakdowns-title"') :].split('id="samples-title"')[0])
    assert "tales, by script" in said and "scored tokens &lt;by&gt; script." in said.lower()
    assert re.search(r"Latin \d\.\d{3} \(80\.0 %\)", said)
    data = json.loads(Elements(page).scripts[0])
    positions = data["groups"][0]["positions"]
    assert (positions["from"], positions["to"]) == ([1, 2], [1, 128])
    assert positions["loss"][0] > positions["loss"][1]


def test_all_figures_were_counted_twice_or_it_is_said_which_were_not(tmp_path, page):
    assert "Every figure was counted twice: each token was scored once" in words(page)
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",))
    path = experiment.inputs["evaluate:tales.bpe.gpt2.base.s1"] / "evaluation.json"
    evaluation = json.loads(path.read_text())
    del evaluation["in_train"]
    path.write_text(json.dumps(evaluation))
    assert "The figures of 1 of 2 cells were counted twice" in words(experiment.report())


def test_it_is_said_of_how_much_the_figures_speak(tmp_path):
    experiment = Experiment(tmp_path, ("tales", "toy"), ("bpe",), ("gpt2",))
    for seed in (1, 2):
        part = {"documents": 7, "documents_of_split": 1_319}
        edit_evaluation(experiment, f"tales.bpe.gpt2.base.s{seed}", {"documents": 20}, **part)
    page = experiment.report()
    tales, toy = conclusions_of(page)
    assert "bits per byte, test, 2 seeds, 7 of 1,319 documents gpt2" in tales.replace("● ", "")
    assert "as `evaluation.bytes` asks" in tales
    assert "documents" not in toy and "bits per byte, test, 2 seeds ● gpt2 is the only group." in toy
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
            document={"definition": "Each in its document.", "context": 128},
        )
    page = experiment.report()
    assert [row[-1] for row in table_rows(page, "groups")] == ["document", "sliding"]
    definitions = re.search(r'<dl class="conventions">(.*?)</dl>', page, re.DOTALL)[1]
    assert words(definitions) == (
        "document (1 group) Each in its document. sliding (1 group) Windows start every 64 tokens, across "
        "documents &lt;b&gt;."
    )
    assert "groups are scored under different conventions" in conclusions_of(page)[0].lower()


def test_the_conclusion_tells_what_diverged_and_what_to_do(troubled_page):
    tales, toy, noise = conclusions_of(troubled_page)
    assert "gpt2 is the only one of 2 groups with a loss." in tales
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


def test_a_group_with_a_diverged_cell_shows_the_others_and_is_never_the_best(troubled_page):
    rows = {(row[0], row[2].split()[1]): row for row in table_rows(troubled_page, "groups")}
    assert rows["tales", "gpt2"][2].endswith("gpt2 best") and "diverged" not in rows["tales", "gpt2"]
    assert rows["tales", "llama"][2].endswith("llama 1 of 2 diverged")
    assert all(float(rows["tales", "llama"][n]) > 0 for n in FIGURES)
    assert 'title="1 of 2 seeds diverged: the loss was nan' in troubled_page
    for row in rows.values():
        if row[2].endswith("2 of 2 diverged"):
            assert row[1] == "–" and [row[n] for n in FIGURES] == ["diverged"] * 4
        if row[2].endswith("diverged"):
            assert row[1] == "–"
            assert [row[n] for n in (*range(4, 9), 12)] == ["–"] * 6
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
    assert re.fullmatch(r"\d\.\d{3}", llama[3]) and llama[6] == "best"
    lost = rows["toy", "gpt2"]
    assert lost[1] == "–" and lost[2].endswith("gpt2 2 of 2 failed")
    assert [lost[n] for n in FIGURES] == ["failed"] * 4
    assert [lost[n] for n in (*range(4, 9), 10, 12, *range(15, 18))] == ["–"] * 10


def test_the_conclusion_counts_the_cells_that_finished(incomplete_page):
    tales, toy = conclusions_of(incomplete_page)
    assert "bits per byte, test, 1 seed ● llama" in tales
    assert "1 of 4 cells failed; figures are those of the others." in tales
    assert "llama is the only one of 2 groups with a loss." in toy and "3 of 4 cells failed" in toy


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
        "Not all trainings were made with the same device: cpu (3 cells), cuda (H100) (1 cell)." + end,
        "Not all trainings were made with the same precision: fp32 (3 cells), bf16 (1 cell)." + end,
        "Not all trainings were made with the same torch version: 2.13.0 (3 cells), 2.12.1 (1 cell)." + end,
    ]
    assert (
        "All trainings were made with Python version 3.11.7; all cells were scored with device cpu, precision fp32"
        in words(experiment.report())
    )


def test_a_precision_that_the_grid_varies_is_no_warning(tmp_path):
    varied = ({"training.precision": "fp32"}, {"training.precision": "auto"})
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("llama",), overrides=varied)
    for seed in (1, 2):
        experiment.change(
            f"train:tales.bpe.llama+precision=auto.base.s{seed}", "provenance", precision="bf16"
        )
    assert not any("precision" in warning for warning in warnings_of(experiment.report()))
    experiment.change("train:tales.bpe.llama+precision=auto.base.s1", "provenance", precision="fp32")
    assert warnings_of(experiment.report()) == [
        "Not all trainings were made with the same precision: fp32 (3 cells), bf16 (1 cell). Figures may "
        "differ for that reason alone."
    ]


def test_a_differing_precision_of_scoring_is_told(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"))
    experiment.change("evaluate:tales.bpe.llama.base.s2", "provenance", precision="bf16_weights")
    assert warnings_of(experiment.report()) == [
        "Not all cells were scored with the same precision: fp32 (3 cells), bf16_weights (1 cell). Figures may "
        "differ for that reason alone."
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


def test_tasks_are_shown_where_some_were_asked(tmp_path, page):
    assert 'id="tasks"' in page
    assert 'id="tasks"' not in Experiment(tmp_path, ("noise",), models=("gpt2",)).report()


def test_words_that_no_blanks_separate_are_not_counted(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",), (1,))
    path = experiment.inputs["corpus:tales"] / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["facts"]["splits"]["train"]["spaceless"] = 800_000
    assert ">180,000</td>" in experiment.report()
    path.write_text(json.dumps(manifest))
    assert ">180,000</td>" not in experiment.report()
