"""What a fine-tuning decides: a trained model, conversations whose answers it learns, what validates it."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from safetensors.torch import save
from torch import Tensor, nn

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import canonical, mapping, namespace
from gptgrid.artifact.job import Job
from gptgrid.model.build import build
from gptgrid.model.continuation import complete
from gptgrid.model.cost import flops_per_token, without_values
from gptgrid.model.decoding import Decoding
from gptgrid.model.learned_rows import PLACE, learn_rows, settle_rows
from gptgrid.model.load import load_model, read_recipe
from gptgrid.model.lora import add_adapters, merged
from gptgrid.model.widen import widened
from gptgrid.stages.finetune.conversations import Split, encode_split
from gptgrid.stages.finetune.packing import Packed, pack
from gptgrid.stages.finetune.validation import AnswerValidation
from gptgrid.text.chat_template import ASSISTANT, TEMPLATES, USER, ChatTemplate, tail
from gptgrid.text.dialogues import read_dialogues
from gptgrid.tokens import widen
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.conversation import ORDINARY, Conversations, lacking
from gptgrid.trainer.checkpoint import Progress, plain
from gptgrid.trainer.recipe import Recipe
from gptgrid.trainer.task import Task
from gptgrid.trainer.weights import set_weights

SPLITS = ("train", "valid")
SAMPLE_TOKENS = 60
ADAPTER = "adapter.safetensors"
NOT_HERE = {"sample_every": None, "checkpoints": None}
"""What the trainer knows and a fine-tuning leaves out."""


class Finetuning(Task):
    """A model that learns to answer."""

    def __init__(self, job: Job) -> None:
        """Read the base model's recipe and the dialogues.

        Raises:
            UserError: the base diverged, or recipe, model, tokenizer, template and dialogues do not fit.
        """
        super().__init__(job)
        self.base, self.settings = read_base(job), job.config.finetuning
        template = read_template(job)
        known = read_codec(job.inputs["train"])
        self.codec = fitting_codec(known, template, self.settings.new_tokens)
        self.new_tokens = range(known.vocab_size, self.codec.vocab_size)
        vocab_size = max(self.base["vocab_size"], self.codec.vocab_size)
        about = job.manifest("dialogues").get("config", {})
        self.private = about.get("private", False) or getattr(job.config, "private", False)
        # The dialogues have it already, in front of those that had none; who chats later has it from here.
        self.chat = {"template": template.source, "system": about.get("system")}
        self.conversations = Conversations(self.codec, template)
        self.marks = self.conversations.marks
        warn_of_joined(self.conversations)
        model = namespace(self.base["model"])
        with job.timing("encode"):
            self.splits = {
                split: encode_split(
                    read_dialogues(job.inputs["dialogues"], split),
                    split,
                    self.conversations,
                    model.context,
                    self.settings.too_long,
                )
                for split in SPLITS
            }
            rows, scored = (pack(self.splits[split].used, model.context, self.codec.eot) for split in SPLITS)
        training = SimpleNamespace(**vars(self.settings), **NOT_HERE)
        config = SimpleNamespace(model=model, training=training, seed=job.config.seed)
        batches = Packed(rows, training.batch_tokens, config.seed)
        self.recipe = Recipe(config, vocab_size, self.codec.eot, batches, self.ranks.size)
        # A short answer at each validation; its question is one of the dialogues.
        self.recipe.sample_every = None if self.private else self.recipe.eval_every
        shapes = self.adapted(without_values(model, vocab_size))
        self.trained = sum(parameter.numel() for parameter in shapes.parameters() if parameter.requires_grad)
        if self.settings.lora:
            self.recipe.adapters = self.trained
            self.recipe.draws |= self.settings.lora.dropout > 0
        self.validation = AnswerValidation(scored, self.codec, self.ranks)
        self.read = sum(len(encoded.ids) - 1 for encoded in self.splits["train"].used)
        """Tokens of the dialogues that an epoch reads."""
        self.padding = 1 - self.read / rows.inputs.size
        print(said(self.splits, len(rows), self.padding), flush=True)

    def first_model(self) -> nn.Module:
        """Return the base model with rows for new tokens, and perhaps with adapters."""
        recipe = self.recipe
        base = load_model(self.job.inputs["train"], use=self.job.config.use)
        weights = widened(dict(base.named_parameters()), self.new_tokens, recipe.seed)
        module = build(recipe.model, recipe.vocab_size, recipe.eot)
        set_weights(module, weights)
        return self.adapted(module)

    def adapted(self, module: nn.Module) -> nn.Module:
        """Give a model the adapters that are asked for, in place; beside them only the marks' rows learn."""
        lora = self.settings.lora
        if lora:
            add_adapters(module, lora.rank, lora.alpha, lora.dropout, lora.targets, self.recipe.seed)
            if self.marks:
                learn_rows(module, self.marks)
        return module

    def whole(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return all weights of the model, what adapters add among them."""
        if not self.settings.lora:
            return weights
        module = self.first_model()
        set_weights(module, {**dict(module.named_parameters()), **weights})
        if self.marks:
            settle_rows(module)
        return merged(module)

    def files(self, weights: dict[str, Tensor]) -> dict[str, bytes]:
        """Return the adapters and the rows of the marks, beside the weights into which they are merged."""
        lora = self.settings.lora
        if not lora:
            return {}
        named = {name.replace(PLACE, ""): weight for name, weight in plain(weights).items()}
        # One text: several entries would come in any order.
        return {ADAPTER: save(named, {"lora": canonical({**mapping(lora), "tokens": self.marks})})}

    def sample(self, module: nn.Module) -> dict[str, Any]:
        """Let a model answer the first question of the validation split."""
        messages = self.splits["valid"].first
        asked = messages[: [message.role for message in messages].index(ASSISTANT)]
        (found,) = complete(
            module,
            self.codec,
            [self.conversations.prompt(asked)],
            Decoding(temperature=0.0, stop=self.conversations.stop),
            SAMPLE_TOKENS,
            [self.recipe.seed],
            ends=self.conversations.ends,
            begins=True,
        )
        return {"prompt": asked[-1].content, "text": found.text}

    def shown(self, sample: dict[str, Any]) -> str:
        """Return the answer."""
        return sample["text"]

    def config(self) -> dict[str, Any]:
        """Return the base's recipe, with the recipe of the fine-tuning and how to chat beside it."""
        own = {"finetuning": mapping(self.settings), "chat": self.chat}
        return {**self.base, "vocab_size": self.recipe.vocab_size, **own}

    def facts(self, progress: Progress) -> dict[str, Any]:
        """Return how many dialogues there were, how well they fill their rows, and the FLOPs of all that was
        read: the loss counts answers alone."""
        recipe = self.recipe
        read = recipe.batches.epoch(progress["step"]) * self.read
        return {
            "train_flops": round(read * flops_per_token(recipe.model, recipe.vocab_size)),
            "dialogues": {
                split: {"used": len(found.used), "dropped": found.dropped, "cut": found.cut}
                for split, found in self.splits.items()
            },
            "answer_tokens": recipe.batches.targets_per_epoch,
            "padding": self.padding,
            "trained_parameters": self.trained,
            "new_tokens": len(self.new_tokens),
        }


def read_base(job: Job) -> dict[str, Any]:
    """Return config.json of the model that is fine-tuned.

    Raises:
        UserError: its training diverged.
    """
    if job.manifest("train")["facts"]["status"] == "diverged":
        raise UserError(
            f"the training of the base model {job.inputs['train']} diverged, so there is nothing to "
            "fine-tune; mend that training first"
        )
    return read_recipe(job.inputs["train"])


def read_template(job: Job) -> ChatTemplate:
    """Return the template: one of those that are there, or a file of the user's own.

    Raises:
        UserError: it is no template, or the file changed after the plan was made.
    """
    name = job.config.finetuning.template
    if name not in job.raw:
        return TEMPLATES[name]
    path = job.own_file(name)
    try:
        return ChatTemplate(path.read_text(encoding="utf-8"), name)
    except UnicodeDecodeError:
        raise UserError(f"{name} is no chat template: it is not UTF-8 text") from None


def fitting_codec(codec: Codec, template: ChatTemplate, new_tokens: str) -> Codec:
    """Return a tokenizer with the special tokens of a template: with new ones where that is asked for.

    Raises:
        UserError: a token cannot be added.
    """
    missing = lacking(codec, template)
    return widen.widened(codec, missing) if missing and new_tokens == "add" else codec


def warn_of_joined(conversations: Conversations) -> None:
    """Warn of a template whose text before an answer the tokenizer would make one token with its beginning.

    A tokenizer that begins texts with a blank does so before each answer, whatever the template.
    """
    if not conversations.codec.prefix and conversations.joins(ORDINARY):
        asked = conversations.template.outline((USER,), answer=True)
        print(
            f"warning: the chat template {conversations.template.name} ends with {tail(asked)!r} where the "
            "model is to answer; in texts the tokenizer makes the end of that and the beginning of an answer "
            "one token, and here they are two; end with a mark or a line feed, and no blank",
            flush=True,
        )


def said(splits: dict[str, Split], rows: int, padding: float) -> str:
    """Return what a person should know about the dialogues."""
    parts: Sequence[str] = [
        f"{split}: {len(found.used):,} dialogues"
        + (f", {found.cut:,} of them cut" if found.cut else "")
        + (f", {found.dropped:,} dropped as longer than the context" if found.dropped else "")
        for split, found in splits.items()
    ]
    return f"{'; '.join(parts)}; {rows:,} rows, {padding:.1%} padding"
