"""GGUF files: what `gguf` reads back, and the same ids and tokens in llama.cpp where it is installed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pytest
import torch
from exporting import exported_cell, hard_texts
from gguf import GGUFReader, TokenType
from small_codecs import CODECS
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from torch import nn

from gptgrid.api import train_tokenizer
from gptgrid.artifact.errors import UserError
from gptgrid.inference.export.export import export
from gptgrid.model.decoding import Decoding
from gptgrid.model.generate import Rows
from gptgrid.text.chat_template import CHATML, Message
from gptgrid.tokens.alphabet import byte_letters
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import BpeCodec, BytesCodec, CharCodec, IdsCodec
from gptgrid.tokens.conversation import Conversations
from gptgrid.tokens.imported import HuggingFaceCodec
from gptgrid.tokens.patterns import PATTERNS
from gptgrid.tokens.widen import widened

MODELS = {
    "gpt2": {"preset": "gpt2", "activation": "gelu_tanh"},
    "gpt2 with exact GELU": {"preset": "gpt2"},
    "gpt2 untied, with nothing beside matrices": {
        **{"preset": "gpt2", "tie_embeddings": False, "bias": False, "norm_gain": False},
        "activation": "gelu_tanh",
    },
    "llama": {"preset": "llama"},
    "llama of grouped heads": {"preset": "llama", "n_kv_head": 2, "rope_theta": 200.0, "norm_eps": 0.1},
    "llama tied, of narrow heads, with biases": {
        **{"preset": "llama", "tie_embeddings": True, "head_dim": 6, "bias": True}
    },
    "qwen3": {"preset": "llama", "qk_norm": True, "n_kv_head": 1, "head_dim": 12},
    "qwen3 without gains in mup": {
        **{"preset": "llama", "qk_norm": True, "norm_gain": False},
        **{"parametrization": "mup", "base_width": 8, "base_n_head": 2},
    },
}


def file_of(root: Path, codec: Codec, dtype: str = "float32", **switches: Any) -> tuple[Path, nn.Module]:
    """Export a cell; return the file, and its model."""
    cell, module = exported_cell(root / "cell" / "train", codec, **switches)
    return export(cell, "gguf", root / "gguf", dtype) / "model.gguf", module


def fields_of(path: Path) -> dict[str, Any]:
    """Return what a file says beside its tensors."""
    return {name: field.contents() for name, field in GGUFReader(path).fields.items()}


def tensors_of(path: Path) -> dict[str, np.ndarray]:
    """Return the tensors of a file."""
    return {tensor.name: tensor.data for tensor in GGUFReader(path).tensors}


def rotated_back(rows: np.ndarray, width: int) -> np.ndarray:
    """Return the rows of queries or keys in the order here: the even ones of each head, then the odd ones."""
    heads = rows.reshape(-1, width, *rows.shape[1:])
    return np.concatenate([heads[:, 0::2], heads[:, 1::2]], axis=1).reshape(rows.shape)


@cache
def bpe(pattern: str, size: int = 600) -> Codec:
    texts = hard_texts(1000, ["<|user|>"])
    return train_tokenizer(texts, vocab_size=size, pattern=pattern, special_tokens=["<|user|>"]).codec


@pytest.mark.parametrize("tied", [True, False])
def test_every_tensor_of_a_gpt2_is_read_back_to_the_bit(tied, tmp_path):
    path, module = file_of(tmp_path, BytesCodec(), preset="gpt2", tie_embeddings=tied)
    expected = {
        "token_embd.weight": module.embedding.tokens.weight,
        "position_embd.weight": module.embedding.positions.weight,
        "output_norm.weight": module.norm.weight,
        "output_norm.bias": module.norm.bias,
        **({} if tied else {"output.weight": module.head.weight}),
    }
    for number, block in enumerate(module.blocks):
        parts = {
            "attn_norm": block.attention_norm,
            "attn_qkv": block.attention.qkv,
            "attn_output": block.attention.output,
            "ffn_norm": block.feed_forward_norm,
            "ffn_up": block.feed_forward.up,
            "ffn_down": block.feed_forward.down,
        }
        for name, part in parts.items():
            expected |= {
                f"blk.{number}.{name}.weight": part.weight,
                f"blk.{number}.{name}.bias": part.bias,
            }
    found = tensors_of(path)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], value.detach()) for name, value in expected.items())


@pytest.mark.parametrize("qk_norm", [False, True])
def test_every_tensor_of_a_llama_and_a_qwen3_is_read_back_to_the_bit(qk_norm, tmp_path):
    path, module = file_of(tmp_path, BytesCodec(), preset="llama", n_kv_head=2, qk_norm=qk_norm)
    found, expected = tensors_of(path), {}
    expected["token_embd.weight"] = module.embedding.tokens.weight
    expected["output_norm.weight"] = module.norm.weight
    expected["output.weight"] = module.head.weight
    for number, block in enumerate(module.blocks):
        queries, keys, values = block.attention.qkv.weight.split([32, 16, 16])
        gate, up = block.feed_forward.up.weight.chunk(2)
        parts = {
            "attn_norm": block.attention_norm.weight,
            "attn_q": queries,
            "attn_k": keys,
            "attn_v": values,
            "attn_output": block.attention.output.weight,
            "ffn_norm": block.feed_forward_norm.weight,
            "ffn_gate": gate,
            "ffn_up": up,
            "ffn_down": block.feed_forward.down.weight,
        }
        if qk_norm:
            parts["attn_q_norm"] = block.attention.query_norm.weight
            parts["attn_k_norm"] = block.attention.key_norm.weight
        expected |= {f"blk.{number}.{name}.weight": value for name, value in parts.items()}
        for name in () if qk_norm else ("attn_q", "attn_k"):
            name = f"blk.{number}.{name}.weight"
            found[name] = rotated_back(found[name], 8)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], value.detach()) for name, value in expected.items())


def test_the_file_says_what_the_model_is(tmp_path):
    path, _ = file_of(
        tmp_path, BytesCodec(), preset="llama", n_kv_head=2, d_ff=40, rope_theta=200.0, norm_eps=0.125
    )
    found = fields_of(path)
    assert {
        "general.architecture": "llama",
        "general.type": "model",
        "general.name": "cell",
        "general.license": "unknown",
        "general.file_type": 0,
        "llama.vocab_size": 257,
        "llama.context_length": 128,
        "llama.embedding_length": 32,
        "llama.block_count": 2,
        "llama.feed_forward_length": 40,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "llama.attention.key_length": 8,
        "llama.attention.value_length": 8,
        "llama.attention.layer_norm_rms_epsilon": 0.125,
        "llama.rope.dimension_count": 8,
        "llama.rope.freq_base": 200.0,
    }.items() <= found.items()
    gpt2, _ = file_of(tmp_path / "gpt2", BytesCodec(), norm_eps=0.125)
    found = fields_of(gpt2)
    assert (found["general.architecture"], found["gpt2.attention.layer_norm_epsilon"]) == ("gpt2", 0.125)
    assert not [name for name in found if "rope" in name or "rms" in name]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_matrices_in_half_the_bytes_and_what_llama_cpp_needs_in_fp32(dtype, tmp_path):
    path, module = file_of(tmp_path, BytesCodec(), dtype)
    reader = GGUFReader(path)
    kinds = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    short = {"float16": "F16", "bfloat16": "BF16"}[dtype]
    whole = {"position_embd.weight", "output_norm.weight", "output_norm.bias"}
    assert {name for name, kind in kinds.items() if kind == "F32" and "blk" not in name} == whole
    assert {kind for name, kind in kinds.items() if "norm" in name or name.endswith("bias")} == {"F32"}
    assert kinds["token_embd.weight"] == kinds["blk.0.ffn_down.weight"] == short
    assert fields_of(path)["general.file_type"] == {"float16": 1, "bfloat16": 32}[dtype]
    weight = module.embedding.tokens.weight.detach().to(getattr(torch, dtype))
    stored = next(tensor.data for tensor in reader.tensors if tensor.name == "token_embd.weight")
    assert stored.tobytes() == weight.view(torch.uint8).numpy().tobytes()


def test_numbers_beyond_a_type_are_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(UserError, match="weight holds numbers that are too large for float16"):
        file_of(tmp_path, BytesCodec(), "float16", init_std=40_000.0)
    assert [path.name for path in tmp_path.iterdir()] == ["cell"]


def test_the_same_cell_gives_the_same_bytes(tmp_path):
    cell, _ = exported_cell(tmp_path / "train", bpe("gpt4"), preset="llama")
    one, two = (export(cell, "gguf", tmp_path / name) / "model.gguf" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert [path.name for path in one.parent.iterdir()] == ["model.gguf"]


@pytest.mark.parametrize(
    ("message", "switches"),
    {
        "residual_mix: true": {"preset": "modern"},
        "window: 5": {"preset": "llama", "qk_norm": True, "window": 5},
        "logit_softcap: 30.0": {"preset": "llama", "logit_softcap": 30.0},
        "activation: relu (it has gelu or gelu_tanh)": {"preset": "gpt2", "activation": "relu"},
    }.items(),
)
def test_what_llama_cpp_lacks_is_refused_by_key_and_value(message, switches, tmp_path):
    with pytest.raises(UserError) as error:
        file_of(tmp_path, BytesCodec(), **switches)
    assert message in str(error.value) and "llama.cpp has no model" in str(error.value)


def test_a_vocabulary_has_all_tokens_by_their_kinds_and_is_filled_up(tmp_path):
    codec = bpe("gpt4", 300)
    cell, _ = exported_cell(tmp_path / "train", with_rows(codec, 310))
    found = fields_of(export(cell, "gguf", tmp_path / "gguf") / "model.gguf")
    tokens, types = found["tokenizer.ggml.tokens"], found["tokenizer.ggml.token_type"]
    assert len(tokens) == len(types) == found["gpt2.vocab_size"] == 310
    assert tokens[:298] == ["".join(map(byte_letters().get, piece)) for piece in codec.ranks]
    assert tokens[298:301] == ["<|endoftext|>", "<|user|>", "[PAD300]"]
    kinds = [TokenType.NORMAL] * 298 + [TokenType.CONTROL] * 2 + [TokenType.UNUSED] * 10
    assert types == kinds
    joined = [tokens.index("".join(pair.split(" "))) for pair in found["tokenizer.ggml.merges"]]
    assert joined == list(range(256, 298))
    assert found["tokenizer.ggml.model"] == "gpt2"
    assert found["tokenizer.ggml.bos_token_id"] == found["tokenizer.ggml.eos_token_id"] == codec.eot
    assert found["tokenizer.ggml.add_bos_token"] and not found["tokenizer.ggml.add_eos_token"]


def with_rows(codec: Codec, rows: int) -> Codec:
    """Return a tokenizer for a model whose embedding has more rows than it has tokens."""
    wider = copy(codec)
    wider.vocab_size = rows
    return wider


def test_characters_fall_back_to_bytes(tmp_path):
    path, _ = file_of(tmp_path, CharCodec(" a狐", ["<|user|>"]))
    found = fields_of(path)
    assert found["tokenizer.ggml.model"] == "llama" and not found["tokenizer.ggml.add_space_prefix"]
    assert found["tokenizer.ggml.tokens"][254:] == ["<0xFE>", "<0xFF>", *"▁a狐", "<|endoftext|>", "<|user|>"]
    kinds = [TokenType.BYTE] * 256 + [TokenType.NORMAL] * 3 + [TokenType.CONTROL] * 2
    assert found["tokenizer.ggml.token_type"] == kinds


@pytest.mark.parametrize(
    ("characters", "special", "message"),
    [("ab", [], "has no blank"), (" ▁", [], "has the character ▁"), (" a", ["aa"], "special token 'aa'")],
)
def test_characters_that_llama_cpp_would_read_otherwise_are_refused(characters, special, message, tmp_path):
    with pytest.raises(UserError, match=message):
        file_of(tmp_path, CharCodec(characters, special))


def huggingface(pre_tokenizer: Any, merges: list, ignore_merges: bool = False) -> HuggingFaceCodec:
    """Return a tokenizer of bytes and of `foxes`, which merges may make."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*letters, "fo", "fox", "foxe", "foxes"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.add_tokens(["  "])
    return HuggingFaceCodec(json.loads(tokenizer.to_str()))


