"""Folders with a model in the Hugging Face format: what config.json says, in the keys of `models`.

Whatever of it a model here has no switch for is refused: it would compute something else. Nothing of the
folder is run, and no pickle is read. The weights are read by gptgrid.model.huggingface.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
TOKENIZER_CONFIG, TEMPLATE = "tokenizer_config.json", "chat_template.jinja"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth")
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "relu2": "relu2",
}
"""What transformers calls an activation → its name here. Of several names, the first is written."""


@dataclass(frozen=True)
class Checkpoint:
    """What a folder holds."""

    keys: dict[str, Any]
    """Of an entry of `models`."""
    vocab_size: int
    """Rows of the embedding; the tokenizer may have fewer tokens."""
    begins_with: int | None
    """Id of the token that began documents in its training, as far as config.json says."""
    files: tuple[Path, ...]
    """The weights, and their index where they are several."""
    chat_template: str | None = None
    """Jinja text that makes a conversation one text, where it was taught to answer."""


class Description:
    """The config.json of a folder."""

    def __init__(self, folder: Path) -> None:
        """Read it.

        Raises:
            ValueError: it is missing or damaged.
        """
        self.path = folder / CONFIG
        self.values = read_json(self.path)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value; the default where it is missing or null."""
        value = self.values.get(key)
        return default if value is None else value

    def number(self, key: str, default: float | None = None, kind: type = int) -> Any:
        """Return a number above 0.

        Raises:
            ValueError: there is none.
        """
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | kind) or value <= 0:
            raise ValueError(f"{self.path}: {key}: found {value!r}, expected a number above 0")
        return value

    def expect(self, key: str, *allowed: Any, default: Any = None) -> Any:
        """Return a value that a model here can have.

        Raises:
            ValueError: it has another.
        """
        value = self.get(key, default)
        if value not in allowed:
            raise self.refusal(key, value, " or ".join(map(repr, allowed)))
        return value

    def refusal(self, key: str, value: Any, expected: str) -> ValueError:
        """Return what to say about a value that no model here can have."""
        return ValueError(
            f"{self.path}: {key} is {value!r}, for which models here have no switch, only for {expected}; "
            "take another checkpoint"
        )


def read_checkpoint(folder: Path) -> Checkpoint:
    """Return what a folder holds.

    Raises:
        ValueError: something is missing, or cannot be had here.
    """
    if not folder.is_dir():
        raise ValueError(
            f"{folder} is no folder (looked in {Path.cwd()}); give one with {CONFIG} and {WEIGHTS}"
        )
    found = Description(folder)
    if code := found.get("auto_map"):
        raise ValueError(
            f"{found.path}: auto_map names code of its own ({code}), which is never run here; take a "
            "checkpoint that transformers reads without `trust_remote_code`"
        )
    if found.get("quantization_config"):
        raise found.refusal("quantization_config", found.get("quantization_config"), "weights as they are")
    kind = found.get("model_type")
    if kind not in KINDS:
        raise ValueError(f"{found.path}: model_type is {kind!r}; known: {', '.join(KINDS)}")
    keys = KINDS[kind](found)
    if not (folder / TOKENIZER).is_file():
        raise ValueError(
            f"{folder} has no {TOKENIZER}; write one with transformers: "
            "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
        )
    first = found.get("bos_token_id")
    return Checkpoint(
        keys,
        found.number("vocab_size"),
        first if isinstance(first, int) else None,
        weight_files(folder),
        chat_template(folder),
    )


def chat_template(folder: Path) -> str | None:
    """Return the chat template of a folder, where transformers looks for it; None if there is none.

    Raises:
        ValueError: a file that may hold it is damaged.
    """
    if (own := folder / TEMPLATE).is_file():
        try:
            return own.read_text(encoding="utf-8")
        except ValueError:
            raise ValueError(f"{own} is not UTF-8 text; download it again") from None
    if not (path := folder / TOKENIZER_CONFIG).is_file():
        return None
    found = read_json(path).get("chat_template")
    if isinstance(found, list):  # several by name, of which this one is taken unless another is asked for
        named = {entry.get("name"): entry.get("template") for entry in found if isinstance(entry, dict)}
        found = named.get("default")
    if found is not None and not isinstance(found, str):
        raise ValueError(f"{path}: chat_template is {found!r:.100}, expected a text; download it again")
    return found


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the files of the weights, and their index where they are several.

    Raises:
        ValueError: there are none, one is missing, or they are pickled.
    """
    if (folder / WEIGHTS).is_file():
        return (folder / WEIGHTS,)
    if (index := folder / INDEX).is_file():
        shards = read_json(index).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise ValueError(f"{index}: it has no weight_map from tensors to files; download it again")
        for name in (names := sorted(set(map(str, shards.values())))):
            if "/" in name or not name.endswith(".safetensors"):
                raise ValueError(f"{index}: it names {name!r}, which is no safetensors file beside it")
            if not (folder / name).is_file():
                raise ValueError(f"{folder / name} is missing, which {INDEX} names; download it again")
        return (index, *(folder / name for name in names))
    if pickled := sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES):
        raise ValueError(
            f"{folder} has pickled weights alone ({pickled[0]}), which can run code when they are read; "
            f"write {WEIGHTS} with transformers: from_pretrained(FOLDER) and save_pretrained(FOLDER)"
        )
    raise ValueError(f"{folder} has neither {WEIGHTS} nor {INDEX}; give the folder that has the weights")


def read_json(path: Path) -> dict[str, Any]:
    """Return the mapping that a JSON file holds.

    Raises:
        ValueError: it is missing, or holds something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}); download it again") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds no mapping; download it again")
    return values


