"""Every form gives the same texts, in order, and says where it is wrong."""

import csv
import io
import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading import encoding
from gptgrid.stages.corpus.reading.records import format_of, read_records
from gptgrid.text import rows
from gptgrid.text.documents import write_documents

TEXTS = ["one", "", "zwei\nZeilen \"q\" 'x', \\ \t", "红楼梦 😀\u2028", "x" * 200_000, "[{"]
ROWS = [{"id": i, "text": text, "in": {"text": text}} for i, text in enumerate(TEXTS)]


def csv_of(rows: list[list[str]], **options) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, **options).writerows(rows)
    return buffer.getvalue().encode()


def parquet_of(rows: list[dict]) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), buffer, row_group_size=2)
    return buffer.getvalue()


CONTENT = {
    "parquet": parquet_of(ROWS),
    "jsonl": "".join(json.dumps(row) + "\n" for row in ROWS).encode(),
    "json": json.dumps(ROWS, indent=1, ensure_ascii=False).encode(),
    "csv": csv_of([["id", "text"], *([i, text] for i, text in enumerate(TEXTS))]),
    "tsv": b'id\ttext\n0\tone\n1\t\n2\t"q\n',
}


class Stream(io.BytesIO):
    def seekable(self) -> bool:
        return False


def read(content: bytes, form: str, field: str = "text", **options) -> list[str]:
    return list(read_records(Stream(content), "x", form, field, **options))


@pytest.mark.parametrize("form", ["parquet", "jsonl", "json", "csv"])
def test_texts_come_back(form, tmp_path):
    assert read(CONTENT[form], form, scratch=tmp_path) == TEXTS
    assert list(tmp_path.iterdir()) == []
    assert list(read_records(io.BytesIO(CONTENT[form]), "x", form, "text")) == TEXTS


@pytest.mark.parametrize("form", ["parquet", "jsonl", "json"])
def test_field_in_a_field(form):
    assert read(CONTENT[form], form, "in.text") == TEXTS


def test_key_with_a_dot():
    assert read(b'{"a.b": "x", "a": {"b": "y"}}', "jsonl", "a.b") == ["x"]


def test_tab_separated_values_have_no_quotes():
    assert read(CONTENT["tsv"], "tsv") == ["one", "", '"q']


def test_lines_of_text():
    assert read(b"one\r\n\n two\nend", "text") == ["one", "", " two", "end"]


@pytest.mark.parametrize("form", ["csv", "tsv"])
def test_tables_without_a_header(form):
    content = CONTENT["tsv"] if form == "tsv" else csv_of([["a", "b"], ["c", "d"]])
    assert read(content, form, "1")[:2] == (["text", "one"] if form == "tsv" else ["b", "d"])
    with pytest.raises(UserError, match="x has 2 columns, so that the last is 1, not 2"):
        read(content, form, "2")


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("parquet", parquet_of([{"text": None}, {"text": "a"}])),
        ("jsonl", b'{"text": null}\n\n{"text": "a"}'),
        ("json", b'[{"text": null},{"text": "a"}]'),
        ("csv", b'id,text\n1,\n2,"a"\n'),
    ],
)
def test_null_is_the_empty_text(form, content):
    assert read(content, form) == ["", "a"]


def test_lists_in_parquet_are_no_texts():
    """Names inside of lists were offered, and could not be read."""
    content = parquet_of([{"text": ["a", "b"], "in": {"more": [{"x": "c"}]}, "id": "1"}])
    with pytest.raises(UserError, match=r"x has no field 'txt'; it has text, in\.more, id; set `field`"):
        read(content, "parquet", "txt")
    for field in ("text", "in.more"):
        with pytest.raises(UserError, match=f"x: the field '{field}' is a list in each row.*explode"):
            read(content, "parquet", field)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_texts_of_parquet_are_of_several_kinds(kind):
    buffer = io.BytesIO()
    parquet.write_table(pa.table({"text": pa.array(["a", None, "é"]).cast(kind)}), buffer)
    assert read(buffer.getvalue(), "parquet") == ["a", "", "é"]


def test_rows_that_are_one_document_of_a_corpus_are_one_text(monkeypatch, tmp_path):
    monkeypatch.setattr(rows, "LENGTH", 7)
    monkeypatch.setattr(rows, "ROW_LENGTH", 3)
    texts = ["short", "longer 天地 than that", "", "and 😀😀 again, long", "x", "the last one"]
    write_documents(tmp_path / "a.parquet", texts)
    assert parquet.read_metadata(tmp_path / "a.parquet").num_rows == 20
    assert read((tmp_path / "a.parquet").read_bytes(), "parquet") == texts


