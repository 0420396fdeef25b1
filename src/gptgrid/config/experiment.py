"""A whole configuration file, and its sections `evaluation`, `sampling` and `run`.

The classes of this package are the only source of the configuration: the JSON schema and `config/README.md`
are generated from them. The stage programs never import it. They receive the values of the keys that they
read, complete and checked.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, TypeAdapter, field_validator, model_validator

from gptgrid.config.corpora import (
    BuiltinCorpus,
    Corpus,
    FilesCorpus,
    HubCorpus,
    RandomCorpus,
    ShardsCorpus,
    UrlCorpus,
)
from gptgrid.config.models import Model
from gptgrid.config.tasks import Task
from gptgrid.config.tokenizers import (
    BpeTokenizer,
    BytesTokenizer,
    CharTokenizer,
    HuggingFaceTokenizer,
    IdsTokenizer,
    TiktokenTokenizer,
    Tokenizer,
)
from gptgrid.config.training import Training
from gptgrid.config.values import (
    Count,
    Name,
    Neutral,
    NonNegative,
    Positive,
    Section,
    Size,
)

VARIANTS: dict[str, dict[str, type[Section]]] = {
    "corpora": {
        "builtin": BuiltinCorpus,
        "url": UrlCorpus,
        "hub": HubCorpus,
        "files": FilesCorpus,
        "random": RandomCorpus,
        "shards": ShardsCorpus,
    },
    "tokenizers": {
        "bytes": BytesTokenizer,
        "char": CharTokenizer,
        "bpe": BpeTokenizer,
        "tiktoken": TiktokenTokenizer,
        "huggingface": HuggingFaceTokenizer,
        "ids": IdsTokenizer,
    },
}
"""Section → the value of its discriminating key → class."""
TALES = "tales"
"""The task that a corpus of tales brings along."""


class Evaluation(Section):
    """How the validation and the test split are scored: the former is what tables rank by."""

    stride: Size | None = None
    """Tokens scored by each overlapping window; the others in it are context. Default: half a context."""
    precision: Literal["auto", "fp32"] = "fp32"
    """`fp32` is exact. `auto`: the weights inside the blocks in bf16 where the device multiplies them faster,
    embeddings, logits and losses in fp32, which moves bits per byte by less than 0.001."""
    bytes: Annotated[Count | None, Neutral(None)] = None
    """Bytes of each split to score, at least: whole documents, spread over the split, the same ones for every
    cell. Default: all. For a text of which a part says enough."""
    contexts: Annotated[list[Size], Neutral([])] = []
    """Other context lengths to score the test split at, beyond that of the training, too, where the positions
    of the model allow it. A stride beyond such a context is that context."""
    tasks: Annotated[dict[Name, Task], Neutral({})] = {}
    """Name → items that every cell answers. A changed task evaluates again and trains nothing."""
    cross: Annotated[bool, Neutral(False)] = False
    """Score every model on the test split of every other text of the grid, too: `cross.csv` has all of them
    side by side. Corpora of bare ids have no part in it."""

    @field_validator("tasks")
    @classmethod
    def tales_are_taken(cls, tasks: dict[str, Task]) -> dict[str, Task]:
        if TALES in tasks:
            raise ValueError(f"`{TALES}` is what the questions of that corpus are called; take another name")
        return tasks


class Decoding(Section):
    """How the next token is chosen."""

    temperature: NonNegative = 1.0
    """0 takes the likeliest token; below 1 sharper, above 1 flatter."""
    top_k: Annotated[int, Field(ge=0)] = 0
    """Draw among the k likeliest tokens; 0 is off."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Draw among the likeliest tokens that together have probability p; 1 is off."""
    repetition_penalty: Positive = 1.0
    """Make tokens that stand in the text already less likely (Keskar et al. 2019); 1 is off."""


