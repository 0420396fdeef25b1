"""A program makes what was asked for, once; nothing is lost, and nothing half-made is ever taken for whole."""

import errno
import io
import json
import shutil
from pathlib import Path

import pytest
from workshop import Builder, Workshop, rewrite, write_words

from gptgrid.artifact import program
from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import file_digest
from gptgrid.artifact.identity import content_digest
from gptgrid.artifact.job import Job
from gptgrid.artifact.manifest import read_manifest, read_provenance
from gptgrid.artifact.receipt import Receipt, read_receipt
from gptgrid.artifact.request import Request


def fail(job: Job) -> dict:
    raise UserError("no words")


def no_space(job: Job) -> dict:
    raise OSError(errno.ENOSPC, "No space left on device")


def folders(workshop: Workshop, stage: str = "corpus") -> list[str]:
    """Return the folders of a stage in the store, their identities cut off."""
    return sorted(p.name[64:] for p in (workshop.store.root / stage).iterdir() if p.is_dir())


# ------------------------------------------------------------------------------------------ making


def test_manifest_provenance_and_timing(workshop: Workshop) -> None:
    request = workshop.request()
    receipt = workshop.make(request, Builder())
    folder = workshop.folder(request)
    manifest = read_manifest(folder)
    assert manifest["outputs"].keys() == {"hello.txt"}
    assert manifest["outputs"]["hello.txt"]["bytes"] == 5
    assert manifest["facts"] == {"length": 5}
    assert (manifest["stage"], manifest["config"]) == ("corpus", {"words": "hello"})
    assert manifest["identity"] == receipt.identity == folder.name
    assert receipt.content == content_digest(manifest)
    provenance = read_provenance(folder)
    assert provenance["note"] == 1
    assert {"time", "host", "python", "libraries", "commit", "peak_memory_mb"} <= provenance.keys()
    steps = [line.split(",")[0] for line in (folder / "timing.csv").read_text().splitlines()]
    assert steps == ["step", "check", "total"]


def test_the_same_request_gives_the_same_manifest_in_another_store(tmp_path: Path, workshop) -> None:
    manifests = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        place = Workshop(tmp_path / name)
        request = place.request()
        place.make(request, Builder())
        manifests.append((place.folder(request) / "manifest.json").read_bytes())
    assert manifests[0] == manifests[1]


def test_what_is_there_is_not_made_again(workshop: Workshop, capsys) -> None:
    build, request = Builder(), workshop.request()
    first = workshop.make(request, build)
    assert workshop.make(request, build) == first
    workshop.store.receipt_path("corpus", request.key).unlink()
    assert workshop.make(request, build) == first
    assert build.calls == 1
    assert "restored: corpus" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        {"slice": {"words": "other"}},
        {"stage": "encode"},
        {"raw": {"own.txt": "0" * 64}},
        {"source": "0" * 64},
        {"inputs": {"corpus": ("corpus", "0" * 64)}},
    ],
    ids=str,
)
def test_the_key_covers_everything_that_decides(workshop: Workshop, change: dict) -> None:
    assert workshop.request(**change).key != workshop.request().key


def test_the_key_covers_nothing_else(workshop: Workshop) -> None:
    changes = {"run": {"workers": 3}, "config": {"words": "hello", "new": None}, "threads": 4}
    assert workshop.request(**changes).key == workshop.request().key


def test_an_equal_result_of_another_origin_stops_a_change(workshop: Workshop) -> None:
    """Two keys of an input lead to one identity of what is made from it."""
    build = Builder()
    first, second = workshop.request(), workshop.request(slice={"words": "hello", "seed": 2})
    encoded = [workshop.request(stage="encode", made_from={"corpus": made}) for made in (first, second)]
    for made in (first, second):
        workshop.make(made)
    receipts = [workshop.make(request, build) for request in encoded]
    assert encoded[0].key != encoded[1].key
    assert receipts[0].identity == receipts[1].identity
    assert build.calls == 1