ALL = [("f", "o"), ("fo", "x"), ("fox", "e"), ("foxe", "s")]
BYTE_LEVEL = pre_tokenizers.ByteLevel(add_prefix_space=False)


def cut_by(pattern: str) -> Any:
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), bytewise])


LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN = LLAMA3.replace("{1,3}", "")
DIGITS = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), BYTE_LEVEL])
TOKENIZERS = {
    "bytes": (lambda: BytesCodec(["<|user|>"]), "gpt-2"),
    "gpt2": (lambda: bpe("gpt2"), "gpt-2"),
    "gpt4": (lambda: bpe("gpt4"), "llama-bpe"),
    "tiktoken": (lambda: BpeCodec("tiktoken", PATTERNS["gpt2"], bpe("gpt2").ranks), "gpt-2"),
    "widened": (lambda: widened(bpe("gpt4"), ["<|im_start|>", "<|im_end|>"]), "llama-bpe"),
    "huggingface": (lambda: huggingface(BYTE_LEVEL, ALL), "gpt-2"),
    "llama 3": (lambda: huggingface(cut_by(LLAMA3), ALL, True), "llama-bpe"),
    "llama 3 with a token of no merge": (lambda: huggingface(cut_by(LLAMA3), ALL[:2], True), "llama-bpe"),
    "dbrx with a token of no merge": (lambda: huggingface(cut_by(LLAMA3), ALL[:2]), "dbrx"),
    "qwen": (lambda: huggingface(cut_by(QWEN), ALL), "qwen2"),
    "smollm": (lambda: huggingface(DIGITS, ALL), "smollm"),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_what_cuts_texts_has_the_name_that_llama_cpp_gives_it(name, tmp_path):
    make, expected = TOKENIZERS[name]
    path, _ = file_of(tmp_path, make())
    assert fields_of(path)["tokenizer.ggml.pre"] == expected


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bpe("chinese"), "kind: bpe, pattern: chinese"),
        (lambda: bpe("o200k"), "kind: bpe, pattern: o200k"),
        (lambda: CODECS["huggingface"], "kind: huggingface, BPE, cut by nothing"),
        (lambda: huggingface(BYTE_LEVEL, ALL[:2], True), "kind: huggingface, BPE, cut by ByteLevel"),
        (lambda: IdsCodec(20, 19), "kind: ids"),
    ],
)
def test_a_tokenizer_without_counterpart_is_refused_by_name(make, message, tmp_path):
    with pytest.raises(UserError) as error:
        file_of(tmp_path, make())
    assert message in str(error.value) and "--to hf" in str(error.value)
    assert not (tmp_path / "gguf").exists()


