"""Whatever the length from which a text lies on the disk in rows: splits, figures, vocabularies and ids are those
of texts that are read whole.
"""

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.stages.corpus.prepare import prepare
from gptgrid.stages.encode.encode import encode
from gptgrid.stages.tokenizer.make import make_tokenizer
from gptgrid.text import rows
from gptgrid.text.documents import SPLITS, read_documents
from gptgrid.tokens.shards import open_shards

WORDS = [
    *(
        "one",
        "two",
        "Three",
        "four's",
        "12",
        "345",
        ".",
        ",",
        "?!",
        '"so"',
        "天地",
        "玄黄",
        "한",
        "\u1112\u1161\u11ab",
    ),
    *(
        "e\u0301",
        "\u0301",
        "a\u0323\u0302",
        "\u0344",
        "ﬁ",
        "ｶ\uff9e",
        "😀",
        "👩\u200d👩",
        "\u200b",
        "\x1a",
        "\0",
    ),
    *(
        "\ufffd",
        "\u2028",
        "\u2028 \u2028",
        "\u2029",
        "ſ",
        "İ",
        "<|user|>",
        "<|endoftext|>",
        "<|",
        "|>",
        "---",
    ),
]
BLANKS = [" ", " ", " ", "  ", "\t", "\u3000", "\n", "\r\n", "\r", "\n\n", "\r\r\n", "\n---\n", "<|sep|>"]
MARKS = ["<|user|>", "<|endoftext|>more"]


def random_text(seed: int, words: int, blanks: float) -> str:
    """Return words, after which a blank follows in a share of cases; some passages come twice."""
    draw = random.Random(seed)
    text = [
        word
        for _ in range(words)
        for word in (draw.choice(WORDS), draw.choice(BLANKS) * (draw.random() < blanks))
    ]
    for _ in range(3):
        start, place = draw.randrange(len(text)), draw.randrange(len(text))
        text[place:place] = text[start : start + 60]
    return "".join(text)


TEXTS = {
    "mixed": random_text(1, 400, 0.7),
    "few blanks": random_text(2, 400, 0.1),
    "no blanks": ("天地玄黄宇宙洪荒e\u0301" * 60 + "\n" + "abc" * 100 + "." + "ab" * 250 + "\n---\n") * 4
    + random_text(3, 300, 0),
    "blanks": (" " * 80 + "\n---\nx" + " " * 90 + "y\n\n" + "\u3000" * 70 + "z\n") * 5 + "\n" * 100,
    "delimiters at the ends": "---\n"
    + random_text(4, 200, 0.5)
    + "\n---\n\n---\n"
    + "---" * 50
    + random_text(5, 300, 0.5)
    + "\n---",
    "emoji": "😀" * 500 + "\n---\n" + "a😀 " * 300 + "\n\n---\n" + "👩\u200d👩\u200d👧" * 100 + "\nend",
}
SHORT = "\n\n---\n<|sep|>\n".join(f"{number}. Some short text of {number % 7}" for number in range(40))
"""That no split is empty."""
SETTINGS: dict[str, dict[str, Any]] = {
    "whole, by position": {"document": "whole", "by": "position"},
    "lines": {"document": "line", "shards": 2},
    "paragraphs, NFC": {"document": "blank-line", "normalize": "NFC", "dedupe": "exact"},
    "near, NFKC": {
        "document": "blank-line",
        "normalize": "NFKC",
        "dedupe": "near",
        "min_chars": 3,
    },
    "delimiter": {"document": "\r\n---\r\n", "normalize": "NFKD", "max_chars": 3000},
    "other delimiter": {"document": "<|sep|>", "normalize": "NFD", "by": "position"},
}


BPE = {"vocab_size": 300, "pattern": "gpt4", "memory": 10**9}
TOKENIZERS = (("bytes", "text", {}), ("char", "special", {}), ("bpe", "special", BPE))


def make(
    folder: Path, text: str, document: str, by: str = "document", shards: int = 1, **clean: Any
) -> list[Any]:
    """Return what three stages make of a text, but for the rows on the disk."""
    folder.mkdir()
    path = folder.parent / "text.txt"
    path.write_text(text, encoding="utf-8", newline="")
    config = {
        **{"source": "files", "files": {"all": [str(path)]}, "encoding": "utf-8", "errors": "strict"},
        **{"members": None, "format": "text", "field": None, "max_bytes": None, "insecure": False},
        **{"license": None, "private": False, "shards": shards, "document": document},
        "split": {"valid": 0.2, "test": 0.2, "by": by, "seed": 0},
        "clean": {
            **{"normalize": "none", "dedupe": "none", "similarity": 0.9, "min_chars": 0},
            "max_chars": None,
            **clean,
        },
    }
    scratch, corpus = folder / "scratch", folder / "corpus"
    scratch.mkdir()
    corpus.mkdir()
    raw = {str(path): hashlib.sha256(path.read_bytes()).hexdigest()}
    facts = prepare(Job(namespace(config), {}, corpus, scratch, SimpleNamespace(), raw))
    (corpus / "manifest.json").write_text(json.dumps({"facts": facts}))
    made = [facts, *(list(read_documents(corpus, split)) for split in SPLITS)]
    assert not [kept for kept in scratch.iterdir() if kept.suffix != ".parquet"]
    for kind, marks, keys in TOKENIZERS:
        tokenizer, shards_folder = folder / kind, folder / f"shards-{kind}"
        tokenizer.mkdir()
        shards_folder.mkdir()
        learned = SimpleNamespace(kind=kind, special_tokens=MARKS, marks=marks, **keys)
        made.append(make_tokenizer(Job(learned, {"corpus": corpus}, tokenizer, scratch)))
        made.append((tokenizer / "codec.json").read_text())
        asked = SimpleNamespace(shard=None, splits=None, private=False, marks=marks)
        inputs = {"corpus": corpus, "tokenizer": tokenizer}
        made.append(encode(Job(asked, inputs, shards_folder, scratch)))
        made += [list(open_shards(shards_folder, split)[:]) for split in SPLITS]
    return made


def differences(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield what differs in nested dictionaries."""
    if isinstance(one, dict) and one.keys() == other.keys():
        for key in one:
            yield from differences(one[key], other[key], f"{path}/{key}")
    elif one != other:
        yield path, one, other


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("settings", SETTINGS)
def test_all_that_is_made_of_a_text_is_the_same_in_rows(monkeypatch, tmp_path, name, settings):
    small = {
        "text.documents.PART": 40,
        "stages.corpus.preparing.grams.PART": 40,
        "stages.encode.encode.CHUNK": 3,
    }
    small |= {"tokens.seams.AHEAD": 30, "tokens.base.AHEAD": 30, "stages.corpus.reading.encoding.BLOCK": 64}
    for place, value in small.items():
        monkeypatch.setattr(f"gptgrid.{place}", value)
    monkeypatch.setattr("gptgrid.stages.corpus.prepare.MOST_LOST", 1)
    text = f"{TEXTS[name]}\n\n---\n<|sep|>\n{SHORT}\n---"
    whole = make(tmp_path / "whole", text, **SETTINGS[settings])
    for length in (7, 100):
        monkeypatch.setattr(rows, "LENGTH", length)
        monkeypatch.setattr(rows, "ROW_LENGTH", length)
        found = make(tmp_path / str(length), text, **SETTINGS[settings])
        for one, other in zip(whole, found, strict=True):
            assert list(differences(one, other)) == []