@pytest.mark.parametrize("nested", [False, True])
def test_a_byte_in_parquet_that_is_not_utf8_is_located(nested):
    texts = [b"hello"] * 3000 + [b"caf\xe9 au lait", b"ok"]
    column = pa.array(texts, pa.binary()).view(pa.string())
    column = pa.StructArray.from_arrays([column], ["in"]) if nested else column
    buffer = io.BytesIO()
    parquet.write_table(pa.table({"text": column}), buffer)
    with pytest.raises(UserError, match=r"x, row 3001: the field 'text.*is not UTF-8.*0xe9 at offset 3"):
        read(buffer.getvalue(), "parquet", "text.in" if nested else "text")


def test_null_object_has_empty_fields():
    assert read(parquet_of([{"a": None}, {"a": {"b": "x"}}]), "parquet", "a.b") == ["", "x"]


@pytest.mark.parametrize("form", CONTENT)
def test_missing_field_lists_those_that_are_there(form):
    there = "id, text, in.text" if form == "parquet" else "id, text"
    with pytest.raises(UserError, match=f"x.* has no field 'txt'; it has {there}"):
        read(CONTENT[form], form, "txt")


@pytest.mark.parametrize(
    ("form", "field", "said"),
    [
        ("jsonl", "id", "x, line 1: the field 'id' is a number, not a text"),
        ("json", "in", "x, record 1, which starts in line 2,: the field 'in' is an object"),
        ("jsonl", "text.more", "x, line 1 is a text, not an object with the field 'text.more'"),
        ("parquet", "id", "x: the field 'id' holds int64, not texts; choose another `field`"),
    ],
)
def test_fields_that_hold_no_text(form, field, said):
    with pytest.raises(UserError, match=said):
        read(CONTENT[form], form, field)


@pytest.mark.parametrize(
    ("form", "content", "said"),
    [
        ("jsonl", b'{"text": "a"}\n{"text": }\n', r"x, line 2 is no JSON \(Expecting value"),
        ("jsonl", b'{"text": "a"}\n[1]\n', "x, line 2 is a list, not an object"),
        ("jsonl", b'{"text": "\\ud800"}\n', "x, line 1: the field 'text' has half a character"),
        ("jsonl", b"[" * 100_000, "x, line 1 is nested too deeply"),
        ("jsonl", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "x, line 1 is nested too deeply"),
        ("jsonl", b'{"text": ' + b"1" * 5000 + b"}", "x, line 1: the field 'text' is a number"),
        ("json", b'[{"text": ' + b"1" * 5000 + b"}]", "record 1, which starts in line 1,: the field 'text' is a number"),
        ("jsonl", b'{"text": NaN}', "x, line 1: the field 'text' is a number"),
        ("jsonl", b'{"text": true}', "x, line 1: the field 'text' is true or false"),
        ("jsonl", b'{"text": "a", "text": "b"}', "x, line 1 has the field 'text' twice"),
        ("json", b'["a", "b"]', "x, record 1, which starts in line 1, is a text, not an object with the field 'text'"),
        ("json", b'[{"text": "a"}] tail', "x, line 1 is no JSON list of objects: expected the end, found t"),
        ("json", b'[{"text": "a"}]\0', "expected the end, found"),
        ("json", b'{"text": "a"} tail', "x, line 1 is no JSON"),
        ("csv", b"text,id,text\na,1,b\n", "x has 2 columns 'text'"),
        ("jsonl", b'{"text": "\xff"}\n', "x: not utf-8: byte 0xff at offset 10"),
        ("json", b'[{"text": "a"},\n{"text": }]', r"x, line 2 is no JSON \(Expecting value"),
        ("json", b'[{"text": "a"}\n\n{"text": "b"}]', "x, line 3 is no JSON list of objects: expected ,, found {"),
        ("json", b'[{"text": "a"},', "x, line 1 is no JSON"),
        ("json", b'[{"text": "a"}]\n{}', "line 2 is no JSON list of objects: expected the end, found {"),
        ("json", b'[{"text": "a"}', "expected ,, found the end"),
        ("json", b'[{"text": "a', "x, line 1 is no JSON"),
        ("json", b"", r"expected \[, found the end"),
        ("json", b"7", r"expected \[, found 7"),
        ("json", b"[7]", "record 1, which starts in line 1, is a number, not an object"),
        ("json", b"[" + b"[" * 100_000, "line 1 is nested too deeply"),
        ("csv", b'id,text\n1,"a\n', r"x, line 2 is no CSV \(unexpected end of data"),
        ("csv", b"id,text\n1,a\n2\n", "x, line 3 has 1 fields, but the first row has 2"),
        ("tsv", b"id\ttext\n1\ta\tb\n", "x, line 2 has 3 fields, but the first row has 2"),
        ("parquet", b"PAR1 what", "x is not a sound parquet file"),
        ("parquet", CONTENT["parquet"][:-100], "x is not a sound parquet file"),
    ],
)  # fmt: skip
def test_wrong_content_is_located(form, content, said):
    with pytest.raises(UserError, match=said):
        read(content, form)


def test_json_list_is_read_in_pieces(monkeypatch):
    monkeypatch.setattr(encoding, "BLOCK", 7)
    assert read(CONTENT["json"], "json") == TEXTS
    assert read(b"  [ ]\n ", "json") == []