def test_a_mended_description_is_shown_and_changes_nothing_else(workshop: Workshop) -> None:
    def described(words: str):
        def build(job: Job) -> dict:
            (job.folder / "card.md").write_text(words)
            return {**write_words(job), "about": words}

        return build

    asked = [workshop.request(slice={"words": "hello", "licence": licence}) for licence in ("MIT", "CC0")]
    made = [
        workshop.make(request, described(words)) for request, words in zip(asked, ("a", "b"), strict=True)
    ]
    assert made[0].content == made[1].content
    assert made[0].overview != made[1].overview
    for stage, same in (("encode", True), ("report", False)):
        identities = {
            workshop.make(workshop.request(stage=stage, made_from={"corpus": request})).identity
            for request in asked
        }
        assert (len(identities) == 1) == same


def test_published_files_are_read_only(workshop: Workshop) -> None:
    request = workshop.request()
    workshop.make(request)
    modes = {path.name: path.stat().st_mode & 0o777 for path in workshop.folder(request).iterdir()}
    assert set(modes.values()) == {0o444}
    assert modes.keys() == {"hello.txt", "manifest.json", "provenance.json", "timing.csv"}


def test_the_receipt_is_written_last(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    request, view, seen = workshop.request(), Path("data/corpora/mine"), []
    write = Receipt.write

    def spy(receipt: Receipt, path: Path) -> None:
        seen.append(path.name)
        assert (workshop.store.folder(receipt.stage, receipt.identity) / "manifest.json").is_file()
        assert (view / "manifest.json").is_file()
        write(receipt, path)

    monkeypatch.setattr(Receipt, "write", spy)
    again = workshop.store.receipt_path("corpus", request.key, attempt=1)
    workshop.make(request, view=view, receipt=again)
    assert seen == [f"{request.key}.json", f"{request.key}.retry-1.json"]


def test_the_run_section_of_the_run_that_goes_on_counts(workshop: Workshop) -> None:
    def build(job: Job) -> dict:
        return {"workers": job.run.workers, "device": job.run.device, "threads": job.threads}

    request = workshop.request(run={"workers": 1, "device": "cpu"})
    workshop.make(request, build, run_section={"workers": 2}, threads=3)
    facts = read_manifest(workshop.folder(request))["facts"]
    assert facts == {"workers": 2, "device": "cpu", "threads": 3}


def test_the_build_function_is_not_imported_for_what_is_there(workshop: Workshop) -> None:
    request = workshop.request()
    workshop.make(request)
    asked = program.Program(request, workshop.store, lambda: pytest.fail("imported"), workshop.script)
    asked.run()


# ------------------------------------------------------------------------------------- own files


def own_request(workshop: Workshop) -> Request:
    Path("own.txt").write_text("one")
    return workshop.request(raw={"own.txt": file_digest(Path("own.txt"))})


def test_own_files_that_changed_since_the_plan_are_refused(workshop: Workshop) -> None:
    request = own_request(workshop)
    Path("own.txt").write_text("two")
    with pytest.raises(UserError, match=r"own\.txt changed after the plan was made; run the same command"):
        workshop.make(request, lambda job: {"text": job.own_file("own.txt").read_text()})
    Path("own.txt").unlink()
    with pytest.raises(UserError, match=r"own\.txt cannot be read \(No such file or directory\)"):
        workshop.make(request, lambda job: {"text": job.own_file("own.txt").read_text()})


def test_own_files_that_change_while_they_are_read_are_refused(workshop: Workshop) -> None:
    request = own_request(workshop)

    def build(job: Job) -> dict:
        text = job.own_file("own.txt").read_text()
        Path("own.txt").write_text("two")
        return {"text": text}

    with pytest.raises(UserError, match=r"own\.txt changed after the plan was made"):
        workshop.make(request, build)
    assert workshop.store.receipt("corpus", request.key) is None
    assert folders(workshop) == [".partial"]


# ---------------------------------------------------------------------------------------- source


def test_a_source_that_changed_after_the_plan_makes_nothing(workshop: Workshop) -> None:
    build = Builder()
    with pytest.raises(UserError, match=r"the source of script\.py, .* changed after the plan was made; run"):
        workshop.make(workshop.request(source="0" * 64), build)
    assert build.calls == 0
    assert not workshop.store.root.exists()


def test_a_source_that_changes_while_it_is_imported_makes_nothing(workshop: Workshop) -> None:
    build, request = Builder(), workshop.request()

    def load():
        workshop.script.write_text("X = 2\n")
        return build

    with pytest.raises(UserError, match="changed after the plan was made"):
        program.Program(request, workshop.store, load, workshop.script).run()
    assert build.calls == 0


def test_what_the_store_has_needs_no_source(workshop: Workshop) -> None:
    request = workshop.request()
    made = workshop.make(request)
    workshop.script.write_text("X = 2\n")
    assert workshop.make(request) == made


# ---------------------------------------------------------------------------------------- damage


def test_a_missing_receipt_of_an_input_is_named(workshop: Workshop) -> None:
    request = workshop.request(stage="encode", made_from={"corpus": workshop.request()})
    with pytest.raises(UserError, match=r"the receipt of its corpus is missing from .*store; run the same"):
        workshop.make(request)


@pytest.mark.parametrize("damage", ["hello.txt", "manifest.json", "missing"])
def test_a_damaged_input_is_named_and_set_aside(workshop: Workshop, damage: str) -> None:
    corpus = workshop.request()
    request = workshop.request(stage="encode", made_from={"corpus": corpus})
    workshop.make(corpus)
    folder = workshop.folder(corpus)
    if damage == "missing":
        (folder / "hello.txt").unlink()
    else:
        rewrite(folder / damage, (folder / damage).read_text().replace("l", "L"))
    with pytest.raises(UserError, match=f"{folder}/.*; run the same command again, which makes it again"):
        workshop.make(request)
    assert folders(workshop)[0].startswith(".damaged-")
    assert not folder.exists()
    build = Builder()
    workshop.make(corpus, build)
    assert build.calls == 1
    assert workshop.make(request) is not None


def test_inputs_that_are_never_read_need_not_be_whole(workshop: Workshop) -> None:
    corpus = workshop.request()
    request = workshop.request(stage="compare", made_from={"corpus": corpus})
    workshop.make(corpus)
    (workshop.folder(corpus) / "hello.txt").unlink()
    assert workshop.make(request, unread=("*.txt",)).identity


def test_a_damaged_artifact_is_set_aside_and_made_again(workshop: Workshop, capsys) -> None:
    build, request = Builder(), workshop.request()
    workshop.make(request, build)
    stored = workshop.folder(request) / "hello.txt"
    rewrite(stored, "HELLO")
    workshop.make(request, build)
    assert build.calls == 2
    assert stored.read_text() == "hello"
    assert "does not have the sha256 of its manifest; set aside as" in capsys.readouterr().out


def test_an_artifact_without_its_manifest_is_set_aside_and_made_again(workshop: Workshop, capsys) -> None:
    request = workshop.request()
    made = workshop.make(request)
    (workshop.folder(request) / "manifest.json").unlink()
    assert workshop.make(request).identity == made.identity
    assert "manifest.json is missing; set aside as" in capsys.readouterr().out
    assert not workshop.store.damage(workshop.store.receipt("corpus", request.key))


def test_overviews_that_show_a_damaged_artifact_go_with_it(workshop: Workshop) -> None:
    """What is made again has another speed, and they show speeds."""
    first, second = workshop.request(), workshop.request("world")
    pages = [workshop.request(stage="report", made_from={"corpus": made}) for made in (first, second)]
    for request in (first, second, *pages):
        workshop.make(request)
    gone, kept = (workshop.folder(page) for page in pages)
    rewrite(workshop.folder(first) / "hello.txt", "HELLO")
    workshop.make(first)
    assert not gone.exists() and kept.is_dir()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"stage": "corpus"}'])
