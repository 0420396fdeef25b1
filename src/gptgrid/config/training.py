"""The section `training`: recipes that learn from running text, and its data order."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import field_validator, model_validator

from gptgrid.config.recipe import Recipe
from gptgrid.config.values import Neutral, NonNegative, Section, Size, boolean_in, read_count

KEPT = Literal["all"] | Size | dict[Literal["last"], Size]
"""How `keep` may be written."""


class Untrained(Section):
    """What the cell of a checkpoint of others has in place of a training recipe."""

    use: Literal["best"] = "best"
    windows: Literal["shuffled"] = "shuffled"
    """It is scored on the running text, as those are that were trained on it."""
    continues: None = None


class Checkpoints(Section):
    """Which weights a training keeps on its way."""

    every: Literal["doubling", "epoch"] | Size = "doubling"
    """So many steps lie between them; `epoch`: after each epoch; `doubling`: after 1, 2, 4, 8, … steps."""
    keep: Literal["all"] | Size = "all"
    """Only the last so many of them, `3` or `last: 3`; or `all`."""

    @field_validator("keep", mode="before", json_schema_input_type=KEPT)
    @classmethod
    def last(cls, value: Any) -> Any:
        """Read `last: 3` as 3."""
        if isinstance(value, dict) and [*value] == ["last"] and boolean_in(value["last"]) is None:
            return read_count(value["last"])
        return value


class Training(Recipe):
    """A training recipe. The budget is one of `tokens`, `epochs` and `steps`."""

    batch_tokens: Literal["auto"] | Size = 8192
    """Tokens of one optimizer step, padding among them; a multiple of the model's context. `auto`: such that
    the loss counts 0.58 · tokens^0.571 of them, for a budget of so many tokens (Li et al. 2025, Step Law)."""
    weight_decay: Literal["auto"] | NonNegative = 0.1
    """For matrices and embeddings; never for biases and norms. `auto`: such that the weights remember
    1.084 · (tokens / parameters)^-0.527 of the training (Bergsma et al. 2025, Power Lines)."""
    windows: Literal["shuffled", "permuted", "sliding", "random", "document"] = "shuffled"
    """`shuffled`: the documents in a new order each epoch, run together and cut into disjoint windows, which
    come in any order. `permuted`: the same, but documents stay in their order: for pieces of a running text.
    `sliding`: as permuted, but overlapping, `stride` apart; an epoch shows a token context / stride times.
    `random`: any offset. `document`: one document a row, cut or padded; padding is not scored. Such a cell is
    validated and evaluated document by document, too; any other on windows over the running text."""
    stride: Size | None = None
    """Tokens between the starts of sliding windows. Default: half a context."""
    eval_bytes: Annotated[Size | None, Neutral(None)] = None
    """Bytes of the validation split to score each time, at least: whole documents, spread over the split, the
    same ones for every tokenizer. Default: all. It decides the best step and early stopping only; what tables
    rank, the evaluation scores."""
    sample_every: Literal["epoch"] | Size | None = None
    """Steps between short greedy samples, or `epoch`. Default: none."""
    sample_prompt: str = ""
    """What the samples during training continue. An empty one starts a document."""
    checkpoints: Checkpoints | None = None
    """Keep weights on the way, too, as `step-NNNNNNNN.safetensors`. Default: the best and the last alone."""
    continues: str | None = None
    """Go on from the finished state of this training, with the larger budget given here."""

    @model_validator(mode="after")
    def goes_together(self) -> Training:
        if self.batch_tokens == "auto" and self.steps is not None:
            raise ValueError("batch_tokens `auto` follows from a budget in tokens or epochs, not in steps")
        if self.batch_tokens == "auto" and self.continues is not None:
            raise ValueError("a training that continues another needs a number as batch_tokens, the other's")
        if self.stride is not None and self.windows != "sliding":
            raise ValueError(f"stride goes with `windows: sliding`, not {self.windows}")
        return self
