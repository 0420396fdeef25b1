"""The demo as a story in a terminal, in the words of a language."""

from __future__ import annotations

import math
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.text import Text

from gptgrid.inference.demo.lesson import MODEL, STEPS, Lesson
from gptgrid.inference.vocabulary import Token, Vocabulary, visible
from gptgrid.inference.walk.show import rich_table, show_step, wrapped
from gptgrid.inference.walk.step import Table, Value
from gptgrid.inference.walk.steps import forward_steps
from gptgrid.inference.walk.tokens import merged_tokens, readable, stages
from gptgrid.inference.walk.walk import take_walk
from gptgrid.inference.walk.words import Words, read_words

HERE = Path(__file__).parent
FIRST_MERGES, LAST_MERGES = 8, 4
UNTRAINED_STEPS = ("ids", "embedding", "scores", "mask", "softmax", "logits", "loss")
TRAINED_STEPS = ("softmax", "probabilities")
BAR = 40
"""Cells of the longest bar of a loss."""
OTHER_BLOCKS = tuple(f"blocks.{layer}." for layer in range(1, MODEL.n_layer))
NEXT = (
    "snakemake",
    'gptgrid generate "tales bpe llama s1" --prompt "Once upon a time"',
    'gptgrid walk "tales bpe llama s1" --text "Once upon a time" --html walk.html',
)
"""Commands of the default experiment."""


