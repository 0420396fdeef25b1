"""Cells for tests of exports, and texts that tell tokenizers apart."""

import json
import random
import unicodedata
from pathlib import Path

import torch
from cells import write_cell
from torch import nn

from gptgrid.config.models import Model
from gptgrid.model.build import build
from gptgrid.model.initialize import initialize
from gptgrid.tokens.base import Codec

CONTEXT = 128
SIZES = {"n_layer": 2, "n_head": 4, "d_model": 32, "context": CONTEXT, "init_std": 0.2}


def exported_cell(
    folder: Path, codec: Codec, recipe: dict | None = None, **switches: object
) -> tuple[Path, nn.Module]:
    """Write a cell whose gains and biases show, too; return its folder, and its model.

    Args:
        folder: that is made.
        codec: its tokenizer.
        recipe: what config.json says beside the model.
        switches: of the model.
    """
    module = build(Model(**{**SIZES, **switches}), codec.vocab_size, codec.eot)
    initialize(module, 0)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.ndim == 1 or not parameter.any():
                generator = torch.Generator().manual_seed(len(name))
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    write_cell(folder, module.eval(), codec)
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **(recipe or {})}))
    return folder, module


def hard_texts(number: int, names: list[str]) -> list[str]:
    """Return texts of all planes, with combining marks, blanks, line ends, and names of special tokens."""
    draw = random.Random(0)
    points = [chr(point) for point in range(0x110000) if not 0xD800 <= point <= 0xDFFF]
    assigned = [char for char in points[:0x30000] if unicodedata.category(char) not in ("Cn", "Co", "Cs")]
    marks = [char for char in assigned if unicodedata.combining(char)]
    blanks = [" ", "  ", "\t", "\n", "\r\n", "\r", "\n\n", "\u00a0", "\u2003", "\u3000", "\u2028", "\u200b"]
    words = [
        "The",
        " fox",
        "it's",
        "WE'LL",
        "123456",
        "狐狸",
        "用Python写",
        "…!?",
        "👩‍👩‍👧",
        "e\u0301",
        "ﬁ",
        "▂",
    ]
    kinds = [points, assigned, marks, blanks, words, words, blanks, [*names, *(name[:-1] for name in names)]]
    return [
        "".join(draw.choice(draw.choice(kinds)) for _ in range(draw.randint(0, 12))) for _ in range(number)
    ]
