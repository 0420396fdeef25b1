"""A trained cell as a GGUF file, the format of llama.cpp.

llama.cpp computes as a model here does, up to the order of sums. GELU alone is another: its approximation
with tanh, from a table of half precision. Logits of a trained GPT-2 change by some 0.003 with `gelu_tanh`, by
0.01 with the exact `gelu`; those of a Llama by 0.00001.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import gguf
import numpy as np
import torch
from torch import Tensor

from gptgrid.inference.export.architecture import GPT2, LLAMA, QWEN3, Architecture, choose
from gptgrid.inference.export.card import license_of
from gptgrid.inference.export.checkpoint import as_type
from gptgrid.inference.export.gguf_vocabulary import vocabulary_of
from gptgrid.inference.export.loaded import Loaded
from gptgrid.inference.export.terms import in_their_terms
from gptgrid.model.huggingface import named_there, turned
from gptgrid.model.parametrization import head_width
from gptgrid.text.transformers_template import to_transformers, without_generation

FILE = "model.gguf"
ARCHITECTURES = (
    Architecture("gpt2", "gpt2", {**GPT2, "activation": ("gelu", "gelu_tanh")}),
    Architecture("llama", "llama", LLAMA),
    Architecture("qwen3", "llama", {**QWEN3, "window": (None,)}),
)
"""Those of llama.cpp that compute what a model here can."""
KINDS = {name: kind for kind, name in gguf.MODEL_ARCH_NAMES.items()}
TYPES = {
    "float32": (gguf.LlamaFileType.ALL_F32, gguf.GGMLQuantizationType.F32),
    "float16": (gguf.LlamaFileType.MOSTLY_F16, gguf.GGMLQuantizationType.F16),
    "bfloat16": (gguf.LlamaFileType.MOSTLY_BF16, gguf.GGMLQuantizationType.BF16),
}
"""Name of a type → what GGUF calls a file with matrices of it, and a tensor."""
ROTATED = (".attn_q.", ".attn_k.")
"""Of a Llama, whose pairs of dimensions turn."""


def export_gguf(loaded: Loaded, folder: Path, dtype: str) -> None:
    """Write the GGUF file of a cell into a folder.

    Args:
        loaded: the cell.
        folder: is there.
        dtype: of the matrices. Vectors and positions stay fp32, as llama.cpp needs them.

    Raises:
        UserError: llama.cpp has no model or no tokenizer that does the same, or a weight is too large for the
            type.
    """
    architecture = choose(loaded.config, ARCHITECTURES, "llama.cpp")
    vocabulary = vocabulary_of(loaded.codec)
    config, weights = in_their_terms(loaded.config, loaded.weights, loaded.vocab_size, architecture.preset)
    writer = gguf.GGUFWriter(folder / FILE, architecture.name)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(loaded.name)
    writer.add_license(license_of(loaded))
    writer.add_file_type(TYPES[dtype][0])
    add_shape(writer, config, loaded.vocab_size)
    vocabulary.write(writer, loaded.codec, loaded.vocab_size)
    if chat := loaded.conversations:
        template = to_transformers(chat.template.source, chat.system)
        writer.add_chat_template(without_generation(template))
        for end in chat.ends:
            writer.add_eot_token_id(end)
    write_tensors(writer, dict(tensors(architecture, config, weights)), dtype)
    writer.close()


def add_shape(writer: gguf.GGUFWriter, config: SimpleNamespace, rows: int) -> None:
    """Add what llama.cpp makes the layers from.

    Args:
        writer: of the file.
        config: an entry of `models` in the terms of GPT-2 or Llama.
        rows: of the embedding.
    """
    width = head_width(config)
    writer.add_vocab_size(rows)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.d_model)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(config.d_ff)
    writer.add_head_count(config.n_head)
    writer.add_head_count_kv(config.n_kv_head)
    writer.add_key_length(width)
    writer.add_value_length(width)
    if config.norm == "layernorm":
        writer.add_layer_norm_eps(config.norm_eps)
    else:
        writer.add_layer_norm_rms_eps(config.norm_eps)
    if config.position == "rope":
        writer.add_rope_dimension_count(width)
        writer.add_rope_freq_base(config.rope_theta)


def tensors(
    architecture: Architecture, config: SimpleNamespace, weights: dict[str, Tensor]
) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a GGUF file with their names.

    Args:
        architecture: of ARCHITECTURES.
        config: an entry of `models` in its terms.
        weights: by their names here.
    """
    names = gguf.get_tensor_name_map(KINDS[architecture.name], config.n_layer)
    for there, tensor in named_there(weights, config).items():
        name = names.get_name(there, try_suffixes=(".weight", ".bias"))
        tensor = turned(tensor, there, there)  # the right way round, other than in the Hugging Face format
        if architecture.name == "llama" and any(part in name for part in ROTATED):
            tensor = interleaved(tensor, head_width(config))
        yield name, tensor


def interleaved(rows: Tensor, width: int) -> Tensor:
    """Return the rows of queries or keys as llama.cpp turns those of a Llama.

    There dimensions 2i and 2i + 1 of a head turn together, here i and i + width/2.

    Args:
        rows: (heads · width, …).
        width: of a head.
    """
    return rows.unflatten(0, (-1, 2, width // 2)).transpose(1, 2).flatten(0, 2)


def write_tensors(writer: gguf.GGUFWriter, named: dict[str, Tensor], dtype: str) -> None:
    """Write a file with all that was added to it and with tensors, which are converted one by one."""
    kinds = {}
    for name, tensor in named.items():
        small = tensor.ndim == 1 or name.startswith("position_embd.")
        kinds[name] = kind = "float32" if small else dtype
        size = tensor.numel() * getattr(torch, kind).itemsize
        writer.add_tensor_info(name, tensor.shape, np.dtype(np.float32), size, TYPES[kind][1])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, tensor in named.items():
        # NumPy has no bfloat16, and the file holds plain bytes.
        writer.write_tensor_data(as_type(tensor, name, kinds[name]).view(torch.uint8).numpy())
