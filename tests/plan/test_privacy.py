"""What is private, and what shows it from before: by what it is made from, and by names."""

from pathlib import Path

import pytest
from making import plan_of

from gptgrid.artifact.view import claim_views, owners
from gptgrid.plan.artifacts import log_of
from gptgrid.plan.privacy import OF_JOBS, label_of, left_over, private_names, withdraw

CONFIG = {
    "experiment": "small",
    "corpora": {
        "secret": {"source": "builtin", "name": "toy", "private": True},
        "toy": {"source": "builtin"},
    },
    "tokenizers": {"char": {"kind": "char"}, "taught": {"kind": "char", "train_on": "secret"}},
    "models": {"a": {}},
    "training": {"base": {"steps": 1}},
    "dialogues": {"mails": {"source": "builtin", "private": True}, "tales": {"source": "builtin"}},
    "finetuning": {
        "chat": {"data": "mails", "epochs": 1, "new_tokens": "add"},
        "talk": {"base": "chat", "data": "tales"},
    },
    "evaluation": {"answers": {"max_new_tokens": 8}},
    "grid": [
        {"corpus": "toy", "tokenizer": ["char", "taught"], "finetuning": "talk"},
        {"corpus": "toy", "tokenizer": "char", "finetuning": "chat"},
    ],
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GPTGRID_STORE", raising=False)


def test_what_is_made_from_private_text_is_private() -> None:
    artifacts = plan_of(CONFIG).artifacts
    public = {folder for folder, artifact in artifacts.items() if not artifact.private}
    home = "results/small/cells/toy.char.a.base.s1"
    assert {"data/corpora/toy", "data/dialogues/tales", "data/shards/char@toy", f"{home}/train"} <= public
    assert f"{home}.talk/finetune" in public and f"{home}.chat/finetune" not in public
    assert not any(name in folder for folder in public for name in ("secret", "taught", "mails", "compare"))


def test_what_is_left_over_is_known_by_its_names() -> None:
    plan = plan_of(CONFIG)
    assert private_names(plan.configuration) == {"secret", "mails", "taught", "chat"}
    cells = "results/small/cells"
    of_private = [
        "data/corpora/secret+split.valid=0.2",
        "data/shards/taught+x=1@toy",
        f"{cells}/secret.char.a.base.s1/train",
        f"{cells}/toy.char.a.base+lr=0.01.s1.chat/finetune",
    ]
    others = [
        "data/corpora/secretive",
        f"{cells}/toy.char.a.base+lr=0.01.s1/train",
        "results/big/cells/secret.x",
    ]
    known = dict.fromkeys([*of_private, *others, *plan.artifacts], "0")
    for folder in known:
        log_of(folder).parent.mkdir(parents=True, exist_ok=True)
        log_of(folder).touch()
    assert left_over(plan.needed, known) == of_private


def test_logs_of_an_experiment_without_private_text_stay() -> None:
    config = {**CONFIG, "grid": [{"corpus": "toy", "tokenizer": "char"}]}
    plan = plan_of(config)
    claim_views(dict.fromkeys(plan.artifacts, "0"))
    logs = [artifact.log for artifact in plan.artifacts.values()]
    for log in logs:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
    withdraw(plan.needed, plan.keys, plan.store, [])
    assert all(log.exists() for log in logs) and set(owners().values()) == {"0"}


@pytest.mark.parametrize(
    ("folder", "label"),
    [
        ("data/shards/char@toy", "char@toy"),
        ("results/e/cells/toy.char.a.base.s1/train", "toy.char.a.base.s1"),
        ("results/e/cells/toy.char.a.base.s1.chat/dialogues/mails", "toy.char.a.base.s1.chat/mails"),
        ("results/e/samples/toy", "toy"),
        ("results/e/compare", ""),
    ],
)
def test_kinds_of_artifacts_are_no_names(folder: str, label: str) -> None:
    """A private text may be called `train` or `cells`."""
    assert label_of(folder) == label


def test_a_private_text_that_was_never_there_takes_no_logs_away() -> None:
    plan, log = plan_of(CONFIG), OF_JOBS / "train" / "0.log"
    log.parent.mkdir(parents=True)
    log.touch()
    withdraw(plan.needed, plan.keys, plan.store, [])
    assert log.exists()
    claim_views({folder: "0" for folder, artifact in plan.artifacts.items() if artifact.private})
    withdraw(plan.needed, plan.keys, plan.store, [])
    assert not log.exists()
