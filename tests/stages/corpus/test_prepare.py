"""The corpus program writes the same parquet for the same text, and its facts are those of the text."""

import hashlib
import os
import re
from itertools import chain
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import file_digest
from gptgrid.stages.corpus.make import make
from gptgrid.stages.corpus.prepare import prepare
from gptgrid.stages.corpus.preparing.cards import LISTED

MIRROR = os.environ.get("GPTGRID_MIRROR")
SPLITS = ("train", "valid", "test")


def rows(job, split, column="text"):
    return pq.read_table(job.folder / f"{split}-00000.parquet")[column].to_pylist()


def digests(job):
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(job.folder.iterdir())]


def test_of_a_refused_text_nothing_is_left(make_job, tmp_path):
    (tmp_path / "one.txt").write_text("Once upon a time there was one document.\n" * 500)
    job = make_job(source="files", files={"all": [str(tmp_path / "one.txt")]}, document="blank-line")
    with pytest.raises(UserError, match="cannot fill"):
        make(job)
    assert not job.scratch.exists() and not job.folder.exists()


def test_facts_count_what_was_written(make_job):
    job = make_job(source="builtin", name="tales", documents=60, seed=0, language="en")
    facts = prepare(job)
    assert sorted(path.name for path in job.folder.iterdir()) == sorted(
        ["card.md", "questions.jsonl", *(f"{split}-00000.parquet" for split in SPLITS)]
    )
    assert set(facts) == {"splits", "about"} and facts["about"]["license"] == "MIT"
    for split in SPLITS:
        texts = rows(job, split)
        assert facts["splits"][split] == {
            "documents": len(texts),
            "characters": len("".join(texts)),
            "bytes": len("".join(texts).encode()),
            "words": len(" ".join(texts).split()),
            "newlines": "".join(texts).count("\n"),
            "spaceless": 0,
        }


def test_same_input_same_bytes_and_facts(make_job):
    job = make_job(source="builtin", name="toy", documents=None, seed=0)
    first = prepare(job), digests(job)
    assert (prepare(job), digests(job)) == first


def test_random_corpus_has_ids_and_no_text(make_job):
    job = make_job(
        source="random", vocab_size=9, tokens=500, document_tokens=10, seed=0, split={"valid": 0.2}
    )
    facts = prepare(job)
    assert facts["vocab_size"] == 9
    assert sum(len(ids) for split in SPLITS for ids in rows(job, split, "ids")) == 500
    assert facts["splits"]["test"] == {
        "documents": len(rows(job, "test", "ids")),
        "characters": None,
        "bytes": None,
        "words": None,
        "newlines": None,
        "spaceless": None,
    }