def test_a_damaged_receipt_is_none(workshop: Workshop, damage: str) -> None:
    build, request = Builder(), workshop.request()
    made = workshop.make(request, build)
    path = workshop.store.receipt_path("corpus", request.key)
    text = path.read_text()
    for content in (damage, text.replace(made.identity, "0" * 64), text[:-20]):
        path.write_text(content)
        assert workshop.store.receipt("corpus", request.key) is None
    assert workshop.make(request, build) == made
    assert build.calls == 1


def test_a_receipt_for_other_inputs_does_not_count(workshop: Workshop) -> None:
    """An input was made again with other bits, by a library that changed, say."""
    build, corpus = Builder(), workshop.request()
    request = workshop.request(stage="encode", made_from={"corpus": corpus})
    workshop.make(corpus)
    first = workshop.make(request, build)
    shutil.rmtree(workshop.folder(corpus))
    workshop.make(corpus, lambda job: {"length": 6})
    second = workshop.make(request, build)
    assert second.identity != first.identity
    assert build.calls == 2


# -------------------------------------------------------------------------------------- failures


def test_a_failed_build_publishes_nothing_and_keeps_its_work(workshop: Workshop) -> None:
    def begin(job: Job) -> dict:
        (job.scratch / "checkpoint").write_text("step 1")
        raise UserError("no")

    def go_on(job: Job) -> dict:
        (job.folder / "words.txt").write_text((job.scratch / "checkpoint").read_text())
        return {}

    request = workshop.request()
    with pytest.raises(UserError):
        workshop.make(request, begin)
    assert folders(workshop) == [".partial"]
    assert workshop.store.receipt("corpus", request.key) is None
    workshop.make(request, go_on)
    assert (workshop.folder(request) / "words.txt").read_text() == "step 1"
    assert folders(workshop) == [""]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UserError("no words"), "no words"),
        (ValueError("broken"), "ValueError: broken"),
        (OSError(errno.EIO, "Input/output error"), "OSError: [Errno 5] Input/output error"),
        (KeyError("words"), "KeyError: 'words'"),
    ],
)
def test_a_failure_can_be_recorded(workshop: Workshop, capsys, error: Exception, reason: str) -> None:
    def build(job: Job) -> dict:
        raise error

    request = workshop.request()
    receipt = workshop.make(request, build, name="corpora/mine", record_failure=True)
    assert (receipt.failure.name, receipt.failure.reason) == ("corpora/mine", reason)
    assert receipt.identity is None
    said = capsys.readouterr().err
    assert reason in said
    assert ("Traceback" in said) == (not isinstance(error, UserError))
    assert workshop.make(request, record_failure=True).identity


