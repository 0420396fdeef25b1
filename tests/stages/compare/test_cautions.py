"""What makes figures doubtful is said, with how much and what to do; and nothing is said of sound ones."""

import csv
import json

import pytest
from experiments import Experiment

from gptgrid.stages.compare.tables import compare


def edit(experiment: Experiment, name: str, **changes: object) -> None:
    """Change facts of an input; `a__b` is b in a."""
    path = experiment.inputs[name] / "manifest.json"
    manifest = json.loads(path.read_text())
    for key, value in changes.items():
        *parents, last = key.split("__")
        inner = manifest["facts"]
        for parent in parents:
            inner = inner[parent]
        inner[last] = value
    path.write_text(json.dumps(manifest))


def edit_evaluations(
    experiment: Experiment, split: str = "test", of: str | None = None, **changes: object
) -> None:
    """Change what evaluations say of a split: all, or those of a tokenizer."""
    for cell in experiment.cells:
        if of and cell["tokenizer"] != of:
            continue
        path = experiment.inputs[f"evaluate:{cell['cell']}"] / "evaluation.json"
        evaluation = json.loads(path.read_text())
        (evaluation["valid"] if split == "valid" else evaluation).update(changes)
        path.write_text(json.dumps(evaluation))


def train_for(experiment: Experiment, cell: str, epochs: float) -> None:
    """Change how many passes over the text a training made."""
    metrics = experiment.inputs[f"train:{cell}"] / "metrics.csv"
    *rows, last = metrics.read_text().splitlines()
    step, tokens, _, *rest = last.split(",")
    metrics.write_text("\n".join([*rows, ",".join([step, tokens, repr(epochs), *rest])]) + "\n")


def said(experiment: Experiment) -> list[str]:
    """Return the cautions of an experiment on one text."""
    job = experiment.compare_job()
    compare(job)
    with (job.folder / "cautions.csv").open(newline="", encoding="utf-8") as file:
        return [row["caution"] for row in csv.DictReader(file)]


@pytest.fixture
def sound(tmp_path) -> Experiment:
    """Two groups of two seeds, about which there is nothing to say."""
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"))
    for cell in experiment.cells:
        edit(experiment, f"train:{cell['cell']}", steps=1000, best_step=900, train_tokens=10**6)
    return experiment


def test_nothing_is_said_of_a_sound_experiment(sound):
    assert said(sound) == []


def test_cautions_are_printed(sound, capsys):
    edit(sound, "corpus:tales", about__cautions=["half of it is one file twice; leave one"])
    assert said(sound) == ["half of it is one file twice; leave one"]
    assert "caution: tales: half of it is one file twice; leave one\n" in capsys.readouterr().out


def test_five_tokens_cannot_tell_models_apart(sound):
    edit_evaluations(sound, "valid", scored_tokens=5, guessing=3.0)
    first, second = said(sound)
    assert first.startswith("no group is the best: the lowest on validation, tales.bpe.llama.base, takes")
    assert "so that it has learned nothing that the 5 tokens scored could show; train longer, or" in first
    assert second == (
        "5 tokens of the validation split were scored, which cannot tell models apart that differ by less than "
        "1.8 nats per token; give more text, or a larger share for it (`split`)"
    )


@pytest.mark.parametrize(
    ("by", "expected"),
    [("document", 1), (None, 1), ("position", 0)],
)
def test_a_test_of_one_document_is_named_unless_the_text_was_cut_in_order(sound, by, expected):
    edit_evaluations(sound, documents=1, documents_of_split=1)
    if by:
        edit(sound, "corpus:tales", about__split={"by": by})
    found = [line for line in said(sound) if line.startswith("the test split has 1 document,")]
    assert len(found) == expected


def test_what_of_a_split_was_scored_is_said(sound):
    """Whatever the corpus has, figures speak of what was scored."""
    edit_evaluations(sound, documents=7, documents_of_split=1_319, bytes=2_046, bytes_of_split=316_552)
    assert said(sound) == [
        "figures on the test split are of 7 of its 1,319 documents (2,046 of 316,552 bytes), as "
        "`evaluation.bytes` asks, and so few may be unlike the rest; raise it, or leave it out to score all"
    ]
    edit_evaluations(sound, documents=1_000)
    edit_evaluations(sound, "valid", documents=2, documents_of_split=300, scored_tokens=700)
    assert said(sound) == [
        "figures on the validation split are of 2 of its 300 documents (100,000 of 100,000 bytes), as "
        "`evaluation.bytes` asks, and so few may be unlike the rest; raise it, or leave it out to score all",
        "700 tokens of the validation split were scored, which cannot tell models apart that differ by less "
        "than 0.15 nats per token; raise `evaluation.bytes`",
        "figures on the test split are of 1,000 of its 1,319 documents (2,046 of 316,552 bytes), as "
        "`evaluation.bytes` asks; raise it, or leave it out to score all",
    ]


