"""What is read as a text and is none is refused, or told."""

import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.preparing.doubts import reading_doubts
from gptgrid.stages.corpus.reading.fields import ListedError
from gptgrid.stages.corpus.reading.texts import Reading, read_texts

DEFAULT = {
    **dict.fromkeys(("members", "format", "document")),
    **{"field": "text", "encoding": "auto", "errors": "strict", "max_bytes": 10**9},
}


@pytest.fixture
def read(tmp_path):
    """Return a function: content, keys of a reading → documents, facts, cautions."""

    def read(content: bytes, **keys) -> tuple[list[str], dict, list[str]]:
        path, facts = tmp_path / "a.txt", {"name": "a.txt"}
        path.write_bytes(content)
        documents = list(read_texts(path, facts, Reading(**{**DEFAULT, **keys}), tmp_path))
        source = {"files": [facts]}
        return documents, facts, list(reading_doubts(source))

    return read


def test_json_lines_are_no_text(read):
    content = b"".join(b'{"id": %d, "body": "text"}\n' % i for i in range(10_000))
    for some in (content, content + b"end\n", b'{"id": 1, "body": "a"}'):
        with pytest.raises(
            UserError, match=r"a\.txt.*id, body; set `format: jsonl` and the `field`"
        ) as error:
            read(some)
        assert isinstance(error.value, ListedError) and "body" not in error.value.unlisted
    assert read(content, format="text")[2] == []
    assert read(b"{braces}\n{are} text\n")[2] == []


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("id\ttext\n" + "0\ta b c\n" * 30, "tsv"),
        ("id,text\n" + '0,"a, b c"\n' * 30, "csv"),
        ("id;text\n" + "0;a b c\n" * 30, "csv"),
        ('[\n {"text": "a"},\n {"text": "b"}]', "json"),
    ],
)
def test_tables_under_the_name_of_a_text_are_told(read, content, kind):
    documents, facts, (caution,) = read(content.encode())
    assert len(documents) == 1 and facts["looks_like"] == {kind: 1}
    assert "a.txt" in caution and f"`format: {kind}`" in caution
    assert read(content.encode(), format="text")[2] == []


@pytest.mark.parametrize(
    "content",
    [
        "One, two.\nThree, four.\nFive, six.\n",
        "def f(x):\n\treturn x\n\n\ndef g(x):\n\treturn x\n",
        "\ta\n\tb\n\tc\n\td\n",
        "A line\nand another\n" * 30,
        "It was a fine day, and nobody knew why.\n" * 30,
    ],
)
def test_prose_and_programs_are_texts(read, content):
    assert read(content.encode())[2] == []


def test_end_marks_in_documents_are_told(read):
    content = b"one<|endoftext|>two\n\nthree<|endoftext|>"
    _, facts, (caution,) = read(content)
    assert facts["end_marks"] == {"<|endoftext|>": 2}
    assert '`document: "<|endoftext|>"`' in caution and "2 times" in caution
    assert read(content, document="<|endoftext|>")[2] == []


def test_doubtful_encodings_are_told(read):
    english = "It was a fine day, and nobody knew why.\n" * 30
    _, facts, (caution,) = read((english + "for £20").encode("cp1252"))
    assert facts["doubted_guesses"] == {"cp1252 cp866": 1} and facts["guessed"] == 1
    assert "a.txt: read as cp1252, a guess from few characters, which may be cp" in caution
    chinese = "从前有一座山，山里有一座庙。小姑娘每天早上去学校，她说：“今天天气很好。”\n" * 5
    (caution,) = read(chinese.encode("gb18030"), encoding="latin-1")[2]
    assert "read as latin-1, as `encoding` says, but the text looks like gb18030" in caution
