"""What needs no network is measured once for each text and each tokenizer on it, whatever is trained there."""

import copy

from making import make, plan_of

CONFIG = {
    "corpora": {
        "toy": {"source": "builtin"},
        "noise": {"source": "random", "vocab_size": 9, "tokens": 20000},
    },
    "tokenizers": {"bytes": {"kind": "bytes"}, "char": {"kind": "char"}, "ids": {"kind": "ids"}},
    "models": {"small": {"n_layer": 1, "d_model": 8, "n_head": 1, "context": 16}},
    "training": {"base": {"steps": 1, "batch_tokens": 64}},
    "grid": [
        {"corpus": "toy", "tokenizer": ["bytes", "char"], "seed": [1, 2]},
        {"corpus": "noise", "tokenizer": "ids"},
    ],
}
FOLDER = "results/default/references"


def keys(config: dict) -> dict[str, str]:
    """Return folder → key of the references of a plan."""
    plan = plan_of(config)
    return {
        folder: plan.keys[artifact]
        for folder, artifact in plan.artifacts.items()
        if folder.startswith(FOLDER)
    }


def changed(**sections: dict) -> dict:
    """Return the configuration with other values: of section → entry → keys, or section → keys."""
    config = copy.deepcopy(CONFIG)
    for section, values in sections.items():
        for name, value in values.items():
            inner = config.setdefault(section, {})
            inner[name] = {**inner[name], **value} if isinstance(value, dict) else value
    return config


def test_each_text_and_each_tokenizer_on_it_has_one_and_bare_ids_have_no_bytes() -> None:
    found = plan_of(CONFIG).artifacts
    assert [name for name in found if name.startswith(FOLDER)] == [
        f"{FOLDER}/{name}" for name in ("bytes@toy", "toy", "char@toy", "ids@noise")
    ]
    assert list(found[f"{FOLDER}/toy"].inputs) == ["corpus"]
    assert list(found[f"{FOLDER}/char@toy"].inputs) == ["shards"]
    assert {f"references:{name}" for name in ("bytes@toy", "toy", "char@toy", "ids@noise")} < set(
        found["results/default/compare"].inputs
    )


def test_models_and_how_cells_are_scored_are_no_cause_but_which_documents_are() -> None:
    before = keys(CONFIG)
    assert keys(changed(models={"small": {"n_layer": 2}}, training={"base": {"lr": 1e-4}})) == before
    assert keys(changed(evaluation={"stride": 4, "precision": "auto"})) == before
    text = changed(evaluation={"bytes": 500}) | {"grid": CONFIG["grid"][:1]}
    after = keys(text)
    assert not [folder for folder in after if after[folder] == before[folder]]
    tokenizer = changed(tokenizers={"char": {"kind": "bpe", "vocab_size": 300}})
    assert {folder for folder, key in keys(tokenizer).items() if key != before[folder]} == {
        f"{FOLDER}/char@toy"
    }


def test_they_are_made_and_stand_in_the_tables() -> None:
    plan = make(CONFIG)
    assert all(plan.there.values())
    facts = {folder: plan.manifest(plan.artifacts[folder])["facts"] for folder in keys(CONFIG)}
    assert {folder.split("/")[-1]: sorted(each) for folder, each in facts.items()} == {
        "bytes@toy": ["kneser-ney", "unigram"],
        "toy": ["xz"],
        "char@toy": ["kneser-ney", "unigram"],
        "ids@noise": ["kneser-ney", "unigram"],
    }
