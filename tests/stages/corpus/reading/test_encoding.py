"""Bytes become the right text, or an error that says where they do not."""

import codecs
import io
import os
import pickle
import random
import struct
from pathlib import Path

import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.builtin.toy import PAIRS
from gptgrid.stages.corpus.reading import detection
from gptgrid.stages.corpus.reading import encoding as module

MIRROR = os.environ.get("GPTGRID_MIRROR")


def decode(data, encoding="auto", name="f", errors="strict"):
    """Return text and facts, as the stage finds them."""
    if encoding == "auto":
        facts = detection.detect(io.BytesIO(data), name, errors)
    else:
        facts = {"encoding": encoding, "guessed": False}
    text = "".join(module.decode(io.BytesIO(data), name, facts["encoding"], errors, facts))
    return text, facts


@pytest.fixture(params=[1, 3, 2**20])
def block(request, monkeypatch):
    """Where a file is cut into blocks never matters."""
    monkeypatch.setattr(module, "BLOCK", request.param)


TEXT = "红楼梦 naïve 🙂\nzweite Zeile"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (codecs.BOM_UTF8 + TEXT.encode(), "utf-8-sig"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "utf-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-16"),
        (codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"), "utf-32"),
    ],
)
def test_auto_reads_marks_and_utf8(data, encoding, block):
    facts = {"encoding": encoding, "guessed": False, "line_ends": {"LF": 1}, "replaced": 0}
    assert decode(data) == (TEXT, {**facts, "mark": encoding != "utf-8"})


def test_line_ends_become_line_feeds_and_a_mark_is_no_text(block):
    text, facts = decode(codecs.BOM_UTF8 + b"a\r\nb\x00\rc\n\r\n\r", "utf-8")
    assert text == "a\nb\x00\nc\n\n\n" and facts["mark"]
    assert facts["line_ends"] == {"CR": 2, "CRLF": 2, "LF": 1}


CHINESE = "".join(chinese for chinese, _ in PAIRS)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CHINESE, "gb18030"),
        (CHINESE, "big5"),
        ("朝起きると、雨が降っていた。傘を持って駅まで歩いた。\n" * 4, "shift_jis"),
        ("La forêt était déjà très sombre quand la fille rentra à la maison.\n" * 4, "latin-1"),
        ("“Größe”, Straße und Übermut – alles zugleich.\n" * 4, "cp1252"),
        ("Příliš žluťoučký kůň. Dům stál na kopci u lesa.\n" * 4, "cp1250"),
        ("Жила-была маленькая лягушка в красивом саду у реки.\n" * 4, "koi8_r"),
    ],
)
def test_auto_guesses_and_says_so(text, encoding, block, capsys):
    data = text.encode(encoding, "ignore")
    found, facts = decode(data, "auto", "novel.txt")
    assert found == data.decode(encoding) and facts["guessed"]
    assert "novel.txt" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "encoding", "said"),
    [
        (b"abc\xff", "utf-8", ["offset 3", "0xff", "encoding"]),
        (b"abc\xe4", "ascii", ["offset 3", "auto"]),
        (b"abc", "utf-9", ["'utf-9' is unknown"]),
        (b"abc", "rot13", ["'rot13' is unknown"]),
        (b"abc", "undefined", ["'undefined' is unknown"]),
        (b"abc", "idna", ["'idna' is unknown"]),
        (b"abc", "utf-8\0", ["is unknown"]),
        (b"text\0\0\0text", "auto", ["not text", "offset 4 is zero"]),
        (b"a" * 300_000 + b"\0", "auto", ["not text", "offset 300,000 is zero"]),
        (codecs.BOM_UTF8 + b"abc", "cp1252", ["byte order mark of utf-8", "encoding: auto"]),
        (codecs.BOM_UTF16_BE + b"\0a", "utf-16-le", ["byte order mark of utf-16-be"]),
        (b"\0a", "utf-16", ["without a byte order mark", "utf-16-le or utf-16-be"]),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 8, "auto", ["not text", "offset 0"]),
    ],
)
def test_what_does_not_fit_is_an_error_with_file_and_offset(data, encoding, said, block):
    with pytest.raises(UserError) as error:
        decode(data, encoding, "texts/f.txt")
    assert all(part in str(error.value) for part in ["texts/f.txt", *said])


