"""The `gptgrid` command. Each subcommand is thin: what it does is written in the module that it calls.

Torch takes a second to import, so only the commands that compute import it, inside.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.store import Store

if TYPE_CHECKING:
    from rich.console import Console

    from gptgrid.api import TrainedCell
    from gptgrid.plan.plan import Plan

DEFAULT_STORE = Path("results") / ".store"
WIDEST = 10_000
"""Columns of a table before rich cuts it."""
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
    weights: Annotated[
        str | None, typer.Option(help="best or last. Default: those that the cell's figures are of.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Read prompts until end of file.")
    ] = False,
) -> None:
    """Continue a text with a trained cell."""
    from gptgrid.api import divergence, find, load

    folder = find(cell)
    trained = load(folder, device, weights)
    if str(folder) != cell:
        typer.echo(f"gptgrid: {folder}", err=True)
    if reason := divergence(folder):
        typer.echo(
            f"gptgrid: the training of this cell diverged, and its weights are those of before: {reason}",
            err=True,
        )
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
            try:
                print_continuation(trained, line, options)
            except UserError as error:
                typer.echo(f"gptgrid: {error}", err=True)
    else:
        print_continuation(trained, prompt, options, echo=True)


@app.command()
def plan(
    config_file: ConfigFiles = None,
    settings: Settings = None,
    everything: Annotated[bool, typer.Option("--all", help="Show what is there already, too.")] = False,
) -> None:
    """Say what would run or be restored, why, and what it would cost."""
    from gptgrid.plan.show import show_plan

    show_plan(plan_of(config_file, settings), wide_console(), everything)


Cells = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CELL",
        help="Folders of cells, or parts of their names: 'tales bpe llama'; none means all.",
    ),
]


@app.command()
def verify(cells: Cells = None, config_file: ConfigFiles = None, settings: Settings = None) -> None:
    """Make what is finished again in a scratch folder and say whether the bits are the same."""
    from gptgrid.plan.verify import verify_plan

    if not verify_plan(plan_of(config_file, settings), cells or []):
        raise typer.Exit(1)


@app.command()
def accept(
    cells: Cells = None,
    config_file: ConfigFiles = None,
    settings: Settings = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Do not check that the new source makes the same.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back what was accepted.")] = False,
) -> None:
    """Keep artifacts that an older source made, although the source changed."""
    from gptgrid.plan.accept import accept as accept_older
    from gptgrid.plan.accept import take_back

    chosen = plan_of(config_file, settings)
    if undo:
        take_back(chosen, cells or [])
    else:
        accept_older(chosen, cells or [], unverified)


@app.command()
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="An experiment, by name or folder; or a cell.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another of the same kind.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say in what two experiments or two cells differ, and which is better on the texts of both."""
    from gptgrid.api import compare as put_beside
    from gptgrid.plan import show_versus

    found = put_beside(a, b)
    if as_json:
        typer.echo(show_versus.as_json(found))
    else:
        show_versus.show_versus(found, wide_console())


store = typer.Typer(no_args_is_help=True, help="Look at the store of finished artifacts, or prune it.")
app.add_typer(store, name="store")
StoreFolder = Annotated[
    Path, typer.Option("--store", envvar="GPTGRID_STORE", help="Folder of the store.", show_default=True)
]


@store.command("list")
def list_store(folder: StoreFolder = DEFAULT_STORE) -> None:
    """Show what the store holds, and who uses it."""
    from gptgrid.plan.show_store import show_store

    show_store(Store(folder), wide_console())


@store.command()
def gc(
    folder: StoreFolder = DEFAULT_STORE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Also the work of killed programs, and its checkpoints.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without a question.")] = False,
) -> None:
    """Delete what no experiment of any checkout uses any more."""
    from gptgrid.artifact.garbage import garbage
    from gptgrid.plan.show_store import check_writable, prune, show_garbage

    pruned, console = Store(folder), wide_console()
    items = garbage(pruned, unfinished)
    show_garbage(pruned, items, console)
    if dry_run:
        return
    check_writable(pruned)
    if items and not yes:
        typer.confirm("Delete them?", abort=True)
    prune(pruned, items, console)


def plan_of(config_files: list[Path] | None, settings: list[str] | None) -> Plan:
    """Return the plan for the options with which snakemake would be called."""
    from gptgrid.plan.plan import read_plan

    return read_plan(config_files or [], read_settings(settings or []))


def read_settings(settings: list[str]) -> dict[str, Any]:
    """Return key → value of settings such as `quick=true`; a value is read as in a configuration file.

    Raises:
        UserError: one has no `=`, or its value is not YAML.
    """
    from ruamel.yaml.error import YAMLError

    from gptgrid.config.parse import explain, yaml

    values = {}
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not key or not sign:
            raise UserError(f"--config: found {setting!r}, expected KEY=VALUE, such as quick=true")
        try:
            values[key] = yaml().load(value)
        except YAMLError as error:
            raise UserError(f"--config: {key}: not readable as YAML: {explain(error)}") from None
    return values


def wide_console() -> Console:
    """Return a console that leaves long lines to the terminal: a name cut in two cannot be copied."""
    from rich.console import Console

    return Console(width=WIDEST)


def prompts() -> Iterator[str]:
    """Yield lines from the terminal, or from a pipe, until it ends; what is no text there as in arguments."""
    sys.stdin.reconfigure(errors="surrogateescape")
    while True:
        if sys.stdin.isatty():
            typer.echo("> ", nl=False)
        line = sys.stdin.readline()
        if not line:
            return
        yield line.rstrip("\n")


def print_continuation(cell: TrainedCell, prompt: str, options: dict, echo: bool = False) -> None:
    """Print the continuation of a prompt, behind the prompt if asked, piece by piece, as it comes.

    Raises:
        UserError: the prompt is no text, or a setting is out of range; then nothing is printed.
    """
    if found := re.search("[\ud800-\udfff]", prompt):
        raise UserError(
            f"the prompt is no text: character {found.start()} is a byte that is not {sys.stdin.encoding}; "
            "give it in that encoding, or set LANG to that of the terminal"
        )
    pieces = cell.generate(prompt, **options, stream=True)
    for piece in itertools.chain([prompt] * echo, pieces):
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")


def main() -> None:
    """Run the command; tell what a person can mend in one line."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # not every terminal has every character
    try:
        app()
    except UserError as error:
        sys.exit(f"gptgrid: {error}")
