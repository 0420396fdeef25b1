"""The pages for readers of other projects: their words are known, and each line of theirs is what it becomes."""

import re
from pathlib import Path

import pytest
import yaml
from pages import ROOT

from gptgrid.config.grid import cells_of
from gptgrid.config.read import load
from gptgrid.config.suggest import NO_KEYS, SYNONYMS, places_of

LANGUAGES = ("en", "zh")
GUIDES = [ROOT / "docs" / "recipes" / language / "coming-from.md" for language in LANGUAGES]
CONVERTED = ("batch_tokens", "micro_batch")
"""Keys whose value is not the other project's."""


def options(guide: Path) -> list[tuple[str, str]]:
    """Return (word of another project, what stands beside it) of each table of keys."""
    rows = re.findall(r"^\| (`[^|]*`) \| (.*) \|$", guide.read_text("utf-8"), re.MULTILINE)
    return [(word, here) for there, here in rows for word in re.findall(r"`(?:--)?(\w+)`", there)]


@pytest.mark.parametrize("guide", GUIDES, ids=LANGUAGES)
def test_each_word_of_another_project_is_known_and_leads_where_the_page_says(guide: Path) -> None:
    found = options(guide)
    assert len(found) >= 60
    for word, here in found:
        place = re.match(r"`((?:models|training|tokenizers|sampling|run)\.[\w.]+)`", here)
        if place:
            others = re.findall(r"`((?:training|models)\.[\w.]+)`", here)
            assert {place[1], *others} & set(places_of(word)), word
        else:
            assert word in NO_KEYS, word


@pytest.mark.parametrize("guide", GUIDES, ids=LANGUAGES)
def test_a_command_line_and_the_configuration_behind_it_say_the_same(guide: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    sections = [part for part in guide.read_text("utf-8").split("\n## ") if "```yaml" in part]
    assert len(sections) == 5
    compared = 0
    for section in sections:
        written = yaml.safe_load(re.search(r"```yaml\n(.*?)```", section, re.DOTALL)[1])
        whole = {
            "corpora": {"tales": {"source": "builtin"}},
            "tokenizers": {"char": {"kind": "char"}},
            **written,
            "grid": [{}],
        }
        mine.write_text(yaml.safe_dump(whole), "utf-8")
        [cell] = cells_of(load([mine], {}))
        values = {
            key: value
            for part in (cell.tokenizer, cell.model, cell.training)
            for key, value in part.value.complete().items()
        }
        line = re.search(r"^`(--[^`]+)`", section, re.MULTILINE)
        for word, value in re.findall(r"--(\w+)\s+([\d.e-]+)", line[1] if line else ""):
            key = SYNONYMS.get(word, word)
            if key not in CONVERTED:
                assert values[key] == float(value), word
                compared += 1
    assert compared >= 20
