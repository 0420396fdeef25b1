"""The section `training`: budget, data order, optimizer, schedule, precision."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from gptgrid.config.values import (
    BUDGETS,
    Count,
    Fraction,
    Neutral,
    NonNegative,
    Positive,
    Section,
    Size,
)


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
    """Only the last so many of them, or `all`."""


class Training(Section):
    """A training recipe. The budget is one of `tokens`, `epochs` and `steps`."""

    tokens: Count | None = None
    """Budget in tokens that the loss counts (`2M` is two million), which padding is not: as many whole steps
    as it takes to reach it."""
    epochs: Positive | None = None
    """Budget in passes over the windows or documents of the training split, rounded up to whole steps. A pass
    over sliding windows shows a token context / stride times."""
    steps: Count | None = None
    """Budget in optimizer steps."""
    batch_tokens: Literal["auto"] | Count = 8192
    """Tokens of one optimizer step, padding among them; a multiple of the model's context. `auto`: such that
    the loss counts 0.58 · tokens^0.571 of them, for a budget of so many tokens (Li et al. 2025, Step Law)."""
    micro_batch: Literal["auto"] | Size = "auto"
    """Windows in one forward pass; gradients add up over a batch. It changes last bits of the result."""
    windows: Literal["shuffled", "permuted", "sliding", "random", "document"] = "shuffled"
    """`shuffled`: the documents in a new order each epoch, run together and cut into disjoint windows, which
    come in any order. `permuted`: the same, but documents stay in their order: for pieces of a running text.
    `sliding`: as permuted, but overlapping, `stride` apart. `random`: any offset. `document`: one document a
    row, cut or padded; padding is not scored. Such a cell is validated and evaluated document by document,
    too; any other on windows over the running text."""
    stride: Size | None = None
    """Tokens between the starts of sliding windows. Default: half a context."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """AdamW (Loshchilov and Hutter 2019); or Muon (Jordan et al. 2024) for the matrices inside the blocks,
    with updates as large as AdamW's (Liu et al. 2025), and AdamW for the rest."""
    lr: Positive = 1e-3
    """Highest learning rate."""
    min_lr: NonNegative | None = None
    """Learning rate at the end of the schedule. Default: a tenth of lr."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.95)
    """Decay of AdamW's first and second moment."""
    eps: Positive = 1e-8
    """AdamW's denominator term."""
    momentum: Fraction = 0.95
    """Decay of Muon's momentum (Nesterov)."""
    schedule: Literal["constant", "linear", "cosine", "wsd"] = "cosine"
    """After the warmup: stay, fall in a line, fall as half a cosine, or stay and fall in a line over the
    last `cooldown` of the steps (warmup-stable-decay)."""
    warmup: NonNegative = 0.05
    """Steps of linear warmup; below 1 a share of all steps."""
    cooldown: Fraction = 0.2
    """Share of the steps in which wsd falls."""
    weight_decay: Literal["auto"] | NonNegative = 0.1
    """For matrices and embeddings; never for biases and norms. `auto`: such that the weights remember
    1.084 · (tokens / parameters)^-0.527 of the training (Bergsma et al. 2025, Power Lines)."""
    grad_clip: NonNegative = 1.0
    """Largest norm of the gradient; 0 is off."""
    precision: Literal["auto", "fp32", "bf16", "bf16_weights", "fp16"] = "auto"
    """`bf16`, `fp16`: autocast, fp16 with a loss scaler. `bf16_weights`: the weights inside the blocks are
    bf16, too. `auto`: bf16_weights on a CPU or GPU that multiplies bf16 by itself, else fp32; on a CPU
    also fp32 where the tokens of a forward pass × d_model are below 2¹⁴, as rounding does not pay there.
    The weights that are updated and kept, moments and losses are fp32 in each, and so are the logits of a
    validation, whose blocks compute as the training's."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Validate and keep a moving average of the weights with this decay, 0.999 say, in place of the last."""
    eval_every: Literal["epoch"] | Size | None = None
    """Steps between validations, or `epoch`. Default: a tenth of the steps. The last step is always
    validated."""
    eval_bytes: Annotated[Count | None, Neutral(None)] = None
    """Bytes of the validation split to score each time, at least: whole documents, spread over the split, the
    same ones for every tokenizer. Default: all. It decides the best step and early stopping only; what tables
    rank, the evaluation scores."""
    sample_every: Literal["epoch"] | Size | None = None
    """Steps between short greedy samples, or `epoch`. Default: none."""
    sample_prompt: str = ""
    """What the samples during training continue. An empty one starts a document."""
    patience: Size | None = None
    """Stop after so many validations in a row without a lower loss. Default: never."""
    checkpoints: Checkpoints | None = None
    """Keep weights on the way, too, as `step-NNNNNNNN.safetensors`. Default: the best and the last alone."""
    use: Literal["best", "last"] = "best"
    """Which weights the cell keeps: those of the lowest validation loss, or the last."""
    threads: Size = 1
    """CPU threads. Part of the recipe, as the order of sums depends on it."""
    continues: str | None = None
    """Go on from the finished state of this training, with the larger budget given here."""

    @model_validator(mode="after")
    def fill_in(self) -> Training:
        given = [key for key in BUDGETS if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(
                f"give one of tokens, epochs and steps as the budget; found {', '.join(given) or 'none'}"
            )
        # In decimals: 0.003 / 10 is 0.00030000000000000003.
        min_lr = float(Decimal(repr(self.lr)) / 10) if self.min_lr is None else self.min_lr
        if min_lr > self.lr:
            raise ValueError(f"min_lr {min_lr:g} is above lr {self.lr:g}")
        object.__setattr__(self, "min_lr", min_lr)
        if self.batch_tokens == "auto" and self.steps is not None:
            raise ValueError("batch_tokens `auto` follows from a budget in tokens or epochs, not in steps")
        if self.batch_tokens == "auto" and self.continues is not None:
            raise ValueError("a training that continues another needs a number as batch_tokens, the other's")
        if self.stride is not None and self.windows != "sliding":
            raise ValueError(f"stride goes with `windows: sliding`, not {self.windows}")
        return self
