"""Faults of a tree in which nothing runs: damaged, deleted, and out of date files."""

import os
import random
import shutil
from pathlib import Path

from faults.tree import STORE, views_of

REMEMBERED = Path(".snakemake/gptgrid")
KINDS = {
    "parquet": "*.parquet",
    "shard": "*.bin",
    "codec": "codec.json",
    "tokenizer": "tokenizer.json",
    "weights": "*.safetensors",
    "state": "state.pt",
    "curve": "metrics.csv",
    "evaluation": "evaluation.json",
    "samples": "samples.jsonl",
    "summary": "summary.csv",
    "comparison": "comparison.csv",
    "report": "report.html",
    "manifest": "manifest.json",
}
"""Kind of a file of an artifact → pattern of its name."""
MACHINERY = {
    "receipt": "results/.store/keys/*/*.json",
    "request": "results/.store/requests/*/*.json",
    "root": "results/.store/roots/*.json",
    "remembered": ".snakemake/gptgrid/*.json",
    "download": "data/downloads/*",
}
"""Kind of a file that no artifact has → pattern of its path."""
YEAR = 365 * 86400


def flip_bit(content: bytes, draw: random.Random) -> bytes:
    """Return bytes of which one bit is another."""
    changed = bytearray(content)
    changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def truncate(content: bytes, draw: random.Random) -> bytes:
    """Return the beginning of bytes; it may be empty."""
    return content[: draw.randrange(len(content))]


def damage(path: Path, draw: random.Random, place: str, keep_dates: bool) -> str:
    """Damage a file; return how.

    Args:
        path: the file.
        draw: what decides how.
        place: `both`: whatever name it has. Else this name alone, and the others keep what it held.
        keep_dates: whether it then says that it was not changed.
    """
    how = draw.choice([flip_bit, truncate])
    before, content = path.stat(), how(path.read_bytes(), draw)
    if place != "both":
        path.unlink()
    else:
        path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(before.st_mode)
    if keep_dates:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return how.__name__


def file_of_kind(folder: Path, kind: str, place: str, draw: random.Random) -> Path:
    """Return a file to damage."""
    if kind in MACHINERY:
        found = [path for path in folder.glob(MACHINERY[kind]) if path.stat().st_size]
    elif place == "view":
        found = [path for view in views_of(folder) for path in view.rglob(KINDS[kind])]
    else:
        found = [
            path
            for path in (folder / STORE).rglob(KINDS[kind])
            if path.relative_to(folder).parts[2] != "keys"
        ]
    return draw.choice(sorted(found))


def shift_dates(folder: Path, seconds: float) -> None:
    """Move the dates of every file, as a clock would have set them that goes wrong."""
    for path in folder.rglob("*"):
        if not path.is_symlink():
            stat = path.stat()
            os.utime(path, (stat.st_atime + seconds, stat.st_mtime + seconds))


def is_in_store(path: Path) -> bool:
    return ".store" in path.parts


DELETED = {
    "a receipt": "results/.store/keys/*/*.json",
    "all receipts": "results/.store/keys",
    "a request": "results/.store/requests/*/*.json",
    "all requests": "results/.store/requests",
    "the roots": "results/.store/roots",
    "a view": "results/small/*",
    "a cell": "results/small/cells/*",
    "a file of a view": "results/small/cells/*/train/*",
    "a file of the store": "results/.store/[a-jl-qs-z]*/*[0-9a-f]/*",
    "a manifest of the store": "results/.store/[a-z]*/*[0-9a-f]/manifest.json",
    "an artifact of the store": "results/.store/[a-jl-qs-z]*/*[0-9a-f]",
    "a stage of the store": "results/.store/[a-jl-qs-z]*",
    "the store": "results/.store",
    "data": "data",
    "downloads": "data/downloads",
    "results": "results/small",
    ".snakemake": ".snakemake",
    "what is remembered": ".snakemake/gptgrid/*.json",
    "logs": "logs",
}
"""What is deleted → pattern of its path; one that matches is drawn."""


def delete(folder: Path, what: str, draw: random.Random) -> Path:
    """Delete something; return it."""
    path = draw.choice(sorted(folder.glob(DELETED[what])))
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    return path
