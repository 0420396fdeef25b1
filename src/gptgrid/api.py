"""Trained cells for notebooks and scripts, and the parts that they are made of.

`cell = load("tales bpe llama s1")`, then generate, stream, chat, score, forward, attention, embeddings.
`export(cell, "hf", folder)` writes it for others: hf, gguf, safetensors, bin.
`cells(experiment)` lists the cells of an experiment, `table(experiment)` returns its tables, `compare(a, b)`
puts two results beside each other.

`train_tokenizer`, `model` and `loss` are for trainings of your own:

    tokenizer = train_tokenizer(texts, vocab_size=300)
    network = model("llama", tokenizer.vocab_size, n_layer=2, d_model=64, context=64)
    ids = torch.tensor(tokenizer.encode_documents(texts))
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for step in range(100):
        starts = torch.randint(len(ids) - 64, (16,))
        optimizer.zero_grad()
        loss(network, torch.stack([ids[start : start + 65] for start in starts])).backward()
        optimizer.step()
    print(TrainedCell(network, tokenizer.codec).generate("Once"))

The one module that a person imports. No stage imports it, and it makes no artifact.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.manifest import VOLATILE
from gptgrid.inference.cell import Score, TrainedCell, load
from gptgrid.inference.export.export import export
from gptgrid.inference.find import SUMMARY, experiment_folder, find, find_cells
from gptgrid.inference.listing import Listed, cells
from gptgrid.inference.parts import Tokenizer, load_tokenizer, loss, model, train_tokenizer
from gptgrid.plan.names import refuse_step

if TYPE_CHECKING:
    import pandas as pd

    from gptgrid.plan.versus import Versus

__all__ = [
    "Listed",
    "Score",
    "Tokenizer",
    "TrainedCell",
    "cells",
    "compare",
    "export",
    "find",
    "load",
    "load_tokenizer",
    "loss",
    "model",
    "table",
    "train_tokenizer",
]


def table(experiment: str | Path, root: str | Path = "results") -> dict[str, pd.DataFrame]:
    """Return the tables of an experiment by name: `summary`, `comparison`, `effects`, `cautions` and others.

    They are the CSV files of its folder `compare`; what is empty there is NaN.

    Args:
        experiment: its name, or the folder of its results.
        root: the folder in which the experiments lie. Tables are chosen from what is returned:
            `table("mine")["samples"]`.

    Raises:
        UserError: there are no such tables.
    """
    # Imported here, so that whoever generates does not wait for pandas and SciPy.
    from gptgrid.plan.versus import read_table

    folder = experiment_folder(str(experiment), root)
    if folder is None and not Path(root).is_dir():
        raise UserError(
            f"{root} is no folder of results; tables are chosen from what is returned: "
            f"table({str(experiment)!r})[{str(root)!r}]"
        )
    if folder is None:
        names = sorted(path.parents[1].name for path in Path(root).glob(f"*/{SUMMARY}"))
        raise UserError(
            f"{experiment} is no finished experiment: looked for {SUMMARY} there and in {root}/{experiment}; "
            f"there are: {', '.join(names) or 'none'}"
        )
    files = sorted((folder / "compare").glob("*.csv"))
    return {path.stem: read_table(path) for path in files if path.name not in VOLATILE}


def compare(a: str | Path, b: str | Path, root: str | Path = "results") -> Versus:
    """Return two results beside each other: in what their configurations differ, and which is better.

    Args:
        a: an experiment by its name or folder, or a cell by its folder or parts of its name, as for `find`.
            Parts that several cells have which differ in their seeds alone mean all of them.
        b: another of the same kind.
        root: where the experiments lie.

    Returns:
        `differences` and `verdicts`, tables whose columns gptgrid.plan.versus describes, and `notes`. Each
        difference is B less A, of the test split and paired over its documents; each p is corrected for all
        pairs (Holm). In the row `best`, p is multiplied by the number of pairs that it was chosen from, which
        is groups of A × groups of B on that text; its interval is at 0.05 over that number; a note says so.

    Raises:
        UserError: one is not there or has no figures or tables, the two are not of one kind or were scored
            on no text in common, or a file of an evaluation does not have the sha256 of its manifest.
    """
    from gptgrid.plan.versus import read_cells, read_experiment, versus

    for name in (a, b):
        refuse_step(str(name), "compare takes none: it compares the evaluations of cells")
    folders = [experiment_folder(str(name), root) for name in (a, b)]
    if (folders[0] is None) != (folders[1] is None):
        first, second = (a, b) if folders[0] else (b, a)
        find_cells(str(second), root)  # says so if it is nothing at all
        raise UserError(f"{first} is an experiment and {second} a cell; give two of one kind")
    results = [
        read_experiment(folder) if folder else read_cells(find_cells(str(name), root))
        for folder, name in zip(folders, (a, b), strict=True)
    ]
    return versus(*results)
