"""The section `finetuning`: recipes that teach a trained model to answer, from dialogues."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from gptgrid.config.recipe import Recipe
from gptgrid.config.values import Fraction, Positive, Section, Size

WHOLE = "conversations go whole into rows of a context, as many as fit, each of which sees itself alone"
NOT_HERE = {
    "windows": WHOLE,
    "stride": WHOLE,
    "continues": "a fine-tuning starts from the trained cell; for a longer one, give it a larger budget",
    "eval_bytes": "a validation scores all answers of the validation split",
    "sample_every": "`evaluation.answers` lets the model answer when it is fine-tuned",
    "sample_prompt": "`evaluation.answers` lets the model answer when it is fine-tuned",
    "checkpoints": "the best and the last weights are kept",
}
"""Key of a training that a fine-tuning has not → why."""
NO_AUTO = {
    "batch_tokens": "the law for `auto` is one of training from scratch; give a number, such as 8192",
    "weight_decay": "the law for `auto` is one of training from scratch; give a number, such as 0.1",
}
"""Key whose `auto` a fine-tuning has not → why."""


class Lora(Section):
    """Learn a product of two thin matrices beside each of the model's, which stay as they are:
    W + (α / r) B A (LoRA, Hu et al. 2021). The weights that are kept are the sums. The embeddings of the
    template's special tokens learn, too: the base may never have seen them."""

    rank: Size = 8
    """Width of the product, r."""
    alpha: Positive = 16.0
    """Scale of the product, α: it is multiplied by alpha / rank."""
    dropout: Fraction = 0.0
    """Share of the inputs of the product that are dropped in training."""
    targets: Annotated[list[Literal["attention", "feed_forward"]], Field(min_length=1)] = [
        "attention",
        "feed_forward",
    ]
    """The parts of each block whose matrices get one."""

    @field_validator("targets")
    @classmethod
    def each_once(cls, targets: list[str]) -> list[str]:
        if len(set(targets)) < len(targets):
            raise ValueError(f"{max(targets, key=targets.count)} is there twice")
        return targets


class Finetuning(Recipe):
    """How a trained cell learns to answer. Its loss counts the tokens of answers alone, their ends among
    them. The budget is one of `tokens`, `epochs` and `steps`."""

    data: str
    """Which entry of `dialogues` it learns from."""
    template: Annotated[str, Field(min_length=1)] = "chatml"
    """How messages become text: `chatml`, or a file of your own with a Jinja template as transformers has
    them, in which answers stand between `{% generation %}` and `{% endgeneration %}`."""
    new_tokens: Literal["refuse", "add"] = "refuse"
    """Where the tokenizer lacks special tokens of the template: `refuse`, or `add` them to the vocabulary of
    the fine-tuned model, after all others."""
    too_long: Literal["drop", "cut", "refuse"] = "drop"
    """Conversations that are longer than the model's context: `drop` them, which is counted; `cut` whole
    turns from the front, where the system message stays, and if a single turn is too long the end of its
    answer; or `refuse`, an error that names one."""
    lora: Lora | None = None
    """Learn few weights beside the model's, in place of these: `{rank: 8, alpha: 16}`."""
    lr: Positive = 3e-4
    """Highest learning rate."""

    @model_validator(mode="before")
    @classmethod
    def refuse_what_trains_from_scratch(cls, data: Any) -> Any:
        for key, why in NOT_HERE.items():
            if isinstance(data, dict) and key in data:
                raise ValueError(f"{key} is a key of trainings alone: {why}; leave it out")
        for key, why in NO_AUTO.items():
            if isinstance(data, dict) and data.get(key) == "auto":
                raise ValueError(f"{key}: {why}")
        return data
