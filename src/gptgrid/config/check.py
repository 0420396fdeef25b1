"""Whether the parts of a cell go together: what no entry of a section can say for itself.

What is found is a ValueError: the grid knows the place.
"""

from __future__ import annotations

from gptgrid.config.cell import Cell
from gptgrid.config.corpora import RandomCorpus, ShardsCorpus
from gptgrid.config.experiment import ConfigurationFile, Evaluation
from gptgrid.config.finetuning import Finetuning, Lora
from gptgrid.config.models import Model
from gptgrid.config.suggest import unknown
from gptgrid.config.tokenizers import HuggingFaceTokenizer, IdsTokenizer


def check_cell(cell: Cell, evaluation: Evaluation) -> None:
    """Check what depends on two parts of a cell at once."""
    training, model = cell.training.value, cell.model.value
    if evaluation.stride is not None and evaluation.stride > model.context:
        raise ValueError(f"evaluation.stride {evaluation.stride} is longer than context {model.context}")
    brings_ids = isinstance(cell.corpus.value, RandomCorpus | ShardsCorpus)
    if model.huggingface is not None:
        check_checkpoint(cell)
    if not cell.imported:
        check_training(cell, brings_ids)
    of_training = getattr(training, "eval_bytes", None)
    for key, part in (("evaluation.bytes", evaluation.bytes), ("training.eval_bytes", of_training)):
        if brings_ids and part is not None:
            raise ValueError(
                f"{key} is {part}, but corpus {cell.corpus.label} brings bare ids, which have no bytes; "
                f"leave {key} out, or give this corpus an experiment of its own"
            )
    if brings_ids and evaluation.tasks:
        raise ValueError(
            f"evaluation.tasks are texts, but corpus {cell.corpus.label} brings bare ids, which no text "
            "becomes; leave tasks out, or give this corpus an experiment of its own"
        )
    if brings_ids != isinstance(cell.tokenizer.value, IdsTokenizer):
        corpus, tokenizer = cell.corpus.label, cell.tokenizer.label
        raise ValueError(
            f"corpus {corpus} brings token ids and needs a tokenizer of kind ids, not {tokenizer}"
            if brings_ids
            else f"tokenizer {tokenizer} (kind ids) is for corpora that bring token ids, and {corpus} is text"
        )


def check_checkpoint(cell: Cell) -> None:
    """Check what a checkpoint of others asks of its cell."""
    folder = cell.model.value.huggingface
    if "huggingface" in cell.model.overrides:
        raise ValueError("`huggingface` cannot vary in the grid; give each checkpoint an entry in `models`")
    if not isinstance(cell.tokenizer.value, HuggingFaceTokenizer):
        raise ValueError(
            f"model {cell.model.label} reads the ids of its own tokenizer alone; give it "
            f"{{kind: huggingface, file: {folder}/tokenizer.json}}, not {cell.tokenizer.label}"
        )


def check_training(cell: Cell, brings_ids: bool) -> None:
    """Check what depends on a training and another part of a cell."""
    training, model = cell.training.value, cell.model.value
    if training.batch_tokens != "auto":
        check_batch(training.batch_tokens, model.context)
    if training.stride is not None and training.stride > model.context:
        raise ValueError(f"training stride {training.stride} is longer than context {model.context}")
    endless = brings_ids and getattr(cell.corpus.value, "eot", None) is None
    if endless and training.windows == "document":
        raise ValueError("`windows: document` needs end-of-text tokens, which a corpus of bare ids has not")
    if endless and model.document_mask:
        raise ValueError("`document_mask` needs end-of-text tokens, which a corpus of bare ids has not")


def check_batch(tokens: int, context: int) -> None:
    """Check that a batch has whole rows."""
    if tokens % context:
        below = tokens // context * context
        near = [str(number) for number in (below, below + context) if number]
        raise ValueError(
            f"batch_tokens {tokens} is not a multiple of context {context}; the nearest that are: "
            f"{', '.join(near)}"
        )


def check_finetuned(cell: Cell, finetuning: Finetuning, experiment: ConfigurationFile) -> None:
    """Check what depends on a fine-tuning and what it is of.

    Args:
        cell: that is fine-tuned.
        finetuning: the recipe.
        experiment: whose dialogues it names, and how these are asked.
    """
    model, dialogues = cell.model.value, list(experiment.dialogues)
    if isinstance(cell.tokenizer.value, IdsTokenizer):
        raise ValueError(
            f"corpus {cell.corpus.label} brings bare ids, which no dialogue becomes; leave `finetuning` out "
            "of its block"
        )
    if finetuning.data not in dialogues:
        known = unknown(finetuning.data, dialogues) if dialogues else "`dialogues` has no entry; add one"
        raise ValueError(f"finetuning.data: {known}")
    check_batch(finetuning.batch_tokens, model.context)
    if finetuning.lora is not None:
        check_lora(model, finetuning.lora)
    most = experiment.evaluation.answers.max_new_tokens
    if most >= model.context:
        raise ValueError(
            f"evaluation.answers.max_new_tokens is {most}, but the context of model {cell.model.label} is "
            f"{model.context} tokens, question and answer together; lower the former, or lengthen the latter"
        )


def check_lora(model: Model, lora: Lora) -> None:
    """Check that a model has matrices that an adapter can stand beside, and makes smaller."""
    if model.preset == "encoder":
        raise ValueError(
            "lora: a model of preset encoder has no layers that an adapter can stand in for; fine-tune it "
            "without `lora`, or take preset gpt2, llama or modern"
        )
    heads = model.n_head * (model.head_dim or model.d_model // model.n_head)
    sides = {"attention": min(model.d_model, heads), "feed_forward": min(model.d_model, model.d_ff)}
    least = min(sides[target] for target in lora.targets)
    if lora.rank >= least:
        raise ValueError(
            f"lora.rank {lora.rank} is not below {least}, the shorter side of a matrix that it stands for, "
            "so that it learns more numbers than without; lower the rank, or leave `lora` out"
        )