def test_own_file_cleaned_and_split(make_job, tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("".join(f"line {i % 50}\n\n" for i in range(100)))
    job = make_job(
        source="files", document="line", files={"all": [str(path)]}, clean={"dedupe": "exact"}, license="CC0"
    )
    facts = prepare(job)
    assert sorted(chain(*(rows(job, split) for split in SPLITS))) == sorted(f"line {i}" for i in range(50))
    # The last of the blank lines ends the file.
    assert facts["about"]["dropped"] == {"empty": 100, "duplicate": 50}
    assert facts["about"]["license"] == "CC0"


def test_odd_files_lose_nothing(make_job, tmp_path):
    """A line of a megabyte, NUL bytes, emoji, no line end: every character is in some split."""
    long, odd = tmp_path / "long.txt", tmp_path / "odd.txt"
    long.write_text("今天😀 " * 250_000)
    odd.write_bytes("a\0b 👩‍👩‍👧\r\nsecond\r\nthird".encode("utf-16"))
    job = make_job(source="files", document="line", files={"all": [str(long), str(odd)]}, split={"seed": 3})
    facts = prepare(job)
    texts = sorted(chain(*(rows(job, split) for split in SPLITS)), key=len)
    assert texts == ["third", "second", "a\0b 👩‍👩‍👧", "今天😀 " * 250_000]
    assert [record["encodings"] for record in facts["about"]["source"]["files"]] == [
        {"utf-8": 1},
        {"utf-16": 1},
    ]


def test_bytes_that_do_not_fit_are_counted_where_they_may_be_replaced(make_job, tmp_path):
    path = tmp_path / "bad.txt"
    path.write_bytes(b"one \xff two\nthree\xfe\xfd\n" + b"four and five\n" * 10)
    keys = {"source": "files", "document": "line", "encoding": "utf-8", "files": {"all": [str(path)]}}
    with pytest.raises(UserError, match=r"bad\.txt: not utf-8: byte 0xff at offset 4"):
        prepare(make_job(**keys))
    job = make_job(**keys, errors="replace")
    assert prepare(job)["about"]["source"]["files"][0]["replaced"] == 3
    assert "one \ufffd two" in chain(*(rows(job, split) for split in SPLITS))


@pytest.mark.parametrize(
    ("files", "keys", "said"),
    [
        (
            {"all": "short"},
            {"clean": {"min_chars": 99}},
            "the corpus has no documents left (dropped: 1 min_chars)",
        ),
        (
            {"train": "long text", "test": "ab"},
            {"clean": {"min_chars": 5}},
            "the test files have no documents left",
        ),
        ({"all": "one document"}, {}, "by: position"),
    ],
)
def test_a_split_without_documents_is_an_error(make_job, tmp_path, files, keys, said):
    for part, text in files.items():
        (tmp_path / part).write_text(text)
    job = make_job(source="files", files={part: [str(tmp_path / part)] for part in files}, **keys)
    with pytest.raises(UserError) as error:
        prepare(job)
    assert said in str(error.value)
    assert not list(job.folder.iterdir())


# --------------------------------------------------------------------------- text in two splits


def sentences(first, number):
    return "".join(f"sentence {i} of a text about {i * i}\n" for i in range(first, first + number))


def files_job(make_job, tmp_path, texts, **keys):
    """Return a job on files: part → texts, each in a file of its own."""
    files = {}
    for part, several in texts.items():
        for number, text in enumerate(several):
            path = tmp_path / f"{part}{number}.txt"
            path.write_text(text)
            files.setdefault(part, []).append(str(path))
    return make_job(source="files", files=files, **{"document": "line", **keys})


@pytest.mark.parametrize(
    ("texts", "pair"),
    [
        ({"train": [sentences(0, 9), sentences(20, 9)], "valid": [sentences(20, 9)]}, ("train1", "valid0")),
        ({"train": [sentences(0, 9)], "test": [sentences(0, 9)]}, ("train0", "test0")),
        (
            {"train": [sentences(0, 9)], "valid": [sentences(30, 9)], "test": [sentences(30, 9)]},
            ("valid0", "test0"),
        ),
    ],
)
def test_a_file_in_two_splits_is_refused_whatever_its_name(make_job, tmp_path, texts, pair):
    with pytest.raises(UserError, match=rf"{pair[0]}\.txt is in .* and, as .*{pair[1]}\.txt, in "):
        prepare(files_job(make_job, tmp_path, texts))


def test_documents_in_two_splits_are_said_with_their_share(make_job, tmp_path, capsys):
    texts = {
        "train": [sentences(0, 100)],
        "valid": [sentences(90, 20).upper()],
        "test": [sentences(95, 15) + sentences(200, 5)],
    }
    job = files_job(make_job, tmp_path, texts)
    about = prepare(job)["about"]
    found = about["leakage"]["documents"]
    assert [found[pair]["documents"] for pair in found] == [5, 10, 15]
    assert [found[pair]["share"] for pair in found] == [0.25, 0.5, 0.75]
    assert 0.2 < found["test in train"]["size_share"] < 0.25
    assert "25.00% of the documents of the test split (5, 2" in about["cautions"][0]
    assert "`clean: {dedupe: exact}`" in about["cautions"][0]
    said = capsys.readouterr().out
    assert all(f"warning: {caution}" in said for caution in about["cautions"]) and len(about["cautions"]) == 3
    assert all(caution in (job.folder / "card.md").read_text() for caution in about["cautions"])


@pytest.mark.parametrize(("dedupe", "upper"), [("exact", False), ("near", True)])
def test_what_a_caution_says_helps(make_job, tmp_path, dedupe, upper):
    valid = sentences(10, 20).upper() if upper else sentences(10, 20)
    texts = {"train": [sentences(0, 100)], "valid": [valid], "test": [sentences(200, 9)]}
    about = prepare(files_job(make_job, tmp_path, texts, clean={"dedupe": dedupe, "similarity": 0.99}))[
        "about"
    ]
    assert about["cautions"] == []


@pytest.mark.parametrize("clean", [{"dedupe": "none"}, {"dedupe": "near", "similarity": 0.4}])
def test_documents_with_a_word_changed_are_said_and_the_remedy_helps(make_job, tmp_path, clean):
    words = [f"word{i}" for i in range(24 * 200)]
    lines = [words[i : i + 24] for i in range(0, len(words), 24)]
    text = "\n".join(" ".join([*line[:12], word, *line[13:]]) for line in lines for word in (line[12], "x"))
    job = files_job(make_job, tmp_path, {"all": [text]}, clean=clean)
    about = prepare(job)["about"]
    if clean["dedupe"] == "near":
        assert about["cautions"] == []
        return
    test, valid = about["cautions"]
    assert re.match(
        r"of \d\d\.\d\d% of the documents of the test split that are long enough \(\d+ were", test
    )
    assert "half or more stands in one training document" in test and "validation split" in valid
    assert "`clean: {dedupe: near}` with a `similarity` of 0.4 or less" in test
    assert "with at least half of each in one document" in (job.folder / "card.md").read_text()


@pytest.mark.parametrize(("joint", "marks"), [(" ", ".!"), ("", "，。")])
def test_short_documents_with_other_marks_are_said_and_the_remedy_helps(make_job, tmp_path, joint, marks):
    """They were too short for shingles, and counted as compared."""
    units = [f"word{i}" if joint else chr(0x4E00 + i) for i in range(4 * 200)]
    lines = [joint.join(units[i : i + 4]) + mark for i in range(0, len(units), 4) for mark in marks]
    job = files_job(make_job, tmp_path, {"all": ["\n".join(lines)]})
    test, *_ = prepare(job)["about"]["cautions"]
    assert "of the documents of the test split" in test and "stand in the training split, too" in test
    assert "`near` for those that differ in case, blanks or marks of sentences" in test
    assert (
        "test in train: its documents are too short to be found in parts"
        in (job.folder / "card.md").read_text()
    )
    job = files_job(make_job, tmp_path, {"all": ["\n".join(lines)]}, clean={"dedupe": "near"})
    assert prepare(job)["about"]["cautions"] == []


def test_documents_that_fill_a_split_by_coming_back_are_said(make_job, tmp_path):
    texts = {"train": [sentences(0, 90)], "valid": [sentences(100, 9)], "test": [sentences(200, 9) * 2]}
    job = files_job(make_job, tmp_path, texts)
    (caution,) = prepare(job)["about"]["cautions"]
    assert caution.startswith(
        "50.00% of the documents of the test split (9, 50.00% of its bytes) are copies of"
    )
    assert "test in itself: 9 documents as wholes (50.00%)" in (job.folder / "card.md").read_text()
    assert prepare(files_job(make_job, tmp_path, texts, clean={"dedupe": "exact"}))["about"]["cautions"] == []


@pytest.mark.parametrize(("language", "documents"), [("en", 1500), ("zh", 800)])
def test_texts_of_one_kind_get_no_caution(make_job, language, documents):
    job = make_job(source="builtin", name="tales", documents=documents, seed=0, language=language)
    assert prepare(job)["about"]["cautions"] == []


def test_names_and_licences_keep_the_form_of_the_card(make_job, tmp_path):
    job = files_job(make_job, tmp_path, {"all": [sentences(0, 90)]}, license="MIT\n\n# Mine")
    path = job.config.files.all[0]
    strange = Path(path).with_name("new\nline `x`.txt")
    Path(path).rename(strange)
    job = make_job(source="files", files={"all": [str(strange)]}, document="line", license="MIT\n\n# Mine")
    prepare(job)
    card = (job.folder / "card.md").read_text()
    assert r"new\nline `x`.txt ``:" in card and "\nLicence: MIT\\n\\n# Mine\n" in card
    assert '---\nlicense: "MIT\\n\\n# Mine"\n---' in card


def test_headings_that_come_back_are_counted_and_no_caution(make_job, tmp_path):
    texts = {
        part: ["Plot\n" + sentences(first, 60)]
        for part, first in (("train", 0), ("test", 100), ("valid", 200))
    }
    about = prepare(files_job(make_job, tmp_path, texts))["about"]
    assert about["leakage"]["documents"]["test in train"]["documents"] == 1 and about["cautions"] == []


def test_a_file_that_is_read_twice_is_said(make_job, tmp_path):
    texts = {"all": [sentences(0, 50), sentences(0, 50)]}
    cautions = prepare(files_job(make_job, tmp_path, texts))["about"]["cautions"]
    assert "all0.txt and" in cautions[0] and "are the same file" in cautions[0]
    assert all("are copies of earlier ones in it" in caution for caution in cautions[1:])


def test_copies_on_both_sides_of_a_cut_are_said(make_job, tmp_path):
    texts = {"all": [sentences(0, 50) * 2]}
    cautions = prepare(files_job(make_job, tmp_path, texts, split={"by": "position"}))["about"]["cautions"]
    assert "100.00%" in cautions[0] and "test split" in cautions[0]


def test_a_text_that_comes_back_inside_another_is_said(make_job, tmp_path):
    text = sentences(0, 300)
    texts = {"train": [text + "an end"], "test": [text], "valid": [sentences(500, 100)]}
    job = files_job(make_job, tmp_path, texts, document="whole")
    cautions = prepare(job)["about"]["cautions"]
    assert ["100.00% of the 13-grams of words of the test split" in caution for caution in cautions] == [True]


def test_ids_in_two_splits_are_said(make_job):
    job = make_job(
        source="random", vocab_size=1, tokens=1000, document_tokens=10, seed=0, split={"by": "position"}
    )
    about = prepare(job)["about"]
    assert about["leakage"]["documents"]["test in train"]["share"] == 1
    assert "of its ids) stand in the training split, too" in about["cautions"][0]
    assert about["cautions"][0] in (job.folder / "card.md").read_text()


# ----------------------------------------------------------------------------------------- shares


def test_facts_say_which_shares_were_asked_for_and_came_out(make_job, tmp_path):
    job = files_job(make_job, tmp_path, {"all": [sentences(0, 400)]}, split={"valid": 0.2})
    facts = prepare(job)
    split = facts["about"]["split"]
    assert split["asked"] == pytest.approx({"train": 0.7, "valid": 0.2, "test": 0.1})
    for key, share in (("documents", "documents"), ("bytes", "size")):
        total = sum(counts[key] for counts in facts["splits"].values())
        assert split[share] == {name: counts[key] / total for name, counts in facts["splits"].items()}
        assert split[share] == pytest.approx(split["asked"], abs=0.06)
    assert facts["about"]["cautions"] == [] and "20.0% asked, " in (job.folder / "card.md").read_text()


def test_published_splits_have_no_shares(make_job, tmp_path):
    texts = {"train": [sentences(0, 90)], "valid": [sentences(100, 9)]}
    assert set(prepare(files_job(make_job, tmp_path, texts))["about"]["split"]["asked"]) == {"train", "test"}
    texts["test"] = [sentences(200, 9)]
    assert "split" not in prepare(files_job(make_job, tmp_path, texts))["about"]


def test_shares_that_cannot_be_had_are_said(make_job, tmp_path):
    texts = {"all": [f"{'long ' * 900}\n{sentences(0, 4)}"]}
    job = files_job(make_job, tmp_path, texts)
    (caution,) = prepare(job)["about"]["cautions"]
    assert re.search(
        r"other shares of the bytes than were asked for: train 9\d\.\d% \(asked: 80\.0%\)", caution
    )
    assert "`document: line`" not in caution and "inside documents (`document: whole` and" in caution


@pytest.mark.parametrize(
    ("keys", "said", "unsaid"),
    [
        ({"document": "line"}, "`document: whole` and `split: {by: position}`", "`document: line`"),
        ({"document": "whole"}, "`document: blank-line` or `line`", "`document: whole`"),
        ({"document": None, "split": {"by": "position"}}, "`document: whole`", "different"),
        ({"document": "line", "split": {"by": "position"}}, "`document: whole`", "`document: line`"),
    ],
)
def test_an_error_of_the_split_recommends_what_is_not_in_use(make_job, tmp_path, keys, said, unsaid):
    with pytest.raises(UserError, match="cannot fill 3 splits; ") as error:
        prepare(files_job(make_job, tmp_path, {"all": ["the only line\n"]}, **keys))
    assert said in str(error.value) and unsaid not in str(error.value)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"source": "builtin", "name": "toy", "documents": 2, "seed": 0}, "raise `documents`"),
        (
            {"source": "random", "vocab_size": 9, "tokens": 20, "document_tokens": 10, "seed": 0},
            "raise `tokens`, or lower `document_tokens`",
        ),
    ],
)
def test_an_error_of_the_split_recommends_what_the_source_has(make_job, keys, said):
    with pytest.raises(UserError, match=said) as error:
        prepare(make_job(**keys))
    assert "`document:" not in str(error.value)


