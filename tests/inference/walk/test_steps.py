"""Each value that the walk shows is one that the model computed, in every architecture."""

import json
import math

import pytest
import torch
from cells import tiny
from small_codecs import CODECS

from gptgrid.artifact.errors import UserError
from gptgrid.inference.cell import TrainedCell
from gptgrid.inference.walk.step import chosen_places
from gptgrid.inference.walk.steps import walk_cell
from gptgrid.inference.walk.walk import chosen_numbers
from gptgrid.inference.walk.words import LANGUAGES, read_words

TEXT = "The fox 狐"
SHAPE = {"context": 24, "n_head": 4}
MODELS = {
    "gpt2": {},
    "llama": {"preset": "llama"},
    "modern": {"preset": "modern"},
    "encoder": {"preset": "encoder"},
    "encoder-pre": {
        "preset": "encoder",
        "norm_position": "pre",
        "position": "sinusoidal",
        "tie_embeddings": True,
    },
    "shared heads": {"preset": "llama", "n_kv_head": 2, "qk_norm": True, "window": 4, "window_pattern": "SL"},
    "alibi": {"position": "alibi", "logit_softcap": 5.0, "document_mask": True},
    "post": {"norm_position": "post", "position": "none", "qk_norm": True, "norm_gain": False},
    "sinusoidal": {
        "position": "sinusoidal",
        "activation": "relu2",
        "n_layer": 1,
        "parametrization": "mup",
        "base_width": 8,
    },
}


def cell(codec: str = "bpe", **switches: object) -> TrainedCell:
    tokenizer = CODECS[codec]
    module = tiny(tokenizer.vocab_size, **{**SHAPE, **switches}).requires_grad_(False)
    recipe = {"model": {"context": module.config.context}, "vocab_size": module.vocab_size, "training": {}}
    return TrainedCell(module, tokenizer, recipe)


