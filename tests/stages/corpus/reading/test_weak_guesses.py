"""A few characters beyond ASCII in a text decide little: Western ones are read as Windows writes them."""

import io

import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading import detection
from gptgrid.stages.corpus.reading.given import check_given

ENGLISH = "The pupils in group {} scored {} points in the reading test of week 9, and went home.\r\n\r\n"


def paragraphs(*lines: str) -> str:
    """Return English with some lines in it."""
    english = [ENGLISH.format(i, 7 * i % 90) for i in range(150)]
    return "".join([*english[:70], *(f"{line}\r\n\r\n" for line in lines), *english[70:]])


def detect(data: bytes) -> dict:
    return detection.detect(io.BytesIO(data), "a.txt")


WESTERN = [
    ["Price: £20 a head."],
    ["It costs €5 or €7.", "Then €12 more."],
    ["mean 5.2 ± 0.3 and 7.1 ± 0.4"],
    ["a 10 µg dose, 5 µg more, 20 µg at most", "15 µm wide", "100 µl of it"],
    ["Windows® and Word™ are registered."],
    ["© 2019 Smith"],
    ["See § 5 and § 7."],
    ["10\u00a0km of road"],
    ["a naïve résumé"],
    ["The Hôtel à Paris"],
    ["He came – and went."],
    ["It was 20° inside."],
    ["Add ½ cup of sugar."],
    ["“Well,” he said, “it’s ‘late’…”"],
    ["the naïve façade of the café in Zürich, a château and a piñata"],
    ["Ångström, Gödel, Müller, Straße, Øresund, Cæsar, œuvre, São João, señor"],
    ["• one item", "• two items"],
    ["¿Qué? ¡No!", "10 m², 5 m³", "«été» and ‹où›", "a 3·5 × 2 ÷ 4 ¶"],
    ["the „Wort“ he said, „noch ‚eins‘!“"],
    ["die Umlaute äöü und ÄÖÜ"],
    ["5 ¢, ¥500, £1.50–£2"],
]


@pytest.mark.parametrize("lines", WESTERN, ids=lambda lines: lines[0][:14])
def test_a_few_western_characters_are_those_of_windows(lines, capsys):
    found = detect(paragraphs(*lines).encode("cp1252"))
    assert found["encoding"] == "cp1252" and found["guessed"] and found["rival"] not in ("cp1252", None)
    assert f"read as cp1252, a guess from few characters ({found['rival']} would fit, too)" in (
        capsys.readouterr().out
    )


def test_many_different_words_with_western_signs_are_no_weak_evidence():
    words = [
        "don’t",
        "it’s",
        "we’ll",
        "I’m",
        "they’re",
        "he’d",
        "you’ve",
        "can’t",
        "won’t",
        "she’s",
        "isn’t",
        "wasn’t",
        "hasn’t",
        "o’clock",
    ]
    found = detect(paragraphs(*words).encode("cp1252"))
    assert found == {"encoding": "cp1252", "guessed": True}