# ------------------------------------------------------------------------------------------ cards


@pytest.mark.parametrize(
    ("name", "content", "keys", "said"),
    [
        (
            "a.txt",
            "\ufeffone\r\n\r\ntwo\r\n\r\nthree",
            {"document": None},
            ["a paragraph,", "CRLF", "byte order mark"],
        ),
        (
            "a.csv",
            "id,poem\n1,one\n2,two\n3,three\n",
            {"document": None, "field": "poem"},
            ["a record.", "`poem`"],
        ),
        (
            "a.txt",
            "one<|end|>two<|end|>three",
            {"document": "<|end|>"},
            ['between two "<|end|>", which are left out'],
        ),
        ("a.txt", "one\n\ntwo\n\nthree", {"license": None}, ["Licence: not stated.", "license: unknown"]),
        ("a.txt", "one\n\ntwo\n\nthree", {"license": "CC0"}, ["Licence: CC0", 'license: "CC0"']),
    ],
)
def test_the_card_says_what_was_done(make_job, tmp_path, name, content, keys, said):
    path = tmp_path / name
    path.write_bytes(content.encode())
    job = make_job(source="files", files={"all": [str(path)]}, **{"document": "blank-line", **keys})
    prepare(job)
    card = (job.folder / "card.md").read_text()
    assert all(part in card for part in said), card
    assert not ("paragraph" in card and "record." in card)


