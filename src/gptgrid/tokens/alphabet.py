"""The letters in which the Hugging Face format spells bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any


@cache
def byte_letters() -> dict[int, str]:
    """Return the printable letter for each byte that GPT-2's vocabulary files use (Radford et al. 2019)."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    others = [value for value in range(256) if value not in printable]
    letters = {value: chr(value) for value in printable}
    return letters | {value: chr(256 + place) for place, value in enumerate(others)}


@cache
def byte_values() -> dict[str, int]:
    """Return letter → byte."""
    return {letter: value for value, letter in byte_letters().items()}


class Alphabet:
    """How a tokenizer spells its tokens: in letters for bytes, or as text with perhaps a sign for a blank."""

    def __init__(self, data: dict[str, Any]) -> None:
        """Read what tokenizer.json says."""
        steps = [*parts_of(data.get("pre_tokenizer")), *parts_of(data.get("decoder"))]
        kinds = {step.get("type") for step in steps}
        self.byte_level = "ByteLevel" in kinds
        self.falls_back = "ByteFallback" in kinds
        self.blanks = [
            step["replacement"] if step["type"] == "Metaspace" else step["pattern"]["String"]
            for step in parts_of(data.get("decoder"))
            if step.get("type") == "Metaspace" or is_blank_sign(step)
        ]

    def bytes_of(self, token: str) -> bytes:
        """Return the bytes that a token of the vocabulary stands for."""
        if self.byte_level:
            values = byte_values()
            return bytes(map(values.get, token)) if all(map(values.__contains__, token)) else token.encode()
        if self.falls_back and re.fullmatch("<0x[0-9A-F]{2}>", token):
            return bytes([int(token[3:5], 16)])
        for sign in self.blanks:
            token = token.replace(sign, " ")
        return token.encode()


def is_blank_sign(step: dict[str, Any]) -> bool:
    """Say whether a step of a decoder turns a sign into a blank."""
    return step.get("type") == "Replace" and step["content"] == " " and "String" in step["pattern"]


def parts_of(step: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Yield the steps of a normalizer, pre-tokenizer or decoder, those of a sequence one by one."""
    if step is None:
        return
    inner = [step[key] for key in ("normalizers", "pretokenizers", "decoders") if key in step]
    if not inner:
        yield step
    for each in inner[0] if inner else []:
        yield from parts_of(each)