def gpt2(found: Description) -> dict[str, Any]:
    """Return the keys of a GPT-2 (Radford et al. 2019)."""
    found.expect("scale_attn_weights", True, default=True)
    found.expect("scale_attn_by_inverse_layer_idx", False, default=False)
    found.expect("add_cross_attention", False, default=False)
    d_model = found.number("n_embd")
    return {
        "preset": "gpt2",
        "n_layer": found.number("n_layer"),
        "n_head": found.number("n_head"),
        "d_model": d_model,
        "d_ff": found.number("n_inner", 4 * d_model),
        "context": found.number("n_positions"),
        "norm_eps": found.number("layer_norm_epsilon", 1e-5, float),
        "activation": ACTIVATIONS[found.expect("activation_function", *ACTIVATIONS, default="gelu_new")],
        "tie_embeddings": found.expect("tie_word_embeddings", True, False, default=True),
    }


def llama(found: Description) -> dict[str, Any]:
    """Return the keys of a Llama (Touvron et al. 2023)."""
    bias = found.expect("attention_bias", True, False, default=False)
    found.expect("mlp_bias", bias, default=False)
    return {**gated(found), "head_dim": found.number("head_dim", default_head_dim(found)), "bias": bias}


def qwen3(found: Description) -> dict[str, Any]:
    """Return the keys of a Qwen3, which is a Llama with normalized queries and keys."""
    found.expect("attention_bias", False, default=False)
    keys = {**gated(found), "head_dim": found.number("head_dim", 128), "qk_norm": True}
    return {**keys, **windows(found, keys["n_layer"])}


def gated(found: Description) -> dict[str, Any]:
    """Return what Llama and Qwen3 share."""
    found.expect("hidden_act", "silu", default="silu")
    n_head = found.number("num_attention_heads")
    return {
        "preset": "llama",
        "n_layer": found.number("num_hidden_layers"),
        "n_head": n_head,
        "n_kv_head": found.number("num_key_value_heads", n_head),
        "d_model": found.number("hidden_size"),
        "d_ff": found.number("intermediate_size"),
        "context": found.number("max_position_embeddings"),
        "norm_eps": found.number("rms_norm_eps", 1e-6, float),
        "rope_theta": rope_theta(found),
        "tie_embeddings": found.expect("tie_word_embeddings", True, False, default=False),
    }


def default_head_dim(found: Description) -> int:
    """Return what d_model gives each head."""
    return found.number("hidden_size") // found.number("num_attention_heads")


def rope_theta(found: Description) -> float:
    """Return the base of the rotary frequencies: `rope_parameters`, before transformers 5 keys of their own.

    Raises:
        ValueError: positions are scaled, or only part of a head is turned.
    """
    for key in ("rope_parameters", "rope_scaling"):
        rope = found.get(key, {})
        kind = rope.get("rope_type", rope.get("type", "default")) if isinstance(rope, dict) else rope
        if kind != "default":
            raise found.refusal(key, rope, "rope_type 'default'")
    rope = found.get("rope_parameters", {})
    for values in (rope, found.values):
        if (part := values.get("partial_rotary_factor")) not in (None, 1):
            raise found.refusal("partial_rotary_factor", part, "1")
    if "rope_theta" in rope:
        found = Nested(found, "rope_parameters")
    return found.number("rope_theta", 10000.0, float)


class Nested(Description):
    """A mapping in a config.json."""

    def __init__(self, around: Description, key: str) -> None:
        self.path, self.values = around.path, around.get(key)


def windows(found: Description, n_layer: int) -> dict[str, Any]:
    """Return the keys for the layers that look back on a window alone; none if no layer does.

    Raises:
        ValueError: a layer attends in a way that models here cannot.
    """
    if not found.get("use_sliding_window", False):
        return {}
    first = found.get("max_window_layers", 28)
    kinds = found.get("layer_types") or [
        "full_attention" if layer < first else "sliding_attention" for layer in range(n_layer)
    ]
    letters = {"full_attention": "L", "sliding_attention": "S"}
    if not isinstance(kinds, list) or len(kinds) != n_layer or not set(kinds) <= set(letters):
        raise found.refusal("layer_types", kinds, f"a list of {n_layer} of {' and '.join(letters)}")
    pattern = "".join(letters[kind] for kind in kinds)
    return {"window": found.number("sliding_window"), "window_pattern": pattern} if "S" in pattern else {}


KINDS = {"gpt2": gpt2, "llama": llama, "qwen3": qwen3}
"""`model_type` of config.json → function that reads the rest."""