class Sampling(Section):
    """What every cell is asked to continue."""

    prompts: Annotated[list[str], Field(min_length=1)] = ["Once upon a time"]
    """Texts to continue. An empty one starts a document."""
    max_new_tokens: Size = 100
    """Tokens at most; generation stops at the end of text."""
    ignore_eos: bool = False
    """Go on after the end-of-text token."""
    seed: int = 0
    """Seed of the draws."""
    decodings: Annotated[dict[str, Decoding], Field(min_length=1)] = {
        "greedy": Decoding(temperature=0),
        "nucleus": Decoding(temperature=0.8, top_p=0.95),
    }
    """Name → how to decode."""


class Run(Section):
    """How, not what: none of these keys is part of an identity or retrains anything. All but `device`,
    `processes` and `compile` leave every bit as it is."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """`auto` takes cuda, then mps, then cpu."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that read training data ahead; the bits are the same for any number."""
    checkpoint_every: Positive = 60.0
    """Seconds between checkpoints of a running training."""
    log_every: Positive = 5.0
    """Seconds between lines of progress."""
    processes: Size = 1
    """Processes (torchrun) that share each training, each with its own GPU or `threads`. Last bits depend on
    their number; with dropout and `micro_batch: auto`, what is dropped does, too."""
    cells_per_gpu: Size = 1
    """Programs that may compute on one GPU at the same time: small cells do not fill it."""
    compile: Literal["auto"] | bool = "auto"
    """torch.compile; `auto`: on a GPU, where the training is long enough to pay for it."""
    cuda_graphs: bool = False
    """Launch all kernels of a pass at once, on a GPU: for models so small that it waits for them. The bits
    stay the same. It serves trainings without dropout and document_mask whose `micro_batch` is the whole
    batch; others go on without."""
    activation_checkpointing: bool = False
    """Compute activations again in the backward pass in place of keeping them: less memory, the same bits."""
    store: Annotated[str, Field(min_length=1)] = "results/.store"
    """Where finished artifacts lie; `GPTGRID_STORE` overrides it."""

    @model_validator(mode="after")
    def check(self) -> Run:
        if self.processes > 1 and self.cells_per_gpu > 1:
            # Two processes of a cell could come to lie on one GPU, which nccl refuses.
            raise ValueError(
                "processes is for cells that need several GPUs, cells_per_gpu for those that fill none; set "
                "one of them to 1"
            )
        return self


class ConfigurationFile(Section):
    """A whole configuration file."""

    sections: ClassVar[dict[str, TypeAdapter]] = {
        "corpora": TypeAdapter(Corpus),
        "tokenizers": TypeAdapter(Tokenizer),
        "models": TypeAdapter(Model),
        "training": TypeAdapter(Training),
    }

    experiment: Name = "default"
    """Name of the folder under results/."""
    corpora: Annotated[dict[str, Any], Field(min_length=1)]
    """Name → text. Every entry of every section may start from another by `base: NAME`."""
    tokenizers: Annotated[dict[str, Any], Field(min_length=1)]
    """Name → tokenizer."""
    models: Annotated[dict[str, Any], Field(min_length=1)]
    """Name → architecture."""
    training: dict[str, Any] = {}
    """Name → training recipe. Checkpoints of others need none."""
    evaluation: Evaluation = Evaluation()
    """How the validation and the test split are scored."""
    sampling: Sampling = Sampling()
    """What every cell is asked to continue."""
    grid: Annotated[list[dict[str, Any]], Field(min_length=1)]
    """Blocks whose union is the grid. A block is the cross product of its lists: `corpus`, `tokenizer`,
    `model`, `training`, `seed`, and overrides such as `model.n_layer: [2, 4]`. Lists named in `zip` advance
    together; cells that match an entry of `exclude` are left out."""
    quick: dict[str, Any] = {}
    """What `--config quick=true` changes; results go to <experiment>-quick."""
    run: Run = Run()
    """How, not what: never part of an identity."""
