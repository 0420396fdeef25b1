"""What of a sample stands in the training text: runs of 8 units, and the longest span of such runs.

The training text is read once, whatever the number of samples, with a piece of it in memory. An automaton
(Aho and Corasick 1975) finds all runs of 8 units of all samples in it; runs that follow one another in a
sample and in a document are one span. So the figures are exact: no hash stands for a text. A span of fewer
than 8 units is no sign of copying, and is not looked for.

The automaton is that of ahocorasick_rs, which walks through a hundred megabytes in a few seconds; a suffix
array of the training text would take several times its size in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import ahocorasick_rs
import numpy as np

from gptgrid.stages.sample.units import Unit, Units, runs
from gptgrid.text.documents import PART, parts

RUN = 8
"""Units of a run."""
AROUND = {"words": 12, "words and letters": 24, "characters": 40, "ids": 12}
"""Units before and behind a span that show where it stands."""
BETWEEN = "\0"
"""Between documents: a unit that no sample has."""


@dataclass
class Copies:
    """What of a sample stands in the training text."""

    runs: int
    """Runs of RUN units in the sample."""
    copied: int = 0
    """How many of them stand in the training text."""
    longest: int = 0
    """Units of the longest span; 0 where none has RUN units."""
    document: int | None = None
    """Number of a training document that has it, the first one, counted from 0."""
    before: str = ""
    span: str = ""
    behind: str = ""
    """The span, and the text around it in that document, blanks in place of other white space."""

    @property
    def share(self) -> float | None:
        """Return the share of the runs that stand there; None for a sample without any."""
        return self.copied / self.runs if self.runs else None


def find_copies(documents: Iterable[str], samples: Sequence[Units], unit: Unit) -> list[Copies]:
    """Return what of each sample stands in the documents.

    Args:
        documents: the training text, read once.
        samples: the units of each.
        unit: of the samples.
    """
    search = Search(samples, unit)
    if search.automaton is None:
        return search.found
    overlap = max(map(len, samples)) - 1
    batch, size = [], 0
    for number, units in stretches(documents, unit, overlap):
        batch.append((number, units))
        size += sum(map(len, units))
        if size >= PART:
            search.read(batch)
            batch, size = [], 0
    search.read(batch)
    return search.finish()


def stretches(documents: Iterable[str], unit: Unit, overlap: int) -> Iterator[tuple[int, Units]]:
    """Yield the units of documents, of long ones in pieces, each with the number of its document.

    A piece repeats the last `overlap` units of the one before, so that a span of one more is in one piece.
    """
    for number, text in enumerate(documents):
        kept = unit.split("")
        for part in parts(text, unit.borders):
            units = kept + unit.split(part)
            yield number, units
            kept = units[len(units) - min(overlap, len(units)) :]


class Search:
    """The runs of all samples, and what was found of them."""

    def __init__(self, samples: Sequence[Units], unit: Unit) -> None:
        self.unit = unit
        self.found = [Copies(max(0, len(units) - RUN + 1)) for units in samples]
        numbers: dict[tuple[str, ...], int] = {}
        # Places of runs in all samples one after the other. The last units of a sample begin no run, so that
        # runs of two samples never follow one another.
        places, of_run, self.sample_of, start = [], [], [], 0
        for sample, units in enumerate(samples):
            for place, run in enumerate(runs(units, RUN), start):
                places.append(place)
                of_run.append(numbers.setdefault(run, len(numbers)))
            self.sample_of += [sample] * len(units)
            start += len(units)
        self.sample_of = np.array(self.sample_of, dtype=np.int64)
        self.copied = np.zeros(start, dtype=bool)
        order = np.argsort(np.array(of_run, dtype=np.int64), kind="stable")
        self.places = np.array(places, dtype=np.int64)[order]
        """Of all runs, in the order of their numbers."""
        self.firsts = np.searchsorted(np.array(of_run, dtype=np.int64)[order], np.arange(len(numbers) + 1))
        """Run → where its places begin."""
        patterns = [unit.border + unit.join(run) + unit.border for run in numbers]
        self.automaton = ahocorasick_rs.AhoCorasick(patterns) if patterns else None

    def read(self, pieces: list[tuple[int, Units]]) -> None:
        """Look for the runs in some pieces of documents."""
        border = self.unit.border
        joined = f"{border}{BETWEEN}{border}".join(self.unit.join(units) for _, units in pieces)
        text = f"{border}{joined}{border}"
        matches = np.array(self.automaton.find_matches_as_indexes(text, overlapping=True), dtype=np.int64)
        if not len(matches):
            return
        run, units = matches[:, 0], self.units_at(text, matches[:, 1])
        counts = self.firsts[run + 1] - self.firsts[run]
        # Every place in the samples at which each of the runs stands.
        nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        places, units = self.places[np.repeat(self.firsts[run], counts) + nth], np.repeat(units, counts)
        self.copied[places] = True
        self.lengthen(pieces, places, units)

    def units_at(self, text: str, characters: np.ndarray) -> np.ndarray:
        """Return which units of a text begin at some characters, or at the borders before them."""
        if not self.unit.border:
            return characters
        points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
        return np.searchsorted(np.flatnonzero(points == ord(self.unit.border)), characters)

    def lengthen(self, pieces: list[tuple[int, Units]], places: np.ndarray, units: np.ndarray) -> None:
        """Join runs to spans, and keep the longest span of each sample.

        Args:
            pieces: of documents.
            places: of runs in the samples.
            units: at which units of the pieces, and of BETWEEN between two of them, the same runs stand.
        """
        order = np.lexsort((places, places - units))
        places, units = places[order], units[order]
        ends = np.flatnonzero((np.diff(places) != 1) | (np.diff(units) != 1))
        firsts, lasts = np.r_[0, ends + 1], np.r_[ends, len(places) - 1]
        lengths, samples = places[lasts] - places[firsts] + RUN, self.sample_of[places[firsts]]
        starts = np.cumsum([0, *(len(piece) + 1 for _, piece in pieces)])
        # Of each sample the longest one, of equals that which stands first.
        best = np.lexsort((units[firsts], -lengths, samples))
        best = best[np.r_[True, np.diff(samples[best]) != 0]]
        for index in best:
            found, length, place = self.found[samples[index]], int(lengths[index]), int(units[firsts[index]])
            if length > found.longest:
                piece = int(np.searchsorted(starts, place, side="right")) - 1
                self.show(found, *pieces[piece], place - int(starts[piece]), length)

    def show(self, found: Copies, document: int, units: Units, start: int, length: int) -> None:
        """Note where the longest span of a sample stands."""
        around, end = AROUND[self.unit.name], start + length
        found.longest, found.document = length, document
        found.before = self.unit.show(units[max(0, start - around) : start])
        found.span = self.unit.show(units[start:end])
        found.behind = self.unit.show(units[end : end + around])

    def finish(self) -> list[Copies]:
        """Return what was found of each sample."""
        counts = np.bincount(self.sample_of[self.copied], minlength=len(self.found))
        for found, count in zip(self.found, counts, strict=True):
            found.copied = int(count)
        return self.found
