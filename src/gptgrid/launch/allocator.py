"""Memory that is used again at once, for computations on the CPU.

A training step makes and frees the same large tensors as the one before. The system's allocator hands their
memory back each time and gets it anew, zeroed, page by page: a quarter to a half of the time of a small
model. tcmalloc keeps it; where it is not installed, glibc is told to, and to ask for pages of 2 MB, which the
processor finds faster than many small ones. No bit of a result depends on that.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from ctypes.util import find_library
from pathlib import Path

LIBRARIES = ("tcmalloc_minimal", "tcmalloc")
TUNABLES, HUGE_PAGES = "GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"
"""How glibc 2.35 and later is told to use huge pages; an older one ignores it."""
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Parameters of mallopt, from glibc's malloc.h."""
TOP_PAD = 64 * 2**20
"""Bytes that glibc asks for at a time beyond what it needs."""


def restart_with_allocator() -> None:
    """Start this program again with an allocator that suits it better, if it does not have that already.

    An allocator can only be chosen when a process starts. Call it before anything else is done.
    """
    environment = environment_with_allocator()
    # A fork of the server has the allocator of the server, whatever its own environment says.
    if environment != os.environ and not (loaded_tcmalloc() or has_huge_pages()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def environment_with_allocator() -> dict[str, str]:
    """Return the environment with which a program starts on tcmalloc, or else on glibc with huge pages."""
    if sys.platform != "linux":
        return dict(os.environ)
    library = next(filter(None, map(find_library, LIBRARIES)), None)
    name, value = (TUNABLES, HUGE_PAGES) if library is None else ("LD_PRELOAD", library)
    asked = os.environ.get(name, "")
    # What is asked for already is as the user wants it, and a library that is not loaded cannot be.
    if value.partition("=")[0] in asked:
        return dict(os.environ)
    return {**os.environ, name: ":".join(filter(None, (value, asked)))}


def keep_freed_memory() -> None:
    """Tell glibc to keep what is freed and to take no block from the system alone."""
    if loaded_tcmalloc():
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, -1)
    mallopt(M_TOP_PAD, TOP_PAD)


def loaded_tcmalloc() -> bool:
    """Say whether this process runs on tcmalloc."""
    maps = Path("/proc/self/maps")
    return maps.is_file() and "libtcmalloc" in maps.read_text()


def has_huge_pages() -> bool:
    """Say whether this process, or the one that it is a fork of, was started with huge pages."""
    start = Path("/proc/self/environ")
    if not start.is_file():
        return False
    # glibc writes a NUL over the colon behind each setting that it has read.
    settings = re.split("[:\0]", start.read_bytes().decode(errors="replace"))
    return HUGE_PAGES in settings or f"{TUNABLES}={HUGE_PAGES}" in settings


def describe_allocator() -> str:
    """Return the allocator in a word, for the provenance."""
    if loaded_tcmalloc():
        return "tcmalloc"
    if platform.libc_ver()[0] != "glibc":
        return "system"
    return "glibc, memory kept" + ", huge pages" * has_huge_pages()
