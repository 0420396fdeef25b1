"""The section `models`: architectures, and the presets that they start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from gptgrid.config.checkpoints import read_checkpoint
from gptgrid.config.values import (
    Fraction,
    Neutral,
    Positive,
    Section,
    Size,
    read_count,
)

PRESETS: dict[str, dict[str, Any]] = {
    # Radford et al. 2019. The released weights were trained with `gelu_tanh`, an approximation of GELU for
    # speed; on a CPU it is three times as slow as the exact one.
    "gpt2": {
        "norm": "layernorm",
        "norm_position": "pre",
        "position": "learned",
        "activation": "gelu",
        "bias": True,
        "tie_embeddings": True,
    },
    # Touvron et al. 2023.
    "llama": {
        "norm": "rmsnorm",
        "norm_position": "pre",
        "position": "rope",
        "activation": "swiglu",
        "bias": False,
        "tie_embeddings": False,
    },
    # Llama with what benchmarks/RESULTS.md shows to pay: normalized queries and keys (Henry et al. 2020),
    # blocks that see the embeddings again, and blocks that begin as the identity.
    "modern": {
        "norm": "rmsnorm",
        "norm_position": "pre",
        "position": "rope",
        "activation": "swiglu",
        "qk_norm": True,
        "bias": False,
        "tie_embeddings": False,
        "residual_mix": True,
        "zero_init": True,
    },
    # torch.nn.TransformerEncoder with a causal mask, as in Vaswani et al. 2017.
    "encoder": {
        "norm": "layernorm",
        "norm_position": "post",
        "position": "learned",
        "activation": "relu",
        "bias": True,
        "tie_embeddings": False,
    },
}


OWN_KEYS = ("huggingface", "context", "dropout")
"""What may stand beside the folder of a checkpoint: its config.json says how it computes, but not how it is
trained on."""


class Model(Section):
    """An architecture. A preset sets the switches; a key beside it overrides the preset. Or a checkpoint of
    others, to evaluate as it is, or to start from."""

    preset: Literal["gpt2", "llama", "modern", "encoder"] = "gpt2"
    """`gpt2`, `llama`, `modern`: a Llama with qk_norm, residual_mix and zero_init, the best that
    benchmarks/RESULTS.md has measured, above all with `optimizer: muon` and `zero_head: true`; or `encoder`:
    PyTorch's own nn.TransformerEncoder made causal."""
    n_layer: Size = 4
    """Transformer blocks."""
    n_head: Size = 4
    """Query heads in each block; must divide d_model, unless head_dim is given."""
    n_kv_head: Size | None = None
    """Key and value heads (grouped-query attention); must divide n_head. Default: n_head."""
    head_dim: Annotated[Size | None, Neutral(None)] = None
    """Width of a head. Default: d_model / n_head."""
    d_model: Size = 128
    """Width of the residual stream."""
    d_ff: Size | None = None
    """Width inside the feed-forward network. Default: 4 d_model; for swiglu 8/3 d_model, rounded up to a
    multiple of 8."""
    context: Size = 128
    """Tokens that the model sees at once."""
    norm: Literal["layernorm", "rmsnorm"] = "layernorm"
    """Normalization layer."""
    norm_position: Literal["pre", "post"] = "pre"
    """Before each sublayer (with a final norm), or after each residual sum."""
    norm_eps: Positive = 1e-5
    """Added to the variance."""
    norm_gain: bool = True
    """A learned gain in each norm (and a bias, if `bias` says so); without it a norm has no weights."""
    position: Literal["learned", "sinusoidal", "rope", "alibi", "none"] = "learned"
    """How a token knows its place."""
    rope_theta: Positive = 10000.0
    """Base of the rotary frequencies."""
    activation: Literal["gelu", "gelu_tanh", "relu", "relu2", "swiglu"] = "gelu"
    """Of the feed-forward network; swiglu is gated and has three matrices. On a CPU gelu_tanh takes three
    times as long as gelu."""
    qk_norm: bool = False
    """Normalize queries and keys of each head (RMS norm)."""
    tie_embeddings: bool = True
    """Use the token embedding as the output matrix."""
    bias: bool = True
    """Biases in linear layers and layer norms."""
    dropout: Fraction = 0.0
    """After embeddings, in attention, after each sublayer."""
    logit_softcap: Positive | None = None
    """Cap logits at ±c by c·tanh(x/c)."""
    window: Size | None = None
    """Attend to the last `window` tokens only (itself among them); default: all."""
    window_pattern: Annotated[str, Field(min_length=1)] | None = None
    """Which layers have the window, one letter a layer, repeated over all: `S` the window, `L` the whole
    context, such as `SSSL`. Default: the window in all layers."""
    document_mask: bool = False
    """Attend within the document only; the end-of-text token begins one."""
    residual_mix: bool = False
    """Each block begins with a·x + b·x₀ of the residual stream and the embeddings; its numbers a and b are
    learned, at first 1 and 0 (Jordan et al. 2024, modded-nanogpt)."""
    init_std: Positive = 0.02
    """Standard deviation of the initial weights; projections back into the residual stream are divided by
    √(2 n_layer)."""
    zero_init: bool = False
    """Start projections back into the residual stream at zero."""
    zero_head: bool = False
    """Start an output matrix of its own at zero. With `optimizer: muon` it pays in small models; with adamw
    it costs half a nat in short trainings."""
    parametrization: Literal["standard", "mup"] = "standard"
    """`mup`: initial weights, learning rates, attention scores and logits change with d_model so that a good
    learning rate stays good (maximal update parametrization for AdamW, Yang et al. 2022)."""
    base_width: Size = 128
    """The d_model at which mup is the standard parametrization."""
    base_n_head: Size | None = None
    """The n_head at base_width. Default: n_head, so that heads get wider with d_model, not more."""
    huggingface: Annotated[str | None, Field(min_length=1), Neutral(None)] = None
    """A folder with a checkpoint of GPT-2, Llama or Qwen3 in the Hugging Face format: config.json,
    model.safetensors (or its index and shards), tokenizer.json. Its config.json says all other keys but
    `dropout`; `context` may be shortened. Its cells take its own tokenizer, `{kind: huggingface, file:
    FOLDER/tokenizer.json}`. In a block of the grid with `training`, trainings start from its weights; in one
    without, it is scored as it is, and fine-tuned by what `finetuning` names. A chat template in the folder
    (tokenizer_config.json or chat_template.jinja) is how it is asked and chats, if it says by
    `{% generation %}` what an answer is; otherwise it reads conversations as plain lines, and a caution says
    why."""

    @model_validator(mode="before")
    @classmethod
    def start_from_preset(cls, data: Any) -> Any:
        if isinstance(data, dict):
            if isinstance(folder := data.get("huggingface"), str) and folder:
                data = of_checkpoint(folder, data)
            preset = data.get("preset", "gpt2")
            return {**PRESETS.get(preset, {}), **data} if isinstance(preset, str) else data
        return data

    @model_validator(mode="after")
    def fill_in(self) -> Model:
        if self.head_dim == self.d_model / self.n_head:
            object.__setattr__(self, "head_dim", None)
        if self.head_dim is None and self.d_model % self.n_head:
            raise ValueError(
                f"n_head {self.n_head} does not divide d_model {self.d_model}; "
                f"heads that do: {divisors(self.d_model)}"
            )
        n_kv_head = self.n_kv_head or self.n_head
        if self.n_head % n_kv_head:
            raise ValueError(
                f"n_kv_head {n_kv_head} does not divide n_head {self.n_head}; "
                f"numbers that do: {divisors(self.n_head)}"
            )
        width = self.head_dim or self.d_model // self.n_head
        if self.position == "rope" and width % 2:
            origin = "" if self.head_dim else " (d_model / n_head)"
            raise ValueError(f"rope turns pairs, but a head is {width} wide{origin}")
        if self.head_dim is not None and self.parametrization == "mup":
            raise ValueError(
                "head_dim does not go with `parametrization: mup`, which scales heads by d_model"
            )
        if self.window is not None and self.window > self.context:
            raise ValueError(f"window {self.window} is longer than context {self.context}")
        if self.window_pattern is not None:
            self.check_window_pattern()
        if self.preset == "encoder":
            self.refuse_what_encoder_lacks()
        gated_width = -(-8 * self.d_model // 3)
        d_ff = -(-gated_width // 8) * 8 if self.activation == "swiglu" else 4 * self.d_model
        # The class is frozen for everybody else; this fills in what depends on other keys.
        object.__setattr__(self, "n_kv_head", n_kv_head)
        object.__setattr__(self, "base_n_head", self.base_n_head or self.n_head)
        object.__setattr__(self, "d_ff", self.d_ff or d_ff)
        return self

    def check_window_pattern(self) -> None:
        if self.window is None:
            raise ValueError(f"window_pattern {self.window_pattern!r} needs a `window` for its letter S")
        if others := sorted(set(self.window_pattern) - set("SL")):
            raise ValueError(
                f"window_pattern {self.window_pattern!r} has {', '.join(map(repr, others))}; its letters "
                "are S (the window) and L (the whole context), such as SSSL"
            )

    def refuse_what_encoder_lacks(self) -> None:
        supported = {
            "norm": ("layernorm",),
            "norm_gain": (True,),
            "position": ("learned", "sinusoidal", "none"),
            "activation": ("relu", "gelu"),
            "qk_norm": (False,),
            "logit_softcap": (None,),
            "window_pattern": (None,),
            "window": (None,),
            "document_mask": (False,),
            "residual_mix": (False,),
            "parametrization": ("standard",),
            "n_kv_head": (None, self.n_head),
            "head_dim": (None,),
        }
        for key, allowed in supported.items():
            if (value := getattr(self, key)) not in allowed:
                raise ValueError(
                    f"{key} {value!r} is not in nn.TransformerEncoder, which has "
                    f"{', '.join(map(str, allowed))}; take preset gpt2, llama or modern for it"
                )


def of_checkpoint(folder: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a model that is a checkpoint of others.

    Args:
        folder: of the checkpoint.
        data: the keys that were given.

    Raises:
        ValueError: the folder cannot be used, or says another thing than a key that was given.
    """
    if others := [key for key in Model.model_fields if key in data and key not in OWN_KEYS]:
        raise ValueError(
            f"{others[0]}: config.json in {folder} says it; of other keys, only `context` and `dropout` may "
            "stand here"
        )
    keys = read_checkpoint(Path(folder).expanduser()).keys
    context = read_count(data.get("context", keys["context"]))
    if isinstance(context, int) and context > keys["context"]:
        raise ValueError(
            f"context {context} is longer than that of the checkpoint in {folder}, {keys['context']}"
        )
    if isinstance(context, int) and "window" in keys and keys["window"] >= context:
        keys = {key: value for key, value in keys.items() if not key.startswith("window")}
    return {**keys, **data}


def divisors(number: int) -> str:
    """Return the divisors of a number up to 64 as text, for an error message."""
    return ", ".join(str(d) for d in range(1, min(number, 64) + 1) if number % d == 0)
