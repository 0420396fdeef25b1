"""Both languages say all there is to say."""

from pathlib import Path
from string import Formatter

import pytest
import yaml

from gptgrid.artifact.errors import UserError
from gptgrid.inference.demo import tell
from gptgrid.inference.walk import words


def texts(folder: Path, language: str) -> dict[str, str]:
    """Return the texts of a language by their paths."""

    def flat(found: object, path: str = "") -> dict[str, str]:
        if isinstance(found, dict):
            return {
                key: text
                for name, inner in found.items()
                for key, text in flat(inner, f"{path}.{name}").items()
            }
        return {path: str(found)}

    return flat(yaml.safe_load((folder / f"{language}.yaml").read_text(encoding="utf-8")))


@pytest.mark.parametrize("folder", [words.HERE, tell.HERE], ids=["walk", "demo"])
def test_languages_have_the_same_names_and_values(folder):
    english, chinese = (texts(folder, language) for language in words.LANGUAGES)
    assert list(english) == list(chinese)
    for name, text in english.items():
        values = [
            sorted(filter(None, (part[1] for part in Formatter().parse(each))))
            for each in (text, chinese[name])
        ]
        assert values[0] == values[1], name


@pytest.mark.parametrize("folder", [words.HERE, tell.HERE], ids=["walk", "demo"])
def test_sentences_are_translated(folder):
    english, chinese = (texts(folder, language) for language in words.LANGUAGES)
    same = [name for name, text in english.items() if chinese[name] == text and " " in text]
    assert same == [name for name in same if name.endswith((".angles", ".lens"))]


def test_an_unknown_language_is_told():
    with pytest.raises(UserError, match="no language 'fr'; take en or zh"):
        words.read_words("fr")
