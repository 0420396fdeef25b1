"""Small models of transformers with random weights, saved as others publish theirs."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)

EOT = "<|endoftext|>"
VOCAB = 260
"""Rows of the embedding: 256 bytes, the end of text, another special token, and two that no token has."""
CONTEXT = 24
COMMON = {"vocab_size": VOCAB, "bos_token_id": 256, "eos_token_id": 256, "initializer_range": 0.3}
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
}


def gpt2(**changes: Any) -> PreTrainedModel:
    """Return a small GPT-2."""
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT}
    return ready(GPT2LMHeadModel(GPT2Config(**{**COMMON, **sizes, **changes})))


def llama(**changes: Any) -> PreTrainedModel:
    """Return a small Llama with grouped queries."""
    return ready(LlamaForCausalLM(LlamaConfig(**{**COMMON, **SIZES, "head_dim": 8, **changes})))


def qwen3(**changes: Any) -> PreTrainedModel:
    """Return a small Qwen3, whose heads are wider than its width gives each."""
    return ready(Qwen3ForCausalLM(Qwen3Config(**{**COMMON, **SIZES, "head_dim": 16, **changes})))


def ready(module: PreTrainedModel) -> PreTrainedModel:
    """Return a model whose norms and biases show, too: at their first values they would hide mistakes."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            shape = parameter.shape
            parameter.add_(0.2 * torch.randn(shape, generator=generator) * (parameter.ndim == 1))
    return module.eval()


def write(folder: Path, module: PreTrainedModel, **options: Any) -> Path:
    """Save a model with the tokenizer of bytes; return the folder."""
    module.save_pretrained(folder, **options)
    (folder / "tokenizer.json").write_text(tokenizer_json())
    return folder


def tokenizer_json() -> str:
    """Return a tokenizer with the ids of bytes, the end of text, and another special token."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(
        models.BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([EOT, "<|begin|>"])
    return tokenizer.to_str()


def change(folder: Path, **changes: Any) -> None:
    """Change values of config.json; None takes a key out."""
    path = folder / "config.json"
    values = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