@pytest.mark.parametrize("number", [LISTED, LISTED + 1])
def test_many_files_are_folded_in_the_card(make_job, tmp_path, number):
    paths = [tmp_path / f"{place:02d}.txt" for place in range(number)]
    for path in paths:
        path.write_text(f"{path.name} one\n\n{path.name} two")
    job = make_job(source="files", files={"all": list(map(str, paths))}, document="blank-line")
    prepare(job)
    card = (job.folder / "card.md").read_text()
    parts = r"(.*## Source\n\n.*?)(<details>.*</details>)?(\n\nLicence.*)"
    source, folded, rest = re.fullmatch(parts, card, re.DOTALL).groups()
    listed = [f"- `{path}`: 22 bytes, sha256 `{file_digest(path)}`, utf-8" for path in paths]
    if number == LISTED:
        assert source.endswith("\n".join(listed)) and folded is None
    else:
        assert source.endswith(f"\n- {number} files, {22 * number} bytes\n\n")
        assert folded == "\n".join(
            ["<details>", "<summary>The files</summary>", "", *listed, "", "</details>"]
        )
    assert "sha256" not in rest


def test_private_text_is_not_in_card_facts_or_log(make_job, tmp_path, capsys):
    secret = "".join(f"geheim {word}\n" for word in "abcdefghijklmnopqrstuvwxyz")
    texts = {
        "train": [secret * 2 + "geheim Ä\n"],
        "valid": [secret.upper() + "GEHEIM 9\n"],
        "test": [secret + "geheimst\n\n"],
    }
    clean = {"dedupe": "near", "min_chars": 5, "max_chars": 9}
    job = files_job(make_job, tmp_path, texts, private=True, clean=clean)
    facts = prepare(job)
    said = capsys.readouterr().out
    for shown in ((job.folder / "card.md").read_text(), repr(facts), said):
        assert "geheim" not in shown.lower()
    assert facts["about"]["dropped"]


