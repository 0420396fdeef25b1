"""A trained cell in memory: its model with its tokenizer, and how it is read from a folder.

Of a cell it reads what the `train` stage published and nothing else, so a folder that was copied to another
machine works.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.manifest import MANIFEST, read_manifest
from gptgrid.inference.find import FILES, train_folder
from gptgrid.metrics import figures
from gptgrid.model.device import find_device
from gptgrid.model.generate import generate
from gptgrid.model.load import WEIGHTS, load_model, read_recipe
from gptgrid.model.score import default_stride, score
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.shards import Shards


@dataclass(frozen=True)
class Score:
    """How well a cell predicts a text."""

    nats: float
    """Sum over the tokens."""
    tokens: int
    """Tokens of the text, each predicted once."""
    bytes: int | None
    """UTF-8 bytes of the text; None for bare ids."""
    bpb: float | None
    """Bits per byte; None for bare ids."""
    perplexity: float | None
    """Per token; None beyond the largest double."""


class TrainedCell:
    """A trained model with its tokenizer."""

    def __init__(self, module: nn.Module, codec: Codec, recipe: dict[str, Any]) -> None:
        """Put a cell together; `load` does it from files.

        Args:
            module: the model.
            codec: the tokenizer.
            recipe: config.json: model, vocab_size, training, seed.
        """
        self.module, self.codec, self.config = module.eval(), codec, recipe
        self.context: int = recipe["model"]["context"]
        self.marks: bool = recipe.get("marks") == "special"

    def encode(self, text: str, marks: bool | None = None) -> list[int]:
        """Return the token ids of a text; no special token is added.

        The names of special tokens in it are text; with `marks` those tokens. Default: as in the corpus that
        the cell was trained on.
        """
        return self.codec.encode_marked(text) if self.reads(marks) else self.codec.encode(text)

    def reads(self, marks: bool | None) -> bool:
        """Say whether names of special tokens in a text are these; None asks the corpus of the cell."""
        return self.marks if marks is None else marks

    def decode(self, ids: list[int], special: bool = False) -> str:
        """Return the text of token ids, with `special` the names of special tokens, too.

        Bytes that are no UTF-8 become U+FFFD.
        """
        return self.codec.decode(ids, special)

    @torch.inference_mode()
    def forward(self, text: str | list[int]) -> Tensor:
        """Return the logits after each token: (time, vocabulary) fp32 on the CPU.

        Args:
            text: a text, of which only its own tokens are read, or token ids.

        Raises:
            UserError: nothing to read, more than the model sees at once, or an id beyond the vocabulary.
        """
        ids = self.encode(text) if isinstance(text, str) else list(text)
        if not 1 <= len(ids) <= self.context:
            raise UserError(f"{len(ids)} tokens; the model reads 1 to {self.context} at once")
        if not all(0 <= token < self.config["vocab_size"] for token in ids):
            raise UserError(
                f"ids must lie in 0 to {self.config['vocab_size'] - 1}; found {min(ids)} to {max(ids)}"
            )
        device = next(self.module.parameters()).device
        return self.module(torch.tensor([ids], device=device))[0].float().cpu()

    def generate(
        self,
        prompt: str = "",
        max_new_tokens: int = 100,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 0.95,
        repetition_penalty: float = 1.0,
        seed: int = 0,
        ignore_eos: bool = False,
        stream: bool = False,
        marks: bool | None = None,
    ) -> str | Iterator[str]:
        """Continue a text.

        Args:
            prompt: the beginning of a document; "" lets the model begin.
            max_new_tokens: tokens at most; generation stops at the end-of-text token.
            temperature: 0 takes the likeliest token.
            top_k: draw among so many of the likeliest tokens; 0 is off.
            top_p: draw among the likeliest tokens of so much probability together; 1 is off.
            repetition_penalty: above 1, tokens that stand in the text already become less likely.
            seed: the same seed draws the same text.
            ignore_eos: go on after the end-of-text token.
            stream: return an iterator of pieces of text, as they come, none of which breaks a character.
            marks: read names of special tokens in the prompt as these, and show those that come. Default: as
                in the corpus that the cell was trained on.

        Returns:
            What follows the prompt.

        Raises:
            UserError: a value is out of range.
        """
        decoding = SimpleNamespace(
            temperature=temperature, top_k=top_k, top_p=top_p, repetition_penalty=repetition_penalty
        )
        start = self.codec.begin(prompt, self.reads(marks))
        ids = generate(self.module, start, decoding, max_new_tokens, self.codec.eot, seed, ignore_eos)
        pieces = self.pieces(ids, self.reads(marks))
        return pieces if stream else "".join(pieces)

    def score(self, text: str, stride: int | None = None, marks: bool | None = None) -> Score:
        """Return how well the cell predicts a text, as one document, in the `evaluate` stage's convention.

        Args:
            text: any text; for a cell of bare ids, ids with blanks between, the first of which is not scored.
            stride: tokens between overlapping windows. Default: half a context.
            marks: read names of special tokens in the text as these; their bytes count. Default: as in the
                corpus that the cell was trained on.

        Raises:
            UserError: the text has nothing to score.
            ValueError: the stride is not between 1 and the context.
        """
        tokens = Shards([np.array(self.codec.begin(text, self.reads(marks)))])
        if len(tokens) < 2:
            raise UserError("the text has no token to score: a text needs one, bare ids two")
        stride = default_stride(self.context) if stride is None else stride
        nats = float(score(self.module, tokens, self.context, stride).nats.sum())
        size = None if self.codec.kind == "ids" else len(text.encode())
        found = figures(nats, len(tokens) - 1, size, words=None, newlines=None)
        return Score(nats, len(tokens) - 1, size, found["bpb"], found["perplexity"])

    def pieces(self, ids: Iterator[int], special: bool = False) -> Iterator[str]:
        """Yield the text of ids as they come; bytes wait until they make a character.

        With `special`, the names of special tokens are shown.
        """
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        for token in ids:
            if piece := decoder.decode(self.codec.decode_bytes([token], special)):
                yield piece
        if rest := decoder.decode(b"", final=True):
            yield rest


def load(path: str | Path, device: str = "auto", weights: str | None = None) -> TrainedCell:
    """Read a trained cell.

    Args:
        path: the folder of a cell (`results/<experiment>/cells/<cell>`), its `train` folder, or a copy.
        device: auto, cpu, cuda or mps; `auto` takes cuda, then mps, then cpu.
        weights: best (of the lowest validation loss) or last. Default: those that its figures are of (`use`
            of the training recipe), the best for a `train` folder that was copied alone.

    Raises:
        UserError: the folder is not a trained cell, there are no such weights, or the machine has no such
            device.
    """
    if weights not in (None, *WEIGHTS):
        raise UserError(f"there are no weights {weights!r}; take {' or '.join(WEIGHTS)}")
    folder = train_folder(Path(path))
    if folder is None:
        raise UserError(
            f"{path} is not a trained cell: looked for {', '.join(FILES)} there and in its folder train; "
            "give a folder under results/<experiment>/cells/"
        )
    recipe, codec = read_recipe(folder), read_codec(folder)
    # The embedding of an imported model may have more rows than its tokenizer has tokens.
    spare = recipe["vocab_size"] - codec.vocab_size
    if spare < 0 or (spare and not recipe.get("imported")):
        raise UserError(
            f"codec.json in {folder} has {codec.vocab_size:,} tokens, but the model "
            f"{recipe['vocab_size']:,}: they are of different cells"
        )
    return TrainedCell(load_model(folder, find_device(device), weights or weights_of(folder)), codec, recipe)


def weights_of(folder: Path) -> str:
    """Return which weights of a cell its evaluation and samples are of: the two stand beside its training."""
    for stage in ("evaluate", "sample"):
        if (folder.parent / stage / MANIFEST).is_file():
            return read_manifest(folder.parent / stage)["config"]["use"]
    return "best"


def divergence(path: str | Path) -> str | None:
    """Return how the training of a cell diverged; None if it did not, or its folder does not say.

    Args:
        path: as for `load`.
    """
    folder = train_folder(Path(path))
    if folder is None or not (folder / MANIFEST).is_file():
        return None
    facts = read_manifest(folder)["facts"]
    return facts["ended"] if facts["status"] == "diverged" else None
