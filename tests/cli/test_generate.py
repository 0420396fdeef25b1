"""`generate` continues texts, streams, and tells mistakes without a traceback."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from cells import tiny, uniform, write_cell
from typer.testing import CliRunner

from gptgrid.api import load
from gptgrid.artifact.errors import UserError
from gptgrid.cli.main import app
from gptgrid.model.continuation import Piece
from gptgrid.model.decoding import Decoding
from gptgrid.tokens.codec import IdsCodec

OPTIONS = ["--max-new-tokens", "20", "--seed", "3", "--device", "cpu", "--ignore-eos"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return the folder of a cell with random weights."""
    return write_cell(tmp_path_factory.mktemp("results") / "cell", tiny(257))


def invoke(*arguments: str, **options: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False, **options)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_generate_continues_the_prompt(folder):
    expected = load(folder, "cpu").generate("天", max_new_tokens=20, seed=3, ignore_eos=True)
    assert invoke("generate", str(folder), "--prompt", "天", *OPTIONS) == f"天{expected}\n"


def test_every_setting_reaches_the_model(folder):
    settings = {"temperature": 1.5, "top_k": 40, "top_p": 0.8, "repetition_penalty": 1.3}
    cell = load(folder, "cpu")
    expected = cell.generate("a", max_new_tokens=20, seed=3, ignore_eos=True, **settings)
    for left_out in settings:
        fewer = {key: value for key, value in settings.items() if key != left_out}
        assert cell.generate("a", max_new_tokens=20, seed=3, ignore_eos=True, **fewer) != expected
    flags = [word for key, value in settings.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    assert invoke("generate", str(folder), "--prompt", "a", *flags, *OPTIONS) == f"a{expected}\n"


@pytest.mark.parametrize("command", ["generate", "chat", "serve"])
def test_the_precision_is_that_of_the_model(folder, monkeypatch, command):
    asked = []
    monkeypatch.setattr("gptgrid.inference.cell.round_for_prediction", lambda _, name: asked.append(name))
    monkeypatch.setattr("gptgrid.inference.serve.run.serve", lambda *_: None)
    invoke(command, str(folder), "--precision", "auto", *(["--port", "0"] if command == "serve" else []))
    invoke(command, str(folder), *(["--port", "0"] if command == "serve" else []))
    assert asked == ["auto", "fp32"]


def test_every_key_of_a_decoding_is_an_option(folder, monkeypatch):
    asked = []

    def stream(module, codec, prompts, decoding, *rest, **options):
        asked.append(decoding)
        return (Piece(row, "", (), "end") for row in range(len(prompts)))

    monkeypatch.setattr("gptgrid.model.continuation.stream", stream)
    settings = {field.name: number for number, field in enumerate(fields(Decoding), 2)}
    settings |= {"top_p": 0.5, "min_p": 0.25, "stop": ("a b", "c")}
    flags = []
    for key, value in settings.items():
        for each in value if key == "stop" else [value]:
            flags += [f"--{key}", str(each)]
    invoke("generate", str(folder), *flags)
    assert asked == [Decoding(**settings)]


def test_the_end_of_text_ends_unless_ignored(folder):
    cell, limit = load(folder, "cpu"), ["--max-new-tokens", "20", "--device", "cpu"]
    short, long = ({"max_new_tokens": 20, "ignore_eos": ignore} for ignore in (False, True))
    seed = next(s for s in range(1000) if cell.generate(seed=s, **short) != cell.generate(seed=s, **long))
    assert (
        invoke("generate", str(folder), "--seed", str(seed), *limit)
        == cell.generate(seed=seed, **short) + "\n"
    )
    ignored = invoke("generate", str(folder), "--seed", str(seed), *limit, "--ignore-eos")
    assert ignored == cell.generate(seed=seed, **long) + "\n"


def test_interactive_reads_prompts_until_the_end(tmp_path):
    cell = write_cell(tmp_path / "cell", uniform(257, likely=65))
    said = invoke("generate", str(cell), "--interactive", "--max-new-tokens", "3", input="one\ntwo\n")
    assert said == "AAA\nAAA\n"


def test_a_prompt_of_a_file_ends_at_the_end_of_its_line_and_at_no_other_sign(tmp_path):
    cell = write_cell(tmp_path / "cell", uniform(257, likely=65))
    prompts = ["one\u2028two", "a\x0bb\x0cc", "天\x85地"]
    (tmp_path / "prompts.txt").write_bytes("\r\n\n".join(prompts).encode())
    options = ["--file", str(tmp_path / "prompts.txt"), "--max-new-tokens", "3", "--json"]
    said = invoke("generate", str(cell), *options).split("\n")
    assert [json.loads(line)["prompt"] for line in said if line] == prompts


def test_interactive_goes_on_after_a_line_that_is_no_text(tmp_path):
    cell = write_cell(tmp_path / "cell", uniform(257, likely=65))
    options = ["generate", str(cell), "--interactive", "--max-new-tokens", "3"]
    result = CliRunner().invoke(app, options, input=b"one\n\xff\xfe\ntwo\n")
    assert result.exit_code == 0 and result.stdout == "AAA\nAAA\n"
    assert result.stderr.startswith(
        "gptgrid: the prompt is no text: character 0 is a byte that is not utf-8; "
    )
    assert result.stderr.count("\n") == 1


def test_interactive_goes_on_after_a_prompt_that_a_cell_cannot_read(tmp_path):
    cell = write_cell(tmp_path / "cell", uniform(10, likely=7), IdsCodec(10))
    options = ["generate", str(cell), "--interactive", "--max-new-tokens", "2"]
    result = CliRunner().invoke(app, options, input="a text\n1 2\n")
    assert result.exit_code == 0 and result.stdout == "7 7 \n"
    assert result.stderr == "gptgrid: 'a text' is not token ids; this corpus has no text\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--prompt", "a\udcff"], "the prompt is no text: character 1 is a byte"),
        (["--seed", "99999999999999999999"], "seed is 99999999999999999999; it must lie between"),
        (["--repetition-penalty", "nan"], "repetition_penalty is nan"),
        (["--temperature", "inf"], "temperature is inf"),
        (["--top-p", "0"], "top_p is 0.0"),
        (["--repetition-penalty", "-1"], "repetition_penalty is -1.0"),
        (["--device", "gpu"], "device is 'gpu'"),
        (["--precision", "bf16"], "precision is 'bf16'; expected fp32 or auto"),
    ],
)
def test_what_cannot_be_generated_is_said_before_anything_is_printed(folder, options, said):
    result = CliRunner().invoke(app, ["generate", str(folder), *options])
    assert isinstance(result.exception, UserError) and said in str(result.exception)
    assert result.stdout == ""