@pytest.mark.skipif(not MIRROR, reason="GPTGRID_MIRROR is not set")
class TestRealTexts:
    def job(self, make_job, tmp_path, monkeypatch, url, sha256, **keys):
        monkeypatch.setenv("GPTGRID_MIRROR", str(Path(MIRROR).resolve()))
        monkeypatch.chdir(tmp_path)
        return make_job(
            source="url",
            files={"all": [{"url": url, "sha256": sha256, "members": None, "format": None, "field": None}]},
            **keys,
        )

    def test_shakespeare_is_cut_like_nanogpt(self, make_job, tmp_path, monkeypatch):
        url = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
        sha256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
        split = {"by": "position", "valid": 0.05, "test": 0.05}
        facts = prepare(self.job(make_job, tmp_path, monkeypatch, url, sha256, split=split))
        sizes = [facts["splits"][name]["characters"] for name in SPLITS]
        assert sizes == [1_003_854, 55_770, 55_770] and facts["splits"]["train"]["documents"] == 1

    def test_verdict_by_paragraph(self, make_job, tmp_path, monkeypatch):
        url = "https://raw.githubusercontent.com/rasbt/LLMs-from-scratch/main/ch02/01_main-chapter-code/the-verdict.txt"
        sha256 = "b41e41a68f0398a3154ae69e2e4c0e2694e17fe0d66730536837f1b01935b31f"
        facts = prepare(self.job(make_job, tmp_path, monkeypatch, url, sha256, document="blank-line"))
        assert all(facts["splits"][name]["documents"] for name in SPLITS)
        # 164 line feeds separate or end 83 paragraphs of one line.
        assert sum(facts["splits"][name]["documents"] for name in SPLITS) == 83

    def test_red_chamber_by_line(self, make_job, tmp_path, monkeypatch):
        url = "https://raw.githubusercontent.com/tennessine/corpus/c5ce96aca36c6a3cb4da5f0ff7d2d5fa30c32aea/红楼梦.txt"
        sha256 = "5eca888fb54188d644df70fa555dd3c9cbdd3a8d7b3034fb59f7a81e16f05dc7"
        job = self.job(make_job, tmp_path, monkeypatch, url, sha256, document="line")
        facts = prepare(job)
        texts = list(chain(*(rows(job, name) for name in SPLITS)))
        assert not any("\r" in text or "\n" in text for text in texts)
        assert len(texts) + facts["about"]["dropped"]["empty"] == 5_591

    def test_wikitext_2_of_the_hub(self, make_job, tmp_path, monkeypatch):
        """The counts are those of the data set's card and of its papers (Merity et al. 2016, table 1)."""
        monkeypatch.setenv("GPTGRID_MIRROR", str(Path(MIRROR).resolve()))
        monkeypatch.chdir(tmp_path)
        hub = {
            "source": "hub",
            "path": "Salesforce/wikitext",
            "name": "wikitext-2-v1",
            "revision": "b08601e04326c79dfdd32d625aee71d232d685c3",
            "field": "text",
            # The mirror's files have the rows of the hub's, not their bytes.
            "sha256": {
                "wikitext-2-v1/train-00000-of-00001.parquet": "c53969fb89c0beed0a0b812e31366a48ecb115467d77ce68c8d4606e6db4f43d",
                "wikitext-2-v1/validation-00000-of-00001.parquet": "11dcd6fe1c18ba4eb33dd62d73c6502301b622e149d2b57574fbc8e8f4d44c40",
                "wikitext-2-v1/test-00000-of-00001.parquet": "bffcc4dac475672caf7e07e4ab0fce98f376a9d2cd9ffe46faf4db5793890ee8",
            },
            "splits": {"train": "train", "valid": "validation", "test": "test"},
        }
        facts = prepare(make_job(**hub, document=None))
        lines = [facts["splits"][name]["documents"] for name in SPLITS]
        assert lines == [23_767, 2_461, 2_891]
        assert facts["about"]["dropped"] == {"empty": 36_718 + 3_760 + 4_358 - sum(lines)}
        assert facts["about"]["leakage"]["share"] < 0.01
        whole = prepare(make_job(**hub, document="whole"))
        # Words and line ends together are the tokens of the papers.
        tokens = [whole["splits"][name]["words"] + whole["splits"][name]["newlines"] for name in SPLITS]
        assert tokens == [2_088_628, 217_646, 245_569]

    def test_text_files_of_the_mirror(self, make_job, tmp_path, monkeypatch):
        """Their line ends, encodings and sizes are those of the files."""
        base = Path(MIRROR) / "raw.githubusercontent.com"
        paths = sorted(
            [
                *base.glob("tennessine/corpus/*/*.txt"),
                *base.glob("*/*/*/data/tin*stories*.txt"),
                *base.glob("stanford-cs336/*/*/tests/fixtures/tinystories_sample.txt"),
            ]
        )
        assert len(paths) == 5
        job = make_job(source="files", document="line", files={"all": list(map(str, paths))})
        facts = prepare(job)
        records = facts["about"]["source"]["files"]
        ends = {Path(record["name"]).name: record["line_ends"] for record in records}
        assert ends["红楼梦.txt"] == {"CRLF": 5591} and ends["三国演义.txt"] == {"CRLF": 3612}
        assert list(ends["tinystories_val.txt"]) == ["LF"]
        assert all(record["encodings"] == {"utf-8": 1} for record in records)
        texts = list(chain(*(rows(job, split) for split in SPLITS)))
        kept = sum(map(len, texts))
        originals = [path.read_text(encoding="utf-8") for path in paths]
        blank = sum(len(line) for text in originals for line in text.split("\n") if not line.strip())
        assert kept == sum(len(text) - text.count("\n") for text in originals) - blank


