"""A conversation with a trained cell: `chat`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gptgrid.artifact.errors import UserError
from gptgrid.cli.cells import CellName, Device, Precision, Weights, load_cell
from gptgrid.cli.console import refuse_bytes

if TYPE_CHECKING:
    from prompt_toolkit.history import History

    from gptgrid.inference.chat import Conversation

KEYS = "Enter sends | Alt-Enter: new line | Ctrl-C stops answers | Ctrl-D ends | /help"
"""Short enough for a terminal of 80 columns, which cuts the rest."""
COMMANDS = {
    "/help": "show this",
    "/settings": "show the settings; so does /set alone",
    "/set NAME VALUE": "change one; the shorter /NAME VALUE does the same: /temperature 0.7",
    "/retry": "answer the last message once more, by another draw",
    "/undo": "take back the last message and its answer",
    "/reset": "begin anew, with the settings as they are",
    "/save FILE": "write the text so far",
    "/quit": "end",
}


def chat(
    cell: CellName,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting at the start: temperature=0.7."),
    ] = None,
    weights: Weights = None,
    device: Device = "auto",
    precision: Precision = "fp32",
) -> None:
    """Talk with a trained cell.

    A model that is fine-tuned on dialogues answers, as its chat template says.
    Where the context has no room for all, the oldest turns are not read.

    A model that was trained on plain documents continues one: all that you
    and it have written so far. Each message begins a new line of it, and the
    answer goes on where the message ends; an empty message lets the model just
    go on. What the context has no room for, the oldest part, is not read.

    Enter sends, Alt-Enter (or Esc, then Enter) begins a new line, Ctrl-C stops
    an answer, Ctrl-D ends. /temperature 0.7 changes a setting; /help lists the
    others and all commands. From a pipe, each line is a message. What you type
    is kept for the arrow keys, in a file that /help names.

    Examples:

      gptgrid chat "tales bpe llama s1"
      gptgrid chat "tales bpe llama s1 chat"
      gptgrid chat "tales bpe llama s1" --set temperature=0.5 --set top_k=40
      echo "Once upon a time" | gptgrid chat "tales bpe llama s1"
    """
    from gptgrid.inference.chat import Conversation

    _, trained = load_cell(cell, device, weights, precision)
    conversation = Conversation(trained)
    for setting in settings or []:
        conversation.set(*parted(setting, "="))
    if sys.stdin.isatty() and sys.stdout.isatty():
        talk(Chat(conversation), typed([*conversation.settings.values()]))
    else:
        talk(Chat(conversation), piped())


def parted(text: str, sign: str) -> tuple[str, str]:
    """Return the name and the value of a setting.

    Raises:
        UserError: the sign that parts them is missing.
    """
    name, found, value = text.partition(sign)
    if not found:
        raise UserError(f"{text!r} sets nothing; write temperature{sign}0.7")
    return name.strip(), value.strip()


def talk(chat: Chat, lines: Iterator[str]) -> None:
    """Take lines until they end, or one ends the conversation; what goes wrong ends a line alone."""
    for line in lines:
        try:
            if not chat.take(line):
                return
        except UserError as error:
            typer.echo(f"gptgrid: {error}", err=True)
        except KeyboardInterrupt:
            typer.echo()


def piped() -> Iterator[str]:
    """Yield the lines of a pipe; bytes that are no text come as half surrogate pairs."""
    sys.stdin.reconfigure(errors="surrogateescape")
    for line in sys.stdin:
        yield line.removesuffix("\n")


def typed(names: list[str]) -> Iterator[str]:
    """Yield what is typed at a terminal, with a history and line editing.

    Args:
        names: of settings, for completion.
    """
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()
    keys.add("enter")(lambda event: event.current_buffer.validate_and_handle())
    keys.add("escape", "enter")(lambda event: event.current_buffer.insert_text("\n"))
    words = [*(command.split()[0] for command in COMMANDS), *(f"/{name}" for name in names)]
    session: PromptSession[str] = PromptSession(
        "> ",
        multiline=True,
        prompt_continuation="  ",
        key_bindings=keys,
        bottom_toolbar=KEYS,
        completer=WordCompleter(words, sentence=True),
        complete_while_typing=False,
        history=history(),
    )
    while True:
        try:
            line = session.prompt()
        except KeyboardInterrupt:  # what was typed is given up, as in a shell
            continue
        except EOFError:
            return
        yield line


def history_file() -> Path:
    """Return where what was typed is kept."""
    from platformdirs import user_state_path

    return user_state_path("gptgrid", appauthor=False) / "chat_history"


def history() -> History:
    """Return what was typed in earlier conversations; of this one alone if none can be kept."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    class Kept(FileHistory):
        def store_string(self, string: str) -> None:
            with suppress(OSError):  # a full disk ends no conversation
                super().store_string(string)

    file = history_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)  # nobody else's business
        file.read_bytes()
    except OSError as error:
        typer.echo(f"gptgrid: what you type is not kept: {error}", err=True)
        return InMemoryHistory()
    return Kept(file)


