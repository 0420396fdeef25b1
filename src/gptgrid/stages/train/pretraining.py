"""What a training on text decides: a new model, windows over the text, and the split it is validated on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from torch import nn

from gptgrid.artifact.job import Job
from gptgrid.model.build import build
from gptgrid.model.continuation import complete
from gptgrid.model.decoding import Decoding
from gptgrid.model.initialize import initialize
from gptgrid.stages.train.imported import chat_of, check_vocabulary, read_others
from gptgrid.stages.train.validation import TextValidation
from gptgrid.stages.train.windows import Windows
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.document_table import open_scored_text
from gptgrid.tokens.shards import Shards, open_shards
from gptgrid.trainer.checkpoint import Progress
from gptgrid.trainer.recipe import Recipe
from gptgrid.trainer.task import Task
from gptgrid.trainer.weights import set_weights

GREEDY = Decoding(temperature=0.0)
SAMPLE_TOKENS = 60


class Pretraining(Task):
    """A model that learns a text."""

    def __init__(self, job: Job) -> None:
        """Open the text.

        Raises:
            UserError: recipe, model and text do not fit.
        """
        super().__init__(job)
        config, shards = job.config, job.inputs["shards"]
        self.codec = read_codec(job.inputs["tokenizer"])
        vocab_size = self.codec.vocab_size
        self.of_others: dict[str, Any] = {}
        self.remarks: list[str] = []
        if self.starts:
            vocab_size = config.start.vocab_size
            check_vocabulary(self.codec, vocab_size)
            self.of_others, self.remarks = chat_of(config.start, self.codec)
            self.of_others["starts"] = True
        self.recipe = text_recipe(
            config, vocab_size, self.codec.eot, open_shards(shards, "train"), self.ranks.size
        )
        training, counts = self.recipe.training, job.manifest("shards")["facts"]["splits"]["valid"]
        text = open_scored_text(shards, "valid", counts, training.eval_bytes, "training.eval_bytes")
        by_document = training.windows == "document"
        self.validation = TextValidation(text, by_document, self.recipe.model.context, self.ranks)
        self.about_text = job.manifest("shards").get("config", {})
        self.private = self.about_text.get("private", False)

    @property
    def starts(self) -> bool:
        """Say whether the training starts from the weights of a model that others trained."""
        return hasattr(self.job.config, "start")

    def first_model(self) -> nn.Module:
        """Return the model with weights of its seed, or with those of others."""
        recipe = self.recipe
        if not self.starts:
            return new_model(recipe)
        module = build(recipe.model, recipe.vocab_size, recipe.eot)
        set_weights(module, read_others(self.job, recipe.model, recipe.vocab_size))
        return module

    def sample(self, module: nn.Module) -> dict[str, Any]:
        """Let a model continue the prompt. Bare ids have none."""
        prompt = "" if self.codec.kind == "ids" else self.recipe.training.sample_prompt
        (found,) = complete(module, self.codec, [prompt], GREEDY, SAMPLE_TOKENS, [self.recipe.seed])
        return {"prompt": prompt, "text": found.text}

    def shown(self, sample: dict[str, Any]) -> str:
        """Return the prompt and what follows it."""
        return sample["prompt"] + sample["text"]

    def config(self) -> dict[str, Any]:
        """Return the recipe, and whether names of special tokens in the text were these; where the first
        weights are those of others, also that they are, and perhaps how the model was taught to answer."""
        return {**self.recipe.describe(), "marks": self.about_text.get("marks", "text"), **self.of_others}

    def facts(self, progress: Progress) -> dict[str, Any]:
        """Return what to know of the chat template of others."""
        return {"remarks": self.remarks} if self.remarks else {}


def text_recipe(
    config: SimpleNamespace, vocab_size: int, eot: int | None, text: Shards, processes: int = 1
) -> Recipe:
    """Return the recipe of a training on a text.

    Args:
        config: model, training and seed, as configured.
        vocab_size: of the model.
        eot: id of the end-of-text token.
        text: the training split.
        processes: that share a batch.

    Raises:
        UserError: model, batch and training split do not fit together.
    """
    windows = Windows(text, config.training, config.model.context, config.seed, eot)
    return Recipe(config, vocab_size, eot, windows, processes)


def new_model(recipe: Recipe) -> nn.Module:
    """Return the model of a recipe with the weights of its seed."""
    module = build(recipe.model, recipe.vocab_size, recipe.eot)
    initialize(module, recipe.seed)
    return module