def test_what_a_part_cannot_show_more_of_it_may(sound):
    edit_evaluations(sound, "valid", guessing=0.5, documents=100)
    first, *_ = said(sound)
    assert first.startswith("no group is the best") and first.endswith("or raise `evaluation.bytes`")


def test_a_part_is_said_of_a_text_that_was_cut_in_order_too(sound):
    edit(sound, "corpus:tales", about__split={"by": "position"})
    edit_evaluations(sound, documents=2, documents_of_split=3)
    assert len(said(sound)) == 1


def test_groups_under_different_conventions(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama", "encoder"))
    for seed in (1, 2):
        path = experiment.inputs[f"evaluate:tales.bpe.llama.base.s{seed}"] / "evaluation.json"
        changes = {"convention": "document", "document": {"definition": "In its document."}}
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    assert [line for line in said(experiment) if "conventions" in line] == [
        "groups are scored under different conventions, document (tales.bpe.llama.base) and sliding "
        "(tales.bpe.gpt2.base, tales.bpe.encoder.base): the tokens are the same, but not what they are "
        "predicted from, which under `document` is their own document alone, so that the order may be that of "
        "the conventions; compare groups of one, or give `windows: document` to all or none"
    ]


def test_groups_with_different_budgets(sound):
    budgets = {"gpt2": 1_200_000, "llama": 1_000_000}
    for cell in sound.cells:
        edit(sound, f"train:{cell['cell']}", train_tokens=budgets[cell["model"]])
    assert said(sound) == []
    edit(sound, "train:tales.bpe.gpt2.base.s1", train_tokens=1_200_001)
    assert said(sound) == [
        "groups trained on different numbers of tokens, from 1,000,000 (tales.bpe.llama.base) to 1,200,001 "
        "(tales.bpe.gpt2.base), so that the order may be that of their budgets; give all the same `tokens`, "
        "unless budgets are what you compare"
    ]
    for seed in (1, 2):
        edit(sound, f"train:tales.bpe.gpt2.base.s{seed}", status="stopped early", ended="no lower loss")
    assert said(sound) == []


def test_other_tokenizers_cut_the_same_text_into_other_numbers(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("char", "bpe"), ("gpt2",))
    budgets = {"bpe": 10**6, "char": 3 * 10**6}
    for cell in experiment.cells:
        edit(experiment, f"train:{cell['cell']}", train_tokens=budgets[cell["tokenizer"]])
    assert not [line for line in said(experiment) if "budgets" in line]


def test_a_text_with_fewer_pairs_than_the_vocabulary_asks_for(sound):
    edit(sound, "tokenizer:bpe@tales", vocab_size=430)
    assert said(sound) == [
        "bpe has 430 tokens, not the 1,024 that `vocab_size` asks for: the text that it was made from has no "
        "more pairs to merge; take a smaller one, or give more text"
    ]


def test_a_handful_of_steps(sound):
    edit(sound, "train:tales.bpe.llama.base.s1", steps=6, best_step=6)
    assert said(sound) == [
        "1 of 4 trainings has fewer than 100 steps (the shortest 6), in which a model hardly begins to learn; "
        "raise `epochs`, `tokens` or `steps`, or lower `batch_tokens`"
    ]


def test_a_handful_of_steps_for_want_of_patience(sound):
    edit(sound, "train:tales.bpe.llama.base.s1", steps=6, best_step=6, status="stopped early")
    assert said(sound) == [
        "1 of 4 trainings stopped early within fewer than 100 steps (the shortest 6), in which a model hardly "
        "begins to learn; raise `patience` or `eval_every`"
    ]


def test_less_than_an_epoch_of_a_short_text(sound):
    train_for(sound, "tales.bpe.llama.base.s1", 0.2)
    assert said(sound) == [
        "1 of 4 trainings has not seen all of a short text (the shortest 20%); raise `epochs`"
    ]
    # Overlapping windows read the same tokens again, and have not seen more of the text.
    for seed in (1, 2):
        for model in ("gpt2", "llama"):
            edit(sound, f"train:tales.bpe.{model}.base.s{seed}", train_tokens=10**7)
    assert len(said(sound)) == 1
    edit(sound, "shards:bpe@tales", splits__train__tokens=5_000_000)
    assert said(sound) == []


def test_what_stopped_early_needs_no_more_epochs(sound):
    train_for(sound, "tales.bpe.llama.base.s1", 0.2)
    edit(sound, "train:tales.bpe.llama.base.s1", status="stopped early", ended="no lower loss")
    assert said(sound) == []


def test_an_epoch_that_leaves_out_most_of_the_text(sound):
    edit(sound, "shards:bpe@tales", splits__train__tokens=2_000_000)
    for cell in sound.cells:
        train_for(sound, cell["cell"], 10.0)
    assert said(sound) == [
        "in 4 of 4 trainings an epoch reads less than the training text (the least 5%), as what does not "
        "fit into the windows is left out; give another `context`, or other `windows`"
    ]


def test_a_best_step_at_the_beginning(sound):
    for model in ("gpt2", "llama"):
        edit(sound, f"train:tales.bpe.{model}.base.s1", best_step=10)
    [line] = said(sound)
    assert line.startswith("the best weights of tales.bpe.llama.base.s1 are those of step 10 of 1000")


def test_a_test_of_another_kind(sound):
    edit_evaluations(sound, guessing=2.0)
    lines = said(sound)
    assert len(lines) == 2 and lines[0].startswith("on the test split tales.bpe.llama.base.s1 takes")
    assert "where guessing (by frequency, or all tokens alike) takes 2.000" in lines[0]


@pytest.mark.parametrize(("of_split", "more"), [(183, "give more text"), (999, "raise `evaluation.bytes`")])
def test_a_test_that_shows_a_gain_which_may_be_chance(sound, of_split, more):
    """Lower than guessing, by less than so many tokens could tell."""
    for cell in sound.cells:
        path = sound.inputs[f"evaluate:{cell['cell']}"] / "evaluation.json"
        values = json.loads(path.read_text())
        values |= {"guessing": values["test_loss"] + 1e-3, "documents": 183, "documents_of_split": of_split}
        path.write_text(json.dumps(values))
    found = [
        line for line in said(sound) if line.startswith("on the test split tales.bpe.llama.base.s1 takes")
    ]
    assert len(found) == 1 and found[0].endswith(
        f": that is lower, but other documents could turn it around; {more}, or train longer"
    )


def test_one_seed_each(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1,))
    assert (
        "every group has one seed: intervals and verdicts leave out what another seed would change, so that the "
        "order may be chance; give several (`seed: [1, 2, 3]`)" in said(experiment)
    )
    alone = Experiment(tmp_path / "alone", ("tales",), ("bpe",), ("gpt2",), (1,))
    assert not any("seed" in line for line in said(alone))


