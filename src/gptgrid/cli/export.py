"""Trained cells in the formats of others: `export`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from gptgrid.cli.cells import CellName, Weights

EXPORTS = Path("exports")


def export(
    cell: CellName,
    to: Annotated[Literal["hf", "gguf", "safetensors", "bin"], typer.Option(help="Format.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder to make. Default: exports/CELL/FORMAT; CELL@STEP for weights that the cell is not "
            "judged by."
        ),
    ] = None,
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"], typer.Option(help="Of the weights.")
    ] = "float32",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: the folder and its files.")] = False,
    weights: Weights = None,
) -> None:
    """Write a trained cell in a format that others read.

    hf is a folder for transformers (GPT-2, Llama or Qwen3) with a tokenizer,
    a chat template where the cell was fine-tuned, and a model card. gguf is a
    file for llama.cpp. safetensors holds every model, for gptgrid itself,
    without what only training needs. bin is the tokens that the cell was
    trained on, as llm.c reads them; of a fine-tuned cell those that its base
    was trained on, not the dialogues. What a format cannot express is refused.

    Examples:

      gptgrid export "tales bpe llama s1" --to hf
      gptgrid export "tales bpe llama s1" --to gguf --dtype float16 --out llama
      gptgrid export "tales bpe llama s1" --to safetensors --weights last
    """
    from gptgrid.inference.export.export import write
    from gptgrid.inference.export.loaded import load

    loaded = load(cell, weights)
    if str(loaded.folder) != cell:
        typer.echo(f"gptgrid: {loaded.folder}", err=True)
    folder = write(loaded, to, out or EXPORTS / loaded.label / to, dtype)
    if to == "bin" and loaded.fine_tuned:
        typer.echo("gptgrid: these are the tokens that its base was trained on, not the dialogues", err=True)
    files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "files": files}, ensure_ascii=False))
        return
    for name, size in files.items():
        typer.echo(f"{size:>14,}  {folder / name}")
