"""Folders for transformers: the same ids, logits and texts there, without any code of ours."""

import json
from pathlib import Path

import pytest
import torch
from exporting import CONTEXT, exported_cell, hard_texts
from safetensors.torch import load_file
from small_codecs import CODECS
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from gptgrid.api import train_tokenizer
from gptgrid.artifact.errors import UserError
from gptgrid.config.checkpoints import read_checkpoint
from gptgrid.config.models import Model
from gptgrid.inference.export.architecture import deciding
from gptgrid.inference.export.export import export
from gptgrid.model.decoding import Decoding
from gptgrid.model.generate import Rows
from gptgrid.model.huggingface import read_weights
from gptgrid.text.chat_template import CHATML, PLAIN, ChatTemplate, Message
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import BpeCodec, BytesCodec, IdsCodec
from gptgrid.tokens.conversation import Conversations
from gptgrid.tokens.widen import widened

MUP = {"parametrization": "mup", "base_width": 8, "base_n_head": 2}
SAME = {
    "gpt2": {"preset": "gpt2"},
    "gpt2 untied": {"preset": "gpt2", "tie_embeddings": False, "activation": "gelu_tanh", "norm_eps": 0.1},
    "llama": {"preset": "llama", "rope_theta": 200.0, "norm_eps": 0.1},
    "llama of grouped heads": {"preset": "llama", "n_kv_head": 2, "d_ff": 40},
    "llama tied, with biases": {"preset": "llama", "tie_embeddings": True, "bias": True},
    "llama of narrow heads": {"preset": "llama", "head_dim": 6},
    "qwen3": {"preset": "llama", "qk_norm": True},
    "qwen3 tied, of grouped heads": {
        "preset": "llama",
        "qk_norm": True,
        "tie_embeddings": True,
        "n_kv_head": 1,
    },
    "qwen3 of 3 heads": {"preset": "llama", "qk_norm": True, "n_head": 3, "head_dim": 10},
    "qwen3 of windows": {"preset": "llama", "qk_norm": True, "window": 5, "window_pattern": "SL"},
}
"""Models that transformers has as they are."""
CHANGED = {
    "gpt2 with nothing beside matrices": {"preset": "gpt2", "bias": False, "norm_gain": False},
    "gpt2 of grouped heads": {"preset": "gpt2", "n_kv_head": 2, "activation": "relu"},
    "gpt2 of waves": {"preset": "gpt2", "position": "sinusoidal", "activation": "relu2"},
    "gpt2 of waves, untied": {"preset": "gpt2", "position": "sinusoidal", "tie_embeddings": False},
    "gpt2 without positions": {"preset": "gpt2", "position": "none"},
    "gpt2 in mup": {"preset": "gpt2", "n_kv_head": 1, **MUP},
    "gpt2 of waves in mup": {"preset": "gpt2", "position": "sinusoidal", "bias": False, **MUP},
    "llama in mup": {"preset": "llama", "bias": True, "norm_gain": False, **MUP},
    "qwen3 in mup": {"preset": "modern", "residual_mix": False, "norm_gain": False, **MUP},
    "llama as a gpt2 with other keys": {
        **{"preset": "gpt2", "norm": "rmsnorm", "position": "rope", "activation": "swiglu", "bias": False}
    },
    "window as long as the context": {"preset": "gpt2", "window": CONTEXT},
    "window in no layer": {"preset": "llama", "window": 3, "window_pattern": "L"},
    "document mask": {"preset": "llama", "document_mask": True},
    "dropout": {"preset": "gpt2", "dropout": 0.5},
}
"""Models that it has with other keys, or other weights."""
SWITCHES = SAME | CHANGED
GREEDY = (
    "gpt2",
    "gpt2 untied",
    "llama of grouped heads",
    "llama tied, with biases",
    "qwen3",
    "qwen3 of windows",
)
REFUSED = {
    "residual_mix: true (it has false)": {"preset": "modern"},
    "logit_softcap: 30.0 (it has none)": {"preset": "llama", "logit_softcap": 30.0},
    "position: alibi (it has learned or sinusoidal or none)": {"preset": "gpt2", "position": "alibi"},
    "position: none (it has rope)": {"preset": "llama", "position": "none"},
    "activation: relu (it has swiglu)": {"preset": "llama", "activation": "relu"},
    "norm_position: post (it has pre)": {"preset": "gpt2", "norm_position": "post"},
    "norm: rmsnorm (it has layernorm)": {"preset": "gpt2", "norm": "rmsnorm"},
    "qk_norm: true (it has false)": {"preset": "gpt2", "qk_norm": True},
    "head_dim: 6 (it has d_model / n_head)": {"preset": "gpt2", "head_dim": 6},
    "n_head: 3 (it has divisors of d_model)": {"preset": "llama", "n_head": 3, "head_dim": 6},
    "window: 5 (it has the whole context)": {"preset": "gpt2", "window": 5},
    "bias: true (it has false)": {"preset": "llama", "qk_norm": True, "bias": True, "window": 5},
    "preset: encoder (it has gpt2 or llama or modern)": {
        "preset": "encoder",
        "norm_position": "pre",
        "activation": "gelu",
    },
}
"""What the message names → model that has it."""
WRITTEN = {
    "n_layer",
    "n_kv_head",
    "d_model",
    "d_ff",
    "context",
    "norm_eps",
    "rope_theta",
    "tie_embeddings",
    "dropout",
}
MOVED = {"norm_gain", "parametrization", "base_width", "base_n_head", "window_pattern", "document_mask"}
TRAINING = {"init_std", "zero_init", "zero_head", "huggingface"}