def test_a_failed_cell_of_the_best_group(tmp_path):
    failed = {"train:tales.bpe.llama.base.s2": "no memory"}
    lines = said(Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1, 2, 3), failed=failed))
    assert (
        "groups have 2 to 3 finished seeds, and means over fewer are less sure; give all the same seeds"
        in lines
    )
    assert (
        "1 of 3 cells of tales.bpe.llama.base failed, and its figures are those of the others; run the same "
        "command again" in lines
    )


def test_a_vocabulary_that_the_text_cannot_teach(sound):
    edit(sound, "shards:bpe@tales", vocab_size=50_257, about__used=0.03, splits__train__tokens=5_145)
    line = next(line for line in said(sound) if "vocabulary" in line)
    assert line == (
        "1,508 of the 50,257 tokens of bpe occur in the training text, 3.4 times each in the mean, so that most "
        "of the vocabulary is hardly learned; take a smaller one, or give more text"
    )


def test_bytes_that_characters_bring_along_are_no_vocabulary_to_learn(sound):
    edit(sound, "shards:bpe@tales", vocab_size=322, about__used=0.2)
    assert said(sound) == []


def test_there_is_no_smaller_vocabulary_than_bytes(sound):
    edit(sound, "shards:bpe@tales", vocab_size=257, about__used=0.1, splits__train__tokens=100)
    assert not any("vocabulary" in line for line in said(sound))


