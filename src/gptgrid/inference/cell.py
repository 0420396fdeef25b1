"""A trained cell in memory: its model with its tokenizer, and how it is read from a folder.

Of a cell it reads what the `train` stage published and nothing else, so a folder that was copied to another
machine works.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from math import isfinite
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.manifest import MANIFEST, read_manifest
from gptgrid.inference.attention import recording
from gptgrid.inference.find import FILES, find, lacking, train_folder
from gptgrid.inference.reading import reading_of
from gptgrid.metrics import figures
from gptgrid.model.continuation import complete, stream
from gptgrid.model.decoding import DEFAULT, Decoding, check_whole
from gptgrid.model.device import find_device
from gptgrid.model.load import WEIGHTS, kept_steps, load_model, read_recipe
from gptgrid.model.precision import round_for_prediction
from gptgrid.model.score import default_stride, score
from gptgrid.plan.names import STEP, step_of
from gptgrid.text.chat_template import ROLES, USER, Message
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.conversation import Conversations, conversations_of
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

    def __init__(self, module: nn.Module, codec: Codec, config: dict[str, Any] | None = None) -> None:
        """Put a cell together; `load` does it from files.

        Args:
            module: the model; it is put into eval mode.
            codec: the tokenizer; that of a gptgrid.api.Tokenizer is its `codec`.
            config: what config.json says: model, vocab_size, training, seed. Default: what the model says.
        """
        self.module, self.codec = module.eval(), codec
        self.config = config or {"model": vars(module.config), "vocab_size": module.vocab_size}
        self.context: int = module.config.context
        self.marks: bool = self.config.get("marks") == "special"

    @cached_property
    def conversations(self) -> Conversations | None:
        """How a fine-tuned cell reads conversations; None of any other.

        Raises:
            UserError: its template is none, or does not go together with its tokenizer.
        """
        return conversations_of(self.config, self.codec)

    def encode(self, text: str, marks: bool | None = None) -> list[int]:
        """Return the token ids of a text; no special token is added.

        The names of special tokens in it are text; with `marks` those tokens. Default: as in the corpus that
        the cell was trained on.

        Raises:
            UserError: it is no text.
        """
        check_text("text", text)
        return self.codec.encode_marked(text) if self.reads(marks) else self.codec.encode(text)

    def reads(self, marks: bool | None) -> bool:
        """Say whether names of special tokens in a text are these; None asks the corpus of the cell."""
        return self.marks if marks is None else marks

    def decode(self, ids: Iterable[int], special: bool = False) -> str:
        """Return the text of token ids, with `special` the names of special tokens, too.

        Bytes that are no UTF-8 become U+FFFD.

        Raises:
            UserError: an id beyond the vocabulary.
        """
        return self.codec.decode(checked_ids(ids, self.codec.vocab_size), special)

    @torch.inference_mode()
    def forward(self, text: str | Sequence[int]) -> Tensor:
        """Return the logits after each token: (time, vocab_size) fp32 on the CPU.

        Args:
            text: a text, of which only its own tokens are read, or token ids.

        Raises:
            UserError: nothing to read, more than the model sees at once, or an id beyond the vocabulary.
        """
        return self.module(self.tokens(text))[0].float().cpu()

    @torch.inference_mode()
    def attention(self, text: str | Sequence[int]) -> Tensor:
        """Return how much each token looks at each: (n_layer, n_head, time, time) fp32 on the CPU.

        They are the probabilities that the model multiplies its values by in a forward pass. The row of a
        token sums to 1 and is 0 at the tokens after it. Where heads share keys, each head of queries has its
        own map all the same.

        Args:
            text: as for `forward`.

        Raises:
            UserError: as for `forward`.
        """
        tokens = self.tokens(text)
        with recording(self.module) as layers:
            self.module(tokens)
        return torch.cat([layer.weights for layer in layers]).float().cpu()

    def embeddings(self, words: str | Sequence[str] | Sequence[int] | None = None) -> Tensor:
        """Return the vectors of tokens before positions are added: (n, d_model) fp32 on the CPU.

        Args:
            words: words, of each of which the vector is the mean of its tokens'; or ids; None for the whole
                vocabulary. Byte pair encodings have other tokens for a word with a blank in front.

        Raises:
            UserError: a word without a token, or an id beyond the vocabulary.
        """
        table = self.module.embedding.tokens.weight.detach().float().cpu()
        if words is None:
            return table.clone()
        rows = []
        for word in [words] if isinstance(words, str) else words:
            ids = self.encode(word) if isinstance(word, str) else [word]
            if not ids:
                raise UserError(f"{word!r} has no token")
            rows.append(table[checked_ids(ids, self.module.vocab_size)].mean(dim=0))
        return torch.stack(rows) if rows else table[:0]

    def tokens(self, text: str | Sequence[int]) -> Tensor:
        """Return what the model reads of a text or of ids: (1, time) int64, on its device.

        Raises:
            UserError: nothing to read, more than the model sees at once, or an id beyond the vocabulary.
        """
        ids = self.encode(text) if isinstance(text, str) else checked_ids(text, self.module.vocab_size)
        if not 1 <= len(ids) <= self.context:
            raise UserError(f"{len(ids)} tokens; the model reads 1 to {self.context} at once")
        return torch.tensor([ids], device=next(self.module.parameters()).device)

    def generate(
        self,
        prompt: str | Sequence[str] = "",
        max_new_tokens: int = 100,
        seed: int = 0,
        ignore_eos: bool = False,
        marks: bool | None = None,
        **decoding: Any,
    ) -> str | list[str]:
        """Continue a text, or several side by side.

        Args:
            prompt: the beginning of a document; "" lets the model begin. Of a prompt longer than the context
                the last tokens are read. Several are computed together; the first draws by `seed`, the
                second by `seed + 1` and so on, so that one prompt given n times has n continuations.
            max_new_tokens: tokens at most; generation stops at the end-of-text token.
            seed: the same seed draws the same text.
            ignore_eos: go on after the end-of-text token.
            marks: read names of special tokens in the prompt as these, and show those that come. Default: as
                in the corpus that the cell was trained on.
            decoding: how tokens are chosen:
                temperature=0.8: 0 takes the likeliest token;
                top_k=0: draw among so many of the likeliest tokens; 0 is off;
                top_p=0.95: draw among the likeliest tokens of so much probability together; 1 is off;
                min_p=0.0: draw among tokens of at least this share of the likeliest one's probability; 0 is
                off;
                repetition_penalty=1.0: above 1, tokens that stand in the text already become less likely;
                no_repeat_ngram=0: no so many tokens in a row come twice; 0 is off;
                beams=1: above 1, search the likeliest text with that many beams, nothing is drawn then;
                length_penalty=1.0: of this search, see `gptgrid.model.decoding`;
                stop=(): a text or several at which the continuation ends; it is left out.

        Returns:
            What follows the prompt: whole characters. For several prompts, as many.

        Raises:
            UserError: there is no such setting, or a value is out of range or of another type.
        """
        prompts = texts_of("prompt", prompt)
        check_whole("seed", seed)
        seeds = range(seed, seed + len(prompts))
        found = complete(
            self.module,
            self.codec,
            prompts,
            drawing(decoding),
            max_new_tokens,
            seeds,
            ignore_eos=ignore_eos,
            marks=self.reads(marks),
        )
        texts = [continuation.text for continuation in found]
        return texts[0] if isinstance(prompt, str) else texts

    def stream(
        self,
        prompt: str = "",
        max_new_tokens: int = 100,
        seed: int = 0,
        ignore_eos: bool = False,
        marks: bool | None = None,
        **decoding: Any,
    ) -> Iterator[str]:
        """Return an iterator of the text of `generate` in pieces, as they come; closing it ends the
        computation. None of them breaks a character. Arguments and errors are those of `generate`."""
        check_text("prompt", prompt)
        pieces = stream(
            self.module,
            self.codec,
            [prompt],
            drawing(decoding),
            max_new_tokens,
            [seed],
            ignore_eos=ignore_eos,
            marks=self.reads(marks),
        )
        return (piece.text for piece in pieces if piece.text)

    def chat(
        self,
        messages: str | Sequence[Message | Mapping[str, str]],
        max_new_tokens: int = 100,
        seed: int = 0,
        **decoding: Any,
    ) -> str:
        """Answer a conversation, as `gptgrid chat` and the server do.

        A cell that was fine-tuned on dialogues reads it in its chat template; of a conversation longer than
        the context, the oldest turns are not read. Any other cell goes on with it as one document, each
        message of others on a line of its own.

        Args:
            messages: in turn, `{"role": "user", "content": "…"}` each, with the role system, user or
                assistant; or a text, which is what a user says. An answer is put behind them, and the next
                question behind that, to go on.
            max_new_tokens: as for `generate`, and so are the others.
            seed: the same seed draws the same answer.
            decoding: how tokens are chosen.

        Returns:
            The answer, without what ends it.

        Raises:
            UserError: these are no messages, the template does not take them, there is no such setting, or a
                value is out of range or of another type.
        """
        check_whole("max_new_tokens", max_new_tokens)
        reading, drawn = reading_of(self), drawing(decoding)
        prompt = reading.prompt(messages_of(messages), max_new_tokens)
        (answer,) = complete(
            self.module,
            self.codec,
            [prompt.ids],
            replace(drawn, stop=(*drawn.stop, *reading.stop)),
            max_new_tokens,
            [seed],
            ends=reading.ends,
            begins=reading.begins,
            marks=reading.marks,
        )
        return answer.text

    def score(self, text: str, stride: int | None = None, marks: bool | None = None) -> Score:
        """Return how well the cell predicts a text, as one document, in the `evaluate` stage's convention.

        Args:
            text: any text; for a cell of bare ids, ids with blanks between, the first of which is not scored.
            stride: tokens between overlapping windows. Default: half a context.
            marks: read names of special tokens in the text as these; their bytes count. Default: as in the
                corpus that the cell was trained on.

        Raises:
            UserError: the text has nothing to score, or the weights give no probabilities.
            ValueError: the stride is not between 1 and the context.
        """
        check_text("text", text)
        tokens = Shards([np.array(self.codec.begin(text, self.reads(marks)))])
        if len(tokens) < 2:
            raise nothing_to_score(self.codec)
        stride = default_stride(self.context) if stride is None else stride
        nats = float(score(self.module, tokens, self.context, stride).nats.sum())
        check_nats(nats)
        size = None if self.codec.kind == "ids" else len(text.encode())
        found = figures(nats, len(tokens) - 1, size, words=None, newlines=None)
        return Score(nats, len(tokens) - 1, size, found["bpb"], found["perplexity"])


def check_text(name: str, value: Any) -> None:
    """Refuse what is no text.

    Raises:
        UserError: it is none.
    """
    if not isinstance(value, str):
        raise UserError(f"{name} is {value!r:.100}; expected a text")


def texts_of(name: str, value: Any) -> tuple[str, ...]:
    """Return a text, or several, as several.

    Raises:
        UserError: one is no text.
    """
    if isinstance(value, str):
        return (value,)
    texts = tuple(value) if isinstance(value, Iterable) else (value,)
    if not all(isinstance(text, str) for text in texts):
        raise UserError(f"{name} is {value!r:.100}; expected a text or several")
    return texts


def messages_of(value: Any) -> list[Message]:
    """Return messages, or what a user says, as messages.

    Raises:
        UserError: they are none.
    """
    if isinstance(value, str):
        return [Message(USER, value)]
    if not isinstance(value, Sequence) or not value:
        raise UserError(f"messages is {value!r:.100}; expected a text or a list of messages")
    return [message if isinstance(message, Message) else message_of(message) for message in value]


def message_of(value: Any) -> Message:
    """Return a mapping as a message.

    Raises:
        UserError: it is none.
    """
    role, content = (value.get("role"), value.get("content")) if isinstance(value, Mapping) else (None, None)
    if role not in ROLES or not isinstance(content, str):
        raise UserError(
            f"messages: found {value!r:.100}; expected {{'role': …, 'content': a text}} with the role "
            f"{', '.join(ROLES)}"
        )
    return Message(role, content)


def checked_ids(ids: Iterable[int], vocab_size: int) -> list[int]:
    """Return ids as a list.

    Raises:
        UserError: one is no whole number, or lies beyond the vocabulary.
    """
    try:
        found = list(map(index, ids.tolist() if isinstance(ids, Tensor) else ids))
    except TypeError:
        raise UserError(f"expected ids, whole numbers; found {ids!r:.100}") from None
    if not all(0 <= value < vocab_size for value in found):
        raise UserError(f"ids must lie in 0 to {vocab_size - 1}; found {min(found)} to {max(found)}")
    return found


def nothing_to_score(codec: Codec) -> UserError:
    """Return what to say of a text without a token that is predicted."""
    reason = "of ids, the first one is not predicted; give two" if codec.kind == "ids" else "it is empty"
    return UserError(f"the text has no token to score: {reason}")


def check_nats(nats: float) -> None:
    """Refuse nats that are no number.

    Raises:
        UserError: they are none.
    """
    if not isfinite(nats):
        raise UserError(f"its nats are {nats}: the weights of this cell give no probabilities; take others")


def drawing(settings: dict[str, Any]) -> Decoding:
    """Return how tokens are chosen where a person says nothing else: drawn, and not among the unlikely ones.

    Raises:
        UserError: there is no such setting, or `stop` is no text.
    """
    known = [field.name for field in fields(Decoding)]
    if unknown := settings.keys() - set(known):
        raise UserError(f"there is no setting {min(unknown)!r}; there are {', '.join(known)}")
    return replace(DEFAULT, **{**settings, "stop": texts_of("stop", settings.get("stop", ()))})


def load(
    path: str | Path,
    device: str = "auto",
    weights: str | int | None = None,
    precision: str = "fp32",
) -> TrainedCell:
    """Read a trained cell.

    Args:
        path: the folder of a cell (`results/<experiment>/cells/<cell>`), its `train` folder, a copy of that,
            or a file of weights in it, such as `model.safetensors` or `step-00000512.safetensors`; or parts
            of the name of a cell under `results`, as for `gptgrid.api.find`. `@512` behind a folder or a name
            takes the weights of that step.
        device: auto, cpu, cuda or mps; `auto` takes cuda, then mps, then cpu.
        weights: best (of the lowest validation loss), last, or the number of a step whose weights were kept
            (`checkpoints` of the training recipe). Default: the file that `path` names, or those that the
            cell's figures are of (`use` of the training recipe), the best for a `train` folder that was
            copied alone.
        precision: fp32, exact; or auto, the weights inside the blocks in bf16 where the device multiplies
            them faster.

    Raises:
        UserError: the folder is not a trained cell, none or several have such a name, there are no such
            weights or precision, or the machine has no such device.
    """
    path = path_of(path)
    folder = trained_folder(path)
    recipe, codec = read_recipe(folder), read_codec(folder)
    # The embedding of a model of others may have more rows than its tokenizer has tokens.
    spare = recipe["vocab_size"] - codec.vocab_size
    if spare < 0 or (spare and not (recipe.get("imported") or recipe.get("starts"))):
        raise UserError(
            f"codec.json in {folder} has {codec.vocab_size:,} tokens, but the model "
            f"{recipe['vocab_size']:,}: they are of different cells"
        )
    file = weights_file(path, folder, weights)
    module = load_model(folder, find_device(device), file)
    round_for_prediction(module, precision)
    return TrainedCell(module, codec, recipe)


def trained_folder(path: Path) -> Path:
    """Return the folder with the files of a trained cell.

    Raises:
        UserError: there is none.
    """
    folder = train_folder(path)
    if folder is None:
        raise UserError(
            f"{path} is not a trained cell: looked for {', '.join(FILES)} there and in its folder train, and "
            f"found no {', '.join(lacking(path))}; give a folder under results/<experiment>/cells/, or run "
            "snakemake to train it"
        )
    return folder


def path_of(name: str | Path) -> Path:
    """Return a path that is there, or that of the cell of a name.

    Raises:
        UserError: no cell matches, or several do.
    """
    try:
        if Path(name).exists():
            return Path(name)
    except (OSError, ValueError):  # no file has such a name
        pass
    return named(str(name))


def named(name: str) -> Path:
    """Return the folder of the cell of a name, as `find` does; behind it, `@best`, `@last` and `@STEP` mean
    the file of those weights.

    Raises:
        UserError: no cell matches, or several do, or it has no such weights.
    """
    if train_folder(Path(name)):
        return find(name)
    if found := STEP.fullmatch(name):
        if first := step_of(found["cell"]):
            raise UserError(
                f"{name} names weights twice, @{first} and @{found['weights']}; leave one of them out"
            )
        path = find(found["cell"])
        folder = trained_folder(path)
        return folder / weights_file(path, folder, found["weights"])
    if "@" in Path(name).name:
        raise UserError(f"{name}: expected best, last or the number of a step behind @")
    return find(name)


def weights_file(path: Path, folder: Path, weights: str | int | None) -> str:
    """Return the name of the file of weights in a `train` folder that is meant; see `load`.

    Raises:
        UserError: there is none.
    """
    if path.is_file():
        if weights is not None:
            raise UserError(f"{path} says which weights already; leave out weights {weights!r}")
        return path.name
    wanted = str(weights_of(folder) if weights is None else weights)
    there = {use: name for use, name in WEIGHTS.items() if (folder / name).is_file()}
    there |= {str(step): file.name for step, file in kept_steps(folder).items()}
    if wanted not in there:
        raise UserError(f"{folder} has no weights {wanted!r}; take {' or '.join(there)}")
    return there[wanted]


def weights_name(file: Path) -> str | None:
    """Return what stands behind `CELL@` for a file of weights in a `train` folder; None if it is no such."""
    names = {name: use for use, name in WEIGHTS.items()}
    names |= {path.name: str(step) for step, path in kept_steps(file.parent).items()}
    return names.get(file.name)


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
