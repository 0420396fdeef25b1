"""Figures on samples, on texts of which they are known."""

import numpy as np
import pytest
from cells import write_corpus

from gptgrid.stages.sample.agreement import agreement, tokenizer_for
from gptgrid.stages.sample.diversity import diversity, self_bleu
from gptgrid.stages.sample.prompts import document_prompts, first_bytes
from gptgrid.stages.sample.units import CHARACTERS, IDS, MIXED, WORDS, spaced, unit_of

CHINESE = "今天天气很好，我们去公园散步。"


def test_distinct_n_is_the_share_of_different_runs_of_all_samples():
    figures, reasons = diversity([["a", "b", "a", "b"], ["a", "b", "c"]])
    assert figures["distinct_1"] == 3 / 7
    assert figures["distinct_2"] == 3 / 5  # ab ba ab, ab bc
    assert figures["distinct_3"] == 3 / 3  # aba bab, abc
    assert reasons == {}


def test_repetition_is_the_mean_over_samples_of_runs_that_came_before():
    figures, _ = diversity([list("ababababab"), list("abcdefg"), ["a"]])
    assert figures["repetition"] == (5 / 7 + 0) / 2  # abab baba, of seven


def test_figures_of_nothing_are_none_with_a_reason():
    figures, reasons = diversity([[], ["a"]])
    assert figures == {"distinct_1": 1.0, "distinct_2": None, "distinct_3": None, "repetition": None}
    assert reasons == {
        "distinct_2": "no sample has 2 units",
        "distinct_3": "no sample has 3 units",
        "repetition": "no sample has 4 units",
    }
    assert self_bleu(["one text", " "], "13a") == (
        {"self_bleu": None},
        {"self_bleu": "there are no two samples with text"},
        "",
    )


def test_self_bleu_is_high_among_like_texts():
    text = "the fox went home over the old stone hill"
    figures, reasons, signature = self_bleu([text] * 3, "13a")
    assert figures["self_bleu"] == pytest.approx(100) and reasons == {}
    assert "nrefs:2" in signature and "tok:13a" in signature
    others = ["a lamp stood in some dark corner", "nobody knew what that could mean"]
    assert self_bleu([text, *others], "13a")[0]["self_bleu"] < 20
    # As words between blanks, two Chinese texts would be unlike.
    halves = [CHINESE[:8] + "他说", CHINESE[:8] + "没有"]
    assert self_bleu(halves, "zh")[0]["self_bleu"] > 50


def test_bleu_and_chrf_of_the_truth_itself_are_100():
    figures, signatures = agreement(["the fox went home"], ["the fox went home"], "13a")
    assert figures == {"bleu": pytest.approx(100), "chrf": pytest.approx(100)}
    assert signatures.keys() == figures.keys() and "tok:13a" in signatures["bleu"]
    assert agreement(["a lamp"], ["the fox went home"], "13a")[0]["chrf"] < 20


@pytest.mark.parametrize(
    ("unit", "tokenizer"),
    [
        (WORDS, "13a"),
        (IDS, "13a"),
        (MIXED, "zh"),
        (CHARACTERS, "char"),
    ],
)
def test_the_unit_decides_on_the_tokenizer_of_sacrebleu(unit, tokenizer):
    assert tokenizer_for(unit) == tokenizer


def test_english_beside_chinese_is_compared_by_words():
    pairs = [
        ("a lamp stood in some dark corner of it", "the fox went home over the old stone hill"),
        (CHINESE, "他们昨天没有说什么话就走了。"),
    ]
    texts, truths = zip(*pairs, strict=True)
    in_words = agreement(texts[:1], truths[:1], "13a")[0]["bleu"]
    mixed = agreement(texts, truths, tokenizer_for(MIXED))[0]["bleu"]
    assert mixed < in_words + 5 < agreement(texts, truths, "char")[0]["bleu"]
    # Other scripts without blanks are set apart as Chinese is.
    kana = ["ひらがなとかたかなの", "ひらがなとかんじのは"]
    assert agreement(kana[:1], kana[1:], "zh")[0]["bleu"] > 20
    assert spaced("ไทย and 今天") == " ไ  ท  ย  and  今  天 "


def test_the_training_text_decides_on_the_unit():
    counts = {"bytes": 1000, "characters": 1000, "words": 200, "spaceless": 0}
    assert unit_of(counts) is WORDS
    assert unit_of({**counts, "spaceless": 210}) is unit_of({**counts, "spaceless": 900}) is MIXED
    assert unit_of({**counts, "words": 2, "spaceless": 900}) is MIXED
    assert unit_of({**counts, "words": 2}) is CHARACTERS
    assert unit_of(dict.fromkeys(counts)) is IDS


