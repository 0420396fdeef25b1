"""What the documentation lets a model continue was there to be learned."""

import re
from pathlib import Path

import pytest

from gptgrid.config.read import load
from gptgrid.plan.artifacts import DOCUMENTS
from gptgrid.stages.corpus.prepare import prepare
from gptgrid.text.documents import read_documents

ROOT = Path(__file__).parents[4]
FILES = [ROOT / "config" / "config.yaml", *sorted((ROOT / "config" / "recipes").glob("*.yaml"))]
README = re.findall(r'(?:--prompt |generate\()"([^"]+)"', (ROOT / "README.md").read_text())


@pytest.fixture
def training_text(make_job):
    """Return a function: an entry of a configuration → the training text of a built-in corpus."""

    def read(entry):
        values = entry.complete()
        job = make_job(**{**values, "documents": values["documents"] or DOCUMENTS[entry.name]})
        prepare(job)
        return list(read_documents(job.folder, "train"))

    return read


@pytest.mark.parametrize(
    ("path", "settings"),
    [*((path, {}) for path in FILES), (FILES[0], {"quick": True})],
    ids=[*(path.stem for path in FILES), "quick"],
)
def test_each_prompt_begins_a_sentence_of_the_training_text(path, settings, training_text):
    configuration = load([path], settings)
    experiment = configuration.experiment
    corpora = [configuration.entry("corpora", name) for name in experiment.corpora]
    texts = [training_text(entry) for entry in corpora if entry.source == "builtin"]
    recipes = [configuration.entry("training", name) for name in experiment.training]
    prompts = {*experiment.sampling.prompts, *(recipe.sample_prompt for recipe in recipes)}
    for prompt in (prompts | set(README) if path.stem == "config" else prompts) - {"", None}:
        begun = [sum(sentences_begun(text, prompt) for text in documents) for documents in texts]
        assert not texts or max(begun) >= 3, prompt


def sentences_begun(text, prompt):
    return len(re.findall(rf"(?:^|[.!?。！？\n]\s*){re.escape(prompt)}", text))


def test_the_weather_of_today_is_there_to_be_learned(training_text):
    configuration = load([FILES[0]], {})
    text = "\n".join(training_text(configuration.entry("corpora", "toy")))
    assert "今天天气" in text and "Today" in text
