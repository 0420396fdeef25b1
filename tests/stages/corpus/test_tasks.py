"""Items are read from JSON lines, and what is none of its format is refused with its file and line."""

import gzip
import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.stages.corpus.make import make

PAIR = {"sentence_good": "A cat sleeps.", "sentence_bad": "A cat sleep.", "UID": "agreement"}
CHOICE = {"prompt": "Who sleeps? ", "answer": "A cat.", "wrong": ["A dog.", "A fox."]}
CLOZE = {"prompt": "A cat sleeps, and a dog", "answer": " barks"}


def lines(*rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


@pytest.fixture
def made(tmp_path):
    """Return a function: files with some content, as the items of a task → items and facts."""

    def make_task(content, task="minimal-pairs", name="mine.jsonl", **config):
        contents = content if isinstance(content, dict) else {name: content}
        for path, data in contents.items():
            (tmp_path / path).write_bytes(data)
        paths = [str(tmp_path / path) for path in contents]
        raw = {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths}
        folder = tmp_path / "artifact"
        (tmp_path / "scratch").mkdir(exist_ok=True)
        folder.mkdir(exist_ok=True)
        values = {"task": task, "files": paths, "members": None, "group": None, "before": None, **config}
        facts = make(Job(namespace(values), {}, folder, tmp_path / "scratch", raw=raw))
        found = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
        return found, facts

    return make_task


def test_all_formats_become_one(made):
    items, facts = made(lines(PAIR))
    assert items == [
        {"prompt": "", "answer": " A cat sleeps.", "wrong": [" A cat sleep."], "group": "agreement"}
    ]
    assert (facts["format"], facts["items"], facts["about"]["group"]) == ("minimal-pairs", 1, "UID")
    assert made(lines(PAIR), before="")[0][0]["answer"] == "A cat sleeps."
    assert made(lines(CHOICE), "choice")[0] == [CHOICE]
    assert made(lines(CLOZE, {**CLOZE, "prompt": ""}), "cloze")[0] == [
        {**CLOZE, "wrong": []},
        {**CLOZE, "prompt": "", "wrong": []},
    ]


def test_the_same_bytes_whatever_the_file_is_packed_in(made, tmp_path):
    rows = [{**PAIR, "sentence_good": f"Cat {number} sleeps."} for number in range(5)]
    plain = made(b"\xef\xbb\xbf" + lines(*rows).replace(b"\n", b"\r\n\r\n"))[0]
    assert made(gzip.compress(lines(*rows)), name="mine.jsonl.gz")[0] == plain
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("data/b.jsonl", lines(*rows[3:]))
        archive.writestr("data/a.jsonl", lines(*rows[:3]))
        archive.writestr("README.md", "Items of a task.")
    packed = made((tmp_path / "z.zip").read_bytes(), name="z.zip", members=["data/*.jsonl"])[0]
    assert packed == plain
    assert made({"a.jsonl": lines(*rows[:3]), "b.jsonl": lines(*rows[3:])})[0] == plain


def test_line_ends_in_texts_are_those_of_documents(made):
    assert made(lines({**CLOZE, "prompt": "a\r\nb\rc"}), "cloze")[0][0]["prompt"] == "a\nb\nc"


def test_prompt_and_answer_become_one_word_only_where_that_is_meant(made):
    glued = lines({"prompt": "The fox is", "answer": "red", "wrong": ["blue"]})
    with pytest.raises(UserError, match="line 1: prompt and answer would become one word, without a blank"):
        made(glued, "choice")
    assert made(glued, "choice", before=" ")[0][0]["prompt"] == "The fox is "
    assert made(glued, "cloze", before="")[0][0] == {"prompt": "The fox is", "answer": "red", "wrong": []}
    for prompt, answer in (("狐狸是", "红的"), ("He said: “", "No"), ("The fox is", " red"), ("", "Red")):
        assert made(lines({"prompt": prompt, "answer": answer}), "cloze")[0][0]["prompt"] == prompt


def test_groups_are_those_of_a_field(made):
    items, facts = made(lines({**CHOICE, "kind": "animals"}), "choice", group="kind")
    assert (items[0]["group"], facts["about"]["group"]) == ("animals", "kind")
    assert "group" not in made(lines(CHOICE), "choice")[0][0]


@pytest.mark.parametrize(
    ("content", "task", "expected"),
    [
        (b"", "choice", r"mine\.jsonl: no items; each line is to be one"),
        (b"\n \n", "choice", "no items"),
        (
            lines(PAIR, CHOICE),
            "minimal-pairs",
            r"mine\.jsonl, line 2 has no field 'sentence_good'; it has prompt, answer, wrong\. Items of the "
            "format minimal-pairs have sentence_good, sentence_bad, .* mend the line, or set `format`",
        ),
        (lines(PAIR, {**PAIR, "UID": None}), "minimal-pairs", "line 2: the field 'UID' holds null"),
        (lines(PAIR, {k: v for k, v in PAIR.items() if k != "UID"}), "minimal-pairs", "line 2 has no field 'UID'"),
        (
            lines({k: v for k, v in PAIR.items() if k != "UID"}, PAIR),
            "minimal-pairs",
            "line 2 has a field 'UID', which the items before it have not",
        ),
        (lines({**PAIR, "sentence_bad": ""}), "minimal-pairs", "'sentence_bad' holds an empty text, which has"),
        (lines({**PAIR, "sentence_bad": 3}), "minimal-pairs", "'sentence_bad' holds a number, not a text"),
        (lines({**CHOICE, "wrong": "A dog."}), "choice", "'wrong' is a text, not a list of texts"),
        (lines({**CHOICE, "wrong": []}), "choice", "'wrong' is an empty list, not a list of texts"),
        (lines({**CHOICE, "wrong": ["a", None]}), "choice", "'wrong' holds null, not a text"),
        (lines({**CHOICE, "wrong": ["A cat."]}), "choice", "line 1: the answer is among the wrong ones, too"),
        (lines(CHOICE, {**CHOICE, "wrong": ["c", "d", "c"]}), "choice", "line 2: the wrong answer 'c' stands twice"),
        (lines([CHOICE]), "choice", "line 1 is a list, not an object; items stand one a line, as in .jsonl"),
        (b'{"prompt": "a"', "cloze", r"mine\.jsonl, line 1 is no JSON"),
        (b'{"prompt": "a", "answer": "b", "answer": "c"}', "cloze", "line 1 has the field 'answer' twice"),
        (b'{"prompt": "a", "answer": "\\ud800"}', "cloze", "'answer' has half a character"),
        ('{"prompt": "Käse"}'.encode("latin-1"), "cloze", "line 1 is not UTF-8, which JSON is written in"),
    ],
)  # fmt: skip
def test_what_is_no_item_is_named_with_its_place(made, content, task, expected):
    with pytest.raises(UserError, match=expected):
        made(content, task)


def test_a_group_that_items_lack_is_named(made):
    with pytest.raises(UserError, match="line 1 has no field 'kind'"):
        made(lines(CHOICE), "choice", group="kind")