@pytest.mark.parametrize(
    "options",
    [
        ["--temperature", "1e-39"],
        ["--temperature", "1e39"],
        ["--top-p", "1e-39"],
        ["--repetition-penalty", "1e-39"],
        ["--top-k", "99999999999999999999"],
        ["--seed", "-1"],
        ["--prompt", ""],
        ["--prompt", "\0\n\ufffe天🪲" * 100],
    ],
)
def test_settings_at_their_edges_give_text(folder, options):
    said = invoke("generate", str(folder), "--max-new-tokens", "5", "--ignore-eos", *options)
    assert said.endswith("\n")


def test_the_cell_that_parts_of_a_name_mean_is_said(tmp_path, monkeypatch):
    write_cell(tmp_path / "results/my/cells/toy.bytes.gpt2.base.s1/train", tiny(257))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["generate", "toy", "--max-new-tokens", "1"])
    assert result.stderr == "gptgrid: results/my/cells/toy.bytes.gpt2.base.s1\n"


def test_that_a_training_diverged_is_said(tmp_path):
    folder = write_cell(tmp_path / "cell", tiny(257), status="diverged")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["facts"]["ended"] = "the loss was nan; lower training.lr"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    result = CliRunner().invoke(app, ["generate", str(folder), "--max-new-tokens", "1"])
    assert result.exit_code == 0
    assert result.stderr == (
        "gptgrid: the training of this cell diverged, and its weights are those of before: the loss was nan; "
        "lower training.lr\n"
    )


