"""The weights of a model in the Hugging Face format, GPT-2's, Llama's or Qwen3's: their names here and there.

What config.json says is the business of gptgrid.config.checkpoints where a folder is read, and of
gptgrid.inference.export where one is written. Weights are safetensors; no code of the folder is run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from gptgrid.artifact.errors import UserError
from gptgrid.model.cost import without_values
from gptgrid.model.parametrization import head_width

GPT2 = {
    "embedding.tokens": ["wte"],
    "embedding.positions": ["wpe"],
    "attention_norm": ["ln_1"],
    "attention.qkv": ["attn.c_attn"],
    "attention.output": ["attn.c_proj"],
    "feed_forward_norm": ["ln_2"],
    "feed_forward.up": ["mlp.c_fc"],
    "feed_forward.down": ["mlp.c_proj"],
    "norm": ["ln_f"],
    "head": ["lm_head"],
}
LLAMA = {
    "embedding.tokens": ["embed_tokens"],
    "attention_norm": ["input_layernorm"],
    "attention.qkv": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    "attention.query_norm": ["self_attn.q_norm"],
    "attention.key_norm": ["self_attn.k_norm"],
    "attention.output": ["self_attn.o_proj"],
    "feed_forward_norm": ["post_attention_layernorm"],
    "feed_forward.up": ["mlp.gate_proj", "mlp.up_proj"],
    "feed_forward.down": ["mlp.down_proj"],
    "norm": ["norm"],
    "head": ["lm_head"],
}
NAMES = {"gpt2": ("transformer.", "h", GPT2), "llama": ("model.", "layers", LLAMA)}
"""`preset` of a model → what stands before the names of all but the output matrix, what its blocks are called
there, and name here → names there, several in turn."""
TRANSPOSED = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
"""GPT-2's matrices, which stand the other way round."""
BASES = tuple(base for base, _, _ in NAMES.values())
"""The same of all, which is not there where a model was saved without its output matrix."""
TABLES = (".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq")
"""Ends of the names of what older versions saved and a model can work out."""
FLOATS = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16"}


class Weights:
    """The tensors of some safetensors files, by name."""

    def __init__(self, files: Iterable[Path]) -> None:
        """Read what there is.

        Raises:
            UserError: a file is damaged.
        """
        self.places: dict[str, tuple[Path, str]] = {}
        """Name → file, and name in the file."""
        for path in files:
            with opened(path) as file:
                for stored in file.keys():  # noqa: SIM118 -- it is no mapping
                    name = stored
                    for base in BASES:
                        name = name.removeprefix(base)
                    self.places[name] = path, stored
        self.left = {name for name in self.places if not name.endswith(TABLES)}
        """What nobody has asked for yet."""

    def take(self, name: str) -> Tensor:
        """Return a tensor in fp32.

        Raises:
            UserError: there is none, or it holds something else than finite numbers.
        """
        if name not in self.places:
            raise UserError(
                f"the weights have no tensor {name}, which config.json asks for: they are of another model"
            )
        path, stored = self.places[name]
        self.left.discard(name)
        with opened(path) as file:
            tensor = file.get_tensor(stored)
        if tensor.dtype not in FLOATS:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise UserError(f"{path}: {stored} is {kind}, expected {', '.join(FLOATS.values())}")
        if not tensor.isfinite().all():
            raise UserError(f"{path}: {stored} holds values that are no numbers; download it again")
        return tensor.float()


def opened(path: Path) -> safe_open:
    """Open a safetensors file.

    Raises:
        UserError: it is damaged.
    """
    try:
        return safe_open(path, framework="pt")
    except (OSError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read as safetensors ({reason}); download it again") from None


def read_weights(files: Iterable[Path], config: SimpleNamespace, vocab_size: int) -> dict[str, Tensor]:
    """Return the weights of a model by their names here, in fp32.

    Args:
        files: the safetensors files of its folder.
        config: a resolved entry of `models`.
        vocab_size: rows of the embedding.

    Raises:
        UserError: a file is damaged, or its tensors are not those that the configuration asks for.
    """
    found, read = Weights(files), {}
    for name, parameter in without_values(config, vocab_size).named_parameters():
        tensor = torch.cat([take(found, there, name) for there in names_there(config, name)])
        if name == "embedding.positions.weight":
            tensor = tensor[: config.context]  # a context may be shortened
        if tensor.shape != parameter.shape:
            raise UserError(
                f"{' with '.join(names_there(config, name))} has the shape {list(tensor.shape)}, but "
                f"config.json asks for {list(parameter.shape)}: they are of different models"
            )
        read[name] = tensor.contiguous()
    # Some write the output matrix although it is the embedding.
    tied = config.tie_embeddings and "lm_head.weight" in found.left
    if tied and not torch.equal(found.take("lm_head.weight"), read["embedding.tokens.weight"]):
        raise UserError(
            "lm_head.weight is not the embedding, although config.json has tie_word_embeddings; set that to "
            "false there if the output matrix is one of its own"
        )
    if found.left:
        raise UserError(
            f"{len(found.left)} tensors have no place in the model of config.json, such as "
            f"{min(found.left)}: they are of another model"
        )
    return read


def named_there(weights: Mapping[str, Tensor], config: SimpleNamespace) -> dict[str, Tensor]:
    """Return weights by their names in the Hugging Face format, of which `read_weights` makes the same again.

    Args:
        weights: by their names here.
        config: a resolved entry of `models`, with the preset gpt2 or llama.
    """
    base, _, _ = NAMES[config.preset]
    width, found = head_width(config), {}
    heads = [config.n_head * width, config.n_kv_head * width, config.n_kv_head * width]
    for here, tensor in weights.items():
        names = names_there(config, here)
        sizes = heads if len(names) == len(heads) else len(tensor) // len(names)
        for name, part in zip(names, tensor.split(sizes), strict=True):
            whole = name if name.startswith("lm_head.") else base + name
            found[whole] = turned(part, here, name).contiguous()
    return found


def take(found: Weights, there: str, here: str) -> Tensor:
    """Return a tensor as it stands here."""
    return turned(found.take(there), here, there)


def turned(tensor: Tensor, here: str, there: str) -> Tensor:
    """Return a tensor from there as it stands here, or from here as it stands there."""
    return tensor.T if here.endswith("weight") and any(name in there for name in TRANSPOSED) else tensor


def names_there(config: SimpleNamespace, here: str) -> list[str]:
    """Return the names of the tensors that one after the other are a parameter here."""
    _, blocks, names = NAMES[config.preset]
    module, _, kind = here.rpartition(".")
    prefix = ""
    if module.startswith("blocks."):
        _, number, module = module.split(".", 2)
        prefix = f"{blocks}.{number}."
    return [f"{prefix}{name}.{kind}" for name in names[module]]
