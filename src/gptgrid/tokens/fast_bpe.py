"""Byte pair encoding by tiktoken, which is several times as fast as the tokenizers library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
import tiktoken

from gptgrid.tokens.base import END_OF_TEXT, Codec, utf8
from gptgrid.tokens.seams import next_seam


class FastBpeCodec(Codec):
    """A codec whose ids come from tiktoken."""

    encoding: tiktoken.Encoding
    eot: int

    def encode_array(self, text: str) -> np.ndarray:
        return self.ids_of(text, set())

    def encode_stream(self, texts: Sequence[str], marks: bool = False) -> np.ndarray:
        parts = []
        for alone, run in groupby(texts, key=lambda text: self.stands_alone(text, marks)):
            if alone:
                parts.append(super().encode_stream(list(run), marks))
            else:
                # One call for many documents is several times as fast as a call each; merges never cross the
                # mark.
                joined = END_OF_TEXT + END_OF_TEXT.join(run)
                parts.append(self.ids_of(joined, {END_OF_TEXT}))
        return np.concatenate(parts)

    def stands_alone(self, text: str, marks: bool) -> bool:
        """Say whether a text has names in it, so that it cannot be encoded in one call with others.

        One that spells out the end of text must not end there.
        """
        return END_OF_TEXT in text or (marks and self.names.search(text) is not None)

    def seam(self, text: str, place: int) -> int:
        return next_seam(text, place)

    def ids_of(self, text: str, marks: set[str]) -> np.ndarray:
        """Return the ids of a text in which marks mean themselves."""
        try:
            return self.encoding.encode_to_numpy(text, allowed_special=marks, disallowed_special=())
        except UnicodeEncodeError:
            utf8(text)  # says where
            raise


def tiktoken_encoding(name: str, pattern: str, ranks: Mapping[bytes, int], eot: int) -> tiktoken.Encoding:
    """Return tiktoken's encoding; END_OF_TEXT is the mark between documents, whatever its name outside."""
    return tiktoken.Encoding(
        name, pat_str=pattern, mergeable_ranks=dict(ranks), special_tokens={END_OF_TEXT: eot}
    )
