"""Whether the weights in a folder of others are those of its config.json, by names and shapes alone.

What is looked at here needs no PyTorch, and says before anything runs that the two are of different models.
The values are looked at where they are read: gptgrid.model.huggingface.
"""

from __future__ import annotations

import re
from typing import Any

from safetensors import SafetensorError, safe_open

from gptgrid.config.checkpoints import Checkpoint

AROUND = re.compile(r"^(transformer|model)\.")
"""What stands before the names of all but the output matrix, in some files."""
TABLES = re.compile(r"\.(attn\.(masked_)?bias|rotary_emb\.inv_freq)$")
"""Ends of the names of what older versions saved and a model can work out."""
HEAD = "lm_head.weight"
"""The output matrix."""
OTHERS = "they are of different models; download both again"


def check_weights(found: Checkpoint) -> None:
    """Hold the weights of a checkpoint against what its config.json says.

    Raises:
        ValueError: a file is damaged, or the weights are of another model.
    """
    shapes, asked = shapes_of(found), shapes_asked(found.keys, found.vocab_size)
    if HEAD not in shapes:  # some write it although it is the embedding
        if not found.keys["tie_embeddings"]:
            raise ValueError(
                f"{found.files[0]} has no output matrix ({HEAD}), which by config.json (tie_word_embeddings) "
                "is not the embedding; set that to true there if it is, otherwise download both again"
            )
        del asked[HEAD]
    for name, expected in asked.items():
        if name not in shapes:
            raise ValueError(f"{found.files[0]} has no tensor {name}, which config.json asks for: {OTHERS}")
        shape = shapes[name]
        if name == "wpe.weight":
            shape = [min(shape[0], expected[0]), *shape[1:]]  # a context may be shorter than its table
        if shape != expected:
            raise ValueError(f"{name} has the shape {shape}, but config.json asks for {expected}: {OTHERS}")
    if more := sorted(shapes.keys() - asked.keys()):
        raise ValueError(
            f"the model of config.json has no place for {len(more)} of the tensors, such as {more[0]}: "
            f"{OTHERS}"
        )


def shapes_of(found: Checkpoint) -> dict[str, list[int]]:
    """Return name → shape of all tensors of the model; no values are read.

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
                    if not TABLES.search(name):
                        shapes[AROUND.sub("", name)] = list(file.get_slice(name).get_shape())
        except (OSError, SafetensorError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{path} cannot be read as safetensors ({reason}); download it again") from None
    return shapes


def shapes_asked(keys: dict[str, Any], vocab_size: int) -> dict[str, list[int]]:
    """Return name → shape of all tensors of a model.

    Args:
        keys: of an entry of `models`.
        vocab_size: rows of the embedding.
    """
    width = keys["d_model"]
    asked = gpt2(keys) if keys["preset"] == "gpt2" else llama(keys)
    embedding = "wte.weight" if keys["preset"] == "gpt2" else "embed_tokens.weight"
    return {embedding: [vocab_size, width], **asked, HEAD: [vocab_size, width]}


def gpt2(keys: dict[str, Any]) -> dict[str, list[int]]:
    """Return name → shape of what lies between the embedding of a GPT-2 and its output matrix."""
    width, inside = keys["d_model"], keys["d_ff"]
    of_layer = {
        "attn.c_attn": [width, 3 * width],
        "attn.c_proj": [width, width],
        "mlp.c_fc": [width, inside],
        "mlp.c_proj": [inside, width],
        "ln_1": [width],
        "ln_2": [width],
    }
    asked = {**in_layers("h", keys["n_layer"], of_layer), "ln_f": [width]}
    weights = {f"{name}.weight": shape for name, shape in asked.items()}
    biases = {f"{name}.bias": shape[-1:] for name, shape in asked.items()}
    return {"wpe.weight": [keys["context"], width], **weights, **biases}


def llama(keys: dict[str, Any]) -> dict[str, list[int]]:
    """Return the same of a Llama, or of a Qwen3."""
    width, inside, head = keys["d_model"], keys["d_ff"], keys["head_dim"]
    queries, pairs = keys["n_head"] * head, keys["n_kv_head"] * head
    matrices = {
        "self_attn.q_proj": [queries, width],
        "self_attn.k_proj": [pairs, width],
        "self_attn.v_proj": [pairs, width],
        "self_attn.o_proj": [width, queries],
        "mlp.gate_proj": [inside, width],
        "mlp.up_proj": [inside, width],
        "mlp.down_proj": [width, inside],
    }
    norms = {"input_layernorm": [width], "post_attention_layernorm": [width]}
    if keys.get("qk_norm"):
        norms |= {"self_attn.q_norm": [head], "self_attn.k_norm": [head]}
    of_layer = {f"{name}.weight": shape for name, shape in {**matrices, **norms}.items()}
    if keys.get("bias"):
        of_layer |= {f"{name}.bias": shape[:1] for name, shape in matrices.items()}
    return {**in_layers("layers", keys["n_layer"], of_layer), "norm.weight": [width]}


def in_layers(block: str, number: int, shapes: dict[str, list[int]]) -> dict[str, list[int]]:
    """Return what each of the layers has: name in the model → shape."""
    return {f"{block}.{layer}.{name}": shape for layer in range(number) for name, shape in shapes.items()}