def test_what_depends_on_a_failure_fails_with_the_same_reason(workshop: Workshop, capsys) -> None:
    corpus = workshop.request()
    shards = workshop.request(stage="encode", made_from={"corpus": corpus})
    trained = workshop.request(stage="train", made_from={"shards": shards})
    first = workshop.make(corpus, fail, name="corpora/mine", record_failure=True)
    for request in (shards, trained):
        receipt = workshop.make(request, lambda job: pytest.fail("was made"), record_failure=True)
        assert receipt.failure == first.failure
    assert "not made, as its corpus could not be made: corpora/mine" in capsys.readouterr().out
    with pytest.raises(UserError, match="corpora/mine could not be made: no words"):
        workshop.make(shards)


@pytest.mark.parametrize("kind", [{"stage": "compare"}, {"stage": "sample", "partial": True}])
def test_what_may_lack_inputs_is_made_of_what_there_is(workshop: Workshop, kind: dict) -> None:
    good, bad = workshop.request("good"), workshop.request("bad")
    table = workshop.request(made_from={"good": good, "bad": bad}, **kind)

    def gather(job: Job) -> dict:
        return {"inputs": sorted(job.inputs), "failed": job.failed}

    workshop.make(good)
    workshop.make(bad, fail, name="corpora/bad", record_failure=True)
    receipt = workshop.make(table, gather)
    assert receipt.incomplete
    facts = read_manifest(workshop.folder(table))["facts"]
    assert facts["inputs"] == ["good"]
    assert facts["failed"] == {"bad": "corpora/bad: no words"}
    workshop.make(bad)
    receipt = workshop.make(table, gather)
    assert not receipt.incomplete
    assert read_manifest(workshop.folder(table))["facts"]["failed"] == {}


