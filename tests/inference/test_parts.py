"""Models, tokenizers and losses from plain values are those of the pipeline."""

import json
import re
from types import SimpleNamespace

import pytest
import torch

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.job import Job
from gptgrid.config.models import PRESETS
from gptgrid.inference.parts import load_tokenizer, loss, model, train_tokenizer
from gptgrid.stages.tokenizer.make import MAKERS
from gptgrid.text.documents import write_documents

TEXTS = ["The cat sat on the mat. 天地玄黄,宇宙洪荒。", "The dog sat, too: <|endoftext|> 🪲", ""]
SMALL = {"n_layer": 1, "n_head": 2, "d_model": 16, "context": 8}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_model_of_each_preset_reads_ids_and_has_the_weights_of_its_seed(preset):
    one, same, other = (model(preset, vocab_size=30, seed=seed, **SMALL) for seed in (1, 1, 2))
    ids = torch.tensor([[1, 2, 3], [29, 0, 4]])
    assert one(ids).shape == (2, 3, 30) and one.training
    assert torch.equal(one(ids), same(ids))
    assert not torch.equal(one.embedding.tokens.weight, other.embedding.tokens.weight)


def test_keys_are_those_of_the_configuration():
    module = model("gpt2", vocab_size=30, eot=29, document_mask=True, position="rope", n_kv_head=1, **SMALL)
    assert module.config.document_mask and module.config.n_kv_head == 1 and module.eot == 29
    assert module.positions.cosines.shape == (8, 8)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"n_layers": 3}, "models: unknown key 'n_layers'; did you mean 'n_layer'"),
        ({"preset": "lama"}, "models.preset: "),
        ({"n_head": 3, "d_model": 16}, "models: n_head 3 does not divide d_model 16"),
        ({"document_mask": True}, "there is no end-of-text token|has none"),
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"vocab_size": "x"}, "vocab_size is 'x'; expected a whole number"),
    ],
)
def test_a_model_that_cannot_be_is_refused_in_the_words_of_the_configuration(keys, said):
    with pytest.raises(UserError, match=said):
        model(**keys)


def test_the_loss_is_the_mean_cross_entropy_of_the_next_token():
    module = model(vocab_size=30, **SMALL)
    ids = torch.randint(30, (3, 9), generator=torch.Generator().manual_seed(0))
    found = loss(module, ids)
    chances = module(ids[:, :-1]).log_softmax(-1)
    by_hand = -sum(chances[row, place, ids[row, place + 1]] for row in range(3) for place in range(8)) / 24
    torch.testing.assert_close(found, by_hand)
    torch.testing.assert_close(loss(module, ids[0].tolist()), loss(module, ids[:1]))
    found.backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([1], r"ids are \(1, 1\); expected \(time,\) or \(batch, time\), time 2 to 9"),
        ([1] * 10, r"ids are \(1, 10\)"),
        ([], r"ids are \(1, 0\)"),
        ([[[1, 2]]], r"ids are \(1, 1, 2\)"),
        ([[1, 2], [3]], "ids are no table of numbers"),
        ([1, 10**30], "ids are no table of numbers"),
        ([1.0, 2.5], "ids are torch.float32; expected whole numbers"),
        (torch.tensor([[True, False]]), "ids are torch.bool; expected whole numbers"),
        ([1, 30], "ids must lie in 0 to 29; found 1 to 30"),
        ([-1, 3], "ids must lie in 0 to 29; found -1 to 3"),
    ],
)
def test_ids_that_have_no_loss_are_refused(ids, said):
    with pytest.raises(UserError, match=said):
        loss(model(vocab_size=30, **SMALL), ids)