def test_a_script_without_blanks(sound):
    """What was scored decides, which may be other text than the rest of the split."""
    edit(sound, "corpus:tales", splits__test__spaceless=88_000)
    assert said(sound) == []
    edit_evaluations(sound, word_perplexity_reason="80% of the characters have no blanks")
    assert said(sound) == [
        "there is no word perplexity: 80% of the characters have no blanks; compare bits per byte"
    ]


def test_groups_that_only_guess_are_named_behind_a_best_one(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("char", "bpe"), ("gpt2",))
    edit_evaluations(experiment, "valid", of="char", guessing=0.5)
    assert said(experiment)[0].startswith(
        "1 of 2 groups cannot be told from guessing (by frequency, or all tokens alike) (tales.char.gpt2.base)"
    )


def test_what_could_not_be_made_is_not_needed(tmp_path):
    names = (
        "corpus:tales",
        "shards:bpe@tales",
        "train:tales.bpe.llama.base.s1",
        "train:tales.bpe.llama.base.s2",
    )
    experiment = Experiment(
        tmp_path, ("tales",), ("bpe",), ("llama",), failed=dict.fromkeys(names, "no disk")
    )
    assert said(experiment) == []


def test_the_same_tokens_of_two_tokenizers_are_not_the_same_text(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe", "char"), ("gpt2",))
    for cell in experiment.cells:
        edit(experiment, f"train:{cell['cell']}", steps=1000, best_step=900, train_tokens=10**6)
    for tokenizer, tokens in (("bpe", 250_000), ("char", 1_000_000)):
        train = {"tokens": tokens, "bytes": 1_000_000}
        edit(experiment, f"shards:{tokenizer}@tales", splits__train=train)
    (sentence,) = [one for one in said(experiment) if "have read" in one]
    assert sentence.startswith(
        "trainings with bpe have read up to 4,000,000 bytes of this text, those with char 1,000,000, so that"
    )
    for cell in experiment.cells:
        tokens = 250_000 if cell["tokenizer"] == "bpe" else 10**6
        edit(experiment, f"train:{cell['cell']}", train_tokens=tokens)
    assert not [one for one in said(experiment) if "have read" in one]


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ({"bpe": {"<|user|>": 3}, "char": {"<|user|>": 3}}, None),
        ({"bpe": {}, "char": {"<|user|>": 3}}, "no special token for bpe: it has none, and all stays text"),
        ({"bpe": {"<|U|>": 0}, "char": {"<|user|>": 3}}, "none of <|U|> occurs in the training text"),
        ({"bpe": {"<|a|>": 1}, "char": {"<|a|>": 1, "<|b|>": 2}}, "(bpe: <|a|>; char: <|a|>, <|b|>)"),
    ],
)
def test_marks_that_are_not_read_or_not_by_all(tmp_path, marks, expected):
    experiment = Experiment(tmp_path, ("tales",), ("bpe", "char"), ("gpt2",))
    for tokenizer, found in marks.items():
        edit(experiment, f"shards:{tokenizer}@tales", about__marks=found)
    sentences = [one for one in said(experiment) if "special token" in one]
    assert [expected in one for one in sentences] == ([True] if expected else [])


def test_one_recipe_under_two_names(sound):
    manifests = [
        sound.inputs[f"train:tales.bpe.{model}.base.s1"] / "manifest.json" for model in ("gpt2", "llama")
    ]
    first, second = (json.loads(path.read_text()) for path in manifests)
    manifests[1].write_text(json.dumps({**second, "identity": first["identity"]}))
    (sentence,) = [one for one in said(sound) if "several names" in one]
    assert sentence.startswith(
        "tales.bpe.gpt2.base and tales.bpe.llama.base are one recipe under several names"
    )
    sound.cells[0]["use"] = "last"  # other weights of the same training
    assert not [one for one in said(sound) if "several names" in one]


def test_one_recipe_under_two_names_with_other_seeds(tmp_path):
    """A value is overridden by itself, and no training is the same."""
    four = {"model.n_layer": 4}
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1, 2), ({}, four))
    experiment.cells = [cell for cell in experiment.cells if (cell["seed"] == 2) == bool(cell["overrides"])]
    assert not [one for one in said(experiment) if "several names" in one]
    for cell in experiment.cells:
        if cell["overrides"] and cell["model"] == "gpt2":
            cell["repeated"] = list(four)
    (sentence,) = [one for one in said(experiment) if "several names" in one]
    assert sentence.startswith("tales.bpe.gpt2.base and tales.bpe.gpt2+n_layer=4.base are one recipe")
    assert "overridden by the value that the entry has anyway" in sentence