def test_what_is_doubtful_about_the_reading_is_a_caution(make_job, tmp_path):
    english = "".join(f"It was day {i}, and nobody knew why they gave £{i} for it.\n\n" for i in range(3))
    english += "".join(f"And {i} more of them came by.\n\n" for i in range(100))
    path = tmp_path / "a.txt"
    path.write_bytes(english.encode("cp1252"))
    job = make_job(source="files", files={"all": [str(path)]}, document="blank-line")
    cautions = prepare(job)["about"]["cautions"]
    assert any("a.txt: read as cp1252, a guess from few characters" in caution for caution in cautions)
    path.write_text("one<|endoftext|>two<|endoftext|>three")
    with pytest.raises(
        UserError, match=r'cannot fill 3 splits; cut .*`document: "<\|endoftext\|>"`'
    ) as error:
        prepare(make_job(source="files", files={"all": [str(path)]}, document="blank-line"))
    assert "document: line" not in str(error.value)


def test_the_fields_of_private_records_under_the_name_of_a_text_stay_private(make_job, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text('{"secret": "one"}\n' * 9)
    with pytest.raises(UserError, match=r"format: jsonl") as error:
        prepare(make_job(source="files", files={"all": [str(path)]}, private=True))
    assert "secret" not in str(error.value)


def test_a_text_of_which_letters_are_lost_is_refused_or_told(make_job, tmp_path):
    path = tmp_path / "a.txt"
    lines = [f"Das schöne Mädchen {i} fährt über die Brücke nach Köln" for i in range(60)]
    keys = {"source": "files", "document": "line", "files": {"all": [str(path)]}}

    def told(content, **more):
        path.write_bytes(content)
        job = make_job(**keys, **more)
        return [caution for caution in prepare(job)["about"]["cautions"] if "U+FFFD" in caution]

    whole = "\n".join(lines)
    (caution,) = told(whole.replace("ö", "\ufffd", 9).encode())
    assert "characters of the text are U+FFFD" in caution and "(9 times, 0.2" in caution
    (caution,) = told(whole.encode() + b"\nK\xfe", errors="replace")
    assert "a.txt: bytes that do not fit the encoding" in caution and "(1 times" in caution
    assert told(whole.encode()) == []
    for content, more in [
        (whole.translate(dict.fromkeys(map(ord, "öäü"), "\ufffd")).encode(), {}),
        ("\n".join(f"Τὸ κορίτσι {i}" for i in range(60)).encode("utf-8")[1::2], {"errors": "replace"}),
    ]:
        with pytest.raises(UserError, match=r"% of the characters of the corpus are U\+FFFD.*set `encoding`"):
            told(content, encoding="utf-8", **more)


@pytest.mark.parametrize("part", ["all", "train"])
def test_a_field_that_no_file_has_is_refused(make_job, tmp_path, part):
    text, table = tmp_path / "a.txt", tmp_path / "b.csv"
    text.write_text("".join(f"line {i}\n" for i in range(50)))
    table.write_text("id,message\n" + "".join(f"{i},row {i}\n" for i in range(50)))
    keys = {"source": "files", "document": None, "field": "message"}
    with pytest.raises(UserError, match=r"`field` is 'message', but no file has fields.*set `format`"):
        prepare(make_job(**keys, files={part: [str(text)]}))
    prepare(make_job(**keys, files={part: [str(text), str(table)]}))
