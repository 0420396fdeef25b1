"""Built-in dialogues, files on the web, and real sets in English and Chinese."""

import hashlib
import os
from pathlib import Path

import pytest

from gptgrid.config.dialogues import BuiltinDialogues, UrlDialogues

MIRROR = os.environ.get("GPTGRID_MIRROR")
GITHUB = "raw.githubusercontent.com"
MATHS = "openai/grade-school-math/master/grade_school_math/data"
TALKS = "thu-coai/KdConv/master/data"
WORDS = "hikariming/chat-dataset-baseline/a32705cdfdde2a111ef08bc5fb47f5efaa874cfa/history"


@pytest.mark.parametrize("language", ["en", "zh", "both"])
def test_built_in_dialogues(language, built_in):
    entry = BuiltinDialogues(source="builtin", documents=300, seed=3, language=language).complete()
    made = built_in({**entry, "dialogues": entry["format"]})
    assert (
        sum(split["dialogues"] for split in made.facts["splits"].values())
        + sum(made.about["left_out"]["dialogues"].values())
        == 300
    )
    assert made.about["license"] == "MIT" and made.about["source"] == {"name": "tales", "seed": 3}
    assert 5 <= len(made.valid) <= 25 and 15 <= len(made.test) <= 45


def test_files_on_the_web(tmp_path, monkeypatch, built_in):
    data = "".join(f'{{"question": "{n}?", "answer": "me"}}\n' for n in range(9)).encode()
    path = tmp_path / "mirror" / "host" / "a.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    monkeypatch.setenv("GPTGRID_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.chdir(tmp_path)
    entry = UrlDialogues(source="url", url="https://host/a.jsonl", sha256=hashlib.sha256(data).hexdigest())
    files = {split: [file.complete() for file in files] for split, files in entry.files().items()}
    made = built_in({**entry.complete(), "dialogues": entry.format, "files": files})
    assert len(made.train) + len(made.valid) + len(made.test) == 9
    assert made.about["source"]["files"][0]["name"] == "https://host/a.jsonl"


@pytest.mark.skipif(not MIRROR, reason="GPTGRID_MIRROR names no mirror")
@pytest.mark.parametrize(
    ("name", "kind", "dialogues", "left_out"),
    [
        (
            "rasbt/LLMs-from-scratch/main/ch07/01_main-chapter-code/instruction-data.json",
            "instruction",
            1100,
            {},
        ),
        ("yizhongw/self-instruct/main/data/seed_tasks.jsonl", "instruction", 175, {}),
        (
            "teknium1/GPTeacher/main/Roleplay/roleplay-simple-deduped-roleplay-instruct.json",
            "instruction",
            1923,
            {},
        ),
        (f"{MATHS}/test.jsonl", "question", 1319, {}),
        (f"{TALKS}/travel/dev.json", "kdconv", 150, {"questions after the last answer": 1}),
        (f"{TALKS}/film/dev.json", "kdconv", 150, {"questions after the last answer": 2}),
        (f"{WORDS}/其他中文问题补充/名词解释类问题.json", "instruction", 151, {"with an empty answer": 1}),
    ],
)
def test_real_sets_are_read(name, kind, dialogues, left_out, prepared):
    path = Path(MIRROR, GITHUB, name)
    made = prepared(path.read_bytes(), path.name)
    assert made.about["source"]["files"][0]["dialogue_formats"] == {kind: 1}
    assert sum(split["dialogues"] for split in made.facts["splits"].values()) == dialogues
    assert {**made.about["left_out"]["dialogues"], **made.about["left_out"]["messages"]} == left_out


@pytest.mark.skipif(not MIRROR, reason="GPTGRID_MIRROR names no mirror")
def test_a_real_published_test_is_kept(prepared):
    parts = {part: Path(MIRROR, GITHUB, MATHS, f"{part}.jsonl").read_bytes() for part in ("train", "test")}
    made = prepared({part: {f"{part}.jsonl": data} for part, data in parts.items()})
    assert len(made.test) == 1319 and len(made.train) + len(made.valid) == 7473
    assert made.test[0][1][1].endswith("#### 18")