# What `auto` promises: a sentence of a language, and the encodings in which it is found.
SENTENCES = {
    "La forêt était déjà très sombre quand la fille rentra à la maison. Où êtes-vous allé?\n": [
        "latin-1",
        "cp1252",
        "cp850",
    ],
    "Größe, Straße und Übermut – alles zugleich. Die Mädchen können schön spielen.\n": [
        "cp1252",
        "mac-roman",
    ],
    "El niño pequeño vivía en España; ¿qué será mañana? La canción sonó después.\n": ["latin-1", "cp1252"],
    "Příliš žluťoučký kůň úpěl ďábelské ódy. Dům stál na kopci u lesa.\n": ["cp1250", "cp852"],
    "Zażółć gęślą jaźń. Chłopiec poszedł do szkoły, żeby się uczyć.\n": ["cp1250", "iso8859-2"],
    "Жила-была маленькая лягушка в красивом саду у реки. Она любила петь.\n": [
        "cp1251",
        "koi8_r",
        "cp866",
        "iso8859-5",
    ],
    "Η μικρή κοπέλα περπατούσε στο δάσος κάθε πρωί. Ο ήλιος έλαμπε.\n": ["cp1253", "iso8859-7"],
    "Küçük kız ormanda yürüyordu. Güneş gökyüzünde parlıyordu, şimdi eve döndü.\n": ["cp1254", "iso8859-9"],
    "הילדה הקטנה הלכה ביער בכל בוקר. השמש זרחה בשמיים.\n": ["cp1255"],
    "كانت البنت الصغيرة تمشي في الغابة كل صباح. كانت الشمس تشرق في السماء.\n": ["cp1256"],
    "เด็กหญิงตัวเล็กเดินเข้าไปในป่าทุกเช้า ดวงอาทิตย์ส่องแสงบนท้องฟ้า\n": ["cp874"],
    "Mažoji mergaitė kiekvieną rytą vaikščiojo miške. Saulė švietė danguje.\n": ["cp1257"],
    "작은 소녀가 매일 아침 숲속을 걸었다. 태양이 하늘에서 빛났다.\n": ["cp949", "euc_kr"],
    "朝起きると、雨が降っていた。傘を持って駅まで歩いた。カタカナもある。\n": [
        "cp932",
        "euc_jp",
        "iso2022_jp",
    ],
    "从前有一座山，山里有一座庙。小姑娘每天早上去学校，她说：“今天天气很好。”\n": [
        "gb18030",
        "gbk",
        "gb2312",
    ],
    "紅樓夢是一部中國古典小說,講述賈寶玉與林黛玉的愛情故事。她說:「今天的天氣很好。」\n": [
        "big5",
        "big5hkscs",
    ],
}
WIDE = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
CASES = [
    *(
        (text, encoding, "") for text, encodings in SENTENCES.items() for encoding in encodings
    ),  # one long line
    *((text, encoding, "\n") for text, encodings in SENTENCES.items() for encoding in (*encodings, *WIDE)),
]
HEADS = ("", "x", "ab ", "plain\n" * 300)


@pytest.mark.parametrize(("text", "encoding", "end"), CASES, ids=lambda case: case[:8])
def test_every_promised_encoding_is_found_wherever_the_sample_ends(text, encoding, end, monkeypatch):
    data = ((text.strip() + end) * 60).encode(encoding, "ignore")
    for size in (600, 1024):
        for more in range(-4, 5):
            monkeypatch.setattr(detection, "SAMPLE", (size + more) * (4 if encoding in WIDE else 1))
            content = HEADS[more % 4].encode(encoding) + data
            found, facts = decode(content)
            assert found == content.decode(encoding) and facts["guessed"], facts