@pytest.mark.parametrize(
    ("line", "encoding"),
    [
        ("Жила-была маленькая лягушка", "cp1251"),
        ("Жила-была маленькая лягушка", "koi8_r"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy", "cp1250"),
        ("Zażółć gęślą jaźń, chłopiec poszedł do szkoły", "cp1250"),
        ("Küçük kız, Güneş gökyüzünde parlıyordu, şimdi eve döndü", "cp1254"),
        ("从前有一座山，山里有一座庙", "gb18030"),
        ("Η μικρή κοπέλα περπατούσε στο δάσος", "cp1253"),
    ],
)
def test_words_of_another_language_in_english_are_no_western_signs(line, encoding):
    data = paragraphs(line).encode(encoding)
    assert data.decode(detect(data)["encoding"]) == data.decode(encoding)


@pytest.mark.parametrize(
    ("line", "encoding"),
    [
        ("the famous Wałęsa", "cp1250"),
        ("by Paul Erdős", "cp1250"),
        ("born in Łódź", "cp1250"),
        ("by Čapek", "cp1250"),
        ("Antonín Dvořák", "cp1250"),
        *((" ".join(f"{i} café, £{i}" for i in range(40)), encoding) for encoding in ("cp850", "mac-roman")),
        ("President Milošević", "cp1250"),
        ("for £20 a head", "cp850"),
        ("20° inside", "cp850"),
        ("a café there", "mac-roman"),
        ("don’t, he said", "mac-roman"),
        ("Wait – no", "mac-roman"),
        ("costs €5", "iso8859-15"),
    ],
)
def test_a_character_or_two_that_are_not_western_are_refused(line, encoding):
    with pytest.raises(UserError, match=r"a\.txt: .*too few characters.*set `encoding`"):
        detect(paragraphs(line).encode(encoding))


def test_a_rival_that_fits_as_well_is_told_however_many_characters_there_are(capsys):
    """Of the small letters of Russian, cp1251 has but one elsewhere than old Macs."""
    russian = "мужу, что не может жить с ним в одном доме. Положение это пр"
    found = detect(russian.encode("mac-cyrillic"))
    assert found == {"encoding": "cp1251", "guessed": True, "rival": "mac-cyrillic"}
    assert (
        "read as cp1251, a guess from few characters (mac-cyrillic would fit, too)" in capsys.readouterr().out
    )


RICH = {
    "cp1252": [
        "Die Mädchen können schön spielen, während die Bäume grün sind. Größe, Straße, Übermut.",
        "La forêt était déjà très sombre quand la fille rentra à la maison. Où êtes-vous allé?",
        "Pigen gik på vejen og så en lille fugl. Drengen løb over broen, og æblet faldt på jorden.",
    ],
    "cp1250": [
        "Zażółć gęślą jaźń. Chłopiec poszedł do szkoły, żeby się uczyć. Dziewczyna śpiewała piosenkę.",
        "Příliš žluťoučký kůň úpěl ďábelské ódy. Dům stál na kopci u lesa. Děti šly do školy.",
        "A kislány minden reggel az erdőben sétált. Őszi eső esett, a fű zöld volt, és fújt a hűvös szél.",
    ],
    "cp1254": ["Küçük kız ormanda yürüyordu. Güneş gökyüzünde parlıyordu, şimdi eve döndü. Ağaçlar yeşil."],
}


@pytest.mark.parametrize(
    ("encoding", "text"), [(encoding, text) for encoding, texts in RICH.items() for text in texts]
)
def test_rich_texts_decide(encoding, text):
    data = (text + "\r\n\r\n").encode(encoding) * 20
    assert data.decode(detect(data)["encoding"]) == data.decode(encoding)


def test_a_sentence_in_another_script_is_no_weak_evidence():
    assert detect("Жила-была маленькая лягушка в красивом саду.\n".encode("cp1251")) == {
        "encoding": "cp1251",
        "guessed": True,
    }


def given(text: str, encoding: str, said: str) -> dict:
    return check_given(io.BytesIO(text.encode(encoding)), "a.txt", said)


@pytest.mark.parametrize("before", [0, 2**18])
@pytest.mark.parametrize(
    ("said", "windows"), [("latin-1", "cp1252"), ("iso-8859-15", "cp1252"), ("iso8859-2", "cp1250")]
)
def test_windows_text_is_not_in_an_iso_encoding(said, windows, before):
    with pytest.raises(UserError, match=rf"a\.txt.*control characters.*`encoding: {windows}`"):
        given("x" * before + "we’ll see", "cp1252", said)
    assert given("naïve", "latin-1", "latin-1") == {"encoding": "latin-1", "guessed": False}


def test_a_given_encoding_that_the_text_speaks_against_is_told():
    chinese = "从前有一座山，山里有一座庙。小姑娘每天早上去学校，她说：“今天天气很好。”\n" * 5
    russian = "Жила-была маленькая лягушка в красивом саду у реки. Она любила петь по утрам и вечерам.\n" * 5
    assert given(chinese, "gb18030", "cp1251")["rival"] == "gb18030"
    assert given("x\n" * 2**17 + chinese, "gb18030", "latin-1")["rival"] == "gb18030"
    assert given(russian, "koi8_r", "cp1251")["rival"] == "koi8-r"
    for text, encoding, said in [
        (chinese, "gbk", "gbk"),
        (russian, "cp1251", "cp1251"),
        (RICH["cp1250"][0] * 5, "iso8859-2", "iso8859-2"),
        (paragraphs("Wałęsa"), "cp1250", "cp1250"),
        (paragraphs("£20"), "cp1252", "latin-1"),
    ]:
        assert "rival" not in given(text, encoding, said)
