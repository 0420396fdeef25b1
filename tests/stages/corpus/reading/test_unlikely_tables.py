"""Tables whose separator or quotes may be read in two ways, and texts that are tables or records."""

import csv
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
    assert found == (["", "whole"] if text == '""' else [text, '"whole"'])


UTTERANCES = [f"Where is {name}?" for name in ("he", "she", "Tom", "Ann", "the cat")] * 4


@pytest.mark.parametrize("header", ["id\ttext\n", '"id"\t"text"\n'])
def test_utterances_in_quotes_keep_them(header):
    """Half of the rows are direct speech, which no program would put in quotes."""
    cells = [f'"{text}"' if i % 2 else f"{text}, it asked" for i, text in enumerate(UTTERANCES)]
    for some in (cells, ['"Well, come"', *cells], ["come"] * 2000 + ['"come"'] * 3000):
        rows = "".join(f"{i}\t{cell}\n" for i, cell in enumerate(some))
        facts = {}
        if header.startswith("id"):
            assert read(header + rows, "tsv", facts=facts) == some
        assert read(rows, "tsv", "1", facts) == some and facts["quotes"] == "literal"


@pytest.mark.parametrize(
    "cells",
    [
        ['"a b"', '"c"', '"d, e"'],
        ['"a b"', "NA", '"c"', "", "17", "3.5"],
        ['"a, b"', "c", "d e", '"f; g"'],
        ['" a"', "c", '""', "d"],
        ["a", '"say ""b"""', "c"],
    ],
)
@pytest.mark.parametrize("header", ["id\ttext\n", '"id"\t"text"\n'])
def test_quotes_that_programs_write_are_taken_off(header, cells):
    rows = "".join(f"{i}\t{cell}\n" for i, cell in enumerate(cells * 10))
    texts = [cell[1:-1].replace('""', '"') if cell.startswith('"') else cell for cell in cells]
    assert read(header + rows, "tsv") == texts * 10


@pytest.mark.parametrize("form", ["csv", "tsv"])
def test_a_column_may_have_a_number_for_a_name(form):
    """As pandas writes tables without names; the header was a document, or another column was read."""

    def table(*rows):
        return "".join(("," if form == "csv" else "\t").join(row) + "\n" for row in rows)

    pandas = table(["", "0", "1"], ["0", "yes", "a b"], ["1", "no", "c d"])
    assert read(pandas, form, "1") == ["a b", "c d"]
    assert read(pandas, form, "0") == ["yes", "no"]
    assert read(table(["id", "2019", "2020"], ["1", "a", "b"]), form, "2020") == ["b"]
    # Records that are counted have no header.
    assert read(table(["1", "a"], ["2", "b"], ["3", "c"]), form, "1") == ["a", "b", "c"]
    assert read(table(["1", "1"], ["x", "b"]), form, "1") == ["1", "b"]


@pytest.mark.parametrize("form", ["csv", "tsv"])
@pytest.mark.parametrize(
    ("header", "row", "told"),
    [
        ("id,2019,2020", "17,an old text,a new text", True),
        ("label,language,text", "yes,en,a text that is long", True),
        ("17,an old text,a new text", "18,an old text,a new text", False),
        ("no,en,Yes.", "yes,en,a text that is long", False),
        ("x,en,a longer one", "yes,en,a text that is long", False),
        (",,text", "yes,en,a text that is long", True),
    ],
)
def test_a_header_that_becomes_a_document_is_told(form, header, row, told):
    content, facts = f"{header}\n" + f"{row}\n" * 30, {}
    content = content if form == "csv" else content.replace(",", "\t")
    assert len(read(content, form, "2", facts)) == 31
    assert bool(facts.get("doubts")) == told
    if told:
        assert "looks like a header and is a document" in facts["doubts"][0]


@pytest.mark.parametrize("header", ["id, text", '"id", "text"', "id,text"])
def test_blanks_before_quotes_are_left_out(header, capsys):
    rows = '1, "wind, cloud"\n2, rain\n3,  "snow ""white"""\n'
    assert read(f"{header}\n{rows}", "csv") == ["wind, cloud", "rain", 'snow "white"']
    assert "x has blanks before its fields" in capsys.readouterr().out
    with pytest.raises(UserError, match="x, line 2 is no CSV"):
        read(f'{header}\n1, "wind" cloud\n', "csv")
    late = "id,text\n" + "1,rain\n" * 100 + '1, "wind"\n'
    with pytest.raises(UserError, match="x, line 102 has a blank before the quotes of a field"):
        read(late, "csv")


def test_quotes_inside_of_quotes_may_stand_behind_blanks():
    texts = [' "Yes," she said, "no"', 'a, ""', '\n  "What?"\n "', "he said, "]
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["id", "text"], *([i, text] for i, text in enumerate(texts * 30))])
    assert read(buffer.getvalue(), "csv") == texts * 30


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


DIALOGUE = "\n".join(f"{'AB'[i % 2]}: Yes, {i}" for i in range(30))


@pytest.mark.parametrize("lines", [17, 19, 20, 21, 100, 3000])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_cells_of_many_lines_do_not_hide_the_separator(separator, lines):
    cell = "\n".join(f"Line {i}: it was, once" for i in range(lines))
    rows = "".join(f'{i}{separator}"{cell}"\n' for i in range(20))
    assert read(f"id{separator}text\n{rows}", "csv") == [cell] * 20
    assert read(rows, "csv", "1") == [cell] * 20


def test_quotes_behind_a_separator_tell_it_from_one_inside_of_them():
    rows = "".join(f'{i};"{DIALOGUE}"\n' for i in range(60))
    assert read(rows, "csv", "1") == [DIALOGUE] * 60
    doubled = "".join(f'{i},"a;""b"""\n' for i in range(60))
    assert read(doubled, "csv", "1") == ['a;"b"'] * 60