class Chat:
    """A conversation in lines: messages, and commands that begin with /."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.told: set[str] = set()
        """What was said of a context that has no room for all, and of settings without effect."""
        self.saved: set[Path] = set()

    def take(self, line: str) -> bool:
        """Take a line; say whether the conversation goes on.

        Raises:
            UserError: the line means nothing, or is no text.
        """
        refuse_bytes(line, "the line")
        if not line.startswith("/") or line.startswith("//"):
            self.show(self.conversation.ask(line.removeprefix("/")))
            return True
        name, *value = line[1:].split(maxsplit=1) or [""]
        return self.command(name.replace("-", "_"), "".join(value).strip())

    def command(self, name: str, value: str) -> bool:
        """Do what a command says; say whether the conversation goes on.

        Raises:
            UserError: there is no such command, or it cannot be done.
        """
        from gptgrid.inference.chat import meant

        plain: dict[str, Callable[[], None]] = {
            "help": self.help,
            "settings": self.settings,
            "retry": lambda: self.show(self.conversation.retry()),
            "undo": self.conversation.undo,
            "reset": self.reset,
        }
        settings = self.conversation.settings.values()
        if name in plain and value:
            raise UserError(f"/{name} takes nothing after it; to say it, write //{name} {value}")
        if name in plain:
            plain[name]()
        elif name == "save":
            self.save(value)
        elif name == "set" and not value:
            self.settings()
        elif name == "set":
            self.conversation.set(*parted(value, "=" if "=" in value.split()[0] else " "))
        elif name in settings and not value:
            typer.echo(setting(name, settings[name]))
        elif name in settings:
            self.conversation.set(name, value)
        elif name != "quit":
            known = [*(command.split()[0][1:] for command in COMMANDS), *settings]
            hint = meant(name, known)
            raise UserError(f"there is no /{name}{hint}; /help lists all there is; to say it, write //{name}")
        return name != "quit"

    def show(self, pieces: Generator[str, None, None]) -> None:
        """Print an answer as it comes."""
        from gptgrid.model.decoding import without_effect

        caution = without_effect(self.conversation.settings.decoding)
        for notice in (self.conversation.prompt.notice, caution):
            if notice and notice not in self.told:
                self.told.add(notice)
                typer.echo(f"gptgrid: {notice}", err=True)
        said = False
        with closing(pieces):
            for piece in pieces:
                typer.echo(piece, nl=False)
                said = said or bool(piece)
        typer.echo()
        if self.conversation.ended and not said:
            typer.echo(f"gptgrid: {self.conversation.reading.silence}", err=True)

    def help(self) -> None:
        """Print what can be typed."""
        for command, meaning in COMMANDS.items():
            typer.echo(f"{command:<16} {meaning}")
        typer.echo(f"//…              say what begins with /\n\n{KEYS}")
        typer.echo("Esc, then Enter is Alt-Enter where the terminal keeps Alt for itself.\n\nSettings:")
        self.settings()
        typer.echo(f"\nWhat you type is kept in {history_file()}.")

    def settings(self) -> None:
        """Print the settings."""
        for name, value in self.conversation.settings.values().items():
            typer.echo(setting(name, value))

    def reset(self) -> None:
        """Begin anew."""
        self.conversation.reset()
        self.told.clear()

    def save(self, name: str) -> None:
        """Write the text so far; over another file only if this conversation made it.

        Raises:
            UserError: no file is named, it is there already, or it cannot be written.
        """
        if not name:
            raise UserError("/save wants the name of a file: /save story.txt")
        path = Path(name).expanduser().absolute()
        try:
            with path.open("w" if path in self.saved else "x", encoding="utf-8", newline="") as file:
                file.write(self.conversation.text)
        except FileExistsError:
            raise UserError(f"{path} is there already; give another name") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be written: {error}") from None
        self.saved.add(path)
        typer.echo(f"gptgrid: {path}", err=True)


def setting(name: str, value: object) -> str:
    """Return a setting as it can be typed."""
    shown = json.dumps(value, ensure_ascii=False) if isinstance(value, tuple) else value
    return f"/{name} {shown}"