def test_a_kill_of_a_program_that_another_process_ran_is_recorded(workshop: Workshop, monkeypatch) -> None:
    request = workshop.request()
    again = workshop.store.receipt_path("corpus", request.key, attempt=1)
    asked = [workshop.store.request_path("corpus", request.key), "--name", "corpora/mine", "--receipt", again]
    monkeypatch.setattr("sys.argv", ["corpus.py", *map(str, asked)])
    assert program.record_kill("corpus") == 137
    assert workshop.store.receipt("corpus", request.key) is None
    monkeypatch.setattr("sys.argv", ["corpus.py", *map(str, asked), "--record-failure"])
    assert program.record_kill("corpus") == 0
    receipt = workshop.store.receipt("corpus", request.key)
    assert receipt.failure.name == "corpora/mine"
    assert "as the system does when memory runs out; lower training.micro_batch" in receipt.failure.reason
    assert read_receipt(again) == receipt


def test_a_full_disk_is_no_failure_of_the_cell(workshop: Workshop) -> None:
    request = workshop.request()
    with pytest.raises(OSError, match="No space left"):
        workshop.make(request, no_space, record_failure=True)
    assert workshop.store.receipt("corpus", request.key) is None


# ----------------------------------------------------------------------------------------- again


def test_made_again_with_the_same_bits(workshop: Workshop, capsys) -> None:
    build, request = Builder(), workshop.request()
    first = workshop.make(request, build)
    assert workshop.make(request, build, again=True) == first
    assert build.calls == 2
    assert read_provenance(workshop.folder(request))["note"] == 1
    assert "made again: corpus" in (said := capsys.readouterr().out) and "the same bits (1 file)" in said
    assert folders(workshop) == [""]


def test_made_again_with_other_bits(workshop: Workshop) -> None:
    def other(job: Job) -> dict:
        (job.folder / "hello.txt").write_text("jello")
        (job.folder / "new.txt").touch()
        return {}

    request = workshop.request()
    first = workshop.make(request)
    for _ in range(2):
        with pytest.raises(
            UserError, match=r"2 of 2 files have other bits: hello\.txt, new\.txt\. The store"
        ):
            workshop.make(request, other, again=True, record_failure=True)
        assert folders(workshop) == ["", ".again"]
        assert (workshop.folder(request) / "hello.txt").read_text() == "hello"
        aside = workshop.store.folder("corpus", f"{first.identity}.again")
        assert (aside / "hello.txt").read_text() == "jello"
    assert workshop.store.receipt("corpus", request.key) == first


def test_made_again_without_what_an_earlier_try_left(workshop: Workshop) -> None:
    def begin(job: Job) -> dict:
        (job.folder / "left.txt").touch()
        raise UserError("no")

    request = workshop.request()
    with pytest.raises(UserError):
        workshop.make(request, begin)
    workshop.make(request, again=True)
    assert not (workshop.folder(request) / "left.txt").exists()


# -------------------------------------------------------------------------------------- messages


def test_lines_are_labelled_and_logged(tmp_path: Path) -> None:
    stream, log = io.StringIO(), tmp_path / "logs" / "a.log"
    labelled = program.Labelled(stream, "cell", log)
    print("one\ntwo", file=labelled)
    print("three", end="", file=labelled)
    assert stream.getvalue() == "cell: one\ncell: two\ncell: three"
    assert log.read_text() == "one\ntwo\nthree"


def test_a_missing_request_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is missing: snakemake writes it when it starts; run the same"):
        program.read_request(tmp_path / "nowhere.json")


def test_a_damaged_request_is_explained_and_written_anew(workshop: Workshop) -> None:
    request = workshop.request()
    workshop.store.write_request(request)
    path = workshop.store.request_path("corpus", request.key)
    assert program.read_request(path) == request
    text = path.read_text()
    other = path.with_name(f"{'0' * 64}.json")
    for place, content in (
        (path, text[:50]),
        (path, text.replace("hello", "jello")),
        (path, "[]"),
        (other, text),
    ):
        place.write_text(content)
        with pytest.raises(UserError, match="is damaged; run the same command again"):
            program.read_request(place)
    workshop.store.write_request(request)
    assert json.loads(path.read_text()) == request.to_json()
