"""A damaged byte, a part in another encoding or a zero changes no letters silently."""

import io
import os
import random
from pathlib import Path

import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.given import check_given
from gptgrid.stages.corpus.reading.texts import Reading, read_texts

MIRROR = os.environ.get("GPTGRID_MIRROR")
WORDS = {
    "cp1252 de": "schöne Mädchen fährt über Brücke nach Hause große Bäume Vögel süß Käse Öl Straße und von",
    "cp1252 fr": "été où élèves français crêpes déjà très être forêt garçon naïf hôtel île père la le de",
    "cp1250 cs": "příliš žluťoučký kůň úpěl ďábelské ódy dům město řeka člověk život čas sníh škola dítě se",
    "cp1251 ru": "что она Привет мир сегодня яблоко дом вода человек жизнь Ёжик съел хорошо Москва щука эхо",
    "cp1253 el": "και της την Καλημέρα κόσμε σήμερα νερό άνθρωπος ζωή χρόνος ψυχή ωραία ήλιος ουρανός",
    "cp1254 tr": "Güneşli bir günde çocuklar bahçede oynuyordu şarkı söylüyor kız ağaç için yeşil gökyüzü",
    "cp1255 he": "שלום עולם מה שלומך היום הילדים משחקים בחצר הקטנה הלכה ביער בכל בוקר השמש זרחה",
}
LACKED = [
    *(("cp1252 de", byte) for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)),
    *(("cp1252 fr", byte) for byte in (0x81, 0x90, 0x9D)),
    *(("cp1250 cs", byte) for byte in (0x81, 0x83, 0x88, 0x90, 0x98)),
    ("cp1251 ru", 0x98),
    *(("cp1253 el", byte) for byte in (0x81, 0x88, 0xD2, 0xFF)),
    *(("cp1254 tr", byte) for byte in (0x81, 0x90, 0x9E)),
    *(("cp1255 he", byte) for byte in (0x81, 0xD9, 0xFF)),
]
DEFAULT = {
    **dict.fromkeys(("members", "format", "document")),
    **{"field": "text", "encoding": "auto", "errors": "strict", "max_bytes": 10**9},
}


def paragraphs(language: str, number: int = 200) -> list[str]:
    """Return paragraphs of words of a language, drawn at random."""
    draw = random.Random(1)
    words = WORDS[language].split()
    return [" ".join(draw.choices(words, k=40)) + "." for _ in range(number)]


@pytest.fixture
def read(tmp_path):
    """Return a function: content, keys of a reading → text, facts of the file."""

    def read(content: bytes, **keys) -> tuple[str, dict]:
        path, facts = tmp_path / "a.txt", {"name": "a.txt"}
        path.write_bytes(content)
        reading = Reading(**{**DEFAULT, "document": "whole", **keys})
        return "".join(read_texts(path, facts, reading, tmp_path)), facts

    return read


