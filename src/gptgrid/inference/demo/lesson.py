"""What the demo computes, by the pipeline's own parts: a tokenizer, a model, a hundred steps of training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch

from gptgrid.artifact.identity import namespace
from gptgrid.config.models import Model
from gptgrid.config.training import Training
from gptgrid.inference.parts import train_tokenizer
from gptgrid.model.continuation import complete
from gptgrid.model.decoding import Decoding
from gptgrid.stages.train.pretraining import new_model, text_recipe
from gptgrid.tokens.base import Codec
from gptgrid.tokens.shards import Shards
from gptgrid.trainer.learner import Learner
from gptgrid.trainer.ranks import Ranks

STEPS = 100
SEED = 1
MODEL = Model(preset="llama", n_layer=2, n_head=4, d_model=64, context=32)
TRAINING = Training(steps=STEPS, batch_tokens=16 * MODEL.context, lr=1e-2, precision="fp32")
DECODINGS = {
    "greedy": Decoding(temperature=0),
    "temperature": Decoding(temperature=1.0),
    "top_k": Decoding(top_k=3),
    "top_p": Decoding(top_p=0.9),
    "beams": Decoding(beams=4),
}
NEW_TOKENS = 16


@dataclass(frozen=True)
class Progress:
    """Where the training stands."""

    step: int
    rate: float
    """Learning rate of the update that led there."""
    loss: float
    """Of the batch before that update, in nats per token."""


class Lesson:
    """A tokenizer and a model that learn a few sentences."""

    def __init__(self, sentences: Sequence[str], pattern: str, merges: int) -> None:
        """Learn the vocabulary, and make the model with its first weights.

        Args:
            sentences: each a document.
            pattern: of the tokenizer.
            merges: that it learns.
        """
        tokenizer = train_tokenizer(sentences, vocab_size=256 + merges + 1, pattern=pattern)
        self.codec: Codec = tokenizer.codec
        shards = Shards([np.array(tokenizer.encode_documents(sentences))])
        config = SimpleNamespace(model=MODEL, training=namespace(TRAINING.complete()), seed=SEED)
        self.recipe = text_recipe(config, self.codec.vocab_size, self.codec.eot, shards)
        module, device = new_model(self.recipe), torch.device("cpu")
        self.learner = Learner(self.recipe, module, device, TRAINING.precision, recompute=False)
        self.module = self.learner.module.eval()

    def train(self) -> Iterator[Progress]:
        """Train the model, and yield where it stands after each step."""
        ranks = Ranks()
        self.module.train()
        for step in range(self.recipe.steps):
            inputs, targets = map(torch.from_numpy, self.recipe.batches[step])
            loss = self.learner.accumulate_gradients(inputs, targets, step, ranks)
            self.learner.update(step)
            yield Progress(step + 1, self.recipe.learning_rate(step), float(loss))
        self.module.eval()

    def write(self, prompt: str) -> dict[str, str]:
        """Return how the model goes on after a prompt, by decoding."""
        return {
            name: complete(self.module, self.codec, [prompt], decoding, NEW_TOKENS, [seed])[0].text
            for seed, (name, decoding) in enumerate(DECODINGS.items())
        }
