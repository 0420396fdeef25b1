"""The encoding of bytes that are not UTF-8: the likeliest one, by how its letters follow each other."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from string import punctuation

import regex

from gptgrid.stages.corpus.reading import western

WIDE = ("utf_32_le", "utf_32_be", "utf_16_le", "utf_16_be")
ESCAPED = ("iso2022_jp_2", "iso2022_jp_ext", "iso2022_jp_2004", "iso2022_kr", "hz")
"""All their bytes are below 128, so that they would pass as ASCII."""
ASIAN = {
    "gb18030": (),
    "big5hkscs": ("cp950", "big5"),
    "cp932": ("shift_jis_2004",),
    "euc_jis_2004": ("euc_jp",),
    "cp949": (),
}
"""Encodings in which a character has one byte or several → variants with other rare characters."""
RARE = ("iso8859-4", "iso8859-3", "iso8859-10", "iso8859-14", "iso8859-16")
"""For languages that other encodings have, too, or that few texts are in."""
OLD = ("cp850", "cp437", "cp852", "cp866", "mac-roman", "mac-cyrillic")
"""Of DOS and of old Macs."""
LATIN = (
    *("cp1252", "cp1250", "iso8859-2", "cp1254", "cp1257", "iso8859-15"),
    *RARE,
    *("cp850", "cp437", "cp852", "mac-roman"),
)
"""Most of their letters are ASCII."""
ONE_BYTE = (
    *("cp1252", "cp1250", "iso8859-2", "cp1251", "koi8-r", "koi8-u", "iso8859-5", "cp1253", "iso8859-7"),
    *("cp1254", "cp1255", "cp1256", "cp1257", "cp874", "iso8859-15", *RARE, *OLD),
)
"""Encodings in which each character has one byte, more usual ones first."""
LIKELY = (*ONE_BYTE[: -len(OLD)], *ASIAN, *OLD)
"""What a guess may come to, more usual ones first."""

NEAR = 0.97
"""Encodings with this share of the best one's confidence are told apart by how odd the text is."""
LIKELY_SHARE = 0.5
"""With less of the best one's confidence an encoding is none of the likely ones."""
CHAOS = 0.4
"""More than this is no text in any language, by the measure of charset_normalizer."""
FAULTS = 0.02
"""Share of damaged characters with which a text may still be in one of the ASIAN encodings."""
FAULTS_OF_ONE_BYTE = 0.1
"""Share of the bytes beyond ASCII that an encoding of one byte a character may lack, if it is the likeliest
for the others."""
ODD = 0.01
"""Share of unassigned and control characters in what is still a text."""
CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
ISO_CONTROLS = re.compile(rb"[\x80-\x9f]")
"""No text in an encoding of ISO has these."""
LATIN_9 = "iso8859-15"
"""Has letters such as š and œ where others have signs, or rare letters."""
FEW_DIFFERING = 0.2
"""Share of the characters beyond ASCII by which two encodings are told apart with doubt: other letters have
decided."""
FEW_CONTROLS, FEW_CONTROLS_OF_UTF8 = 0.003, 0.25
"""Share of the bytes that may be control characters in a text of bytes, such as names that zeros end."""
TELLING = 12
"""With less evidence, a guess is weak: the same few words are text in several encodings."""
LEAST, LEAST_LATIN = 5, 3
"""With less evidence, a guess is none."""
FOREIGN_WORD = regex.compile(r"(?V1)(?<!\p{L})[[\p{L}\p{M}]--[a-zA-Z]]{5,}(?!\p{L})")
"""A word of another script, without ASCII letters."""
FOREIGN_LETTER = regex.compile(r"(?iV1)[a-z]+[\p{L}--\p{Latin}][a-z]+")
"""A word of ASCII letters with a letter of another script inside."""
SIGN_AT_LETTER = regex.compile(r"[©®¼½¾¹²³±¦§¤¶¬¸¨¢]\p{L}|\p{L}[©®¼½¾±¦§¤¶¬¸¨¢]")
"""A sign in the place of a letter."""
MANY_FOREIGN = 5
"""So many of these words that are different are none that a writer makes."""


@dataclass(frozen=True)
class Guess:
    """The likeliest encoding, and others that fit as well and give another text."""

    encoding: str
    rivals: tuple[str, ...] = ()
    doubt: str | None = None
    """Another encoding that gives another text, where few characters decide."""

    @property
    def is_toss_up(self) -> bool:
        """Whether nothing speaks for it: an old or rare encoding is no match for a usual one that fits."""
        return not {*OLD, *RARE}.issuperset(self.rivals)


