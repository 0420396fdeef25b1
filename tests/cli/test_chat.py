"""Chatting at a terminal and through a pipe; a line that goes wrong ends alone."""

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from cells import uniform, write_cell
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from tuned_cells import tuned, write_tuned
from typer.testing import CliRunner

from gptgrid.artifact.errors import UserError
from gptgrid.cli.chat import Chat, history, history_file, talk, typed
from gptgrid.cli.main import app
from gptgrid.inference.cell import load
from gptgrid.inference.chat import Conversation, Settings

ENTER, ALT_ENTER, CTRL_C, CTRL_D = "\r", "\x1b\r", "\x03", "\x04"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return the folder of a cell that says nothing but A."""
    return write_cell(tmp_path_factory.mktemp("results") / "cell", uniform(257, likely=65))


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch) -> Path:
    """Keep the history of a test in a folder of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def piped(folder: Path, lines: str | bytes, *options: str) -> tuple[str, str]:
    """Return what is said through a pipe, and the messages."""
    arguments = ["chat", str(folder), "--set", "max_new_tokens=3", "--device", "cpu", *options]
    result = CliRunner().invoke(app, arguments, input=lines, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def test_each_line_of_a_pipe_is_answered(folder):
    assert piped(folder, "1\n2\n") == ("AAA\nAAA\n", "")


def test_what_has_no_effect_beside_beams_is_said_once(folder):
    told = "gptgrid: beam search draws nothing: temperature has no effect\n"
    assert piped(folder, "/temperature 0.5\na\n/beams 2\na\na\n")[1].count(told) == 1
    assert told not in piped(folder, "/beams 2\na\n/beams 1\n/temperature 0.5\na\n")[1]


def test_settings_can_be_given_at_the_start_and_changed(folder):
    said, _ = piped(
        folder, "a\n/max_new_tokens 2\na\n/set max-new-tokens=1\na\n/stop A\na\n/stop\n", "--set", "seed=4"
    )
    assert said == 'AAA\nAA\nA\n\n/stop ["A"]\n'


def test_all_settings_are_shown(folder):
    said, _ = piped(folder, "/settings\n/set\n")
    shown = said.splitlines()
    assert shown[:11] == shown[11:] and "/max_new_tokens 3" in shown and "/stop []" in shown


def test_help_names_every_command_and_setting(folder):
    said, _ = piped(folder, "/help\n")
    for word in (
        *["help", "set", "settings", "retry", "undo", "reset", "save", "quit"],
        *Settings().values(),
    ):
        assert f"\n/{word} " in f"\n{said}"
    assert str(history_file()) in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/temprature 1", "there is no /temprature (do you mean temperature?); /help lists all"),
        ("/", "there is no /; /help lists all"),
        ("/temperature warm", "temperature is 'warm'; expected a number"),
        ("/top_p 2", "top_p is 2.0"),
        ("/set temperature", "'temperature' sets nothing; write temperature 0.7"),
        ("/undo", "nothing was said yet"),
        ("/retry", "nothing was said yet"),
        ("/reset all", "/reset takes nothing after it; to say it, write //reset all"),
        ("/save", "/save wants the name of a file"),
        ("/save /no/such/folder/file", "cannot be written"),
        (b"\xff\xfe", "the line is no text: character 0 is a byte that is not utf-8"),
    ],
)
def test_a_line_that_goes_wrong_ends_alone(folder, line, said):
    line = line if isinstance(line, bytes) else line.encode()
    answer, messages = piped(folder, line + b"\nb\n")
    assert answer == "AAA\n"
    assert messages.startswith("gptgrid: ") and said in messages and messages.count("\n") == 1


def test_a_setting_at_the_start_that_is_wrong_ends_it(folder):
    for setting, said in (("top_p=2", "top_p is 2.0"), ("top_p", "write temperature=0.7")):
        result = CliRunner().invoke(app, ["chat", str(folder), "--set", setting], input="a\n")
        assert isinstance(result.exception, UserError) and said in str(result.exception)
        assert result.stdout == ""


def test_undo_reset_and_save(folder, tmp_path):
    file = tmp_path / "天.txt"
    lines = f"one\ntwo\n/undo\nthree\n/save {file}\n/retry\n/save {file}\n/reset\n//help\n/save {file}\n/quit\nfour\n"
    said, _ = piped(folder, lines)
    assert said == "AAA\n" * 5
    assert file.read_text() == "/helpAAA"


def test_save_writes_the_text_and_leaves_files_of_others(folder, tmp_path):
    file = tmp_path / "text"
    _, messages = piped(folder, f"1\n2\n/save {file}\n")
    assert file.read_text() == "1AAA\n2AAA" and messages == f"gptgrid: {file}\n"
    _, messages = piped(folder, f"/save {file}\n")
    assert messages == f"gptgrid: {file} is there already; give another name\n"
    assert file.read_text() == "1AAA\n2AAA"


def test_a_text_that_outgrows_the_context_is_told_once_until_a_reset(folder):
    _, messages = piped(folder, "a\nb\nc\nd\n")  # of 8 tokens
    assert messages.count("longer than the context of 8 tokens") == messages.count("\n") == 1
    _, messages = piped(folder, "1234567890\n/reset\n1234567890\n")
    assert messages.count("longer than the context") == 2


