"""A whole configuration file, and its sections `evaluation`, `sampling` and `run`.

The classes of this package are the only source of the configuration: the JSON schema and `config/README.md`
are generated from them. The stage programs never import it. They receive the values of the keys that they
read, complete and checked.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    create_model,
    field_validator,
    model_validator,
)

from gptgrid.config.corpora import (
    BuiltinCorpus,
    Corpus,
    FilesCorpus,
    HubCorpus,
    RandomCorpus,
    ShardsCorpus,
    UrlCorpus,
)
from gptgrid.config.dialogues import BuiltinDialogues, Dialogues, FilesDialogues, UrlDialogues
from gptgrid.config.finetuning import Finetuning
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
    "dialogues": {"builtin": BuiltinDialogues, "url": UrlDialogues, "files": FilesDialogues},
}
"""Section → the value of its discriminating key → class."""
TALES = "tales"
"""The task that a corpus of tales brings along."""


class Answers(Section):
    """How held-out dialogues are asked, of which the test split has some for each fine-tuning: its cell and
    the one that it started from answer them greedily."""

    documents: Size = 200
    """Dialogues to ask, spread over the split; all where there are fewer."""
    max_new_tokens: Size = 100
    """Tokens of an answer at most."""


class Evaluation(Section):
    """How the validation and the test split are scored: the former is what tables rank by."""

    stride: Size | None = None
    """Tokens scored by each overlapping window; the others in it are context. Default: half a context."""
    precision: Literal["auto", "fp32"] = "fp32"
    """`fp32` is exact. `auto`: the weights inside the blocks in bf16 where the device multiplies them faster,
    embeddings, logits and losses in fp32, which moves bits per byte by less than 0.001."""
    bytes: Annotated[Size | None, Neutral(None)] = None
    """Bytes of each split to score, at least: whole documents, spread over the split, the same ones for every
    cell. Default: all. For a text of which a part says enough."""
    contexts: Annotated[list[Size], Neutral([])] = []
    """Other context lengths to score the test split at, beyond that of the training, too, where the positions
    of the model allow it. A stride beyond such a context is that context."""
    checkpoints: Annotated[Literal["last", "all"], Neutral("last")] = "last"
    """`all`: score the weights that `training.checkpoints` kept on the way, too: a learning curve of whole
    splits, in `checkpoints.csv`."""
    tasks: Annotated[dict[Name, Task], Neutral({})] = {}
    """Name → items that every cell answers. A changed task evaluates again and trains nothing."""
    cross: Annotated[bool, Neutral(False)] = False
    """Score every model on the test split of every other text of the grid, too: `cross.csv` has all of them
    side by side. Corpora of bare ids have no part in it."""
    answers: Annotated[Answers, Neutral(Answers())] = Answers()
    """How fine-tuned cells, and what they are fine-tuned from, answer held-out dialogues."""

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
    min_p: Annotated[float, Field(ge=0, le=1), Neutral(0.0)] = 0.0
    """Draw among the tokens that are at least so likely, in units of the likeliest one (Nguyen et al. 2024);
    0 is off."""
    no_repeat_ngram: Annotated[int, Field(ge=0), Neutral(0)] = 0
    """Let no n tokens in a row come twice; 0 is off."""
    beams: Annotated[int, Field(ge=1, le=256), Neutral(1)] = 1
    """Beam search that keeps so many beginnings of texts at a time; 1 is off. It draws nothing, so that
    temperature, top_k, top_p and min_p have no effect."""
    length_penalty: Annotated[float, Field(ge=-10, le=10), Neutral(1.0)] = 1.0
    """Of beam search: a text's log probability is divided by its number of tokens to the power of this;
    larger favours long texts."""
    stop: Annotated[list[Annotated[str, Field(min_length=1)]], Neutral([])] = []
    """Texts at which a continuation ends. They are left out."""


def read_half(value: Any) -> Any:
    """Turn `half` into a number; leave the rest to the check."""
    return 0.5 if value == "half" else value


class DocumentsAsPrompts(Section):
    """Prompts are beginnings of documents, the same for every cell on a text: drawn by the seed, spread over
    the split. The samples are compared with what really follows (BLEU, chrF): they go on for as many bytes,
    at most for 4 bytes for each of `max_new_tokens`, whatever the tokenizer."""

    documents: Size = 50
    """How many; all where there are fewer."""
    take: Annotated[float, Field(gt=0, lt=1), BeforeValidator(read_half)] = 0.5
    """The share of a document's characters that is the prompt, up to the end of a word; `half` is 0.5."""


