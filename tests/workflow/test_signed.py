"""A signature in an address is part of nothing: not of what is made, and not of what identifies it."""

import hashlib
import os
from pathlib import Path

import pytest
from making import make, plan_of
from servers import says, serve, whole

TEXT = "".join(f"line {i} of a text from the web\n" for i in range(200)).encode()
SECRET = b"geheim"


def config(url: str, **keys) -> dict:
    corpus = {"source": "url", "url": url, "sha256": hashlib.sha256(TEXT).hexdigest(), "document": "line"}
    return {
        "experiment": "small",
        "corpora": {"web": {**corpus, "insecure": True, **keys}},
        "tokenizers": {"bytes": {"kind": "bytes"}},
        "models": {"small": {"n_layer": 1, "n_head": 1, "d_model": 8, "context": 16}},
        "training": {"base": {"steps": 2, "batch_tokens": 64}},
        "grid": [{}],
    }


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("GPTGRID_STORE", "GPTGRID_MIRROR", "GPTGRID_HEADERS"):
        monkeypatch.delenv(name, raising=False)


def traces() -> list[str]:
    """Return the files that have the signature."""
    paths = [Path(folder, name) for folder, _, names in os.walk(".") for name in names]
    return [str(path) for path in paths if SECRET in path.read_bytes() or "geheim" in str(path)]


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("query", ["X-Amz-Signature=geheim&X-Amz-Date=1", "sv=2&sig=geheim", "token=geheim"])
def test_nothing_that_is_made_has_it_and_a_new_one_makes_nothing_new(query, private, capsys):
    with serve(whole(TEXT)) as server:
        url = f"{server.url}/text.txt"
        plan = make(config(f"{url}?{query}", private=private), "corpus")
        assert [path for path, _ in server.asked] == [f"/text.txt?{query}"]
        (artifact,) = plan.of_stage("corpus")
        assert plan.there[artifact] and traces() == []
        again = plan_of(config(f"{url}?{query}2", private=private))
        assert again.there[again.of_stage("corpus")[0]]
        assert "geheim" not in capsys.readouterr().out


def test_a_list_of_files_has_none_either():
    with serve(whole(TEXT)) as server:
        files = [{"url": f"{server.url}/text.txt?sig=geheim", "sha256": hashlib.sha256(TEXT).hexdigest()}]
        made = config("")
        del made["corpora"]["web"]["url"], made["corpora"]["web"]["sha256"]
        made["corpora"]["web"]["train"] = files
        plan = make(made, "corpus")
        assert plan.there[plan.of_stage("corpus")[0]] and traces() == []


def test_after_a_signature_ran_out_the_new_one_is_used(capsys):
    with serve(says(403)) as server:
        url = f"{server.url}/text.txt"
        failed = make(config(f"{url}?sig=geheim"), "corpus")
        assert not failed.there[failed.of_stage("corpus")[0]]
        assert [path for path in traces() if "downloads" not in path] == []
        server.answers = [whole(TEXT)]
        plan = make(config(f"{url}?sig=geheim2"), "corpus")
        assert plan.there[plan.of_stage("corpus")[0]] and traces() == []
        assert server.asked[-1][0] == "/text.txt?sig=geheim2"
        said = capsys.readouterr()
        assert "geheim" not in said.out + said.err


def test_what_the_store_has_needs_no_signature():
    with serve(whole(TEXT)) as server:
        url = f"{server.url}/text.txt"
        plan = make(config(url), "corpus")
        (artifact,) = plan.of_stage("corpus")
        plan.store.receipt_path("corpus", plan.keys[artifact]).unlink()
        for path in Path("data/downloads").iterdir():
            path.unlink()
        plan = plan_of(config(f"{url}?sig=geheim"))
        plan.write_requests()
        assert plan.action(plan.of_stage("corpus")[0]) == "restore" and traces() == []