def at_terminal(folder: Path, *keys: str, tokens: int = 3) -> Conversation:
    """Press keys in a conversation; return what was said."""
    conversation = Conversation(load(folder, "cpu"), settings=Settings(max_new_tokens=tokens))
    with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
        keyboard.send_bytes("".join(keys).encode(errors="surrogateescape"))
        talk(Chat(conversation), typed([]))
    return conversation


def test_keys_edit_begin_lines_and_end(folder, capsys):
    talked = at_terminal(folder, "ab\x7f", ALT_ENTER, "c", ENTER, "given up", CTRL_C, "d", ENTER, CTRL_D)
    assert talked.text == "a\ncAAA\ndAAA"
    assert capsys.readouterr().out == "AAA\nAAA\n"


def test_what_was_typed_comes_back_in_the_next_conversation(folder, state):
    at_terminal(folder, "once more", ENTER, CTRL_D)
    assert history_file() == state / "gptgrid" / "chat_history"
    assert history_file().stat().st_mode & 0o077 == 0
    assert list(history().load_history_strings()) == ["once more"]


def test_where_no_history_can_be_kept_one_chats_all_the_same(folder, state, capsys):
    state.write_text("a file")
    assert at_terminal(folder, "a", ENTER, CTRL_D).text == "aAAA"
    assert "what you type is not kept" in capsys.readouterr().err


def test_what_cannot_be_kept_any_more_is_not(state):
    kept = history()
    history_file().unlink()
    history_file().mkdir()
    kept.append_string("a")
    assert kept.get_strings() == ["a"]


def test_bytes_that_are_no_text_end_a_line_at_the_terminal(folder, capsys):
    assert at_terminal(folder, "\udcff", ENTER, "b", ENTER, CTRL_D).text == "bAAA"
    assert "the line is no text" in capsys.readouterr().err


def test_control_c_stops_an_answer_and_not_the_program(folder):
    with Terminal(folder, "--set", "max_new_tokens=1000000") as terminal:
        terminal.wait_for(">")
        terminal.press("a" + ENTER)
        terminal.wait_for("AAAAAAAA")
        terminal.press(CTRL_C)
        terminal.wait_for(">")
        terminal.press("/max_new_tokens 2" + ENTER)
        terminal.wait_for(">")
        terminal.press("b" + ENTER)
        terminal.wait_for("AA\r\n")
        terminal.wait_for(">")
        terminal.press(CTRL_D)
        assert terminal.process.wait(10) == 0


class Terminal:
    """A chat in a terminal of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.side, other = pty.openpty()
        self.seen = b""
        self.process = subprocess.Popen(
            [Path(sys.executable).parent / "gptgrid", "chat", folder, "--device", "cpu", *options],
            stdin=other,
            stdout=other,
            stderr=other,
            env={**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(other)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.side)

    def press(self, keys: str) -> None:
        os.write(self.side, keys.encode())

    def wait_for(self, text: str, seconds: float = 60) -> None:
        """Read on until a text has come; what follows it is left for the next time."""
        end = time.monotonic() + seconds
        while text.encode() not in self.seen:
            assert time.monotonic() < end and self.process.poll() is None, self.seen.decode()
            if select.select([self.side], [], [], 0.1)[0]:
                self.seen += os.read(self.side, 2**16)
        self.seen = self.seen.partition(text.encode())[2]


def take_terminal() -> None:
    """Make the terminal the one whose Ctrl-C this process hears."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_that_a_text_has_ended_is_said(tmp_path):
    cell = write_cell(tmp_path / "cell", uniform(257, likely=256))
    said, messages = piped(cell, "a\n\n")
    assert said == "\n\n"
    assert messages == "gptgrid: the text has ended; /reset begins a new one\n" * 2


def test_a_fine_tuned_cell_answers_by_its_template(tmp_path):
    folder = write_tuned(tmp_path / "cell", tuned(system="S"))
    assert piped(folder, f"hi\nho\n/save {tmp_path / 'saved.txt'}\n")[0] == "AB\nAB\n"
    saved = (tmp_path / "saved.txt").read_text()
    assert saved.startswith("<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n")
    assert saved.endswith("<|im_start|>assistant\nAB<|im_end|>\n")


def test_it_is_said_once_that_turns_are_left_out(tmp_path):
    folder = write_tuned(tmp_path / "cell", tuned(context=64))
    said, messages = piped(folder, "a\nb\nc\nd\n")
    assert said == "AB\n" * 4
    assert messages == (
        "gptgrid: the conversation is longer than the context of 64 tokens; from now on its oldest turns are "
        "not read\n"
    )


def test_that_an_answer_is_empty_is_said(tmp_path):
    folder = write_tuned(tmp_path / "cell", tuned("<|im_end|>"))
    assert piped(folder, "a\n") == ("\n", "gptgrid: the answer is empty; /retry asks once more\n")


def test_a_cell_with_a_broken_template_is_refused(tmp_path):
    cell = tuned()
    cell.config["chat"]["template"] = "{% for %}"
    folder = write_tuned(tmp_path / "cell", cell)
    result = CliRunner().invoke(app, ["chat", str(folder), "--device", "cpu"], input="a\n")
    assert result.exit_code and isinstance(result.exception, UserError)
    assert "the chat template of this cell, line 1 is no Jinja" in str(result.exception)
