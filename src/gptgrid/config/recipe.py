"""What training and fine-tuning recipes share: budget, optimizer, schedule, precision."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gptgrid.config.values import BUDGETS, Fraction, NonNegative, Positive, Section, Size


class Recipe(Section):
    """How weights learn. The budget is one of `tokens`, `epochs` and `steps`."""

    tokens: Size | None = None
    """Budget in tokens that the loss counts (`2M` is two million): as many whole steps as it takes to reach
    it. Padding is not counted, and of dialogues only what is an answer."""
    epochs: Positive | None = None
    """Budget in passes over the windows, documents or dialogues of the training split, rounded up to whole
    steps."""
    steps: Size | None = None
    """Budget in optimizer steps."""
    batch_tokens: Size = 8192
    """Tokens of one optimizer step, padding among them; a multiple of the model's context."""
    micro_batch: Literal["auto"] | Size = "auto"
    """Rows of a context each in one forward pass; gradients add up over a batch. It changes last bits of the
    result."""
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
    weight_decay: NonNegative = 0.1
    """For matrices and embeddings; never for biases and norms."""
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
    patience: Size | None = None
    """Stop after so many validations in a row without a lower loss. Default: never."""
    use: Literal["best", "last"] = "best"
    """Which weights the cell keeps: those of the lowest validation loss, or the last."""
    threads: Size = 1
    """CPU threads. Part of the recipe, as the order of sums depends on it."""

    @model_validator(mode="after")
    def one_budget(self) -> Self:
        given = [key for key in BUDGETS if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(
                f"give one of tokens, epochs and steps as the budget; found {', '.join(given) or 'none'}"
            )
        return self

    @model_validator(mode="after")
    def falls_to(self) -> Self:
        # In decimals: 0.003 / 10 is 0.00030000000000000003.
        min_lr = float(Decimal(repr(self.lr)) / 10) if self.min_lr is None else self.min_lr
        if min_lr > self.lr:
            raise ValueError(f"min_lr {min_lr:g} is above lr {self.lr:g}")
        # The class is frozen for everybody else; this fills in what depends on another key.
        object.__setattr__(self, "min_lr", min_lr)
        return self
