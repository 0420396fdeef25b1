"""Dialogues of every form that sets of them have become the same; what has no such form is refused."""

import gzip
import io
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gptgrid.artifact.errors import UserError

TALK = [("user", "Who sleeps?"), ("assistant", "A cat.")]
INSTRUCTION = {"instruction": "Who sleeps?", "input": "", "output": "A cat."}
OPENAI = {
    "messages": [{"role": "user", "content": "Who sleeps?"}, {"role": "assistant", "content": "A cat."}]
}
SHAREGPT = {"conversations": [{"from": "human", "value": "Who sleeps?"}, {"from": "gpt", "value": "A cat."}]}
OTHERS = [{"question": f"Who is number {n}?", "answer": f"Cat {n}."} for n in range(5)]


def split_of(made, first):
    """Return the dialogue that asks something, wherever it is."""
    talks = [*made.train, *made.valid, *made.test]
    found = [talk for talk in talks if any(first in text for _, text in talk[:2])]
    assert len(found) == 1
    return found[0]


def three(record):
    """Return a record thrice, with other questions."""
    text = json.dumps(record)
    return [json.loads(text.replace("Who sleeps?", f"Who {verb}?")) for verb in ("sleeps", "barks", "sings")]


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (OPENAI, "messages"),
        (SHAREGPT, "messages"),
        (OPENAI["messages"], "messages"),
        ({"prompt": "x", **OPENAI}, "messages"),
        (INSTRUCTION, "instruction"),
        ({"instruction": "Who sleeps?", "response": "A cat."}, "instruction"),
        ({"instruction": "Who sleeps?", "instances": [{"input": "", "output": "A cat."}]}, "instruction"),
        ({"question": "Who sleeps?", "answer": "A cat.", "id": 3}, "question"),
        ({"prompt": "Who sleeps?", "completion": "A cat."}, "question"),
        ({"query": "Who sleeps?", "response": "A cat."}, "question"),
        ({"messages": [{"message": "Who sleeps?", "attrs": []}, {"message": "A cat."}]}, "kdconv"),
    ],
)
def test_the_fields_of_a_record_say_its_format(record, kind, prepared, capsys):
    made = prepared(three(record))
    assert split_of(made, "Who sleeps?") == TALK
    assert made.about["source"]["files"][0]["dialogue_formats"] == {kind: 1}
    assert f"mine.jsonl: dialogues in the format {kind}" in capsys.readouterr().out


def test_input_and_system_messages_have_their_places(prepared):
    made = prepared(
        [
            {
                "instruction": "Translate.",
                "input": "chat\r\nnoir",
                "output": "black cat",
                "system": "Be brief.",
            },
            {"instruction": "Sum.", "context": "1 2", "response": "3"},
            {"instruction": "Say a.", "input": " \n", "output": "a", "system": ""},
        ]
    )
    assert split_of(made, "Translate.") == [
        ("system", "Be brief."),
        ("user", "Translate.\n\nchat\nnoir"),
        ("assistant", "black cat"),
    ]
    assert split_of(made, "Sum.")[0] == ("user", "Sum.\n\n1 2")
    assert split_of(made, "Say a.")[0] == ("user", "Say a.")


def test_each_instance_is_a_dialogue(prepared):
    instances = [{"input": word, "output": word.upper()} for word in ("cat", "dog", "fox")]
    made = prepared(
        [{"instruction": "Shout.", "instances": instances}, {"instruction": "No.", "instances": []}]
    )
    assert made.about["left_out"]["dialogues"] == {"with an empty answer": 1}
    assert split_of(made, "dog") == [("user", "Shout.\n\ndog"), ("assistant", "DOG")]


def test_the_system_text_goes_in_front_of_dialogues_without_one(prepared):
    own = {"messages": [{"role": "system", "content": "Be brief."}, *OPENAI["messages"]]}
    made = prepared([own, *three(OPENAI)[1:]], system="Be kind.")
    assert split_of(made, "Be brief.")[1:] == TALK
    assert sum(talk[0] == ("system", "Be kind.") for talk in made.train + made.valid + made.test) == 2


def test_names_of_fields_may_be_given(prepared):
    nested = [{"Q": {"text": f"Who is {n}?"}, "A": "me", "answer": "not this"} for n in range(3)]
    made = prepared(nested, fields={"question": "Q.text", "answer": "A"})
    assert split_of(made, "Who is 1?") == [("user", "Who is 1?"), ("assistant", "me")]
    chat = [{"chat": [{"who": "user", "says": f"{n}?"}, {"who": "bot", "says": "me"}]} for n in range(3)]
    made = prepared(chat, fields={"messages": "chat", "role": "who", "content": "says"})
    assert split_of(made, "1?") == [("user", "1?"), ("assistant", "me")]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(OTHERS, indent=2),
        json.dumps({"data": OTHERS[:2], "version": 3, "more": OTHERS[2:]}),
        json.dumps({key: [row[key] for row in OTHERS] for key in ("question", "answer")}),
        "\n".join(map(json.dumps, OTHERS)),
        json.dumps(
            [
                [{"role": "user", "content": o["question"]}, {"role": "bot", "content": o["answer"]}]
                for o in OTHERS
            ]
        ),
    ],
    ids=["list", "object of lists", "columns", "object after object", "list of lists"],
)
def test_json_in_every_shape(content, prepared):
    made = prepared(content.encode(), "mine.json")
    assert sum(map(len, (made.train, made.valid, made.test))) == 5
    assert split_of(made, "number 3") == [("user", "Who is number 3?"), ("assistant", "Cat 3.")]


