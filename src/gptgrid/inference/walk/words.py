"""The texts of the walk in each language. They stand in en.yaml and zh.yaml, formulas in formulas.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from gptgrid.artifact.errors import UserError

HERE = Path(__file__).parent
LANGUAGES = ("en", "zh")


class Words:
    """Texts by name, with values put in."""

    def __init__(self, texts: dict[str, Any]) -> None:
        """Take texts, in sections."""
        self.texts = texts

    def __call__(self, name: str, /, **values: object) -> str:
        """Return a text by its path in the sections, such as `labels.token`, with `{…}` filled in."""
        found: Any = self.texts
        for part in name.split("."):
            found = found[part]
        return found.format(**values)


def read_words(language: str, *folders: Path) -> Words:
    """Return the texts of the walk and of others that tell more.

    Args:
        language: a name in LANGUAGES.
        folders: with a file of each language, which has sections of its own.

    Raises:
        UserError: there is no such language.
    """
    if language not in LANGUAGES:
        raise UserError(f"there is no language {language!r}; take {' or '.join(LANGUAGES)}")
    files = [HERE / "formulas.yaml", *(folder / f"{language}.yaml" for folder in (HERE, *folders))]
    texts: dict[str, Any] = {}
    for file in files:
        texts |= yaml.safe_load(file.read_text(encoding="utf-8"))
    return Words(texts)