DocumentPrompts = create_model(
    "DocumentPrompts",
    __base__=DocumentsAsPrompts,
    __doc__=DocumentsAsPrompts.__doc__,
    # A word of Python, so that no class can spell it.
    **{"from": (Literal["test", "valid"], Field(description="The split that they are of."))},
)
"""`DocumentsAsPrompts` with its key `from`."""


class Sampling(Section):
    """What every cell is asked to continue."""

    prompts: Annotated[
        Annotated[list[str], Field(min_length=1), Tag("list[str]")]
        | Annotated[DocumentPrompts, Tag("section-documents")],
        Discriminator(
            lambda value: "section-documents" if isinstance(value, dict | Section) else "list[str]"
        ),
    ] = ["Once upon a time"]
    """Texts to continue, of which an empty one starts a document; or beginnings of documents of the corpus:
    `{from: test, documents: 50, take: half}`."""
    count: Annotated[Size, Neutral(1)] = 1
    """Continuations of each prompt, each with draws of its own. What draws nothing, greedy decoding and beam
    search, gives one."""
    max_new_tokens: Size = 100
    """Tokens at most; generation stops at the end of text."""
    ignore_eos: bool = False
    """Go on after the end-of-text token."""
    seed: int = 0
    """Seed of the draws."""
    precision: Annotated[Literal["auto", "fp32"], Neutral("fp32")] = "fp32"
    """As in `evaluation`: `fp32` is exact; `auto` has the weights inside the blocks in bf16 where the device
    multiplies them faster, so that now and then another token is the likeliest. On a CPU it pays from a
    `d_model` of some 256 on, on a GPU for large models alone."""
    decodings: Annotated[dict[str, Decoding], Field(min_length=1)] = {
        "greedy": Decoding(temperature=0),
        "nucleus": Decoding(temperature=0.8, top_p=0.95),
    }
    """Name → how to decode."""

    @field_validator("prompts")
    @classmethod
    def check_prompts(cls, prompts: list[str] | DocumentPrompts) -> list[str] | DocumentPrompts:
        texts = prompts if isinstance(prompts, list) else []
        for text in texts:
            if texts.count(text) > 1:
                raise ValueError(
                    f"{text!r} is there twice; `count` gives several continuations of one prompt"
                )
        return prompts


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
    cuda_graphs: Literal["auto"] | bool = "auto"
    """Launch all kernels of a pass at once, on a GPU; `auto`: for models so small that it waits for them. The
    bits stay the same. It serves trainings and fine-tunings without dropout whose `micro_batch` is the whole
    batch; those that keep documents apart, up to 67 million scores of a layer (rows × heads × context²);
    others go on without."""
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
        "dialogues": TypeAdapter(Dialogues),
        "finetuning": TypeAdapter(Finetuning),
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
    dialogues: dict[str, Any] = {}
    """Name → conversations to learn answers from."""
    finetuning: dict[str, Any] = {}
    """Name → recipe that teaches trained cells to answer."""
    evaluation: Evaluation = Evaluation()
    """How the validation and the test split are scored."""
    sampling: Sampling = Sampling()
    """What every cell is asked to continue."""
    grid: Annotated[list[dict[str, Any]], Field(min_length=1)]
    """Blocks whose union is the grid. A block is the cross product of its lists: `corpus`, `tokenizer`,
    `model`, `training`, `finetuning`, `seed`, and overrides such as `model.n_layer: [2, 4]`. Lists named in
    `zip` advance together; cells that match an entry of `exclude` are left out."""
    quick: dict[str, Any] = {}
    """What `--config quick=true` changes, in sections or by dotted keys (`training.base.steps: 50`); results
    go to <experiment>-quick."""
    run: Run = Run()
    """How, not what: never part of an identity."""