@pytest.mark.parametrize("encoding", ["gb18030", "big5", "shift_jis", "euc_jp", "euc_kr"])
def test_a_damaged_byte_does_not_change_the_encoding(encoding):
    sentence = {codec: text for text, codecs in SENTENCES.items() for codec in codecs} | {
        "shift_jis": "朝起きると、雨が降っていた。傘を持って駅まで歩いた。\n"
    }
    data = bytearray((sentence[encoding] * 40).encode(encoding, "ignore"))
    place, bad = (689, b"\x82\x3a") if encoding == "shift_jis" else (700, b"\x81\xff")
    data[place : place + 2] = bad
    with pytest.raises(UserError, match=r"offset (6[89]9|70\d)"):
        decode(bytes(data))
    text, facts = decode(bytes(data), errors="replace")
    assert text.count("\ufffd") == facts["replaced"] in (1, 2, 3)
    assert sum(
        a == b for a, b in zip(text, bytes(data).decode(encoding, "replace"), strict=False)
    ) > 0.99 * len(text)


@pytest.mark.parametrize("before", [0, 100, 2**17 - 2, 2**17 - 1, 2**17, 2**18 + 1])
def test_utf8_is_utf8_wherever_its_first_character_beyond_ascii_stands(before):
    text = "x" * before + "红楼梦 naïve"
    assert decode(text.encode())[0] == text and not decode(text.encode())[1]["guessed"]


@pytest.mark.parametrize("bad", [b"\xff", b"\xe4", b"\xe7\xba"])
@pytest.mark.parametrize(
    "text", ["红楼梦，红楼梦。", "naïve café – déjà vu, Füße " * 9, "x" * 2**17 + "红楼梦红楼梦红楼梦"]
)
def test_utf8_with_a_bad_byte_is_not_taken_for_another_encoding(text, bad):
    data = text.encode()
    with pytest.raises(UserError, match=f"offset {len(data):,} is not UTF-8, as other characters in it are"):
        decode(data + bad)
    assert decode(data + bad, errors="replace")[0] == text + "\ufffd"
    assert decode(bad + data, errors="replace")[0].endswith(text)


def test_texts_in_several_encodings_are_refused():
    line = "Größe und Straße, naïve café\n"
    for mixed in (line.encode() + line.encode("cp1252"), line.encode("cp1252") + line.encode()):
        with pytest.raises(UserError, match="is not UTF-8"):
            decode(mixed * 30)


def test_a_toss_up_is_refused_and_names_what_it_is_between():
    text = "Příliš žluťoučký kůň úpěl ďábelské ódy. Dům stál na kopci u lesa.\n".encode("iso8859-2") * 5
    with pytest.raises(UserError, match=r"equally well \(cp1250, iso8859-2\); set `encoding`"):
        decode(text)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (text, encoding)
        for text, encodings in SENTENCES.items()
        for encoding in encodings
        if encoding != "iso2022_jp"
    ],
    ids=lambda case: case[:8],
)
def test_a_sentence_in_much_english_decides(text, encoding):
    english = "The quick brown fox jumps over the lazy dog, and nobody knows why it does so every day.\n" * 60
    data = (english + text + english).encode(encoding, "ignore")
    assert decode(data)[0] == data.decode(encoding)


@pytest.mark.parametrize(
    "data",
    [
        random.Random(1).randbytes(5000),
        b"\xff\xd8\xff\xe0\0\x10JFIF\0" + random.Random(2).randbytes(3000),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500) + random.Random(3).randbytes(400),
        struct.pack("<3000H", *random.Random(4).choices(range(1, 50257), k=3000)),
        struct.pack("<1000f", *map(random.Random(5).gauss, [0.0] * 1000, [1.0] * 1000)),
        pickle.dumps({"a": [1.5] * 50, "b": "text" * 50}),
    ],
    ids=["random", "jpeg", "doc", "ids", "floats", "pickle"],
)
def test_what_is_no_text_is_refused(data):
    with pytest.raises(UserError, match="not text"):
        decode(data)