def guess(sample: bytes) -> Guess | None:
    """Return the likeliest encoding of a piece of a text that is not UTF-8; None if it is no text.

    The piece may end inside a character, and have a damaged byte here and there.
    """
    found = likeliest(sample)
    if western.is_sparse(sample) and western.fits(sample, western.ENCODING):
        weak = evidence(sample, western.ENCODING) < TELLING
        others = (found.encoding, *LIKELY) if found else LIKELY
        return Guess(western.ENCODING, doubt=other_text(sample, western.ENCODING, others) if weak else None)
    if found and evidence(sample, found.encoding) < TELLING:
        doubt = other_text(sample, found.encoding, (western.ENCODING, *found.rivals, *LIKELY))
        return replace(found, doubt=doubt)
    if found is None or found.is_toss_up:
        return found
    is_latin_9 = (
        found.encoding in LATIN and set(found.rivals) <= set(RARE) and not ISO_CONTROLS.search(sample)
    )
    if is_latin_9 and few_differ(sample, found.encoding, LATIN_9):
        return replace(found, doubt=LATIN_9)
    # Few characters tell rivals apart, however many there are.
    return replace(found, doubt=next(iter(found.rivals), None))


def few_differ(sample: bytes, encoding: str, other: str) -> bool:
    """Return whether two encodings give two texts that differ in few of the characters beyond ASCII."""
    text, found = sample.decode(encoding, "replace"), sample.decode(other, "replace")
    differing = sum(map(str.__ne__, text, found))
    return 0 < differing <= FEW_DIFFERING * len([character for character in text if not character.isascii()])


def evidence(sample: bytes, encoding: str) -> int:
    """Return how many different words have characters beyond ASCII; in other scripts, how many characters."""
    text = sample.decode(encoding, "ignore")
    units = (word.strip(punctuation).lower() for word in text.split()) if encoding in LATIN else text
    return len({unit for unit in units if not unit.isascii()})


def has_foreign_words(sample: bytes, encoding: str) -> bool:
    """Return whether a text has words of two scripts, as where a part of it is in another encoding."""
    if encoding not in ONE_BYTE:
        return False
    word = FOREIGN_WORD if encoding in LATIN else FOREIGN_LETTER
    return len(set(word.findall(sample.decode(encoding, "ignore")))) >= MANY_FOREIGN


def is_too_little(sample: bytes, found: Guess) -> bool:
    """Return whether so little speaks for a guess that it is none.

    Western signs are known by their places, a language with Latin letters by a few words, another script by a
    few characters, and by a word without ASCII letters where its words are written so.
    """
    if found.encoding in LATIN and western.is_sparse(sample):
        if not western.fits(sample, found.encoding):
            return True
        if found.encoding == western.ENCODING:
            return False
    if found.doubt is None:
        return False
    number = evidence(sample, found.encoding)
    if found.encoding in LATIN:
        return number < LEAST_LATIN
    multibyte = any(found.encoding in (name, *variants) for name, variants in ASIAN.items())
    has_word = multibyte or FOREIGN_WORD.search(sample.decode(found.encoding, "ignore"))
    return number < LEAST or not has_word


def other_text(sample: bytes, encoding: str, others: Sequence[str]) -> str | None:
    """Return the first encoding that makes another text of a sample."""
    text = sample.decode(encoding, "replace")
    for other in others:
        found = strictly(sample, other)
        if found is not None and found != text and odd_share(found) <= ODD:
            return other
    return None


def likeliest(sample: bytes) -> Guess | None:
    """Return the encoding in which the letters follow each other as in a language, however few there are."""
    # Much English around a few lines or words of another language would speak for an encoding of English.
    lines = b"\n".join(line for line in sample.split(b"\n") if not line.isascii())
    found = rank(lines, LIKELY) or rank(telling_words(sample), LIKELY)
    if found is None or found.encoding not in ASIAN:
        found = likeliest_but_for_faults(sample, lines) or found
    if found and (variants := ASIAN.get(found.encoding)):
        fitting = min((found.encoding, *variants), key=lambda variant: count_faults(sample, variant))
        found = replace(found, encoding=fitting)
    return found


def likeliest_but_for_faults(sample: bytes, lines: bytes) -> Guess | None:
    """Return the encoding that is the likeliest without the few bytes that it lacks; None if none is.

    One damaged byte excludes the right encoding, and leaves others that fit any bytes.

    Args:
        sample: the piece of the text.
        lines: those of its lines that are not ASCII.
    """
    ranked: dict[bytes, Guess | None] = {}
    for encoding in (*ASIAN, *ONE_BYTE):
        whole = without_faults(lines if encoding in ONE_BYTE else sample, encoding)
        if whole is None:
            continue
        if whole not in ranked:
            ranked[whole] = rank(whole, LIKELY)
        if ranked[whole] and ranked[whole].encoding == encoding:
            return ranked[whole]
    return None