@pytest.mark.parametrize("number", [3, 200])
@pytest.mark.parametrize(("language", "byte"), LACKED)
def test_one_byte_that_a_code_page_lacks_leaves_it_the_code_page(language, byte, number, read):
    encoding = language.split()[0]
    text = "\n\n".join(paragraphs(language, number))
    head, tail = text[: len(text) // 2], text[len(text) // 2 :]
    content = head.encode(encoding) + bytes([byte]) + tail.encode(encoding)
    with pytest.raises(UserError, match=rf"not {encoding}: byte {byte:#x} at offset {len(head)}"):
        read(content)
    found, facts = read(content, errors="replace")
    assert found == f"{head}\ufffd{tail}"
    assert facts["encodings"] == {encoding: 1} and facts["replaced"] == 1


@pytest.mark.parametrize("errors", ["strict", "replace"])
@pytest.mark.parametrize("number", [1, 4, 10, 20, 40])
@pytest.mark.parametrize("language", WORDS)
def test_a_code_page_with_paragraphs_of_utf8_is_refused(language, number, errors, read):
    encoding = language.split()[0]
    texts = paragraphs(language)
    old, new = ("\n\n".join(part) for part in (texts[number:], texts[:number]))
    for content in (
        old.encode(encoding) + b"\n\n" + new.encode(),
        new.encode() + b"\n\n" + old.encode(encoding),
    ):
        with pytest.raises(UserError, match=r"different encodings.*from offset .*convert"):
            read(content, errors=errors)


@pytest.mark.parametrize("language", WORDS)
def test_a_paragraph_of_utf8_in_a_given_encoding_is_told(language, read):
    encoding = language.split()[0]
    texts = paragraphs(language)
    old = "\n\n".join(texts[1:]).encode("gb18030" if encoding == "cp1255" else encoding)
    content = old + b"\n\n" + texts[0].encode()
    _, facts = read(content, encoding="latin-1" if encoding == "cp1252" else "cp866")
    (doubt,) = facts["doubts"]
    offset = int(doubt.split("from offset ")[1].split(" ")[0].replace(",", ""))
    assert "is UTF-8" in doubt and abs(offset - len(old)) < 20


def test_mostly_utf8_is_no_given_encoding(read):
    content = "\n".join(paragraphs("cp1252 de")).encode() + "\n".join(paragraphs("cp1252 fr", 90)).encode(
        "cp1252"
    )
    with pytest.raises(
        UserError, match=r"a\.txt is UTF-8 but for some bytes, not latin-1; set `encoding: auto`"
    ):
        read(content, encoding="latin-1")


@pytest.mark.parametrize("text", ["café naïve Zoë fiancé", "It’s “ok” now – yes", "从前有座"])
def test_a_few_characters_of_utf8_are_no_chance(text, read):
    for encoding in ("latin-1", "cp1252", "ascii"):
        with pytest.raises(UserError, match=f"a.txt is UTF-8, not {encoding}; set `encoding: auto`"):
            read(b"plain text\n\n" * 100 + text.encode(), encoding=encoding)
    assert read("a café".encode(), encoding="cp1252")[1]["doubted_encodings"] == {"cp1252 utf-8": 1}


@pytest.mark.skipif(not MIRROR, reason="GPTGRID_MIRROR is not set")
@pytest.mark.parametrize("encoding", ["gb18030", "big5", "euc_jp", "cp949"])
def test_what_is_utf8_by_chance_in_a_novel_is_not_mixed(encoding):
    path = next(Path(MIRROR).glob("raw.githubusercontent.com/tennessine/corpus/*/红楼梦.txt"))
    found = check_given(io.BytesIO(path.read_text().encode(encoding, "ignore")), "a.txt", encoding)
    assert found == {"encoding": encoding, "guessed": False}


ENGLISH = "The quick brown fox jumps over the lazy dog.\n\n"


@pytest.mark.parametrize("odd", [b"", b"x"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "cp1251"])
def test_a_zero_in_a_text_is_refused_or_told(encoding, odd, read):
    text = (
        ENGLISH * 20
        if encoding == "utf-8"
        else "\n\n".join(paragraphs("cp1252 de" if encoding == "cp1252" else "cp1251 ru"))
    )
    content = text[:100].encode(encoding) + b"\0" + text[100:].encode(encoding) + odd
    with pytest.raises(UserError, match="not text: the byte at offset 100 is zero"):
        read(content)
    found, facts = read(content, encoding=encoding)
    assert found[:101] == text[:100] + "\0"
    (doubt,) = facts["doubts"]
    assert "1 of the" in doubt and "at offset 100" in doubt
    assert "doubts" not in read(text.encode(encoding), encoding=encoding)[1]


def test_names_with_zeros_between_them_are_no_wide_characters(read):
    with pytest.raises(UserError, match="at offset 9 is zero"):
        read(b"".join(b"./a/b/%03d\0" % i for i in range(100)))


@pytest.mark.parametrize("wide", ["utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.parametrize("said", ["utf-8", "ascii", "cp1252", "latin-1", "gb18030"])
def test_wide_characters_are_not_in_an_encoding_of_bytes(wide, said, read):
    for text in (ENGLISH * 20, "\n\n".join(paragraphs("cp1251 ru", 5))):
        with pytest.raises(
            UserError, match=f"zeros between its letters; set `encoding: {wide.replace('-', '_')}`"
        ):
            read(text.encode(wide), encoding=said)


def test_bytes_are_not_in_a_wide_encoding(read):
    for text in (ENGLISH * 20, "\n\n".join(paragraphs("cp1251 ru", 5))):
        with pytest.raises(UserError, match=r"a\.txt is UTF-8, not utf-16-le"):
            read(text.encode(), encoding="utf-16-le")
        assert read(text.encode("utf-16-le"), encoding="utf-16-le")[0] == text
        _, facts = read(text.encode("utf-16-be"), encoding="utf-16-le", errors="replace")
        assert facts["doubted_encodings"] == {"utf-16-le utf_16_be": 1}


def test_letters_are_not_replaced_where_another_encoding_fits(read):
    for language in WORDS:
        encoding = language.split()[0]
        content = "\n\n".join(paragraphs(language)).encode(encoding)
        with pytest.raises(UserError, match=f"not UTF-8.*would be lost; it looks like {encoding}"):
            read(content, encoding="utf-8", errors="replace")
    english = (ENGLISH * 20 + "It’s “ok” now – yes").encode("cp1252")
    with pytest.raises(UserError, match="looks like cp1252"):
        read(english, encoding="utf-8", errors="replace")


OLD = {
    "cp737": "cp1253 el",
    "cp857": "cp1254 tr",
    "cp866": "cp1251 ru",
    "cp852": "cp1250 cs",
}


@pytest.mark.parametrize(("encoding", "language"), OLD.items())
def test_a_guess_that_comes_to_an_old_encoding_is_always_told(encoding, language, read):
    _, facts = read("\n\n".join(paragraphs(language)).encode(encoding))
    (found,) = facts["encodings"]
    assert facts["old_guesses"] == {found: 1}


def test_letters_that_latin_9_has_in_the_places_of_signs_are_found_or_told(read):
    french = "Le cœur a ses raisons ; la sœur paie 5 € à l'œuvre déjà très célèbre.\n\n" * 40
    assert read(french.encode("iso8859-15"))[0] == french
    estonian = (
        "Tüdruk sõi aias õuna. Mulle meeldib lugeda raamatuid öösel. Kõik on täna hästi, ütles õpetaja. "
        "Põhjamaa jää on külm, šokolaad, žanr. Vanaema räägib jälle, kuidas nõmmel metsavöö vööndis käidi.\n\n"
    ) * 40
    assert read(estonian.encode("iso8859-15"))[1]["doubted_guesses"] == {"cp1257 iso8859-15": 1}
    assert "doubted_guesses" not in read(estonian.replace("š", "s").replace("ž", "z").encode("cp1257"))[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cp1251 ru", "cp1252 de"),
        ("cp1250 cs", "cp1251 ru"),
        ("cp1252 fr", "cp1253 el"),
        ("cp1253 el", "cp1252 fr"),
    ],
)
@pytest.mark.parametrize("number", [400, 2000])
def test_a_part_in_another_code_page_is_told(one, other, number, read):
    (encoding, _), (second, _) = one.split(), other.split()
    content = "\n\n".join(paragraphs(one, number)).encode(encoding)
    part = "\n\n".join(paragraphs(other, 20)).encode(second)
    for keys in ({}, {"encoding": encoding}):
        assert "doubts" not in read(content, **keys)[1]
        (doubt,) = read(content + b"\n\n" + part, **keys)[1]["doubts"]
        assert "letters of two scripts" in doubt and f"read as {encoding}" in doubt


CHINESE = "从前有一座山，山里有一座庙。小姑娘每天早上去学校，她说：“今天天气很好。”\n"
TRADITIONAL = "紅樓夢是一部中國古典小說,講述賈寶玉與林黛玉的愛情故事。她說:「今天的天氣很好。」\n"


@pytest.mark.parametrize("number", [1, 10])
def test_an_end_in_another_encoding_of_the_same_script_is_told(number, read):
    russian = "\n".join(paragraphs("cp1251 ru", 300))
    for parts in (
        [(russian * number, "cp1251"), (russian, "koi8-r")],
        [(CHINESE * 900 * number, "gb18030"), (TRADITIONAL * 900, "big5")],
    ):
        content = b"\n".join(text.encode(encoding) for text, encoding in parts)
        encoding, other = (encoding for _, encoding in parts)
        _, facts = read(content, encoding=encoding, errors="replace")
        (doubt,) = facts["doubts"]
        assert f"its end looks like {other}" in doubt
        _, facts = read(parts[0][0].encode(encoding), encoding=encoding)
        assert "doubts" not in facts


def test_zeros_behind_damage_are_refused(read):
    with pytest.raises(UserError, match="is zero"):
        read(ENGLISH.encode() * 5000 + "é".encode() * 9 + "\ufeffmore".encode("utf-16-le"), errors="replace")


@pytest.mark.parametrize("encoding", ["gb18030", "euc_jp", "cp1251"])
def test_a_name_in_another_script_is_no_part_in_utf8(encoding, read):
    text = "\n\n".join(
        [*["It was seen in Moscow in the year of the war, it said."] * 100, *["Красный Кавказ"] * 9]
    )
    found, facts = read(text.encode(encoding), encoding=encoding)
    assert found == text and "doubts" not in facts


@pytest.mark.parametrize(("language", "other"), [("cp1251 ru", "koi8-r"), ("cp1251 ru", "cp866")])
def test_a_part_in_another_code_page_in_the_middle_is_told(language, other, read):
    text = "\n\n".join(paragraphs(language, 2000))
    around = text.encode(language.split()[0])
    (doubt,) = read(b"\n\n".join([around, text.encode(other), around]))[1]["doubts"]
    assert f"some of it looks like {other}" in doubt
    assert "doubts" not in read(around * 3)[1]
