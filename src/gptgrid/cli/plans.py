"""What would run, whether it can be made again, and what stays valid: `plan`, `verify` and `accept`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptgrid.artifact.errors import UserError
from gptgrid.cli.completion import cell_names
from gptgrid.cli.console import wide_console

if TYPE_CHECKING:
    from gptgrid.plan.plan import Plan

ConfigFiles = Annotated[
    list[Path] | None, typer.Option("--configfile", help="As for snakemake; default config/config.yaml.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--config", help="As for snakemake: KEY=VALUE, for example quick=true."),
]
More = Annotated[
    list[str] | None,
    typer.Argument(metavar="FILE or KEY=VALUE", help="Further ones, behind the first as for snakemake."),
]
Cells = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CELL",
        help="Folders of cells, or parts of their names: 'tales bpe llama'; none means all.",
        autocompletion=cell_names,
    ),
]


def plan(
    config_file: ConfigFiles = None,
    settings: Settings = None,
    everything: Annotated[bool, typer.Option("--all", help="Show what is there already, too.")] = False,
    more: More = None,
) -> None:
    """Say what would run or be restored, why, and what it would cost.

    Examples:

      gptgrid plan
      gptgrid plan --config quick=true
      gptgrid plan --configfile config/mine.yaml --all
    """
    from gptgrid.plan.show import show_plan

    words = more or []
    files = [*(config_file or []), *(Path(word) for word in words if "=" not in word)]
    values = [*(settings or []), *(word for word in words if "=" in word)]
    show_plan(plan_of(files, values), wide_console(), everything)


def verify(cells: Cells = None, config_file: ConfigFiles = None, settings: Settings = None) -> None:
    """Make what is finished again, and say whether the bits are the same.

    It is made in a scratch folder; the experiment stays as it is.

    Examples:

      gptgrid verify
      gptgrid verify "tales bpe llama s1"
      gptgrid verify --config quick=true
    """
    from gptgrid.plan.verify import verify_plan

    if not verify_plan(plan_of(config_file, settings), cells or []):
        raise typer.Exit(1)


def accept(
    cells: Cells = None,
    config_file: ConfigFiles = None,
    settings: Settings = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Do not check that the new source makes the same.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back what was accepted.")] = False,
) -> None:
    """Keep artifacts that an older source made, although the source changed.

    Examples:

      gptgrid accept
      gptgrid accept "tales bpe llama" --unverified
      gptgrid accept --undo
    """
    from gptgrid.plan.accept import accept as accept_older
    from gptgrid.plan.accept import take_back

    chosen = plan_of(config_file, settings)
    if undo:
        take_back(chosen, cells or [])
    else:
        accept_older(chosen, cells or [], unverified)


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
