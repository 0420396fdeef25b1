"""Dialogues are cut into splits that share none, and the same ones give the same bytes."""

import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.text.dialogues import read_dialogues

SPLITS = ("train", "valid", "test")


def asking(*numbers, answer="Me."):
    """Return records, each with a question of its own."""
    return [{"question": f"Who is number {number}?", "answer": answer} for number in numbers]


def questions(split):
    return {talk[0][1] for talk in split}


def test_dialogues_are_drawn_by_their_hash(prepared):
    made = prepared(asking(*range(400)))
    assert sum(len(getattr(made, split)) for split in SPLITS) == 400
    assert 10 <= len(made.valid) <= 30 and 25 <= len(made.test) <= 55
    more = prepared(asking(*range(500, 300, -1), *range(301)))
    assert questions(made.test) <= questions(more.test) and questions(made.valid) <= questions(more.valid)
    assert questions(prepared(asking(*range(400)), split={"seed": 1}).test) != questions(made.test)


def test_every_split_has_a_dialogue(prepared):
    made = prepared(asking(1, 2, 3))
    assert [len(getattr(made, split)) for split in SPLITS] == [1, 1, 1]
    assert "valid 33.3% (asked: 5.0%), test 33.3% (asked: 10.0%)" in made.about["cautions"][0]
    with pytest.raises(
        UserError, match="3 dialogues with 2 different questions cannot fill 3 splits, as those"
    ):
        prepared(asking(1, 2) + asking(2, answer="You."))


def test_published_splits_stay_and_missing_ones_are_cut(prepared):
    made = prepared({"train": {"a.jsonl": asking(*range(50))}, "test": {"b.jsonl": asking(*range(50, 60))}})
    assert questions(made.test) == {f"Who is number {number}?" for number in range(50, 60)}
    assert len(made.train) + len(made.valid) == 50 and made.valid
    assert set(made.about["split"]["asked"]) == {"valid"}


def test_a_file_in_two_splits_is_refused(prepared):
    with pytest.raises(UserError, match="figures on test would not be those on new text"):
        prepared({"train": {"a.jsonl": asking(1)}, "test": {"b.jsonl": asking(1)}})


def test_copies_are_left_out_and_a_published_test_keeps_its_own(prepared):
    train = [*asking(1, 2, 3, 4, 1), {"question": " Who is number\n3?", "answer": "Me. "}, *asking(8)]
    valid = asking(5, 6, 6, 9)
    test = asking(7, 8, 9)
    made = prepared({"train": {"a.jsonl": train}, "valid": {"b.jsonl": valid}, "test": {"c.jsonl": test}})
    assert [len(getattr(made, split)) for split in SPLITS] == [4, 2, 3]
    assert made.about["left_out"]["dialogues"] == {
        "that are copies of earlier ones": 3,
        "that stand in test, too": 2,
    }
    assert "- dialogues that are copies of earlier ones: 3" in made.card


def test_other_roles_or_systems_make_another_dialogue(prepared):
    first = {"system": "Be brief.", **asking(1)[0]}
    made = prepared([*asking(1, 2, 3), first])
    assert made.about["left_out"]["dialogues"] == {}


def test_what_is_the_same_with_the_system_text_of_all_is_a_copy(prepared):
    own = {"system": "Be brief.", **asking(7)[0]}
    made = prepared(
        {"train": {"a.jsonl": [*asking(*range(9)), *asking(3)]}, "test": {"b.jsonl": [own, *asking(20)]}},
        system="Be brief.",
    )
    assert len(made.train) + len(made.valid) == 8 and len(made.test) == 2
    assert not set(map(tuple, made.test)) & set(map(tuple, made.train + made.valid))
    assert made.about["left_out"]["dialogues"] == {
        "that are copies of earlier ones": 1,
        "that stand in test, too": 1,
    }


def test_the_same_question_is_in_one_split_where_it_is_cut(prepared):
    made = prepared([record for answer in "abcdef" for record in asking(*range(20), answer=answer)])
    assert not questions(made.train) & (questions(made.valid) | questions(made.test))
    assert not questions(made.valid) & questions(made.test)
    assert all(same["dialogues"] == 0 for same in made.about["same_questions"].values())


def test_another_system_message_makes_no_other_question(prepared):
    made = prepared(
        [{"system": word, **record} for word in ("Be kind.", "Be brief.") for record in asking(*range(20))]
    )
    found = [{talk[1][1] for talk in getattr(made, split)} for split in SPLITS]
    assert not found[0] & (found[1] | found[2]) and not found[1] & found[2]