def parquet(rows):
    """Return rows as a parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def test_parquet_and_packed_files(prepared, tmp_path):
    whole = prepared(three(OPENAI)).train
    made = prepared({"all": {"mine.parquet": parquet(three(OPENAI))}})
    assert made.train == whole
    text = "".join(json.dumps(record) + "\n" for record in three(SHAREGPT)).encode()
    assert prepared(gzip.compress(text), "mine.jsonl.gz").train == whole
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as archive:
        archive.writestr("read/a.jsonl", text)
        archive.writestr("other/b.jsonl", "{}")
    made = prepared((tmp_path / "made.zip").read_bytes(), "mine.zip", members=["read/*"])
    assert made.train == whole


def test_other_encodings_are_found(prepared):
    records = [{"question": f"{word}是什么意思？请详细解释", "answer": "一个词语。"} for word in "天地人"]
    text = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    assert split_of(prepared(text.encode("gb18030")), "天")[1] == ("assistant", "一个词语。")


def test_files_may_have_different_formats(prepared):
    made = prepared({"all": {"a.jsonl": three(OPENAI), "b.jsonl": OTHERS}})
    assert [file["dialogue_formats"] for file in made.about["source"]["files"]] == [
        {"messages": 1},
        {"question": 1},
    ]
    assert "- the format messages: 1 file\n- the format question: 1 file" in made.card


def test_what_is_not_read_is_told(prepared):
    made = prepared([{**record, "context": "A long text.", "id": ""} for record in OTHERS])
    assert made.about["source"]["files"][0]["unread"] == {"context": 5}
    assert "not read of the records: `context` (in 5 of them)" in made.card


def test_fields_that_only_later_records_have_are_told(prepared, capsys):
    records = [{"instruction": f"Do {n}.", "input": "", "output": "Yes."} for n in range(9)]
    for record in records[1:]:
        record |= {"context": "A long text.", "history": [["Earlier?", "Yes."]]}
    told = "not read of the records: `context` (in 8 of them), `history` (in 8 of them)"
    made = prepared(records)
    assert made.about["source"]["files"][0]["unread"] == {"context": 8, "history": 8}
    assert told in made.card and f"mine.jsonl: {told}" in capsys.readouterr().out
    made = prepared(records, private=True)
    everything = str(made.facts) + made.card + capsys.readouterr().out
    assert "history" not in everything and "not read of the records: 2 fields" in made.card


@pytest.mark.parametrize(
    ("records", "told"),
    [
        (
            three(
                {"messages": [OPENAI["messages"][0], {**OPENAI["messages"][1], "tool_calls": [{"id": 1}]}]}
            ),
            {"messages[].tool_calls": 3},
        ),
        (three([{**message, "name": "Ann"} for message in OPENAI["messages"]]), {"[].name": 3}),
        (
            three({"conversations": [{**message, "loss": True} for message in SHAREGPT["conversations"]]}),
            {"conversations[].loss": 3},
        ),
        (
            three({"messages": [{"message": "Who sleeps?", "attrs": [1]}, {"message": "A cat."}]}),
            {"messages[].attrs": 3},
        ),
        (
            three({"instruction": "Who sleeps?", "instances": [{"input": "", "output": "A cat.", "id": 3}]}),
            {"instances[].id": 3},
        ),
        (three({"messages": [{**message, "name": None} for message in OPENAI["messages"]]}), None),
    ],
)
def test_fields_of_messages_that_are_not_read_are_told(records, told, prepared):
    assert prepared(records).about["source"]["files"][0].get("unread") == told


def test_fields_with_names_of_their_own_are_read(prepared):
    records = [{"Q": {"text": f"Who is {n}?"}, "A": "me", "why": "x"} for n in range(3)]
    made = prepared(records, fields={"question": "Q.text", "answer": "A"})
    assert made.about["source"]["files"][0]["unread"] == {"why": 3}


def test_a_dialogue_with_an_answer_that_is_not_to_be_learned_is_left_out(prepared):
    def talk(number, *weights):
        messages = [{"role": "user", "content": f"Who is {number}?"}, {"role": "assistant", "content": "Me."}]
        return {"messages": [{**messages[0], "weight": 0}, *[{**messages[1], **each} for each in weights]]}

    kept = [talk(number, {"weight": 1}) for number in range(3)] + [talk(3, {}), talk(4, {"weight": None})]
    made = prepared([*kept, talk(5, {"weight": 0}), talk(6, {"weight": 0.5})])
    assert sum(map(len, (made.train, made.valid, made.test))) == 5
    assert made.about["left_out"]["dialogues"] == {
        "with an answer that is not to be learned (its `weight` is not 1)": 2
    }
    assert "not read" not in made.card


def test_a_record_has_one_system_message(prepared):
    def said(field, message, number):
        own = [] if message is None else [{"from": "system", "value": message}]
        talk = [{"from": "human", "value": f"Who is {number}?"}, {"from": "gpt", "value": "Me."}]
        return {"system": field, "conversations": [*own, *talk]}

    cases = [("Be brief.", ""), ("Be brief.", " Be brief.\n"), ("Be brief.", None), ("", "Be brief.")]
    made = prepared([said(*case, number) for number, case in enumerate(cases)])
    for number, (_, message) in enumerate(cases):
        talk = split_of(made, f"Who is {number}?")
        assert talk[0] == ("system", message if (message or "").strip() else "Be brief.")
        assert len(talk) == 3
    with pytest.raises(UserError, match="line 1: the field 'system' and the system message say different"):
        prepared([said("Be a pirate.", "Be brief.", 1)])


@pytest.mark.parametrize(
    ("records", "keys", "expected"),
    [
        (
            [{"Q": "a", "A": "b"}],
            {},
            "mine.jsonl, line 1: no dialogue, by its fields: Q, A; expected one",
        ),
        ([{"Q": "a", "A": "b"}], {}, "question: `question` (or `prompt`, `query`) and `answer`"),
        (
            [OTHERS[0], INSTRUCTION],
            {},
            "line 2: no dialogue, by its fields: instruction, input, output; expec",
        ),
        (
            [OTHERS[0]],
            {"format": "messages"},
            "by its fields: question, answer; expected messages: `messages`",
        ),
        (
            [{"messages": [{"speaker": "a"}]}],
            {},
            "by its fields: messages, speaker (in the first message); expected",
        ),
        ([["a"]], {}, "line 1: found a list, not a dialogue; expected"),
        ([7], {}, "line 1: found a number, not a dialogue"),
        (
            [{"data": [{"Q": "a"}]}],
            {},
            "line 1, list 1, record 1: no dialogue, by its fields: Q;",
        ),
        ([{"id": 1, "data": [{"Q": "a"}]}], {}, "line 1: no dialogue, by its fields: id, data;"),
        (
            [{"question": "a", "answer": 2}],
            {},
            "line 1: the field 'answer' is a number, not a text; make it one",
        ),
        ([{"question": "a", "answer": "\ud800"}], {}, "line 1: the field 'answer' has half a character"),
        ([{"messages": [OPENAI["messages"][0], "b"]}], {}, "line 1, message 2: found a text, not an object"),
        (
            [{"messages": [{"role": "tool", "content": "a"}]}],
            {},
            "line 1, message 1: found the role 'tool'; expected one of system, developer, user,",
        ),
        (
            [{"instruction": "a", "instances": [{"input": "b", "output": 3}]}],
            {},
            "line 1, instance 1: the field 'out",
        ),
    ],
)
def test_what_is_no_dialogue_is_refused(records, keys, expected, prepared):
    data = "".join(json.dumps(record) + "\n" for record in records).encode()
    with pytest.raises(UserError) as error:
        prepared(data, **keys)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (b"", "a.jsonl", "a.jsonl has no records; take it out"),
        (b"[]", "a.json", "a.json has no records"),
        (b"Who?\nMe.\n", "a.txt", "line 1 is no JSON list of objects"),
        (b'{"question": "a"\n', "a.jsonl", "line 1 is no JSON"),
        (
            b"question,answer\na,b\n",
            "a.csv",
            "a.csv is csv, and dialogues are JSON lines, JSON or parquet; convert it",
        ),
        (
            b'{"question": "a", "question": "b", "answer": "c"}',
            "a.jsonl",
            "the field 'question' is there twice",
        ),
        (b"PAR1", "a.parquet", "a.parquet is not a sound parquet file"),
    ],
)
def test_files_without_records_are_refused(data, name, expected, prepared):
    with pytest.raises(UserError) as error:
        prepared(data, name)
    assert expected in str(error.value)


def test_a_private_set_is_not_quoted(prepared):
    with pytest.raises(UserError) as error:
        prepared([{"messages": [{"role": "my secret", "content": "a"}]}], private=True)
    assert "secret" not in str(error.value)
    for record in ({"my secret": "a"}, {"my secret": [{"other": "a"}]}):
        with pytest.raises(UserError) as error:
            prepared([record], private=True)
        assert "secret" not in str(error.value)