@pytest.mark.parametrize("unit", [WORDS, MIXED])
def test_letters_of_scripts_without_blanks_are_units_and_other_letters_make_words(unit):
    text = "The fox said “今天 很好，Python3里！” and\twent\0home"
    units = ["The", "fox", "said", "“", "今", "天", "很", "好", "，", "Python3", "里", "！", "”"]
    units += ["and", "went", "home"]
    assert list(unit.split(text)) == units
    assert unit.show(units) == "The fox said “今天很好，Python3里！” and went home"


def test_a_passage_has_the_same_units_whatever_else_the_text_has():
    passage = "fox，home\x1fand"
    assert MIXED.split(passage) == MIXED.split(f"{passage} 今")[:-1] == ["fox", "，", "home", "and"]


def test_mixed_texts_are_cut_between_units(corpus):
    documents = ["the fox went home and 他说今天", f"{CHINESE}the fox went home"]
    first, second = ask(corpus(documents), unit=MIXED)
    assert (first.text, first.truth) == ("the fox went", " home and 他说今天")
    assert (second.text, second.truth) == (CHINESE, "the fox went home")


def test_the_rest_of_a_word_of_the_prompt_is_no_unit():
    assert MIXED.after("今", "天 很\n好") == ["天", "很", "好"]
    assert MIXED.after("今", "ab cd") == ["ab", "cd"]
    assert MIXED.after("ab", "c今") == ["今"]
    assert WORDS.after("Once upon a ti", "me there  was") == ["there", "was"]
    assert WORDS.after("Once upon a", " time\nthere") == ["time", "there"]
    assert WORDS.after("Once upon a ", "time") == WORDS.after("", "time") == ["time"]
    assert CHARACTERS.after("今", "天 很\n好") == "天很好"


# ------------------------------------------------------------------------------------- documents


@pytest.fixture
def corpus(tmp_path):
    """Return a function that writes a corpus with some test documents."""
    return lambda documents: write_corpus(tmp_path / "corpus", test=documents)


def ask(folder, number=50, take=0.5, size=1000, unit=WORDS, seed=0):
    return document_prompts(folder, "test", number, take, size, unit, seed)


def test_prompt_and_truth_are_a_document_cut_before_a_word(corpus):
    documents = ["the fox went home", "x", "", "a lamp", "今天 天气"]
    prompts = ask(corpus(documents))
    assert [(prompt.document, prompt.text, prompt.truth) for prompt in prompts] == [
        (0, "the fox", " went home"),
        (3, "a", " lamp"),
        (4, "今天", " 天气"),
    ]
    assert all(prompt.text + prompt.truth == documents[prompt.document] for prompt in prompts)


def test_the_share_of_the_prompt_is_asked_for(corpus):
    (prompt,) = ask(corpus(["the fox went home"]), take=0.9)
    assert (prompt.text, prompt.truth) == ("the fox went", " home")


def test_texts_without_blanks_are_cut_anywhere(corpus):
    (prompt,) = ask(corpus([CHINESE]), take=0.25, unit=CHARACTERS)
    assert prompt.text == CHINESE[:4] and prompt.truth == CHINESE[4:]


def test_the_truth_has_so_many_bytes_at_most_in_whole_characters(corpus):
    (prompt,) = ask(corpus([CHINESE]), size=8, unit=CHARACTERS)
    assert prompt.truth == CHINESE[8:10]
    assert [first_bytes("今天", size) for size in range(7)] == ["", "", "", "今", "今", "今", "今天"]


def test_documents_are_drawn_by_the_seed_and_all_taken_where_there_are_fewer(corpus):
    folder = corpus([f"word{number} other words" for number in range(100)])
    drawn = [prompt.document for prompt in ask(folder, number=10)]
    assert len(drawn) == 10 and drawn == sorted(drawn) and drawn[0] < 30 and drawn[-1] > 70
    assert [prompt.document for prompt in ask(folder, number=10)] == drawn
    assert [prompt.document for prompt in ask(folder, number=10, seed=1)] != drawn
    assert set(drawn) < {prompt.document for prompt in ask(folder, number=20)}
    assert len(ask(folder, number=1000)) == 100


def test_of_a_long_beginning_the_end_is_the_prompt(corpus):
    document = "abc " * 20_000
    (prompt,) = ask(corpus([document]))
    assert len(prompt.text) == 2**15 and document[:39_999].endswith(prompt.text)


def test_ids_are_texts_of_numbers(corpus):
    (prompt,) = ask(corpus([np.arange(4).tolist()]), unit=IDS)
    assert (prompt.text, prompt.truth) == ("0 1", " 2 3")