def test_the_same_question_with_another_answer_is_told(prepared, capsys):
    files = {
        "train": asking(*range(40)),
        "valid": asking(50),
        "test": [*asking(3, answer="You."), *asking(60)],
    }
    made = prepared({split: {f"{split}.jsonl": records} for split, records in files.items()})
    assert made.about["same_questions"]["test in train"] == {"dialogues": 1, "share": 0.5}
    assert made.about["same_questions"]["valid in train"]["dialogues"] == 0
    told = "50.00% of the dialogues of the test split (1) ask what one of the training split asks"
    assert told in made.about["cautions"][0] and told in capsys.readouterr().out and told in made.card


def test_a_greeting_makes_no_two_dialogues_the_same(prepared):
    talks = [
        {"messages": [{"message": text} for text in ("Hello!", "Hello.", f"Who is {n}?", "Me.")]}
        for n in range(30)
    ]
    made = prepared(talks)
    assert made.train and made.valid and made.test


def test_the_beginning_of_a_dialogue_stays_with_it(prepared):
    def talk(number, turns):
        texts = [f"{who} {number} {turn}" for turn in range(turns) for who in ("Question", "Answer")]
        return {"messages": [{"message": text} for text in texts]}

    talks = [talk(number, turns) for number in range(40) for turns in (3, 1, 2)]
    made = prepared(talks)
    numbers = [{talk[0][1] for talk in getattr(made, split)} for split in SPLITS]
    assert [len(split) for split in numbers] == [len(getattr(made, split)) / 3 for split in SPLITS]
    made = prepared(
        {
            "train": {"a.jsonl": [talk(n, 2) for n in range(9)]},
            "test": {"b.jsonl": [talk(4, 1), talk(5, 3), talk(99, 2)]},
        }
    )
    assert made.about["same_questions"]["test in train"]["dialogues"] == 2


def test_the_same_input_gives_the_same_bytes(prepared):
    def bytes_of(made):
        return {path.name: path.read_bytes() for path in made.folder.iterdir()}, made.facts

    records = asking(*range(30))
    first = bytes_of(prepared(records))
    assert sorted(first[0]) == ["card.md", *(f"{split}-00000.parquet" for split in sorted(SPLITS))]
    assert bytes_of(prepared(records)) == first


def test_facts_count_what_was_written(prepared):
    records = [{"system": "é", "question": f"q{number}", "answer": "数"} for number in range(10, 15)]
    made = prepared(records, split={"valid": 0.2, "test": 0.2})
    for split in SPLITS:
        number = len(getattr(made, split))
        assert made.facts["splits"][split] == {
            "dialogues": number,
            "turns": 2 * number,
            "answers": number,
            "bytes": 8 * number,
            "answer_bytes": 3 * number,
            "longest": 8,
        }
    assert "| train | 3 | 6 | 3 | 24 | 9 | 8 |" in made.card


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (
            {"all": [{"question": "a", "answer": ""}, {"question": "b", "answer": " "}]},
            "there are no dialogues left (left out: 2 with an empty answer); give questions with their answers",
        ),
        (
            {"train": asking(1), "test": asking(1, 2)},
            "the train files have no dialogues left (left out: 1 that stand in test, too)",
        ),
    ],
)
def test_nothing_left_is_refused(parts, expected, prepared):
    with pytest.raises(UserError) as error:
        prepared({part: {f"{part}.jsonl": records} for part, records in parts.items()})
    assert expected in str(error.value)


def test_private_texts_stand_nowhere_but_in_the_splits(prepared, capsys):
    records = [{"secret-id": "x", "question": f"Secret {n}?", "answer": "Secret."} for n in range(9)]
    made = prepared([*records, {"secret-id": "x", "question": "", "answer": "Secret"}], private=True)
    everything = str(made.facts) + made.card + capsys.readouterr().out
    assert "ecret" not in everything and "none of their text is shown" in made.card
    assert "ecret" in str(prepared(records).facts) + made.card


def test_the_licence_is_carried(prepared):
    made = prepared(asking(1, 2, 3), license="MIT")
    assert made.about["license"] == "MIT" and made.card.startswith('---\nlicense: "MIT"\n---')


def test_text_that_could_not_be_read_is_told_or_refused(prepared):
    good = asking(*range(200), answer="A long enough answer to a question.")
    made = prepared([*good, *asking(300, answer="So \ufffd\ufffd.")])
    assert any("U+FFFD" in caution for caution in made.about["cautions"])
    with pytest.raises(UserError, match="of the characters of the corpus are U"):
        prepared(asking(1, 2, 3, answer="\ufffd" * 20))


def test_a_folder_without_dialogues_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"has no train-\*.parquet"):
        read_dialogues(tmp_path, "train")
