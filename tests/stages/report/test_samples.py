"""What the page says of samples, and of what they are worth."""

import json
import re

from experiments import Experiment

from gptgrid.stages.compare.tables import compare
from gptgrid.stages.report.experiment import read_experiment

GRID = (("tales",), ("char",), ("gpt2", "llama"), (1,))


def made(tmp_path, **options):
    """Return an experiment with tables."""
    experiment = Experiment(tmp_path, *GRID, **options)
    experiment.judge("tales", greedy=1.5, nucleus=2.5)
    compare(experiment.compare_job())
    return experiment


def table(page: str) -> list[str]:
    """Return the rows of the table as text."""
    body = page.split('<table id="worth">')[1].split("</table>")[0]
    return [
        " ".join(re.sub(r"<[^>]+>", " ", row).split())
        for row in body.split("</thead>")[1].split("</tr>")[:-1]
    ]


def test_a_row_for_each_cell_and_decoding_and_the_true_continuations(tmp_path):
    page = made(tmp_path).report()
    rows = table(page)
    assert len(rows) == 5
    assert sum("llama 1 greedy 1.500 gpt2 25.0 % 75.0 % 12.5 % 9" in row for row in rows) == 1
    assert sum("gpt2 1 nucleus – – 75.0 % 25.0 % 12.5 % 9" in row for row in rows) == 1
    assert rows[-1].startswith("tales true continuations – –") and rows[-1].endswith("12.5 % 9")
    assert (
        "runs of two words" in " ".join(page.split())
        and "chrF" not in page.split("</style>")[1].split("<script")[0]
    )


def test_true_continuations_show_what_they_take_under_each_judge(tmp_path):
    experiment = Experiment(tmp_path, *GRID)
    truth = {"tales.char.gpt2.base.s1": 1.25, "tales.char.llama.base.s1": 1.75}
    experiment.judge("tales", truth=truth, greedy=1.5)
    compare(experiment.compare_job())
    rows = table(experiment.report())
    assert rows[-2].startswith("tales true continuations – – 1.250 gpt2")
    assert rows[-1].startswith("tales true continuations – – 1.750 llama")


def test_what_a_sample_copied_stands_beside_it(tmp_path):
    samples = read_experiment(made(tmp_path).report_job()).samples
    assert [row["copy"] for row in samples[:2]] == [None, "9 words in a row"]


def test_the_page_has_the_first_samples_and_the_ends_of_long_prompts(tmp_path):
    experiment = made(tmp_path)
    path = experiment.inputs["sample:tales.char.gpt2.base.s1"] / "samples.jsonl"
    row = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    rows = [
        {**row, "prompt": f"{'x' * 1000}{number:02d}", "passage": ["", "hidden", ""]} for number in range(20)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = [row for row in read_experiment(experiment.report_job()).samples if row["cell"] == 0]
    assert [row["prompt"][-2:] for row in found] == [f"{number:02d}" for number in range(8)]
    assert {len(row["prompt"]) for row in found} == {302}
    assert not any("passage" in row for row in found)


def test_of_private_texts_there_are_figures_alone(tmp_path):
    experiment = made(tmp_path, private=("tales",))
    content = read_experiment(experiment.report_job())
    assert content.samples == [] and len(content.worth["rows"]) == 4