@pytest.mark.parametrize("switches", MODELS.values(), ids=MODELS)
def test_values_are_those_of_the_model(switches):
    told = walk_cell(cell(**switches), TEXT, read_words("en"), blocks="all", heads="1,3")
    recording, config = told.walk.recording, told.walk.module.config
    places = chosen_places(len(recording.ids))
    group = config.n_head // config.n_kv_head

    def vectors(values: torch.Tensor) -> list[list[float]]:
        return values[places, :6].tolist()

    for step in told.steps:
        tables = [[values for _, values in table.rows] for table in step.tables]
        if step.block is None:
            continue
        block = recording.blocks[step.block]
        seen = block.attended
        rotated = [
            vectors(part[0, head // (group if part is not seen.queries else 1)])
            for head in (1, 3)
            for part in (seen.queries, seen.keys)
        ]
        expected = {
            "mix": [vectors(block.input)],
            "attention_norm": [vectors(block.attention_norm[1])],
            "attention_norm_after": [vectors(block.attention_norm[1])],
            "feed_forward_norm": [vectors(block.feed_forward_norm[1])],
            "feed_forward_norm_after": [vectors(block.output)],
            "rotated": rotated,
            "qk_norm": rotated,
            "qk_norm_rotated": rotated,
            "scores": [seen.scores[0, head][places][:, places].tolist() for head in (1, 3)],
            "mask": [
                part[places][:, places].tolist()
                for part in (seen.bias[0] if len(seen.bias[0]) == 1 else seen.bias[0, [1, 3]])
            ],
            "mixed": [vectors(seen.mixed[0, head]) for head in (1, 3)],
            "output": [vectors(block.attention)],
            "hidden": [vectors(block.hidden)],
            "down": [vectors(block.feed_forward)],
        }
        if step.key == "softmax":
            for head, rows in zip((1, 3), tables, strict=True):
                assert [row[:-1] for row in rows] == seen.weights[0, head][places][:, places].tolist()
                assert [row[-1] for row in rows] == pytest.approx([1.0] * len(places), abs=1e-5)
        elif step.key in ("attention_sum", "feed_forward_sum"):
            before, added, after = map(torch.tensor, tables[0])
            torch.testing.assert_close(before + added, after)
        elif step.key == "qkv":
            assert tables[2::3] == [vectors(seen.values[0, head // group]) for head in (1, 3)]
        else:
            assert tables == expected[step.key], step.key
    shown = {step.key: [values for _, values in step.tables[-1].rows] for step in told.steps if step.tables}
    assert shown["embedding"] == vectors(told.walk.module.embedding.tokens.weight[recording.ids])
    assert shown["logits"] == vectors(recording.logits)
    assert [row[2] for row in shown["loss"]] == recording.losses[places[:-1]].tolist()
    chances = torch.softmax(recording.logits[-1], -1)
    assert [row[2] for row in shown["probabilities"]] == chances.topk(5).values.tolist()
    # After the last block the lens sees what the model says.
    assert shown["stream"][-1][2] == pytest.approx(chances.max().item(), abs=1e-6)


@pytest.mark.parametrize("preset", ["gpt2", "llama", "modern"])
def test_queries_are_what_the_matrix_gives(preset):
    module = cell(preset=preset, n_kv_head=2).module
    told = walk_cell(cell(preset=preset, n_kv_head=2), TEXT, read_words("en"), heads="3")
    block = told.walk.recording.blocks[0]
    product = module.blocks[0].attention.qkv(block.attention_norm[1])
    width, places = 4, chosen_places(len(product))
    query, key, value = (table.rows for step in told.steps if step.key == "qkv" for table in step.tables)
    for rows, start in ((query, 3 * width), (key, (4 + 1) * width), (value, (6 + 1) * width)):
        expected = product[places, start : start + width]
        torch.testing.assert_close(torch.tensor([values for _, values in rows]), expected)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("switches", [*MODELS.values(), {"activation": "swiglu"}])
def test_formulas_name_each_bias(switches, bias):
    told = walk_cell(cell(**{**switches, "bias": bias}), TEXT, read_words("en"))
    module = told.walk.module
    names = dict.fromkeys(("qkv", "output", "hidden", "down"), bias) | {
        "logits": module.head.bias is not None
    }
    formulas = {step.key: step.formula for step in told.steps if step.key in names}
    assert {name: "+ b" in formula for name, formula in formulas.items()} == names
    assert (" · W_gate + b) · (x · W_up + b)" in formulas["hidden"]) == (
        bias and "W_gate" in formulas["hidden"]
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("switches", MODELS.values(), ids=MODELS)
def test_each_step_has_its_words(switches, codec, language):
    told = walk_cell(
        cell(codec, **switches), TEXT, read_words(language), blocks="all", heads="all", backward=True
    )
    for step in told.steps:
        assert step.title
        assert step.what
        assert "{" not in step.what + step.formula
    told = json.loads(json.dumps(told.as_json(), allow_nan=False))
    assert told["loss"] == pytest.approx(told["loss"])


def test_position_tables_are_those_of_the_model():
    for position, of in (
        ("learned", lambda module: module.embedding.positions.weight),
        ("sinusoidal", lambda module: module.embedding.positions.waves),
        ("rope", lambda module: module.positions.cosines),
    ):
        told = walk_cell(cell(position=position), "ab", read_words("en"))
        [step] = [step for step in told.steps if step.key == position]
        expected = of(told.walk.module)[: len(told.walk.labels), :6].tolist()
        assert [values for _, values in step.tables[0].rows] == expected
    told = walk_cell(cell(position="alibi"), "ab", read_words("en"))
    [step] = [step for step in told.steps if step.key == "alibi"]
    assert step.tables[0].rows[0][1] == [2**-2, 2**-4, 2**-6, 2**-8]


def test_masks_are_named():
    told = walk_cell(cell(**MODELS["shared heads"]), TEXT, read_words("en"), blocks="all")
    small, large = [step for step in told.steps if step.key == "mask"]
    assert "last 4 tokens" in small.what
    assert "last" not in large.what
    assert small.tables[0].rows[-1][1][0] == -math.inf
    assert small.as_json()["tables"][0]["rows"][-1]["values"][0] == "-inf"
    told = walk_cell(cell(**MODELS["alibi"]), TEXT, read_words("en"))
    [mask] = [step for step in told.steps if step.key == "mask"]
    assert "documents" in mask.what
    assert "distance" in mask.what


def test_a_long_text_is_cut_at_its_end_and_that_is_said():
    trained = cell("bytes", context=8)
    told = walk_cell(trained, "abcdefghijk", read_words("en"))
    assert told.walk.text == "abcdefg"
    assert told.walk.recording.ids == trained.codec.begin("abcdefg")
    assert "12 tokens" in told.walk.cropped
    assert "first 8" in told.walk.cropped
    assert not walk_cell(trained, "abcdefg", read_words("en")).walk.cropped


def test_few_tokens_of_a_long_text_are_shown_and_that_is_said():
    told = walk_cell(cell("bytes"), "abcdefghijkl", read_words("en"))
    assert "13 tokens" in told.walk.shown
    [ids] = [step for step in told.steps if step.key == "ids"]
    assert [label for label, _ in ids.tables[0].rows] == ["<|endoftext|>", "a", "b", "h", "i", "j", "k", "l"]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "the text is empty"),
        ("ab", {"blocks": "2"}, "--blocks is '2'; this model has the blocks 0 to 1"),
        ("ab", {"blocks": "0,"}, "--blocks is '0,'"),
        ("ab", {"heads": "-1"}, "--heads is '-1'; this model has the heads 0 to 3"),
        ("ab", {"heads": "٣"}, "--heads"),
    ],
)
def test_mistakes_are_told(text, options, message):
    with pytest.raises(UserError, match=message):
        walk_cell(cell(), text, read_words("en"), **options)


def test_a_model_that_sees_one_token_cannot_be_walked():
    with pytest.raises(UserError, match="sees one token"):
        walk_cell(cell(context=1), "ab", read_words("en"))


def test_numbers_are_sorted_and_named_once():
    assert chosen_numbers(" 2, 0,2", 3, "blocks") == [0, 2]
    assert chosen_numbers("all", 3, "blocks") == [0, 1, 2]