def test_a_terminal_without_a_character_gets_another(tmp_path):
    write_cell(tmp_path / "cell", tiny(257))
    command = [sys.executable, "-c", "from gptgrid.cli.main import main; main()", "generate", "cell"]
    result = subprocess.run(
        [*command, "--prompt", "天", "--max-new-tokens", "1"],
        cwd=tmp_path,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert result.returncode == 0 and result.stdout.startswith(b"?"), result.stderr


def test_a_mistake_is_one_line_and_exit_code_1(tmp_path):
    command = [sys.executable, "-c", "from gptgrid.cli.main import main; main()", "generate", "nowhere"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("gptgrid: no trained cell matches") and result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_options_may_be_written_with_underscores(folder):
    said = invoke("generate", str(folder), "--prompt", "天", *OPTIONS)
    written = [option.replace("max-new-tokens", "max_new_tokens") for option in OPTIONS]
    assert invoke("generate", str(folder), "--prompt", "天", *written) == said
    assert invoke("generate", str(folder), "--prompt", "a_b-c", *OPTIONS).startswith("a_b-c")


def test_several_texts_come_one_after_the_other_each_with_its_seed(folder):
    cell = load(folder, "cpu")
    texts = cell.generate(["天"] * 3, 20, seed=3, ignore_eos=True)
    expected = "".join(f"== seed {3 + row}\n天{text}\n\n" for row, text in enumerate(texts))
    assert invoke("generate", str(folder), "--prompt", "天", "--count", "3", *OPTIONS) == expected


def test_texts_are_the_same_in_batches(folder, monkeypatch):
    said = invoke("generate", str(folder), "--prompt", "天", "--count", "5", *OPTIONS)
    monkeypatch.setattr("gptgrid.cli.generate.ROWS", 2)
    assert invoke("generate", str(folder), "--prompt", "天", "--count", "5", *OPTIONS) == said


def test_several_cells_one_after_the_other(folder, tmp_path):
    other = write_cell(tmp_path / "other", uniform(257, likely=65))
    said = invoke("generate", str(folder), str(other), "--prompt", "a", *OPTIONS)
    expected = load(folder, "cpu").generate("a", 20, seed=3, ignore_eos=True)
    assert said == f"== {folder}\na{expected}\n\n== {other}\na{'A' * 20}\n\n"


def test_prompts_of_a_file_one_a_line(folder, tmp_path):
    (tmp_path / "prompts.txt").write_text("one\n\n 天地 \n", encoding="utf-8-sig")
    texts = load(folder, "cpu").generate(["one", " 天地 "], 20, seed=3, ignore_eos=True)
    expected = f"== seed 3\none{texts[0]}\n\n== seed 4\n 天地 {texts[1]}\n\n"
    said = invoke("generate", str(folder), "--file", str(tmp_path / "prompts.txt"), *OPTIONS)
    assert said == expected
    assert invoke("generate", str(folder), "--file", "-", *OPTIONS, input="one\n 天地 \n") == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\n\n", "prompts.txt: the text has no prompt"),
        (b"ab\xff", "prompts.txt: no UTF-8: byte 2 does not fit"),
        (gzip.compress(b"one\n", mtime=0), "prompts.txt: the file is compressed; decompress it first"),
        (None, "cannot be read: No such"),
    ],
)
def test_a_file_without_prompts_is_said(folder, tmp_path, content, said):
    if content is not None:
        (tmp_path / "prompts.txt").write_bytes(content)
    result = CliRunner().invoke(app, ["generate", str(folder), "--file", str(tmp_path / "prompts.txt")])
    assert isinstance(result.exception, UserError) and said in str(result.exception)


@pytest.mark.parametrize("command", [["generate", "--file", "-"], ["score", "-"]])
def test_a_standard_input_that_is_no_text_is_called_so(folder, command):
    result = CliRunner().invoke(app, [command[0], str(folder), *command[1:]], input=b"\xff")
    assert str(result.exception).startswith("stdin: no UTF-8: byte 0 does not fit")


def test_prompts_come_from_one_place(folder):
    result = CliRunner().invoke(app, ["generate", str(folder), "--prompt", "a", "--interactive"])
    assert str(result.exception) == "give one of --prompt, --file and --interactive"


def test_json_has_a_line_for_each_text_with_its_tokens(folder, tmp_path):
    sure = write_cell(tmp_path / "sure", uniform(257, likely=65))
    options = ["--prompt", "天", "--count", "2", *OPTIONS]
    rows = list(map(json.loads, invoke("generate", str(folder), str(sure), "--json", *options).splitlines()))
    assert [(row["cell"], row["seed"]) for row in rows] == [
        (str(folder), 3),
        (str(folder), 4),
        (str(sure), 3),
        (str(sure), 4),
    ]
    cell = load(folder, "cpu")
    for row in rows[:2]:
        assert row["prompt"] == "天" and row["finish"] == "length"
        assert row["text"] == cell.generate("天", 20, seed=row["seed"], ignore_eos=True)
        assert len(row["tokens"]) == len(row["logprobs"]) == 20
        assert cell.decode(row["tokens"]).startswith(row["text"])
        ids = [256, *"天".encode(), *row["tokens"]]
        chances = cell.forward(ids[:4]).log_softmax(-1)
        assert row["logprobs"][0] == pytest.approx(chances[3, ids[4]].item(), abs=1e-4)
    assert rows[2]["text"] == "A" * 20 and rows[2]["logprobs"] == pytest.approx([0] * 20, abs=1e-6)


def test_a_prompt_longer_than_the_context_is_said_to_be(folder):
    options = ["--count", "2", *OPTIONS]
    result = CliRunner().invoke(app, ["generate", str(folder), "--prompt", "a" * 10, *options])
    assert result.exit_code == 0
    assert result.stderr == (
        "gptgrid: the prompt has 11 tokens, but the model sees 8 at once: the first 3 are not read\n"
    )
    assert CliRunner().invoke(app, ["generate", str(folder), "--prompt", "a" * 7, *options]).stderr == ""