def test_wrong_json_is_found_without_reading_on(monkeypatch):
    monkeypatch.setattr(encoding, "BLOCK", 100)
    stream = io.BufferedReader(io.BytesIO(b'[{"text": x}, ' + b'{"text": "a"}, ' * 1_000_000), 100)
    with pytest.raises(UserError, match="x, line 1 is no JSON"):
        list(read_records(stream, "x", "json", "text"))
    assert stream.tell() < 50_000


def test_objects_in_lines_may_be_called_json():
    assert read(CONTENT["jsonl"], "json") == TEXTS
    assert read(json.dumps(ROWS[2], indent=2).encode(), "json") == [TEXTS[2]]
    assert read("\n\n".join(json.dumps(row, indent=2) for row in ROWS).encode(), "json") == TEXTS
    with pytest.raises(UserError, match="x, line 4 is no JSON"):
        read(b'\n\n{"text": "a"}\n{', "json")


@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_other_fields_may_hold_anything(form):
    more = (
        b'"n": '
        + b"9" * 100_000
        + b', "f": '
        + b"9" * 5000
        + b'.5, "i": -Infinity, "s": "\\ud800", "d": 1, "d": 2'
    )
    assert read(b'\xef\xbb\xbf{"text": "a", ' + more + b"}", form) == ["a"]


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030"])
def test_encodings(encoding):
    assert read("id,text\n1,红楼\n".encode(encoding), "csv", encoding=encoding) == ["红楼"]
    assert read("\ufeffid,text\n1,红楼\n".encode(), "csv", "id") == ["1"]


def test_stream_stays_open():
    stream = io.BytesIO(CONTENT["csv"])
    assert list(read_records(stream, "x", "csv", "text")) == TEXTS and not stream.closed
    stream.seek(0)
    texts = read_records(stream, "x", "csv", "text")
    assert next(texts) == "one"
    stream.close()
    texts.close()


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.PARQUET", "parquet"), ("a/b.ndjson", "jsonl"), ("a.md", "text"), ("a", "text"), ("a.tsv", "tsv"), ("a.csv.ZST", "csv"), ("Who goes there?.csv", "csv"), ("#1.csv", "csv"), ("dump.csv.gzip", "csv"), ("a.json.zstd", "json"), ("a.tsv.bzip2", "tsv")],
)  # fmt: skip
def test_form_by_ending(name, form):
    assert format_of(name) == form


def test_notebooks_are_no_texts():
    with pytest.raises(UserError, match=r"a/b\.ipynb is a notebook.*`format: text`"):
        format_of("a/b.ipynb")


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_of_csv_are_found_out(separator, capsys):
    rows = [["id", "text"], ["1", "a, b"], ["2", 'two\nlines; "q" | \t'], ["3", ""]]
    facts = {}
    assert read(csv_of(rows, delimiter=separator), "csv", facts=facts) == [row[1] for row in rows[1:]]
    assert facts["separator"] == {";": "semicolons", "\t": "tabs", "|": "bars"}[separator]
    assert f"x is separated by {facts['separator']}" in capsys.readouterr().out
    assert read(csv_of(rows, delimiter=separator), "csv", "1") == [row[1] for row in rows]
    with pytest.raises(UserError, match="x has no field 'txt'; it has id, text"):
        read(csv_of(rows, delimiter=separator), "csv", "txt")


def test_commas_stay_commas():
    rows = [["text"], ["a; b"], ["c; d"]]
    assert read(csv_of(rows), "csv") == ["a; b", "c; d"]
    assert read(csv_of([["a; b", "c; d"], ["e", "f; g"]]), "csv", "1") == ["c; d", "f; g"]
    assert read(csv_of([["no separator"], ["one; here"]]), "csv", "0") == ["no separator", "one; here"]


@pytest.mark.parametrize("form", CONTENT)
def test_line_ends_in_texts_are_line_feeds_and_counted(form):
    text, facts = "a\r\nb\rc\nd", {}
    content = {
        "csv": csv_of([["text", "id"], [text, "1"]]),
        "tsv": b"text\tid\r\na\t1\r\n",
        "jsonl": json.dumps({"text": text}).encode(),
        "json": json.dumps([{"text": text}]).encode(),
        "parquet": parquet_of([{"text": text}]),
    }
    assert read(content[form], form, facts=facts) == ["a" if form == "tsv" else "a\nb\nc\nd"]
    assert facts["line_ends"]["CRLF"] >= 1 and (form == "tsv" or facts["line_ends"]["CR"] == 1)


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl"])
def test_bytes_that_do_not_fit_may_be_replaced(form):
    content = {"csv": b"text,id\na\xff,1\n", "tsv": b"text\tid\na\xff\t1\n", "jsonl": b'{"text": "a\xff"}'}[
        form
    ]
    facts = {}
    assert read(content, form, errors="replace", facts=facts) == ["a\ufffd"] and facts["replaced"] == 1
