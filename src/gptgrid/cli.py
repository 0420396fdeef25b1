"""The `gptgrid` command. Each subcommand is thin: what it does is written in the module that it calls.

Torch takes a second to import, so only the commands that compute import it, inside.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.store import Store

if TYPE_CHECKING:
    from rich.console import Console

    from gptgrid.api import Cell
    from gptgrid.plan.plan import Plan

DEFAULT_STORE = Path("results") / ".store"
ConfigFiles = Annotated[
    list[Path] | None, typer.Option("--configfile", help="As for snakemake; default config/config.yaml.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--config", help="As for snakemake: KEY=VALUE, for example quick=true."),
]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def describe() -> None:
    """From raw text to a comparison of small language models."""


@app.command()
def generate(
    cell: Annotated[str, typer.Argument(help="Folder of a cell, or parts of its name: 'tales bpe llama'.")],
    prompt: Annotated[str, typer.Option(help="Text to continue.")] = "",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Tokens at most.")] = 100,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest token.")] = 0.8,
    top_k: Annotated[int, typer.Option(min=0, help="Draw among the k likeliest; 0 is off.")] = 0,
    top_p: Annotated[
        float, typer.Option(help="Draw among those of probability p together; 1 is off.")
    ] = 0.95,
    repetition_penalty: Annotated[float, typer.Option(help="Above 1: repeat less.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed draws the same text.")] = 0,
    ignore_eos: Annotated[bool, typer.Option("--ignore-eos", help="Go on after the end of text.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Read prompts until end of file.")
    ] = False,
) -> None:
    """Continue a text with a trained cell."""
    from gptgrid.api import find, load

    trained = load(find(cell), device)
    options = {
        "max_new_tokens": max_new_tokens,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "repetition_penalty": repetition_penalty,
        "seed": seed,
        "ignore_eos": ignore_eos,
    }
    if interactive:
        for line in prompts():
            show(trained, line, options)
    else:
        typer.echo(prompt, nl=False)
        show(trained, prompt, options)


@app.command()
def plan(
    config_file: ConfigFiles = None,
    settings: Settings = None,
    everything: Annotated[bool, typer.Option("--all", help="Show what is there already, too.")] = False,
) -> None:
    """Say what would run or be restored, why, and what it would cost."""
    from gptgrid.plan.show import show_plan

    show_plan(plan_of(config_file, settings), wide_console(), everything)


@app.command()
def verify(
    cells: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CELL",
            help="Folders of cells, or parts of their names: 'tales bpe llama'; none means all.",
        ),
    ] = None,
    config_file: ConfigFiles = None,
    settings: Settings = None,
) -> None:
    """Train finished cells again in a scratch folder and say whether the bits are the same."""
    from gptgrid.plan.verify import choose
    from gptgrid.plan.verify import verify as train_and_compare

    if not train_and_compare(choose(plan_of(config_file, settings), cells or [])):
        raise typer.Exit(1)


store = typer.Typer(no_args_is_help=True, help="Look at the store of finished artifacts, or prune it.")
app.add_typer(store, name="store")
StoreFolder = Annotated[
    Path, typer.Option("--store", envvar="GPTGRID_STORE", help="Folder of the store.", show_default=True)
]


@store.command("list")
def list_store(folder: StoreFolder = DEFAULT_STORE) -> None:
    """Show what the store holds."""
    from gptgrid.plan.show import show_store

    show_store(Store(folder), wide_console())


@store.command()
def gc(
    folder: StoreFolder = DEFAULT_STORE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Also the work of killed programs, and its checkpoints.")
    ] = False,
) -> None:
    """Delete what no folder of data or results links to any more."""
    from gptgrid.plan.show import collect_garbage

    collect_garbage(Store(folder), wide_console(), dry_run, unfinished)


def plan_of(config_files: list[Path] | None, settings: list[str] | None) -> Plan:
    """Return the plan for the options with which snakemake would be called."""
    from gptgrid.plan.plan import read_plan

    pairs = [setting.partition("=") for setting in settings or []]
    return read_plan(config_files or [], {key: yaml.safe_load(value) for key, _, value in pairs})


def wide_console() -> Console:
    """Return a console that leaves long lines to the terminal: a name cut in two cannot be copied."""
    from rich.console import Console

    return Console(width=max(160, Console().width))


def prompts() -> Iterator[str]:
    """Yield lines from the terminal, or from a pipe, until it ends."""
    while True:
        if sys.stdin.isatty():
            typer.echo("> ", nl=False)
        line = sys.stdin.readline()
        if not line:
            return
        yield line.rstrip("\n")


def show(cell: Cell, prompt: str, options: dict) -> None:
    """Print the continuation of a prompt piece by piece, as it comes."""
    for piece in cell.generate(prompt, **options, stream=True):
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")


def main() -> None:
    """Run the command; tell what a person can mend in one line."""
    try:
        app()
    except UserError as error:
        sys.exit(f"gptgrid: {error}")