def test_added_tokens_that_stand_for_text_are_always_tokens(tmp_path):
    codec = huggingface(BYTE_LEVEL, ALL)
    path, _ = file_of(tmp_path, codec)
    types = fields_of(path)["tokenizer.ggml.token_type"]
    assert types[codec.text_tokens["  "]] == TokenType.USER_DEFINED and types[codec.eot] == TokenType.CONTROL


MESSAGES = [Message("user", 'Who is "there"?\n狐'), Message("assistant", "A fox."), Message("user", "")]
SYSTEM = "It's brief."


def taught(root: Path) -> tuple[Path, Conversations]:
    """Export a fine-tuned cell."""
    codec = widened(bpe("gpt4"), CHATML.special_tokens())
    recipe = {"finetuning": {}, "chat": {"template": CHATML.source, "system": SYSTEM}}
    cell, _ = exported_cell(root / "cell" / "finetune", codec, recipe, preset="llama")
    return export(cell, "gguf", root / "gguf") / "model.gguf", Conversations(codec, CHATML, SYSTEM)


def test_a_fine_tuned_cell_has_its_chat_template_and_the_end_of_an_answer(tmp_path):
    path, own = taught(tmp_path)
    found = fields_of(path)
    template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(
        found["tokenizer.chat_template"]
    )
    text = template.render(messages=list(map(vars, MESSAGES)), add_generation_prompt=True, bos_token="[")
    assert text == "[" + CHATML.render([Message("system", SYSTEM), *MESSAGES], answer=True)
    assert [found["tokenizer.ggml.eot_token_id"]] == [*own.ends]
    plain, _ = file_of(tmp_path / "base", BytesCodec())
    assert not {"tokenizer.chat_template", "tokenizer.ggml.eot_token_id"} & fields_of(plain).keys()


