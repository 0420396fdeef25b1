"""Tables whose separator or quotes may be read in two ways, and texts that are tables or records."""

import io
import json

import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading import encoding
from gptgrid.stages.corpus.reading.fields import ListedError
from gptgrid.stages.corpus.reading.records import read_records


def read(content: str, form: str, field: str = "text", facts: dict | None = None) -> list[str]:
    return list(read_records(io.BytesIO(content.encode()), "x", form, field, facts=facts))


@pytest.mark.parametrize("separator", [";", "|", "\t"])
@pytest.mark.parametrize("cell", ["Hallo, du", "3,14"])
def test_a_table_that_two_separators_cut_is_refused(separator, cell):
    rows = "".join(f"{i}{separator}{cell}\n" for i in range(30))
    for field in ("0", "1"):
        with pytest.raises(UserError, match=r"x may be separated by commas or (semicolons|bars|tabs).*`sep="):
            read(rows, "csv", field)
    assert read(f"id{separator}text\n{rows}", "csv") == [cell] * 30
    assert read(f"sep={separator}\n{rows}", "csv", "1") == [cell] * 30


def test_a_column_that_only_one_separator_makes_decides():
    assert read("1;a, b;c\n2;d, e;f\n", "csv", "2") == ["c", "f"]
    assert read('1,"a;b"\n2,c\n', "csv", "1") == ["a;b", "c"]


def test_the_first_line_of_excel_names_the_separator():
    facts = {}
    assert read("sep=;\nid;text\n0;a, b\n", "csv", facts=facts) == ["a, b"]
    assert facts["separator"] == "semicolons"
    assert read('"sep=,"\nid,text\n0,a; b\n', "csv") == ["a; b"]
    with pytest.raises(UserError, match="x, line 4 has 1 fields"):
        read("sep=;\nid;text\n0;a\nb\n", "csv")


QUOTED = 'id\ttext\n0\t"He said ""yes""."\n1\tplain 5" disk\n2\t"two\nlines\t"\n'


def test_tab_separated_values_of_excel_and_pandas_lose_their_quotes(capsys):
    facts = {}
    assert read(QUOTED, "tsv", facts=facts) == ['He said "yes".', 'plain 5" disk', "two\nlines\t"]
    assert facts["quotes"] == "quoted" and "x has quoted fields" in capsys.readouterr().out
    late = "id\ttext\n" + "0\tplain\n" * 5000 + QUOTED.removeprefix("id\ttext\n") * 1000
    assert read(late, "tsv")[5000:5003] == ['He said "yes".', 'plain 5" disk', "two\nlines\t"]


@pytest.mark.parametrize("text", ['"Yes," he said', '"', '"open', '"a" and "b"', '""', 'say "a"', '"two" "'])
def test_other_quotes_of_tab_separated_values_are_text(text):
    facts = {}
    found = read(f'id\ttext\n0\t{text}\n1\t"whole"\n', "tsv", facts=facts)
    assert found == (
        [text, '"whole"'] if text not in ('""', 'say "a"') else [text.strip('"') and text, "whole"]
    )


def test_quotes_that_are_well_formed_at_first_are_never_changed_silently():
    with pytest.raises(UserError, match=r"x, line 2002.*quotes"):
        read("id\ttext\n" + '0\t"a ""b"""\n' * 2000 + '1\t"a" b\n', "tsv")


def test_a_list_inside_an_object_is_named():
    for form in ("json", "jsonl"):
        with pytest.raises(
            ListedError, match=r"list of objects.*version, data.*save that list.*jsonl"
        ) as error:
            read(json.dumps({"version": "1", "data": [{"text": "a"}]}), form)
        assert "version" not in error.value.unlisted


@pytest.mark.parametrize("block", [1, 2, 3, 4, 100])
def test_line_ends_with_two_returns_are_one(block, monkeypatch):
    monkeypatch.setattr(encoding, "BLOCK", block)
    facts = {}
    stream = io.BytesIO(b"a\r\r\nb\r\r\n\r\nc\r\rd")
    assert "".join(encoding.decode(stream, "x", "utf-8", "strict", facts)) == "a\nb\n\nc\n\nd"
    assert facts["line_ends"] == {"CR": 2, "CRCRLF": 2, "CRLF": 1}


def test_what_does_not_fit_names_no_key_that_a_source_lacks():
    with pytest.raises(UserError, match="`source: files`"):
        list(read_records(io.BytesIO(b"a\xff"), "x", "text", "text"))
