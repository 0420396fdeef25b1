"""Text in UTF-8, from files and pipes of any size."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import BinaryIO

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.containers import PACKED, ZIP

READ = 2**20
"""Bytes that are read at once."""
BEGINNING = 512
"""Bytes that show what a file holds: in UTF-16 half of ASCII's are zero, in an archive's header most."""


def read_utf8(file: BinaryIO) -> Iterator[str]:
    """Yield the text of a file in pieces, without a byte order mark.

    Raises:
        UserError: it is no UTF-8, or a quarter of its first bytes are zero.
    """
    decoder, start, done, first = codecs.getincrementaldecoder("utf-8")(), b"", 0, True
    for piece in chain(iter(partial(file.read, READ), b""), [b""]):
        if not start:
            start = piece[:BEGINNING]
            if start and 4 * start.count(0) >= len(start):
                raise no_utf8(start, start.index(0), "is zero, as in UTF-16 or a binary file")
        waiting = len(decoder.getstate()[0])
        try:
            text = decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            raise no_utf8(start, done - waiting + error.start, "does not fit") from None
        done += len(piece)
        if text:
            yield text.removeprefix("\ufeff") if first else text
            first = False


def no_utf8(start: bytes, place: int, fault: str) -> UserError:
    """Return what to say of a file of whose byte at `place` something is wrong."""
    if start.startswith((*PACKED, *ZIP)):
        return UserError("the file is compressed; decompress it first")
    return UserError(
        f"no UTF-8: byte {place} {fault}; convert it first, such as with iconv -f ENCODING -t UTF-8"
    )