@pytest.mark.parametrize("kind", ["bpe", "char", "bytes"])
def test_a_tokenizer_gives_texts_back_and_is_read_again_as_it_was_saved(tmp_path, kind):
    tokenizer = train_tokenizer(TEXTS, kind, vocab_size=300, special_tokens=["<|u|>"])
    tokenizer.save(tmp_path / "own")
    again = load_tokenizer(tmp_path / "own")
    for text in [*TEXTS, "unseen: žluťoučký"]:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text and again.encode(text) == ids
    assert load_tokenizer(tmp_path / "own" / "tokenizer.json").encode("the cat") == again.encode("the cat")
    assert again.special_tokens == tokenizer.special_tokens and again.eot == tokenizer.eot
    (tmp_path / "again").mkdir()
    again.save(tmp_path / "again")
    for name in ("codec.json", "tokenizer.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "own" / name).read_bytes()


def test_special_tokens_are_shown_or_hidden_and_read_where_one_says_so():
    tokenizer = train_tokenizer("abc", "bytes", special_tokens=["<|u|>"])
    assert tokenizer.encode("<|u|>a", marks=True) == [257, 97]
    assert tokenizer.encode("<|u|>a") == list(b"<|u|>a")
    ids = tokenizer.encode_documents(["ab", "c"])
    assert ids == [256, 97, 98, 256, 99]
    assert tokenizer.decode(ids) == "abc"
    assert tokenizer.decode(ids, special=True) == "<|endoftext|>ab<|endoftext|>c"
    assert tokenizer.encode_documents(["<|u|>"], marks=True) == [256, 257]


@pytest.mark.parametrize("times", [1, 300])
def test_what_is_learned_is_what_the_workflow_learns(tmp_path, times):
    texts = ["the cat and the hat", "that is the cat", "天地天地 <|endoftext|>"] * times
    texts += ["天" * 90, "of understanding"]
    write_documents(tmp_path / "train-00000.parquet", texts)
    facts = {"splits": {"train": {"bytes": sum(len(text.encode()) for text in texts)}}}
    (tmp_path / "manifest.json").write_text(json.dumps({"facts": facts}))
    config = {"pattern": "gpt4", "special_tokens": ["<|u|>"], "memory": 350_000_000, "marks": "text"}
    for kind in ("bpe", "char", "bytes"):
        made = SimpleNamespace(kind=kind, vocab_size=280, **config)
        expected = MAKERS[kind](Job(made, {"corpus": tmp_path}, tmp_path, tmp_path), {})
        found = train_tokenizer(texts, kind, vocab_size=280, special_tokens=["<|u|>"])
        assert found.codec.to_json() == expected.to_json()


def test_a_vocabulary_that_is_smaller_than_asked_for_is_told_in_the_numbers_that_were_asked_for(capsys):
    found = train_tokenizer("aaaa bbbb", vocab_size=270, special_tokens=["<|u|>"])
    assert found.vocab_size < 270
    assert capsys.readouterr().out == (
        f"the text has no more pairs to merge: {found.vocab_size} tokens, not 270\n"
    )


@pytest.mark.parametrize("texts", [[], "", ["", ""], iter(())])
def test_nothing_is_learned_from_no_text(texts):
    for kind in ("bpe", "char"):
        with pytest.raises(UserError, match="there is no text to learn from"):
            train_tokenizer(texts, kind)
    assert train_tokenizer(texts, "bytes").vocab_size == 257


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"kind": "tiktoken"},
            "kind is 'tiktoken'; learned are bpe, char, bytes; load_tokenizer reads others",
        ),
        ({"vocab_size": 200}, "tokenizers.vocab_size: found 200"),
        ({"vocab_size": 257, "special_tokens": ["<|u|>"]}, "bytes and special tokens alone are 258"),
        ({"pattern": "gpt-4"}, "did you mean 'gpt4'?"),
    ],
)
def test_a_tokenizer_that_cannot_be_is_refused(options, said):
    with pytest.raises(UserError, match=re.escape(said)):
        train_tokenizer("abc", **options)


def test_what_is_no_tokenizer_is_said(tmp_path):
    with pytest.raises(UserError, match="Nor is it a tokenizer"):
        load_tokenizer(tmp_path / "nowhere")
    (tmp_path / "tokenizer.json").write_text('{"model": 3}')
    with pytest.raises(UserError, match=r"tokenizer\.json is neither a codec\.json nor a tokenizer\.json"):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_ids_beyond_the_vocabulary_are_refused():
    tokenizer = train_tokenizer("abc", "bytes")
    assert tokenizer.decode(torch.tensor([97, 98])) == "ab"
    for ids in ([257], [-1, 97]):
        with pytest.raises(UserError, match="ids must lie in 0 to 256; found"):
            tokenizer.decode(ids)


def test_one_text_is_one_document():
    tokenizer = train_tokenizer(TEXTS, kind="bytes")
    assert tokenizer.encode_documents("abc") == tokenizer.encode_documents(["abc"])


@pytest.mark.parametrize("value", [None, b"abc", 5])
def test_what_is_no_text_is_said(value):
    tokenizer = train_tokenizer(TEXTS, kind="bytes")
    for call in (
        lambda: tokenizer.encode(value),
        lambda: tokenizer.encode_documents([value]),
        lambda: train_tokenizer([value]),
        lambda: train_tokenizer(["a", value]),
    ):
        with pytest.raises(UserError, match="expected a text"):
            call()
