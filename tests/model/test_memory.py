"""Work that does not fit is refused: by what the machine has left, and by what its control groups leave."""

from pathlib import Path

import psutil
import pytest
import torch

from gptgrid.artifact.errors import UserError
from gptgrid.config.models import Model
from gptgrid.model import memory
from gptgrid.model.build import build
from gptgrid.model.memory import cache_bytes, check_inference, check_memory, memory_left

CPU = torch.device("cpu")
VERSION_1 = {"memory.limit_in_bytes": "{limit}", "memory.usage_in_bytes": "{used}"}
VERSION_2 = {"memory.max": "{limit}", "memory.current": "{used}"}


@pytest.fixture
def make_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that writes a control group; the machine itself has plenty."""
    monkeypatch.setattr(memory, "PROC_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "fs")
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: Plenty)

    def make(path: str, files: dict[str, str], limit: object, used: int, cached: int = 0) -> None:
        folder = tmp_path / "fs" / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text.format(limit=limit, used=used) + "\n")
        prefix = "total_" if files is VERSION_1 else ""
        rows = [f"{prefix}active_file {cached - 1}", f"{prefix}inactive_file 1", "anon 5"]
        (folder / "memory.stat").write_text("\n".join(rows))

    return make


class Plenty:
    """What a machine with a lot of memory says of it."""

    available = 10**12


def test_a_group_of_version_2_leaves_its_limit_less_what_is_used_but_not_cached(make_group, tmp_path):
    (tmp_path / "cgroup").write_text("0::/user/job\n")
    make_group("user/job", VERSION_2, limit=1000, used=700, cached=200)
    assert memory_left(CPU) == 500


def test_groups_around_a_group_bind_too(make_group, tmp_path):
    (tmp_path / "cgroup").write_text("0::/user/job\n")
    make_group("user/job", VERSION_2, limit="max", used=700, cached=1)
    make_group("user", VERSION_2, limit=900, used=800, cached=1)
    assert memory_left(CPU) == 101


def test_a_group_of_version_1(make_group, tmp_path):
    (tmp_path / "cgroup").write_text("5:cpu,cpuacct:/\n4:memory:/job\n0::/\n")
    make_group("memory/job", VERSION_1, limit=1000, used=300, cached=100)
    assert memory_left(CPU) == 800


def test_in_a_container_the_root_is_its_own_group(make_group, tmp_path):
    (tmp_path / "cgroup").write_text("4:memory:/docker/0123\n")
    make_group("memory", VERSION_1, limit=1000, used=300, cached=100)
    assert memory_left(CPU) == 800


def test_without_groups_the_machine_counts(make_group):
    assert memory_left(CPU) == Plenty.available


def test_of_this_machine_something_is_left():
    assert 0 < memory_left(CPU) <= psutil.virtual_memory().total


def test_what_does_not_fit_is_refused_with_its_parts(monkeypatch):
    monkeypatch.setattr(memory, "memory_left", lambda device: 5 * 10**9)
    check_memory({"weights": 2 * 10**9, "activations": 3 * 10**9}, CPU, "lower it")
    said = (
        r"about 5\.10 GB are needed \(weights 2\.10 GB, activations 3\.00 GB\), but this machine has 5\.00 GB left; "
        "lower it"
    )
    with pytest.raises(UserError, match=said):
        check_memory({"weights": 21 * 10**8, "activations": 3 * 10**9}, CPU, "lower it")
    with pytest.raises(UserError, match=r"but the GPU has 5\.00 GB"):
        check_memory({"weights": 6 * 10**9}, torch.device("cuda"), "lower it")


def test_weights_for_a_gpu_pass_through_the_machine(monkeypatch):
    small = {"cpu": 10**6, "cuda": 10**12}
    monkeypatch.setattr(memory, "memory_left", lambda device: small[device.type])
    with pytest.raises(UserError, match=r"but this machine has 0\.00 GB left"):
        check_inference(Model(), 257, 1, torch.device("cuda"))
    small.update(cpu=10**12, cuda=10**6)
    with pytest.raises(UserError, match=r"but the GPU has 0\.00 GB"):
        check_inference(Model(), 257, 1, torch.device("cuda"))
    small.update(cuda=10**12)
    check_inference(Model(), 257, 1, torch.device("cuda"))


@pytest.mark.parametrize(
    "keys", [{}, {"preset": "llama", "n_kv_head": 2}, {"preset": "llama", "head_dim": 6}], ids=str
)
def test_keys_and_values_take_what_a_cache_has(keys):
    config = Model(**keys)
    cache = build(config, 257, 256).new_cache(3)
    assert 3 * cache_bytes(config) == cache.keys.nbytes + cache.values.nbytes


def test_texts_that_are_continued_need_room_for_keys_and_values(monkeypatch):
    monkeypatch.setattr(memory, "memory_left", lambda device: 10**8)
    check_inference(Model(), 257, 16, CPU)
    with pytest.raises(UserError, match=r"keys and values of 200 texts 0\.21 GB"):
        check_inference(Model(), 257, 200, CPU, generates=True)
    encoder = Model(preset="encoder")
    check_inference(encoder, 257, 16, CPU, generates=True)
