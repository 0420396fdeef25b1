"""A file is read as the configuration says, and what was found out about it is told."""

import gzip
import io
import json
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.texts import Reading, read_texts

DEFAULT = {
    **dict.fromkeys(("members", "format", "document")),
    **{"field": "text", "encoding": "auto", "errors": "strict", "max_bytes": 10**9},
}


@pytest.fixture
def read(tmp_path):
    """Return a function: content, name, keys of a reading → documents and facts."""

    def read(content: bytes, name: str, **keys) -> tuple[list[str], dict]:
        path, facts = tmp_path / Path(name).name, {"name": name}
        path.write_bytes(content)
        documents = list(read_texts(path, facts, Reading(**{**DEFAULT, **keys}), tmp_path))
        return documents, facts

    return read


TABLE = 'text,id\r\n长城很长。她说：“今天天气很好。”,1\r\n"一\r\n二",2\r\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_tables_and_records_are_in_any_encoding(read, encoding):
    documents, facts = read(TABLE.encode(encoding), "a.csv")
    assert documents == ["长城很长。她说：“今天天气很好。”", "一\n二"]
    assert facts == {
        "name": "a.csv",
        "formats": {"csv": 1},
        "field": "text",
        "separators": {"commas": 1},
        "encodings": {encoding: 1},
        "guessed": int(encoding == "gb18030"),
        "marks": int(encoding in ("utf-8-sig", "utf-16")),
        "line_ends": {"CRLF": 4},
        "replaced": 0,
    }
    assert read("text\tid\r\n长城很长。今天天气很好。\t1\r\n".encode(encoding), "a.tsv")[0] == [
        "长城很长。今天天气很好。"
    ]
    lines = '{"text": "长城很长。今天天气很好。"}\n'.encode(encoding)
    assert read(lines, "a.jsonl")[0] == read(lines, "a.json")[0] == ["长城很长。今天天气很好。"]


def test_errors_hold_for_tables(read):
    with pytest.raises(UserError, match="the byte at offset 15 is not UTF-8"):
        read("text\n红\n楼".encode() + b"\n a\xff\n", "a.csv")
    documents, facts = read("text\n红\n楼".encode() + b"\n a\xff\n", "a.csv", errors="replace")
    assert documents == ["红", "楼", " a\ufffd"] and facts["replaced"] == 1


def test_utf8_is_not_read_in_another_encoding_that_fits_any_bytes(read):
    text = "Größe, Straße und Übermut, naïve café, déjà vu, señor, über\n" * 3
    with pytest.raises(UserError, match=r"a\.txt is UTF-8, not latin-1; set `encoding: auto`"):
        read(text.encode(), "a.txt", encoding="latin-1")
    for encoding in ("latin-1", "cp1252", "utf_8", "UTF-8"):
        content = text.encode(encoding)
        assert read(content, "a.txt", encoding=encoding, document="whole")[0] == [text]


def test_delimiters_are_counted(read):
    assert read(b"one|two|", "a.txt", document="|")[1]["delimiters"] == 2
    assert read(b'{"text": "one|two"}\n{"text": "a"}', "a.jsonl", document="|")[1]["delimiters"] == 1
    assert "delimiters" not in read(b"one|two|", "a.txt", document="line")[1]


def test_the_end_mark_of_dos_is_no_text(read):
    assert read(b"one\r\n\r\ntwo\r\n\x1a\x1a", "a.txt", document="whole")[0] == ["one\n\ntwo\n"]
    assert read(b"one\r\ntw\x1ao\r\n\x1a", "a.txt", document="line")[0] == ["one", "tw\x1ao"]
    assert read(b"text,id\r\na,1\r\n\x1a", "a.csv")[0] == ["a"]


@pytest.mark.parametrize("name", ["Who goes there?.csv", "https://x/a.csv?download=1", "https://x/a.csv#top"])
@pytest.mark.parametrize("packed", [False, True])
def test_the_format_is_that_of_the_name_without_what_an_address_adds(read, name, packed):
    content = gzip.compress(b"id,text\n1,a\n") if packed else b"id,text\n1,a\n"
    assert read(content, name.replace(".csv", ".csv.gz") if packed else name)[0] == ["a"]


def test_members_have_formats_of_their_own(read):
    """Of an archive from an address with `?`, all was read as text."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("what?.csv", "id,text\n1,a\n")
        archive.writestr("b.jsonl", '{"text": "b"}')
    for name in ("a.zip", "https://x/a.zip?download=1", "https://x/content.csv"):
        assert read(buffer.getvalue(), name)[0] == ["b", "a"]


def zip_of(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return buffer.getvalue()


def test_members_of_one_name_have_their_own_encodings(read):
    """The encoding of a packed member was that of the one beside it, too."""
    text = "Привет, мир! Это длинный русский текст, в котором много букв.\n" * 20
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("2019.txt", text)
        archive.writestr("2019.txt.gz", gzip.compress(text.encode("cp1251")))
    documents, facts = read(buffer.getvalue(), "a.zip", document="whole")
    assert documents == [text, text] and facts["encodings"] == {"cp1251": 1, "utf-8": 1}


def test_what_programs_leave_in_archives_is_left_out_and_counted(read):
    content = zip_of("a.txt", "__MACOSX/._a.txt", ".DS_Store", "b/Thumbs.db", "b/c.txt")
    documents, facts = read(content, "a.zip", document="whole")
    assert documents == ["a.txt", "b/c.txt"] and facts["left_out"] == 3
    assert read(content, "a.zip", document="whole", members=[".DS_Store"])[0] == [".DS_Store"]


def test_an_archive_of_hidden_files_says_so(read):
    with pytest.raises(UserError, match=r"a.zip has no files but 2 that are hidden; name them in `members`"):
        read(zip_of(".a/b.txt", ".c.txt"), "a.zip")


@pytest.mark.parametrize("name", ["[Content_Types].xml", "mimetype"])
def test_documents_of_office_programs_are_no_archives_of_texts(read, name):
    with pytest.raises(
        UserError, match=r"a.docx is a document of an office program.*save what it says as a text"
    ):
        read(zip_of("word/document.xml", name), "a.docx")


LONG = "红楼梦与三国演义，" * 500_000  # 9 MB as Python holds it, 13.5 MB in UTF-8


@pytest.mark.parametrize(
    ("name", "content", "document"),
    [
        ("a.txt", LONG.encode(), "line"),
        ("a.txt", LONG.encode(), "blank-line"),
        ("a.txt", LONG.encode(), "<|e|>"),
        ("gb.txt", LONG.encode("gb18030"), "line"),
        ("a.jsonl", json.dumps({"text": LONG}, ensure_ascii=False).encode(), None),
        ("a.json", json.dumps([{"text": LONG}], ensure_ascii=False).encode(), None),
        ("a.tsv", b"text\tid\n" + LONG.encode() + b"\t1\n", None),
    ],
)
def test_a_long_document_is_held_twice_or_so(name, content, document, tmp_path):
    (tmp_path / name).write_bytes(content)
    del content
    reading = Reading(**{**DEFAULT, "document": document})
    texts = list(read_texts(tmp_path / name, {"name": name}, reading, tmp_path))  # imports what it needs
    assert [len(text) for text in texts] == [len(LONG)]
    del texts
    tracemalloc.start()
    try:
        for text in read_texts(tmp_path / name, {"name": name}, reading, tmp_path):
            assert len(text) == len(LONG)
        assert tracemalloc.get_traced_memory()[1] < 3.5 * 2 * len(LONG) + 5 * 2**20
    finally:
        tracemalloc.stop()
