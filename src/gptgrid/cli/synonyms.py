"""Options of other tools for texts that go on, and what they are here."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

SYNONYMS = {
    "greedy": "temperature 0",
    "do-sample": "temperature 0.8",
    "temp": "temperature",
    "max-length": "max-new-tokens",
    "max-tokens": "max-new-tokens",
    "n-predict": "max-new-tokens",
    "num-return-sequences": "count",
    "num-samples": "count",
    "num-beams": "beams",
    "no-repeat-ngram-size": "no-repeat-ngram",
    "repeat-penalty": "repetition-penalty",
    "stop-strings": "stop",
}
"""Option of transformers' `generate`, of nanoGPT, llama.cpp or vLLM → ours, perhaps with its value."""


class CommandWithHints(TyperCommand):
    """A command that says what an option of another tool is here: an option, or a setting behind `--set`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """Read the command line; see TyperCommand."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:  # where typer has the class of this one, differs between its versions
            if hint := self.hint(getattr(error, "option_name", None) or ""):
                error.message, error.possibilities = f"{error.message}; here it is {hint}", None
            raise

    def hint(self, option: str) -> str | None:
        """Return what to write for an option that there is not; None if it is not known."""
        asked = option.removeprefix("--").replace("_", "-")
        name, _, value = SYNONYMS.get(asked, asked).partition(" ")
        own = {each for parameter in self.params for each in parameter.opts}
        if asked in SYNONYMS and f"--{name}" in own:
            return f"--{name} {value}".rstrip()
        setting = name.replace("-", "_")
        return f"--set {setting}={value or 'VALUE'}" if "--set" in own and setting in settings() else None


def settings() -> dict[str, Any]:
    """Return the settings of a conversation."""
    from gptgrid.inference.chat import Settings  # which waits for torch

    return Settings().values()
