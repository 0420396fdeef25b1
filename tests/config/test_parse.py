"""Files are YAML 1.2, and what is none is reported with the line and what to do."""

import time
from pathlib import Path

import pytest

from gptgrid.config.parse import read_scalar, read_yaml
from gptgrid.config.read import ConfigError


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> Path:
        file = tmp_path / "my.yaml"
        file.write_text(text)
        return file

    return write


def test_values_are_what_people_mean(write) -> None:
    text = "{a: 1e-3, b: 15e-4, c: 1.5, d: no, e: on, f: true, g: null, h: 2M, i: 010, j: [1, 2]}"
    assert read_yaml(write(text)) == {
        "a": 0.001, "b": 0.0015, "c": 1.5, "d": "no", "e": "on", "f": True, "g": None, "h": "2M", "i": 10, "j": [1, 2],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("experiment: a\nexperiment: b\n", 'line 2, column 1: .*duplicate key "experiment".*; keep one of the two'),
        ("paths: [*.txt]", r"line 1, column 9: .*alias '.txt'; text that begins with \* must stand in quotes, such as"),
        ("paths: [**/*.txt]", r"text that begins with \* must stand in quotes"),
        ("paths: {a: *}", r"text that begins with \* must stand in quotes"),
        ("name: @home", "character '@' that cannot start any token; text that begins with this character must stand in"),
        ("models:\n\tsmall: {}", r"line 2, column 1: .*'\\t'.*; indent with blanks, not with tabs"),
        ("license: CC: BY", "mapping values are not allowed here; put text with `: ` in it in quotes"),
        ("grid: [{a: 1}", "line 1, column 14: while parsing a flow sequence, expected ',' or ']'"),
        ("- a", "expected a mapping with the keys experiment, corpora"),
        ("", "expected a mapping with the keys experiment, corpora"),
    ],
)  # fmt: skip
def test_what_is_no_configuration_is_reported_with_line_and_remedy(write, text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=rf"my\.yaml: .*{expected}"):
        read_yaml(write(text))


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: no such configuration file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"experiment: caf\xe9")
    with pytest.raises(ConfigError, match=r"latin\.yaml: not UTF-8 text .*; save it as UTF-8"):
        read_yaml(tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2), ("1e-3", 0.001), ("-1e-3", -0.001), ("true", True), ("null", None), ("~", None),
        ("", ""), ("no", "no"), ("2M", "2M"), ("[1, 2]", "[1, 2]"), ("a: b", "a: b"), ("*.txt", "*.txt"), ("2020-01-01", "2020-01-01"),
    ],
)  # fmt: skip
def test_text_that_stands_for_a_number_a_boolean_or_null_is_read(text: str, value: object) -> None:
    assert read_scalar(text) == value and type(read_scalar(text)) is type(value)


def test_there_is_one_zero(write) -> None:
    values = [*read_yaml(write("{a: 0.0, b: -0.0, c: -0e3}")).values(), read_scalar("-0.0")]
    assert list(map(str, values)) == ["0.0"] * 4


def test_a_file_of_three_hundred_lines_is_read_quickly(write) -> None:
    entries = "".join(f"  m{n}:\n    preset: llama\n    n_layer: {n}\n    d_model: 128\n" for n in range(75))
    file = write("experiment: a\nmodels:\n" + entries)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        read_yaml(file)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.2  # 0.02 on an idle machine
