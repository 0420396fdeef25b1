"""The page has fine-tuned cells beside their bases, with some answers of both, and nothing of private ones."""

import json
import re

import pytest
from experiments import Experiment

from gptgrid.stages.compare.tables import compare
from gptgrid.stages.report.experiment import read_experiment

GRID = (("tales",), ("char",), ("gpt2",), (1, 2))
GPT2 = "tales.char.gpt2.base"


def words(html: str) -> str:
    """Return a text without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def rows_of(page: str, table: str) -> list[str]:
    """Return the rows of a table as text."""
    body = re.search(rf"<table {table}>.*?<tbody>(.*?)</tbody>", page, re.DOTALL)[1]
    return [words(row) for row in body.split("</tr>")[:-1]]


def section(page: str) -> str:
    return page.split('<section aria-labelledby="finetuning-title">')[1].split("</section>")[0]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory) -> str:
    experiment = Experiment(tmp_path_factory.mktemp("tuned"), *GRID)
    experiment.finetune(chat=1.0, lora=1.2)
    return experiment.report()


def test_without_fine_tuning_there_is_no_section(page):
    assert "finetuning" not in page.split("</style>")[1].split("<script")[0]


def test_each_cell_stands_beside_its_base(tuned):
    rows = rows_of(tuned, 'id="finetuning"')
    assert [row.split()[0] for row in rows] == [
        f"{GPT2}.s{s}.{name}" for s in (1, 2) for name in ("chat", "lora")
    ]
    assert "qa 20.0 % (10.0 % to 30.0 %) 80.0 % (70.0 % to 90.0 %) +60.0 points (+34.2 to +76.9)" in rows[0]
    assert "better" in rows[0] and "25 15.000 (3 unreachable) 30.000" in rows[0]
    assert rows[0].endswith("100 90 7 finished")


def test_groups_say_which_is_the_best(tuned):
    first, second = rows_of(tuned, 'id="finetuning-groups"')
    assert first.startswith(f"{GPT2} chat qa 2 0.984") and " best " in first
    assert second.startswith(f"{GPT2} lora qa 2 1.1") and " worse " in second
    assert "60.0 %" not in first and "80.0 % (60.9 % to 91.1 %) 0.250" in first


def test_questions_stand_beside_reference_and_both_answers(tuned):
    rows = rows_of(tuned, 'class="questions"')
    assert len(rows) == 8 and section(tuned).count('class="questions"') == 1
    assert rows[7] == f"Who &lt;b&gt;7&lt;/b&gt;? 狐狸 7 {GPT2}.s1 says 7 {GPT2}.s1.chat says 7 right"
    assert rows[3].endswith("says 3 right") and f"{GPT2}.s1 says 3 right" in rows[3]
    assert "8 of the 30 dialogues that were asked" in words(section(tuned))


def test_conventions_are_in_words_and_nothing_is_markup(tuned):
    assert "The share &lt;of&gt; short answers." in section(tuned) and "<b>7" not in section(tuned)


def test_a_sentence_says_what_was_gained_and_lost(tuned):
    said = words(re.search(r'<p class="taught">(.*?)</p>', tuned, re.DOTALL)[1])
    assert said.startswith(
        f"Fine-tuned on qa , {GPT2} (chat), the best of 2 fine-tunings on these dialogues, takes 1.0"
    )
    assert (
        "; 80.0 % (60.9 % to 91.1 %) of its 25 short answers are exactly right, 20.0 % (8.9 % to 39.1 %) of "
        "those of its base" in said
    )
    assert "; its text takes 0.250 bits per byte more than before" in said


def test_the_only_fine_tuning_is_not_called_the_best_of_several(tmp_path):
    experiment = Experiment(tmp_path, *GRID)
    experiment.finetune(chat=1.0)
    for cell in experiment.finetuned:  # it forgot nothing: its text takes less than before
        name = f"evaluate:{cell['base']}"
        text = json.loads((experiment.inputs[name] / "evaluation.json").read_text())
        text = {"bpb": text["bpb"] - 0.125, "valid": {"bpb": text["valid"]["bpb"]}}
        (experiment.inputs[f"evaluate:{cell['cell']}"] / "evaluation.json").write_text(json.dumps(text))
    page = experiment.report()
    assert "the best of" not in re.search(r'<p class="taught">(.*?)</p>', page, re.DOTALL)[1]
    assert "−0.125 (0.000)" in rows_of(page, 'id="finetuning-groups"')[0]


def test_what_stands_against_the_figures_is_said_there_alone(tuned):
    said = re.findall(r'<p class="caution">(.*?)</p>', tuned)
    ours = [each for each in said if "qa" in each]
    assert ours == [
        "Dialogues qa: 25 short answers were compared, so few that others could change the figures "
        "much; raise `evaluation.answers.documents`."
    ]
    assert f'<p class="caution">{ours[0]}' in section(tuned)


def test_bases_read_dialogues_as_their_evaluations_say(tmp_path, tuned):
    assert "A base that was taught no roles reads contents one a line." in words(section(tuned))
    experiment = Experiment(tmp_path, *GRID)
    experiment.finetune(chat=1.0)
    path = experiment.inputs[f"dialogues:{GPT2}.s2:qa"] / "evaluation.json"
    path.write_text(path.read_text().replace('"plain"', '"chat"'))
    said = words(section(experiment.report()))
    assert f"taught no roles reads contents one a line: {GPT2}.s1." in said
    assert f"A base that brings a chat template reads by that: {GPT2}.s2." in said


def test_tables_scroll_on_narrow_screens(tuned):
    tables = re.findall(r"<table", section(tuned))
    assert len(re.findall(r'<div class="scroll"[^>]*>\s*<table', section(tuned))) == len(tables) == 3


def test_of_private_cells_there_are_figures_alone(tmp_path):
    experiment = Experiment(tmp_path, *GRID, private=("tales",))
    experiment.finetune(chat=1.0)
    page = experiment.report()
    assert len(rows_of(page, 'id="finetuning"')) == 2
    assert "questions" not in section(page).replace("short questions", "") and "says 3" not in page


def test_texts_that_became_private_are_not_shown(tmp_path):
    experiment = Experiment(tmp_path, *GRID)
    experiment.finetune(chat=1.0)
    for entry in experiment.finetuned:
        entry["private"] = True
    assert "says 3" not in experiment.report()


def test_what_failed_is_named_and_the_rest_is_shown(tmp_path):
    experiment = Experiment(tmp_path, *GRID)
    experiment.finetune(chat=1.0, lora=1.2, diverged=("s2.lora",))
    failed = f"{GPT2}.s1.chat"
    experiment.failed = {f"finetune:{failed}": "killed <b>", f"dialogues:{failed}:qa": "killed <b>"}
    experiment.failed |= {f"evaluate:{failed}": "killed <b>"}
    page = experiment.report()
    assert f"{failed}: killed &lt;b&gt;" in section(page)
    assert [row.split()[-1] for row in rows_of(page, 'id="finetuning"')] == [
        *("failed", "finished", "finished", "diverged")
    ]
    assert len(rows_of(page, 'class="questions"')) == 8  # of the second seed
    assert f"Some questions to {GPT2}.s2.chat" in page


def test_where_all_fine_tunings_failed_the_page_stands(tmp_path):
    experiment = Experiment(tmp_path, *GRID)
    experiment.finetune(chat=1.0)
    for entry in experiment.finetuned:
        for name in (
            f"finetune:{entry['cell']}",
            f"dialogues:{entry['cell']}:qa",
            f"evaluate:{entry['cell']}",
        ):
            experiment.failed[name] = "killed"
    page = experiment.report()
    assert "Without figures, as they failed" in page and 'class="taught"' not in page


def test_long_texts_are_shortened(tmp_path):
    experiment = Experiment(tmp_path, *GRID)
    experiment.finetune(chat=1.0)
    path = experiment.inputs[f"dialogues:{GPT2}.s1.chat:qa"] / "answers.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("says 3", "x" * 1000), encoding="utf-8")
    compare(experiment.compare_job())
    found = read_experiment(experiment.report_job()).finetuning["questions"][0]["rows"][3]["after"]["text"]
    assert len(found) == 402 and found.endswith("x …")
