"""The tokens that a cell was trained on, as llm.c reads them, and the tokenizer that they are ids of."""

from __future__ import annotations

import shutil
from pathlib import Path

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import file_digest
from gptgrid.artifact.manifest import sound_manifest
from gptgrid.inference.export.checkpoint import TOKENIZER
from gptgrid.inference.export.loaded import Loaded
from gptgrid.inference.export.origins import Origins, base_of
from gptgrid.tokens.huggingface import to_tokenizer_json


def export_bin(loaded: Loaded, folder: Path, dtype: str) -> None:
    """Write the shards of all splits as they are, codec.json and tokenizer.json into a folder.

    Args:
        loaded: the cell; of a fine-tuned one the shards are those of its base.
        folder: to write into.
        dtype: has no meaning here: shards hold ids.

    Raises:
        UserError: others trained the weights, or the shards cannot be found from the folder of the cell, or
            are damaged.
    """
    if loaded.imported:
        raise UserError(
            f"{loaded.folder} holds weights that others trained, and their tokens are not here; `--to bin` "
            "is for cells that were trained here on a text"
        )
    origins = Origins(loaded.folder)
    shards = origins.path(*base_of(loaded), "shards")
    if shards is None:
        raise UserError(
            f"the shards that {loaded.folder} was trained on cannot be found: looked for what has the digest "
            "in its manifest.json under data/shards and results/.store in "
            f"{' and '.join(map(str, origins.roots()))}, and in GPTGRID_STORE. A copied folder does not say "
            "where they lie: run this where the cell was trained, or set GPTGRID_STORE to its store"
        )
    for name, output in sound_manifest(shards)["outputs"].items():
        if name.endswith(".bin"):
            shutil.copyfile(shards / name, folder / name)
            if file_digest(folder / name) != output["sha256"]:
                raise UserError(f"{shards / name} does not have the sha256 of its manifest; run snakemake")
    shutil.copyfile(loaded.folder / "codec.json", folder / "codec.json")
    if tokenizer := to_tokenizer_json(loaded.codec):
        (folder / TOKENIZER).write_text(tokenizer, encoding="utf-8")