try:
    import llama_cpp
except ImportError:
    llama_cpp = None
needs_llama_cpp = pytest.mark.skipif(llama_cpp is None, reason="llama-cpp-python is not installed")


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file in llama.cpp, with keys and values in fp32 as here."""
    fp32 = llama_cpp.GGML_TYPE_F32
    there = llama_cpp.Llama(
        str(path),
        n_ctx=0,
        n_threads=1,
        n_threads_batch=1,
        type_k=fp32,
        type_v=fp32,
        logits_all=True,
        verbose=False,
    )
    yield there
    there.close()


def greedy(there: Any, ids: list[int], number: int) -> tuple[list[int], np.ndarray]:
    """Return the tokens that llama.cpp goes on with, and the logits of which it chose each."""
    found, logits, new = [], [], ids
    for _ in range(number):
        there.eval(new)
        logits.append(there.scores[there.n_tokens - 1].copy())
        new = [int(logits[-1].argmax())]
        found += new
    return found, np.array(logits)


@needs_llama_cpp
@pytest.mark.parametrize("name", MODELS)
@torch.inference_mode()
def test_100_greedy_tokens_are_the_same_in_llama_cpp(name, tmp_path):
    codec = bpe("gpt4")
    path, module = file_of(tmp_path, codec, **MODELS[name])
    prompt = codec.begin("The fox, it's 123456 狐狸 of them.")
    rows = Rows(module, [prompt], Decoding(temperature=0.0), set(), [0])
    own = [rows.advance()[0][1].id for _ in range(100)]
    with opened(path) as there:
        found, logits = greedy(there, prompt, 100)
    assert found == own
    expected = module(torch.tensor([prompt + own]))[0, len(prompt) - 1 : -1]
    # GELU comes from a table of half precision there.
    error = 0.01 if "gpt2" in name else 2e-5
    np.testing.assert_allclose(logits, expected, rtol=0, atol=error)


@needs_llama_cpp
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_llama_cpp_reads_matrices_in_half_the_bytes(dtype, tmp_path):
    for preset in ("gpt2", "llama"):
        codec = bpe("gpt4")
        path, module = file_of(tmp_path / preset, codec, dtype, preset=preset)
        prompt = codec.begin("The fox")
        with opened(path) as there, torch.inference_mode():
            _, logits = greedy(there, prompt, 1)
            np.testing.assert_allclose(logits[0], module(torch.tensor([prompt]))[0, -1], rtol=0, atol=0.1)


@needs_llama_cpp
@pytest.mark.parametrize("name", [*TOKENIZERS, "char"])
def test_3000_texts_have_the_same_ids_in_llama_cpp(name, tmp_path):
    make, _ = TOKENIZERS.get(
        name, (lambda: train_tokenizer(hard_texts(50, ["<|user|>"]), "char").codec, None)
    )
    codec = make()
    path, _ = file_of(tmp_path, codec)
    texts = [text for text in hard_texts(3000, [*codec.special_tokens]) if name != "char" or "▁" not in text]
    with opened(path) as there:
        found = [there.tokenize(text.encode(), add_bos=True, special=False) for text in texts]
        decoded = [there.detokenize(ids[1:]) for ids in found]
    assert found == [codec.begin(text) for text in texts]
    assert decoded == [text.encode() for text in texts]


@needs_llama_cpp
def test_a_conversation_has_the_same_ids_in_llama_cpp(tmp_path):
    path, own = taught(tmp_path)
    asked = []
    with opened(path) as there:
        generate = there.generate

        def noted(tokens: list[int], **settings: Any) -> Iterator[int]:
            asked.extend(tokens)
            return generate(tokens, **settings)

        there.generate = noted
        there.create_chat_completion([vars(message) for message in MESSAGES], max_tokens=1)
        ids, vocabulary = range(own.codec.vocab_size), there._model.vocab
        ends = [index for index in ids if llama_cpp.llama_vocab_is_eog(vocabulary, index)]
    assert asked == own.prompt(MESSAGES)
    assert ends == [own.codec.eot, *own.ends]