def read(folder: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()


def export_model(root: Path, codec: Codec | None = None, **switches: object) -> tuple[Path, nn.Module]:
    """Export a cell with a model; return the folder, and the model."""
    cell, module = exported_cell(root / "cell" / "train", codec or BytesCodec(), **switches)
    return export(cell, "hf", root / "hf"), module


def text(vocab_size: int) -> torch.Tensor:
    """Return ids, an end of text in front."""
    ids = torch.randint(vocab_size - 1, (2, CONTEXT), generator=torch.Generator().manual_seed(2))
    ids[:, 0] = vocab_size - 1
    return ids


@pytest.mark.parametrize("name", SWITCHES)
@torch.inference_mode()
def test_logits_are_the_same(name, tmp_path):
    folder, module = export_model(tmp_path, **SWITCHES[name])
    ids = text(module.vocab_size)
    torch.testing.assert_close(read(folder)(ids).logits, module(ids), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", GREEDY)
@torch.inference_mode()
def test_100_greedy_tokens_are_the_same(name, tmp_path):
    folder, module = export_model(tmp_path, **SAME[name])
    there, prompt = read(folder), text(module.vocab_size)[:1, :5]
    rows = Rows(module, [prompt[0].tolist()], Decoding(temperature=0.0), set(), [0])
    own = [rows.advance()[0][1].id for _ in range(100)]
    asked = {"attention_mask": torch.ones_like(prompt), "eos_token_id": None}
    found = there.generate(prompt, max_new_tokens=100, do_sample=False, **asked)
    assert found[0, 5:].tolist() == own and len(set(own)) > 5


@pytest.mark.parametrize("name", SAME)
def test_an_import_gives_the_same_weights_to_the_bit(name, tmp_path):
    folder, module = export_model(tmp_path, **SAME[name])
    found = read_checkpoint(folder)
    model = Model(huggingface=str(folder))
    weights = read_weights(found.files, model, found.vocab_size)
    assert weights.keys() == dict(module.named_parameters()).keys()
    assert all(torch.equal(weights[name], value) for name, value in module.named_parameters())
    keys = {*vars(module.config)} - {"huggingface", "init_std", "preset"}
    assert {key: getattr(model, key) for key in keys} == {key: getattr(module.config, key) for key in keys}
    assert found.begins_with == module.eot


@pytest.mark.parametrize("message", REFUSED)
def test_what_transformers_lacks_is_refused_by_key_and_value(message, tmp_path):
    cell, _ = exported_cell(tmp_path / "train", BytesCodec(), **REFUSED[message])
    with pytest.raises(UserError) as error:
        export(cell, "hf", tmp_path / "hf")
    assert message in str(error.value) and "--to safetensors" in str(error.value)
    assert not (tmp_path / "hf").exists()


def test_every_key_of_a_model_is_decided_upon(tmp_path):
    _, module = exported_cell(tmp_path / "train", BytesCodec())
    kinds = [{*deciding(module.config)}, WRITTEN, MOVED, TRAINING]
    assert set().union(*kinds) == {*Model.model_fields} and sum(map(len, kinds)) == len(Model.model_fields)


def test_bare_ids_are_refused_by_the_kind_of_their_tokenizer(tmp_path):
    cell, _ = exported_cell(tmp_path / "train", IdsCodec(20, 19))
    with pytest.raises(UserError, match="tokenizer of kind ids has no text"):
        export(cell, "hf", tmp_path / "hf")


TEXT = "The foxes jump over it's 12345 dogs.\r\n\n  WE'LL see… 狐狸跳过了用Python写的狗。" * 40
TOKENIZERS = {
    "bytes": lambda: BytesCodec(["<|user|>"]),
    "char": lambda: train_tokenizer(TEXT, "char", special_tokens=["<|user|>"]).codec,
    **{
        pattern: lambda pattern=pattern: (
            train_tokenizer(TEXT, vocab_size=400, pattern=pattern, special_tokens=["<|user|>"]).codec
        )
        for pattern in ("gpt2", "gpt4", "o200k", "chinese")
    },
    "huggingface": lambda: CODECS["huggingface"],
    "widened": lambda: widened(CODECS["bpe"], ["<|im_start|>", "<|user|>"]),
    "huggingface widened": lambda: widened(CODECS["huggingface"], ["<|user|>"]),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_10000_texts_have_the_same_ids(name, tmp_path):
    codec = TOKENIZERS[name]()
    folder, _ = export_model(tmp_path, codec)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts, own = [], []
    for each in hard_texts(10_000, [*codec.special_tokens]):
        try:
            own.append(codec.encode(each))
        except UserError:  # a tokenizer's own sign for a blank is not given back
            continue
        texts.append(each)
    assert len(texts) > 9_000
    assert tokenizer(texts).input_ids == own
    assert len(tokenizer) == codec.vocab_size and tokenizer.model_max_length == CONTEXT
    assert tokenizer.bos_token_id == tokenizer.eos_token_id == codec.eot
    assert tokenizer.decode(own[7]) == codec.decode(own[7])


def test_names_are_tokens_where_they_were_in_the_training(tmp_path):
    codec = BytesCodec(["<|user|>"])
    cell, _ = exported_cell(tmp_path / "train", codec, {"marks": "special"})
    tokenizer = AutoTokenizer.from_pretrained(export(cell, "hf", tmp_path / "hf"))
    assert tokenizer("a<|user|>b").input_ids == codec.encode_marked("a<|user|>b")


def test_a_tokenizer_that_others_made_adds_nothing_around_a_text(tmp_path):
    codec = CODECS["huggingface"]
    codec = type(codec)(
        {
            **codec.data,
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [
                    {"SpecialToken": {"id": "</s>", "type_id": 0}},
                    {"Sequence": {"id": "A", "type_id": 0}},
                ],
                "pair": [],
                "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}},
            },
        }
    )
    folder, _ = export_model(tmp_path, codec)
    assert AutoTokenizer.from_pretrained(folder)("fox").input_ids == codec.encode("fox")


MESSAGES = [
    Message("user", "Who is there?"),
    Message("assistant", "A fox, \r\n 狐.\n"),
    Message("user", "{{ no }} 'template' "),
    Message("assistant", ""),
]
SYSTEM = "Answer \"briefly\",\n it's a fox's \\ 狐🦊 {{ now }}."
OWN = ChatTemplate(
    "   {% for message in messages %}\n"
    "{{ bos_token }}<|user|>{% if message.role == 'assistant' %}{% generation %}{{ message.content }}<|end|>"
    "{% endgeneration %}{% else %}{{ message.role }}:{{ message.content }}{% endif %}\n"
    "{% endfor %}{% if add_generation_prompt %}<|user|>{% endif %}",
    "own.jinja",
)


def taught(root: Path, template: ChatTemplate, system: str | None) -> tuple[Path, Conversations, nn.Module]:
    """Export a fine-tuned cell whose vocabulary grew by what its template needs."""
    codec = widened(CODECS["bpe"], template.special_tokens())
    recipe = {"finetuning": {}, "chat": {"template": template.source, "system": system}}
    cell, module = exported_cell(root / "cell" / "finetune", codec, recipe, preset="llama")
    return export(cell, "hf", root / "hf"), Conversations(codec, template, system), module


@pytest.mark.parametrize("system", [None, SYSTEM])
@pytest.mark.parametrize("template", [CHATML, OWN, PLAIN], ids=lambda template: template.name)
def test_a_chat_template_gives_the_same_conversations_and_answers(template, system, tmp_path):
    folder, own, _ = taught(tmp_path, template, system)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    messages = [vars(message) for message in MESSAGES]
    found = tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    encoded = own.encode(MESSAGES)
    assert found["input_ids"] == encoded.ids.tolist()
    assert found["assistant_masks"] == encoded.answers.astype(int).tolist()
    asked = tokenizer.apply_chat_template(messages[:3], add_generation_prompt=True, return_dict=False)
    assert asked == own.prompt(MESSAGES[:3]) and asked.count(own.codec.eot) == 1


BLANKS = BpeCodec(
    "bpe", r" ?[a-zA-Z.]+|\s+|[^\s]", [*(bytes([value]) for value in range(256)), b" y", b"\n\n"]
)
ENDS_IN_A_BLANK = ChatTemplate(
    CHATML.source.replace('message.role ~ "\\n"', 'message.role ~ ": "').replace(
        "assistant\\n", "assistant: "
    ),
    "blank.jinja",
)
ALWAYS, RARELY = "gives their beginnings other ids", "begins with a blank or a line feed may be joined"


@pytest.mark.parametrize(
    ("codec", "template", "note"),
    [
        (CODECS["bytes"], CHATML, None),
        (CODECS["bytes"], ENDS_IN_A_BLANK, None),
        (BLANKS, CHATML, RARELY),
        (BLANKS, ENDS_IN_A_BLANK, ALWAYS),
        (CODECS["huggingface"], CHATML, ALWAYS),
    ],
    ids=["bytes", "bytes, blank", "merges", "merges, blank", "prefix"],
)
def test_the_card_says_which_earlier_answers_have_other_ids(codec, template, note, tmp_path):
    codec = widened(codec, template.special_tokens())
    recipe = {"finetuning": {}, "chat": {"template": template.source, "system": None}}
    cell, _ = exported_cell(tmp_path / "cell" / "finetune", codec, recipe, preset="llama")
    folder, own = export(cell, "hf", tmp_path / "hf"), Conversations(codec, template)
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert [each for each in (ALWAYS, RARELY) if each in text] == [note] * (note is not None)
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def same(*contents: str) -> bool:
        roles = ("user", "assistant") * len(contents)
        talk = [Message(role, content) for role, content in zip(roles, contents, strict=False)]
        found = tokenizer.apply_chat_template(
            list(map(vars, talk)), add_generation_prompt=True, return_dict=False
        )
        return found == own.prompt(talk)

    assert same("Who?")
    assert same("Who?", "yes", "Why?") is (note != ALWAYS)
    assert same("Who?", "\nyes", "Why?") is (note is None or template is ENDS_IN_A_BLANK)


def test_a_system_message_of_ones_own_takes_the_place_of_the_common_one(tmp_path):
    folder, own, _ = taught(tmp_path, CHATML, SYSTEM)
    messages = [Message("system", "Be long."), *MESSAGES]
    found = AutoTokenizer.from_pretrained(folder).apply_chat_template(
        list(map(vars, messages)), return_dict=False
    )
    assert found == own.encode(messages).ids.tolist()


def test_names_in_a_message_are_text_where_one_asks_for_it(tmp_path):
    folder, own, _ = taught(tmp_path, CHATML, None)
    messages = [Message("user", "a<|im_end|>b<|endoftext|>")]
    found = AutoTokenizer.from_pretrained(folder).apply_chat_template(
        list(map(vars, messages)), add_generation_prompt=True, return_dict=False, sanitize_control_tokens=True
    )
    assert found == own.prompt(messages)


@torch.inference_mode()
def test_a_fine_tuned_model_answers_the_same_and_stops_at_the_end_of_an_answer(tmp_path):
    folder, own, module = taught(tmp_path, CHATML, None)
    there, prompt = read(folder), own.prompt(MESSAGES[:1])
    ids = torch.tensor([prompt])
    torch.testing.assert_close(there(ids).logits, module(ids), rtol=0, atol=1e-5)
    assert there.generation_config.eos_token_id == [own.codec.eot, *own.ends]
    assert there.config.vocab_size == own.codec.vocab_size


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_weights_in_half_the_bytes(dtype, tmp_path):
    cell, module = exported_cell(tmp_path / "train", BytesCodec())
    folder = export(cell, "hf", tmp_path / "hf", dtype)
    there = read(folder)
    assert there.dtype == getattr(torch, dtype)
    weight = there.transformer.wte.weight
    assert torch.equal(weight, module.embedding.tokens.weight.to(weight.dtype))


def test_numbers_beyond_a_type_are_refused_and_nothing_is_left(tmp_path):
    cell, _ = exported_cell(tmp_path / "train", BytesCodec(), init_std=40_000.0)
    with pytest.raises(UserError, match="too large for float16"):
        export(cell, "hf", tmp_path / "hf", "float16")
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


def test_the_same_cell_gives_the_same_bytes_and_no_code(tmp_path):
    cell, _ = exported_cell(tmp_path / "train", BytesCodec())
    folders = [export(cell, "hf", tmp_path / name) for name in ("one", "two")]
    files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert files[0] == files[1]
    expected = {"config.json", "generation_config.json", "model.safetensors", "README.md", "tokenizer.json"}
    assert {*files[0]} == expected | {"tokenizer_config.json"}
    assert "auto_map" not in json.loads(files[0]["config.json"])
    assert all(
        tensor.dtype == torch.float32 for tensor in load_file(folders[0] / "model.safetensors").values()
    )