class Demo:
    """The story: each method is a chapter."""

    def __init__(self, console: Console, language: str) -> None:
        """Read the words, and make the model.

        Raises:
            UserError: there is no such language.
        """
        torch.set_num_threads(1)  # the order of sums depends on it: now two runs print the same
        self.console = console
        self.words: Words = read_words(language, HERE)
        self.sentences: list[str] = self.words.texts["demo"]["sentences"]
        self.lesson = Lesson(self.sentences, self.say("pattern"), self.words.texts["demo"]["merges"])

    def say(self, name: str, /, **values: object) -> str:
        """Return a text of the demo."""
        return self.words(f"demo.{name}", **values)

    def tell(self) -> None:
        """Tell all chapters."""
        began = time.monotonic()
        self.console.print(Text(self.say("title") + "\n", "bold"))
        self.text()
        self.tokenizer()
        self.model()
        before = self.forward()
        written = self.lesson.write(self.say("prompt"))
        self.training()
        self.attention(before)
        self.generating(written)
        self.next()
        self.console.print(self.say("seconds", seconds=time.monotonic() - began))

    def chapter(self, name: str, paragraph: str) -> None:
        """Print the title of a chapter and its first paragraph."""
        self.console.rule(Text(self.say(f"chapters.{name}"), "bold cyan"), style="cyan", align="left")
        self.paragraph(paragraph)

    def paragraph(self, text: str) -> None:
        """Print a paragraph and an empty line."""
        self.console.print(wrapped(text, self.console.width) + "\n")

    def table(self, title: str, columns: list[str], rows: list[tuple[str, list[Value]]]) -> None:
        """Print a table, its columns under the names that their labels have."""
        title, *names = (name and self.say(f"labels.{name}") for name in (title, *columns))
        self.console.print(rich_table(Table(title, names, rows)))
        self.console.print()

    # ---------------------------------------------------------------------------------- chapters

    def text(self) -> None:
        """What the model learns."""
        self.chapter("text", self.say("intro", count=len(self.sentences)))
        for sentence in self.sentences:
            self.console.print(f"  {sentence}")
        self.console.print()

    def tokenizer(self) -> None:
        """How the vocabulary comes about, and how it cuts a text."""
        codec, word, text = self.lesson.codec, self.say("word"), self.say("text")
        vocabulary, merges = Vocabulary(codec), range(256, codec.eot)
        self.chapter("tokenizer", self.say("tokenizer", count=len(merges)))
        rows = []
        for token in (*merges[:FIRST_MERGES], *merges[-LAST_MERGES:]):
            last = vocabulary.token(token).merges[-1]
            pair = f"{visible(last.left)} + {visible(last.right)}"
            rows.append((str(token - 255), [pair, visible(last.left + last.right)]))
        self.table("merge", ["pair", "new"], rows)
        self.paragraph(self.say("word_merges", word=word))
        for token in merged_tokens(vocabulary, word):
            self.merging(token)
        tokens = [token.text for token in vocabulary.tokens(text)]
        size, pieces = len(text.encode()), " | ".join(tokens)
        self.paragraph(self.say("encoded", text=text, bytes=size, tokens=len(tokens), pieces=pieces))

    def merging(self, token: Token) -> None:
        """How merges make a token, step by step."""
        numbers = ["", *(str(merge.rank - 255) for merge in token.merges)]
        rows = [
            (str(step), [parts, number])
            for step, (parts, number) in enumerate(zip(stages(token), numbers, strict=True))
        ]
        self.table("step", ["tokens", "merge"], rows)

    def model(self) -> None:
        """Which weights the model has."""
        parameters = dict(self.lesson.module.named_parameters())
        total = sum(weight.numel() for weight in parameters.values())
        paragraph = self.say(
            "model",
            layers=MODEL.n_layer,
            heads=MODEL.n_head,
            width=MODEL.d_model,
            context=MODEL.context,
            parameters=f"{total:,}",
        )
        self.chapter("model", paragraph)
        rows = [
            (name, [" × ".join(map(str, weight.shape)), f"{weight.numel():,}"])
            for name, weight in parameters.items()
            if not name.startswith(OTHER_BLOCKS)
        ]
        self.table("weights", ["shape", "count"], rows)

    def steps(self, names: tuple[str, ...]) -> float:
        """Show some steps of the forward pass of the sentence; return its loss."""
        walk = take_walk(self.lesson.module, self.lesson.codec, self.say("text"), self.words)
        for step in forward_steps(walk, layers=[0], heads=[0]):
            if step.key in names:
                show_step(self.console, step, self.words)
        return float(walk.recording.loss)

    def forward(self) -> float:
        """How a sentence passes through the model; return its loss."""
        self.chapter("forward", self.say("forward"))
        return self.steps(UNTRAINED_STEPS)

    def training(self) -> None:
        """How the loss falls."""
        vocabulary = self.lesson.codec.vocab_size
        tokens, blind = self.lesson.recipe.training.batch_tokens, math.log(vocabulary)
        paragraph = self.say("training", steps=STEPS, tokens=tokens, vocabulary=vocabulary, blind=blind)
        self.chapter("training", paragraph)
        rows = [
            (str(at.step), [at.rate, at.loss, "█" * round(BAR * at.loss / blind)])
            for at in self.lesson.train()
            if at.step == 1 or at.step % (STEPS // 10) == 0
        ]
        self.table("step", ["rate", "loss", ""], rows)

    def attention(self, before: float) -> None:
        """The same sentence after training."""
        walk = take_walk(self.lesson.module, self.lesson.codec, self.say("text"), self.words)
        after = float(walk.recording.loss)
        self.chapter("attention", self.say("attention", text=self.say("text"), before=before, after=after))
        self.steps(TRAINED_STEPS)

    def generating(self, before: dict[str, str]) -> None:
        """What both models write."""
        prompt = self.say("prompt")
        self.chapter("generating", self.say("generating", prompt=prompt))
        rows = [
            (self.say(f"decodings.{name}"), [readable(before[name]), readable(after)])
            for name, after in self.lesson.write(prompt).items()
        ]
        self.table("decoding", ["before", "after"], rows)
        self.paragraph(self.say("by_heart"))

    def next(self) -> None:
        """Where to go from here."""
        self.chapter("next", self.say("next"))
        for command in NEXT:
            self.console.print(f"  {command}")
        self.console.print()
