"""Whether the weights in a folder of others are those of its config.json, by names and shapes alone.

Every tensor is held against its place where the weights are read: gptgrid.model.huggingface. What is looked
at here needs no PyTorch, and says before anything runs that the two are of different models.
"""

from __future__ import annotations

import re
from typing import Any

from safetensors import SafetensorError, safe_open

from gptgrid.config.checkpoints import Checkpoint

LAYER = re.compile(r"(h|layers)\.(\d+)\.")
AROUND = re.compile(r"^(transformer|model)\.")
"""What stands before the names of all but the output matrix, in some files."""
OTHERS = "they are of different models; download both again"


def check_weights(found: Checkpoint) -> None:
    """Hold the weights of a checkpoint against what its config.json says.

    Raises:
        ValueError: a file is damaged, or the weights are of another model.
    """
    shapes = shapes_of(found)
    for name, expected in shapes_asked(found.keys, found.vocab_size).items():
        if name not in shapes:
            raise ValueError(f"{found.files[0]} has no tensor {name}, which config.json asks for: {OTHERS}")
        shape = shapes[name]
        if name == "wpe.weight":
            shape = [min(shape[0], expected[0]), *shape[1:]]  # a context may be shorter than its table
        if shape != expected:
            raise ValueError(f"{name} has the shape {shape}, but config.json asks for {expected}: {OTHERS}")
    layers = 1 + max(int(match[2]) for match in map(LAYER.match, shapes) if match)
    if layers > found.keys["n_layer"]:
        raise ValueError(
            f"the weights have {layers} layers, but config.json says {found.keys['n_layer']}: {OTHERS}"
        )


def shapes_of(found: Checkpoint) -> dict[str, list[int]]:
    """Return name → shape of all tensors; no values are read.

    Raises:
        ValueError: a file is damaged.
    """
    shapes = {}
    for path in found.files:
        if path.suffix != ".safetensors":
            continue  # the index of several
        try:
            with safe_open(path, framework="numpy") as file:
                for name in file.keys():  # noqa: SIM118 -- it is no mapping
                    shapes[AROUND.sub("", name)] = list(file.get_slice(name).get_shape())
        except (OSError, SafetensorError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{path} cannot be read as safetensors ({reason}); download it again") from None
    return shapes


def shapes_asked(keys: dict[str, Any], vocab_size: int) -> dict[str, list[int]]:
    """Return name → shape of the embeddings, and in each layer of matrices with all sizes of the model.

    Args:
        keys: of an entry of `models`.
        vocab_size: rows of the embedding.
    """
    width, inside, layers = keys["d_model"], keys["d_ff"], range(keys["n_layer"])
    if keys["preset"] == "gpt2":
        asked = {"wte.weight": [vocab_size, width], "wpe.weight": [keys["context"], width]}
        of_layer = {"attn.c_attn": [width, 3 * width], "mlp.c_fc": [width, inside]}
        block = "h"
    else:
        asked = {"embed_tokens.weight": [vocab_size, width]}
        of_layer = {
            "self_attn.q_proj": [keys["n_head"] * keys["head_dim"], width],
            "self_attn.k_proj": [keys["n_kv_head"] * keys["head_dim"], width],
            "mlp.up_proj": [inside, width],
        }
        block = "layers"
    of_layers = {f"{block}.{n}.{name}.weight": shape for n in layers for name, shape in of_layer.items()}
    return asked | of_layers
