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
        ("id,text\n" + '0,"a, b c\n  d\n  ""e"""\n' * 30, "csv"),
        (",0,1\n" + '0,yes,"a\n  b"\n' * 5000, "csv"),
        ("\t0\n" + "0\ta b\n" * 30, "tsv"),
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
    russian = "мужу, что не может жить с ним в одном доме. Положение это пр\n"
    (caution,) = read(russian.encode("mac-cyrillic"))[2]
    assert "read as cp1251, a guess from few characters, which may be mac-cyrillic" in caution
    chinese = "从前有一座山，山里有一座庙。小姑娘每天早上去学校，她说：“今天天气很好。”\n" * 5
    (caution,) = read(chinese.encode("gb18030"), encoding="latin-1")[2]
    assert "read as latin-1, as `encoding` says, but the text looks like gb18030" in caution


CHATS = {
    "turns in a line": "<|user|>Hello, {0}<|assistant|>Yes\n" * 30,
    "ChatML": "<|im_start|>user\nhi {0}<|im_end|>\n<|im_start|>assistant\nyo<|im_end|>\n" * 30,
    "a table of Markdown": "| a | b |\n|---|---|\n" + "| 1 | x, y |\n" * 30,
    "a program": "def f(x):\n\treturn x\n" * 30 + "\tx\n",
    "a list of lines": "[1] A source\n[2] Another\n[3] A third\n",
    "a reference": "[Smith, 2004] says so.\n" * 30,
    "tags of a person's own": "<user>Hello</user>\n<bot>Yes</bot>\n" * 30,
    "angles": "<3 you all\n<p\n",
    "words with accents": "naïve café, “déjà” vu – Größe\nЭто был хороший день\n" * 10,
    "proteins": "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSG\n" * 30,
    "digests": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n" * 30,
}


@pytest.mark.parametrize("content", CHATS.values(), ids=CHATS)
def test_chats_and_the_like_are_texts(read, content):
    assert read(content.encode())[2] == []


LONG = "word and more " * 6000
RECORDS = {
    "long JSON lines": "".join(f'{{"text": "{i} {LONG}"}}\n' for i in range(3)),
    "objects of several lines": '{\n  "id": 1,\n  "text": "hello"\n}\n' * 30,
    "one object": '{"data": [\n{"text": "a"},\n{"text": "b"}\n]}',
}


@pytest.mark.parametrize("content", RECORDS.values(), ids=RECORDS)
def test_records_that_are_no_json_lines_are_told(read, content):
    _, facts, (caution,) = read(content.encode(), document="whole")
    assert facts["looks_like"] == {"json": 1} and "`format: json`" in caution
    assert read(content.encode(), format="text")[2] == []


def test_json_lines_among_other_lines_are_told(read):
    content = b"".join(b'{"text": "a"}\n' if i % 8 else b"# comment\n" for i in range(40))
    assert read(content)[1]["looks_like"] == {"jsonl": 1}


MAIL = "From: a@b\nContent-Transfer-Encoding: quoted-printable\n\nSch=C3=B6ne Gr=C3=BC=C3=9Fe =\nweiter\n"
MISREAD = [
    "naïve café – déjà vu\n".encode().decode("cp1252"),
    "It’s déjà vu\n".encode().decode("latin-1"),
    "Это был хороший день\n".encode().decode("cp1251"),
    "It’s a “quote”\n".encode("cp1252").decode("latin-1"),
]
FORMS = {
    "one that was read": [line * 5 for line in MISREAD],
    "JSON without names": ['["one",\n "two"]', '[1, "one"]\n' * 5, '["one", "two"]\n' * 5],
    "HTML or XML": [
        "<!DOCTYPE html>\n<html><body><p>One</p></body></html>",
        '<?xml version="1.0"?>\n<a>One</a>',
        "<!-- saved -->\n<html>\nOne",
        '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/">\n<page>One</page>\n',
        "<p>One</p>\n<p>Two</p>",
        '<doc id="12" url="https://en.wikipedia.org/wiki?curid=12" title="A">\nOne\n</doc>',
    ],
    "mails": [MAIL, "One\n\n" + MAIL],
    "base64": [
        "iVBORw0KGgpEIII8/ebxwmsw+Q7H3QHkiHU0og8LDQTDbtgOceD9d7B2cOuUC9UzX5c9qthhm5H/\n" * 12 + "yRH1fM==\n"
    ],
}


@pytest.mark.parametrize(
    ("form", "content"), [(form, content) for form, contents in FORMS.items() for content in contents]
)
def test_other_forms_of_texts_are_told(read, form, content):
    (caution,) = read(content.encode())[2]
    assert f"a.txt: read as a text, but looks like {form}" in caution
    assert read(content.encode(), format="text")[2] == []


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7 text", "a PDF"),
        (b"%!PS-Adobe-3.0\n/F 12 def (Hello) show\n", "a PostScript file"),
        (b"{\\rtf1 text}", "an RTF document"),
        (b"(lp0\nVone\np1\na.", "a pickle of Python"),
        (b"7z\xbc\xaf\x27\x1c\0\x04" + b"\1" * 100, "a 7z archive"),
        (b"Rar!\x1a\x07\x01\0" + b"\1" * 100, "a RAR archive"),
    ],
)
def test_what_holds_no_text_is_refused_whatever_its_encoding(read, content, kind):
    for encoding in ("auto", "latin-1"):
        with pytest.raises(UserError, match=f"a.txt is {kind}; save what it says as a text"):
            read(content, encoding=encoding)


def test_old_encodings_are_told(read):
    russian = "Жила-была маленькая лягушка в красивом саду у реки. Она любила петь по утрам и вечерам.\n" * 5
    (caution,) = read(russian.encode("cp866"))[2]
    assert "read as cp866, a guess; other encodings of DOS" in caution
    assert read(russian.encode("cp1251"))[2] == []
