"""The allocator is chosen at the start, once, and changes no result."""

import os
import subprocess
import sys
from ctypes.util import find_library

import pytest

from gptgrid.launch import allocator

PROGRAM = """
import os, sys
from gptgrid.launch import allocator
if sys.argv[1:]:
    allocator.LIBRARIES = sys.argv[1:]
    allocator.find_library = lambda name: None if name == "none" else name
print("starts", flush=True)
allocator.restart_with_allocator()
allocator.keep_freed_memory()
print(allocator.describe_allocator(), sys.argv[1:])
"""

TRAINING = """
import hashlib, sys, torch
from gptgrid.config.models import Model
from gptgrid.launch import allocator
if sys.argv[1:]:
    allocator.find_library = lambda name: None
allocator.restart_with_allocator()
allocator.keep_freed_memory()
torch.set_num_threads(1)
from gptgrid.model.build import build
from gptgrid.model.initialize import initialize
module = build(Model(preset="llama", n_layer=2, d_model=48, n_head=3, context=40), 97, 96).bfloat16()
initialize(module, 1)
optimizer = torch.optim.AdamW(module.parameters(), fused=True)
for step in range(4):
    torch.manual_seed(step)
    tokens = torch.randint(97, (3, 37 + step % 2))
    module(tokens).float().logsumexp(-1).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()
total = hashlib.sha256(b"".join(p.detach().float().numpy().tobytes() for p in module.parameters()))
print(allocator.describe_allocator(), total.hexdigest())
"""


def run(*arguments: str, program: str = PROGRAM, extra: dict[str, str] | None = None) -> list[str]:
    chosen = {"LD_PRELOAD", "GLIBC_TUNABLES"}
    environment = {key: value for key, value in os.environ.items() if key not in chosen} | (extra or {})
    command = [sys.executable, "-c", program, *arguments]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return made.stdout.splitlines()


KEPT = "glibc, memory kept"
linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is chosen")
has_tcmalloc = pytest.mark.skipif(
    not any(map(find_library, allocator.LIBRARIES)), reason="tcmalloc is not installed"
)


@has_tcmalloc
def test_starts_again_once_with_tcmalloc() -> None:
    assert run() == ["starts", "starts", "tcmalloc []"]


@linux
def test_starts_again_once_with_huge_pages_where_there_is_none() -> None:
    assert run("none") == ["starts", "starts", f"{KEPT}, huge pages ['none']"]


@linux
def test_what_the_user_tunes_stays() -> None:
    tuned = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0"}
    assert run("none", extra=tuned) == ["starts", f"{KEPT} ['none']"]
    other = {"GLIBC_TUNABLES": "glibc.malloc.perturb=1"}
    assert run("none", extra=other) == ["starts", "starts", f"{KEPT}, huge pages ['none']"]


@linux
def test_only_the_value_1_of_the_tunable_itself_is_huge_pages() -> None:
    assert run("none", extra={"GLIBC_TUNABLES": "glibc.malloc.hugetlb=10"})[-1] == f"{KEPT} ['none']"
    both = {"GLIBC_TUNABLES": "glibc.malloc.perturb=1:glibc.malloc.hugetlb=1"}
    assert run("none", extra=both) == ["starts", f"{KEPT}, huge pages ['none']"]
    assert run("none", extra={"NOTE": "glibc.malloc.hugetlb=1"})[:2] == ["starts", "starts"]


@linux
def test_changes_no_bit() -> None:
    plain = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0"}
    ways = [run("none", program=TRAINING), run("none", program=TRAINING, extra=plain)]
    if any(map(find_library, allocator.LIBRARIES)):
        ways.append(run(program=TRAINING))
    allocators, results = zip(*(way[-1].rsplit(" ", 1) for way in ways), strict=True)
    assert allocators[:2] == (f"{KEPT}, huge pages", KEPT)
    assert len(set(results)) == 1


@linux
def test_goes_on_with_glibc_where_it_cannot_be_loaded() -> None:
    assert run("libtcmalloc_none.so") == ["starts", "starts", f"{KEPT} ['libtcmalloc_none.so']"]