def test_a_file_of_weights_and_the_last_weights(tmp_path):
    train = write_cell(tmp_path / "cell" / "train", uniform(257, likely=65), last=uniform(257, likely=66))
    options = ["--max-new-tokens", "3", "--prompt", "x"]
    for cell, more, expected in (
        (train.parent, [], "xAAA\n"),
        (train.parent, ["--weights", "last"], "xBBB\n"),
        (train / "last.safetensors", [], "xBBB\n"),
        (train / "model.safetensors", [], "xAAA\n"),
    ):
        assert invoke("generate", str(cell), *options, *more) == expected


def test_weights_are_named_behind_an_at(tmp_path, monkeypatch):
    """Of a folder and of a name alike; the file says which they are, so that `--weights` is not given, too."""
    train = write_cell(
        tmp_path / "results" / "one" / "cells" / "toy.bytes.tiny.base.s1" / "train",
        uniform(257, likely=65),
        last=uniform(257, likely=66),
    )
    shutil.copy(train / "last.safetensors", train / "step-00000040.safetensors")
    monkeypatch.chdir(tmp_path)
    options = ["--max-new-tokens", "3", "--prompt", "x"]
    for cell, expected in (
        ("tiny s1@40", "xBBB\n"),
        ("one/toy.bytes.tiny.base.s1@last", "xBBB\n"),
        (f"{train.parent}@best", "xAAA\n"),
        (f"{train}@40", "xBBB\n"),
    ):
        assert invoke("generate", cell, *options) == expected
    assert load("tiny s1@40", "cpu").generate("x", max_new_tokens=3) == "BBB"
    for cell, more, expected in (
        ("tiny s1@50", [], "has no weights '50'; take best or last or 40"),
        ("tiny s2@40", [], "no trained cell matches 'tiny s2'"),
        ("tiny s1@40", ["--weights", "last"], "says which weights already"),
        (
            "tiny s1@4@4",
            [],
            "^tiny s1@4@4 names weights twice, @4 and @4; leave one of them out$",
        ),
        ("tiny s1@first", [], "^tiny s1@first: expected best, last or the number of a step behind @$"),
    ):
        with pytest.raises(UserError, match=expected):
            CliRunner().invoke(app, ["generate", cell, *options, *more], catch_exceptions=False)


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--min-p", "3"], "min_p is 3"), (["--file", "nosuch"], "nosuch cannot be read: No such file")],
)
def test_what_is_wrong_beside_the_cell_is_said_before_it_is_looked_for(options, said):
    result = CliRunner().invoke(app, ["generate", "nowhere", *options])
    assert said in str(result.exception)


def test_ctrl_c_ends_quietly_with_what_has_been_printed(tmp_path):
    write_cell(tmp_path / "cell", uniform(257, likely=65))
    command = [sys.executable, "-c", "from gptgrid.cli.main import main; main()", "generate", "cell"]
    with subprocess.Popen(
        [*command, "--prompt", "ab", "--max-new-tokens", "1000000"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.read(5) == b"abAAA"
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=30)
    assert process.returncode == 130 and said == b""
    assert set(rest) <= set(b"A\n") and rest.endswith(b"\n")


def test_help_says_how_to_write_a_line_end():
    said = invoke("generate", "--help", env={"COLUMNS": "300", "TERM": "dumb"})
    for option in ("--prompt", "--stop"):
        line = next(line for line in said.splitlines() if line.startswith(f"│ {option} "))
        assert "$'" in line and "\\n" in line


def test_beam_search_gives_one_text_of_each_prompt(folder):
    arguments = ["generate", str(folder), "--prompt", "a", "--beams", "2", *OPTIONS]
    one = CliRunner().invoke(app, arguments, catch_exceptions=False)
    three = CliRunner().invoke(app, [*arguments, "--count", "3"], catch_exceptions=False)
    assert three.stdout == one.stdout and one.stderr == ""
    assert three.stderr == "gptgrid: beam search draws nothing: one text of each prompt, not 3\n"


def test_what_has_no_effect_beside_beams_is_said_where_it_was_given(folder):
    arguments = ["generate", str(folder), "--prompt", "a", "--beams", "2", *OPTIONS]
    plain = CliRunner().invoke(app, arguments, catch_exceptions=False)
    given = [*arguments, "--temperature", "0.7", "--top-k", "9", "--repetition-penalty", "1"]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    assert plain.stderr == "" and result.stdout == plain.stdout
    assert result.stderr == "gptgrid: beam search draws nothing: temperature, top_k have no effect\n"


@pytest.mark.parametrize("as_json", [True, False])
def test_ctrl_c_leaves_no_line_among_json(folder, monkeypatch, as_json):
    def interrupted(*values, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("gptgrid.model.continuation.stream", interrupted)
    result = CliRunner().invoke(app, ["generate", str(folder), *(["--json"] if as_json else [])])
    assert result.exit_code == 130 and result.stdout == ("" if as_json else "\n")