def test_characters_behind_escapes_late_in_a_text():
    text = "plain\n" * 50_000 + "日本語の文章です。\n"
    assert decode(text.encode("iso2022_jp"))[0] == text
    for plain in ("\x1b[31mred\x1b[0m", r"see~{\it foo}~}", "~{x"):
        assert decode(plain.encode()) == (plain, decode(plain.encode())[1])
        assert decode(plain.encode())[1]["encoding"] == "utf-8"


@pytest.mark.skipif(not MIRROR, reason="GPTGRID_MIRROR is not set")
@pytest.mark.parametrize("encoding", ["gb18030", "big5", "euc_jis_2004", "utf-16-le", "utf-32-be"])
def test_whole_novels(encoding):
    path = next(Path(MIRROR).glob("raw.githubusercontent.com/tennessine/corpus/*/三国演义.txt"))
    data = path.read_bytes().decode().encode(encoding, "ignore")
    text, facts = decode(data)
    assert text == data.decode(encoding).replace("\r\n", "\n") and facts["guessed"]


RARE = {
    "iso8859-3": "Ġurnata sabiħa ħafna għat-tfal żgħar, li kienu qed jilagħbu fil-ġnien ħdejn il-knisja.\n"
    "Iċ-ċkejknin marru d-dar għax kellhom il-ġuħ.\n",
    "iso8859-4": "Visi žmonės gimsta laisvi ir lygūs savo orumu ir teisėmis. Vaikai žaidė kieme, o motina\n"
    "ruošė vakarienę. Ąžuolas augo prie upės, kur žuvys plaukė į šiaurę; čia gyveno ūkininkas.\n",
    "iso8859-10": "Börnin léku sér í garðinum á meðan móðir þeirra eldaði kvöldmat. Það var kalt, og\n"
    "ísinn lá yfir ánni.\n",
    "iso8859-14": "Bhí an ḃean ag dul go dtí an siopa, agus ċonaic sí a fear ḟéin. Ḋún sé an doras, agus\n"
    "ṫáinig sé aḃaile ar an ḃóṫar ṁór. Ṡíl sé go raiḃ sé déanaċ.\n",
    "iso8859-16": "Djeca su se igrala u dvorištu, dok je majka kuhala večeru. Šuma je bila puna ptica, žaba\n"
    "i čudnih glasova; đak je išao kući, a ljudska bića rađaju se slobodna i jednaka.\n",
}


@pytest.mark.parametrize("times", [3, 40])
@pytest.mark.parametrize("encoding", RARE)
def test_rare_encodings_of_iso_are_found(encoding, times):
    assert decode(RARE[encoding].encode(encoding) * times)[0] == RARE[encoding] * times


def test_a_usual_encoding_is_found_where_a_rare_one_fits_as_well_and_that_is_told():
    text = (
        "Kõik inimesed sünnivad vabadena ja võrdsetena oma väärikuselt ja õigustelt. Šokolaad ja žurnaal.\n"
    )
    assert decode(text.encode("cp1257") * 20)[0] == text * 20
    assert decode(text.encode("iso8859-4") * 20)[0] == text * 20
    text = (
        "Toate ființele umane se nasc libere și egale în demnitate și în drepturi. Ele sunt înzestrate cu\n"
        "rațiune și conștiință și trebuie să se comporte unele față de altele în spiritul fraternității.\n"
        "Copiii se jucau în grădină, iar mama pregătea cina. În fiecare dimineață, țăranul mergea la câmp.\n"
    )
    facts = decode(text.encode("iso8859-16"))[1]
    assert (facts["encoding"], facts["rival"]) == ("cp1250", "iso8859-16")
