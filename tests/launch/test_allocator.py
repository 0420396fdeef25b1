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
    allocator.find_library = lambda name: name
print("starts", flush=True)
allocator.restart_with_tcmalloc()
allocator.keep_freed_memory()
print(allocator.describe_allocator(), sys.argv[1:])
"""

TRAINING = """
import hashlib, sys, torch
from gptgrid.config.models import Model
from gptgrid.launch import allocator
if sys.argv[1:]:
    allocator.find_library = lambda name: None
allocator.restart_with_tcmalloc()
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


def run(*arguments: str, program: str = PROGRAM) -> list[str]:
    environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    command = [sys.executable, "-c", program, *arguments]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return made.stdout.splitlines()


@pytest.mark.skipif(not any(map(find_library, allocator.LIBRARIES)), reason="tcmalloc is not installed")
def test_starts_again_once_with_tcmalloc() -> None:
    assert run() == ["starts", "starts", "tcmalloc []"]


@pytest.mark.skipif(not any(map(find_library, allocator.LIBRARIES)), reason="tcmalloc is not installed")
def test_changes_no_bit() -> None:
    ours, theirs = (run(*arguments, program=TRAINING)[-1].split() for arguments in ((), ("without",)))
    assert ours[0] == "tcmalloc"
    assert theirs[0] != "tcmalloc"
    assert ours[-1] == theirs[-1]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is preloaded")
def test_goes_on_with_glibc_where_it_cannot_be_loaded() -> None:
    assert run("libtcmalloc_none.so") == ["starts", "starts", "glibc, memory kept ['libtcmalloc_none.so']"]


def test_goes_on_as_it_is_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "find_library", lambda name: None)
    monkeypatch.setattr(os, "execve", lambda *arguments: pytest.fail("started again"))
    allocator.restart_with_tcmalloc()
