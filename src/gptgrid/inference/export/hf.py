"""A folder that transformers reads with plain AutoModelForCausalLM and AutoTokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.config.checkpoints import ACTIVATIONS
from gptgrid.inference.export.architecture import GPT2, LLAMA, QWEN3, Architecture, choose
from gptgrid.inference.export.card import model_card
from gptgrid.inference.export.checkpoint import TOKENIZER, WEIGHTS, save
from gptgrid.inference.export.loaded import Loaded
from gptgrid.inference.export.terms import in_their_terms
from gptgrid.model.huggingface import named_there
from gptgrid.model.mask import layer_windows
from gptgrid.text.transformers_template import to_transformers
from gptgrid.tokens.base import Codec
from gptgrid.tokens.huggingface import to_tokenizer_json

ARCHITECTURES = (
    Architecture("GPT2LMHeadModel", "gpt2", GPT2),
    Architecture("LlamaForCausalLM", "llama", LLAMA),
    Architecture("Qwen3ForCausalLM", "llama", QWEN3),
)


def export_hf(loaded: Loaded, folder: Path, dtype: str) -> None:
    """Write a cell as a folder of transformers: configuration, weights, tokenizer and model card.

    Raises:
        UserError: no model of transformers computes what this one computes, there is no tokenizer.json for
            its tokenizer, or a weight is too large for the type.
    """
    tokenizer = tokenizer_json(loaded.codec)
    architecture = choose(loaded.config, ARCHITECTURES, "transformers")
    config, weights = in_their_terms(loaded.config, loaded.weights, loaded.vocab_size, architecture.preset)
    save(named_there(weights, config), folder / WEIGHTS, dtype)
    ids = {"bos_token_id": loaded.codec.eot, "eos_token_id": loaded.codec.eot}
    about = {"architectures": [architecture.name], "dtype": dtype, "vocab_size": loaded.vocab_size, **ids}
    write_json(folder / "config.json", {**about, **CONFIGS[architecture.name](config)})
    write_json(
        folder / "generation_config.json", {**ids, **endings(loaded), "pad_token_id": loaded.codec.eot}
    )
    (folder / TOKENIZER).write_text(tokenizer, encoding="utf-8")
    write_json(folder / "tokenizer_config.json", tokenizer_config(loaded))
    (folder / "README.md").write_text(model_card(loaded, architecture.name, dtype), encoding="utf-8")


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write a JSON file that people can read."""
    path.write_text(json.dumps(values, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def gpt2(config: SimpleNamespace) -> dict[str, Any]:
    """Return what the config.json of a GPT-2 says of a model in its terms."""
    return {
        "model_type": "gpt2",
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_embd": config.d_model,
        "n_inner": config.d_ff,
        "n_positions": config.context,
        "layer_norm_epsilon": config.norm_eps,
        "activation_function": next(
            there for there, here in ACTIVATIONS.items() if here == config.activation
        ),
        "tie_word_embeddings": config.tie_embeddings,
        "initializer_range": config.init_std,
        **dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), config.dropout),
    }


def llama(config: SimpleNamespace) -> dict[str, Any]:
    """Return what the config.json of a Llama says of a model in its terms."""
    return {**gated(config), "model_type": "llama", "attention_bias": config.bias, "mlp_bias": config.bias}


def qwen3(config: SimpleNamespace) -> dict[str, Any]:
    """Return what the config.json of a Qwen3 says of a model in its terms."""
    windows = layer_windows(config)
    kinds = ["full_attention" if window is None else "sliding_attention" for window in windows]
    return {
        **gated(config),
        "model_type": "qwen3",
        "attention_bias": False,
        "use_sliding_window": config.window is not None,
        "sliding_window": config.window,
        "layer_types": kinds,
    }


def gated(config: SimpleNamespace) -> dict[str, Any]:
    """Return what Llama and Qwen3 share."""
    return {
        "num_hidden_layers": config.n_layer,
        "num_attention_heads": config.n_head,
        "num_key_value_heads": config.n_kv_head,
        "head_dim": config.head_dim,
        "hidden_size": config.d_model,
        "intermediate_size": config.d_ff,
        "max_position_embeddings": config.context,
        "rms_norm_eps": config.norm_eps,
        "hidden_act": "silu",
        # Before transformers 5 the base of the rotary frequencies was a key of its own.
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "tie_word_embeddings": config.tie_embeddings,
        "initializer_range": config.init_std,
        "attention_dropout": config.dropout,
    }


CONFIGS = {"GPT2LMHeadModel": gpt2, "LlamaForCausalLM": llama, "Qwen3ForCausalLM": qwen3}
"""Name of an architecture → function: a model in its terms → its keys of config.json."""


def endings(loaded: Loaded) -> dict[str, Any]:
    """Return the ids that end what is generated, of a fine-tuned cell also those that end an answer, and what
    fills shorter rows of a batch."""
    ends = loaded.conversations.ends if loaded.conversations else ()
    eot = loaded.codec.eot
    return {"eos_token_id": [eot, *ends] if ends else eot, "pad_token_id": eot}


def tokenizer_json(codec: Codec) -> str:
    """Return tokenizer.json, which puts nothing around a text.

    Raises:
        UserError: the format cannot express the tokenizer.
    """
    text = to_tokenizer_json(codec)
    if text is None:
        raise UserError(
            f"a tokenizer of kind {codec.kind} has no text, and transformers no tokenizer for it; export "
            "with `--to safetensors`, which holds every model"
        )
    return json.dumps({**json.loads(text), "post_processor": None}, ensure_ascii=False) + "\n"


def tokenizer_config(loaded: Loaded) -> dict[str, Any]:
    """Return tokenizer_config.json.

    Names of special tokens that a text spells are text here. There, a fine-tuned cell has to read them, as
    its chat template writes them.
    """
    names = {index: name for name, index in loaded.codec.special_tokens.items()}
    end = names[loaded.codec.eot]
    chat = loaded.conversations
    reads_names = chat is not None or loaded.recipe.get("marks") == "special"
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": end,
        "eos_token": end,
        "model_max_length": loaded.config.context,
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": not reads_names,
        **({} if chat is None else {"chat_template": to_transformers(chat.template.source, chat.system)}),
    }
