"""How templates of HTML pages are read, and the style that they share."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

STYLE = Path(__file__).parent / "style.css"
"""Of the report; a page may add its own."""


def environment(folder: Path) -> Environment:
    """Return what reads the templates of a folder; their values are escaped, and none may be missing."""
    found = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return found