def guess_escaped(sample: bytes) -> Guess | None:
    """Return the encoding of bytes below 128 that stand for other characters; None if they are ASCII."""
    return rank(sample, ESCAPED)


def guess_wide(sample: bytes) -> str | None:
    """Return the form of UTF-16 or UTF-32 that the start of a file is in; None if it is in none."""
    text = strictly(sample, "utf-8")
    if few_controls(sample, FEW_CONTROLS if text is None else FEW_CONTROLS_OF_UTF8):
        return None
    fitting = {}
    for encoding in WIDE:
        text = strictly(sample, encoding)
        if text and "\0" not in text and odd_share(text) <= ODD:
            # In the wrong byte order, the letters of a script lie all over Unicode.
            fitting[encoding] = len({ord(character) >> 8 for character in text})
    return min(fitting, key=fitting.get, default=None)


def few_controls(sample: bytes, share: float) -> bool:
    """Return whether so few bytes are control characters that these are strays in a text of bytes.

    Of UTF-16 and UTF-32 many are: the halves of its characters are any bytes.
    """
    return len(CONTROLS.findall(sample)) <= share * len(sample)


def rank(sample: bytes, encodings: Sequence[str]) -> Guess | None:
    """Return the likeliest of some encodings; None if none fits."""
    # Loaded only where it is needed: nearly every text is UTF-8.
    from chardet import detect_all

    matches = detect_all(
        sample,
        ignore_threshold=True,
        compat_names=False,
        include_encodings=[*encodings, "ascii"],
        no_match_encoding="ascii",
        empty_input_encoding="ascii",
    )
    found = {match["encoding"]: match["confidence"] for match in matches if match["encoding"] in encodings}
    telling = telling_words(sample)
    likely = [name for name, confidence in found.items() if confidence >= LIKELY_SHARE * max(found.values())]
    odd = {name: round(chaos(telling, name), 2) for name in likely}
    fitting = [
        name for name in likely if odd[name] <= CHAOS and odd_share(sample.decode(name, "replace")) <= ODD
    ]
    if not fitting:
        return None
    least = NEAR * max(found[name] for name in fitting)
    near = sorted((odd[name], encodings.index(name), name) for name in fitting if found[name] >= least)
    best, text = near[0][2], telling.decode(near[0][2], "replace")
    equal = [name for share, _, name in near if share == near[0][0]]
    rivals = [name for name in equal if telling.decode(name, "replace") != text]
    # A rare encoding is the right one only where a usual one has signs in the places of letters.
    signs = {name: len(SIGN_AT_LETTER.findall(telling.decode(name, "replace"))) for name in (best, *rivals)}
    rare = min((name for name in rivals if name in RARE), key=signs.get, default=best)
    return Guess(rare) if signs[rare] < signs[best] else Guess(best, tuple(rivals))


def telling_words(sample: bytes) -> bytes:
    """Return the words that have bytes beyond ASCII, each with its neighbours; of ASCII all of it."""
    return b" ".join(re.findall(rb"(?:\S+\s)?\S*[\x80-\xff]\S*(?:\s\S+)?", sample)) or sample


def chaos(sample: bytes, encoding: str) -> float:
    """Return how unlike a text the bytes are in an encoding: 0 for a text, 1 for none."""
    from charset_normalizer import from_bytes

    whole = sample.decode(encoding, "ignore").encode(encoding)
    match = from_bytes(whole, cp_isolation=[encoding], threshold=1.0, preemptive_behaviour=False).best()
    return match.chaos if match else 1.0


def without_faults(sample: bytes, encoding: str) -> bytes | None:
    """Return a sample without what does not fit an encoding; None if nothing or too much does not."""
    text = sample.decode(encoding, "ignore")
    if encoding in ONE_BYTE:
        most = FAULTS_OF_ONE_BYTE * (len(text) - len(text.encode("ascii", "ignore")))
    else:
        most = FAULTS * len(text)
    return text.encode(encoding) if 0 < count_faults(sample, encoding) <= most else None


def are_variants(encoding: str, other: str) -> bool:
    """Return whether two encodings are one of ASIAN and its variant, which differ in rare characters."""
    return any({encoding, other} <= {name, *variants} for name, variants in ASIAN.items())


def count_faults(sample: bytes, encoding: str) -> int:
    """Return how often a sample does not fit an encoding."""
    return sample.decode(encoding, "replace").count("\ufffd")


def strictly(sample: bytes, encoding: str) -> str | None:
    """Return the text of a sample that may end inside a character; None if it is not in the encoding."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return None


def odd_share(text: str) -> float:
    """Return the share of characters that no text has."""
    odd = sum(unicodedata.category(c) in ("Cn", "Co", "Cs", "Cc") and c not in "\t\n\v\f\r" for c in text)
    return odd / max(1, len(text))
