"""Sequences of rows or lines that are known again at any offset, by hashes of short runs of them.

A run that stands still tells nothing, and neither does one that the training has at three places or more: an idle
machine, a heartbeat without a time. How long a run must be follows from the training data: so long that it changes, and
that repetitions, by a cycle or by chance, are rare. Where none is long enough no run tells anything, and samples are
known as a whole: if more of them are than would be by the repetitions within the training data.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, UInt64

from vssl.modalities.copies import CopyMatches, ExactCopyDetector, Memory, SampleMarks, chain_roots

Hashes = UInt64[np.ndarray, " n"]

FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, and without a pattern in its bits
SHIFT = np.uint64(29)

COMMON_COUNT = 3
"""At so many places of the training a run repeats by itself. At two, somebody may have copied a file."""
MAX_REPEATED_SHARE = 0.02
"""Share of the runs that may repeat by themselves; with more, longer runs are taken."""
MAX_ITEMS = 64
"""Items of a run, at most."""
MIN_CHANGES = 4
"""So many times, at most, must what is in a run change, to tell anything."""
BLOCK = 2**14
"""So many samples are looked at at once."""
MIN_KNOWN_SHARE, MIN_INFORMATIVE_SHARE = 0.6, 0.125
"""A sample is known if this share of what tells something in it is; of which there must be that share of its items."""


REPETITIVE_DATA = (
    "The training data stand still or repeat themselves so much that samples are known again only where they were cut "
    "at the same place, and only if most of them were seen before."
)


Spans = Sequence[tuple[str, Any, Any]] | None
"""Of windows of a series its name, and where each begins and ends, as in `SampleMarks`."""


def mix_hashes(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """A hash of two, uint64; the order counts."""
    both = (first ^ (second * FACTOR)) * FACTOR
    return both ^ (both >> SHIFT)


@dataclass(frozen=True)
class Shingles:
    """The runs of N samples.

    Attributes:
        hashes: Of each run.
        sample: To which sample it belongs.
        start: Number of its first item, counted through all samples.
        length: In items.
        still: Whether it changes too little to tell anything.
        items: How many each sample has.
    """

    hashes: Hashes
    sample: Int[np.ndarray, " n"]
    start: Int[np.ndarray, " n"]
    length: Int[np.ndarray, " n"]
    still: Bool[np.ndarray, " n"]
    items: Int[np.ndarray, " N"]

    def covered(self, chosen: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " N"]:
        """How many items of each sample lie in one of the chosen runs."""
        total, samples = int(self.items.sum()), len(self.items)
        steps = np.zeros(total + 1, int)
        np.add.at(steps, self.start[chosen], 1)
        np.add.at(steps, (self.start + self.length)[chosen], -1)
        inside = np.cumsum(steps[:total]) > 0
        return np.bincount(np.repeat(np.arange(samples), self.items)[inside], minlength=samples)


def shingles_of(signatures: Sequence[bytes], length: int) -> Shingles:
    """All runs of so many items; a sample with fewer is one run as a whole."""
    sizes = np.array([len(signature) // 8 for signature in signatures], int)
    items = np.frombuffer(b"".join(signatures), "<u8").astype(np.uint64)
    own = np.repeat(np.arange(len(signatures)), sizes)
    ends = np.cumsum(sizes)
    place = np.arange(len(items))
    size = np.minimum(sizes[own], length)
    begins = place + size <= ends[own]
    place, size, own = place[begins], size[begins], own[begins]
    changes = np.concatenate([[0], np.cumsum(items[1:] != items[:-1])]) if len(items) else np.zeros(0, int)
    hashes = np.zeros(len(place), np.uint64)
    for step in range(length):
        inside = step < size
        hashes[inside] = mix_hashes(hashes[inside], items[place[inside] + step])
    still = changes[place + size - 1] - changes[place] < np.minimum(size // 2, MIN_CHANGES)
    return Shingles(hashes, own, place, size, still, sizes)


def remember(signatures: Sequence[bytes], spans: Spans, shortest: int) -> dict[str, np.ndarray]:
    """What is kept of training samples: their runs, those of them that repeat by themselves, and how long they are."""
    longest = min(MAX_ITEMS, max(1, int(np.median([len(signature) // 8 for signature in signatures])) // 2))
    length = min(shortest, longest)
    while True:
        kinds, counts = _count_shingles(signatures, spans, length)
        often = counts >= COMMON_COUNT
        # A copied stretch is longer than a run; what repeats in a run, but not in one twice as long, does so by chance.
        twice_as_long = _count_shingles(signatures, spans, 2 * length)[1]
        by_chance = _repeated_share(counts) - _repeated_share(twice_as_long) > MAX_REPEATED_SHARE
        is_rare = counts[often].sum() <= MAX_REPEATED_SHARE * counts.sum()
        enough = is_rare and not by_chance and not _mostly_still(signatures, length)
        if enough or length == longest:
            again = _is_repeated(signatures)[is_varying(signatures)]
            facts = {"length": length, "tells": not by_chance, "again": again.mean() if len(again) else 0.0}
            return {"runs": kinds, "common": kinds[often]} | {name: np.array([value]) for name, value in facts.items()}
        length = min(2 * length, longest)


def _repeated_share(counts: Int[np.ndarray, " n"]) -> float:
    """The share of all runs of which there is another."""
    return float(counts[counts > 1].sum() / max(1, counts.sum()))


def _mostly_still(signatures: Sequence[bytes], length: int) -> bool:
    """Whether most samples that change have no run that changes enough."""
    has, can = 0, 0
    for start in range(0, len(signatures), BLOCK):
        part = signatures[start : start + BLOCK]
        runs = shingles_of(part, length)
        has += len(np.unique(runs.sample[~runs.still]))
        can += int(is_varying(part).sum())
    return 2 * has < can


def is_varying(signatures: Sequence[bytes]) -> Bool[np.ndarray, " N"]:
    """Which samples are not the same item again and again; a single one is not."""
    return np.array(
        [len(signature) <= 8 or signature != signature[:8] * (len(signature) // 8) for signature in signatures], bool
    )


def _is_repeated(samples: Sequence[bytes] | Sequence[str]) -> Bool[np.ndarray, " N"]:
    """Which samples are there again, as a whole."""
    counts = Counter[bytes | str](samples)
    return np.array([counts[sample] > 1 for sample in samples], bool)


def _across_borders(signatures: Sequence[bytes], spans: Spans, length: int) -> list[bytes]:
    """What lies on either side of each border between windows that do not overlap, for the runs across it."""
    if spans is None or length < 2:
        return []
    size, found = 8 * (length - 1), []
    for one, (before, after) in enumerate(pairwise(spans)):
        if before[0] == after[0] and after[1] >= before[2]:
            found.append(signatures[one][-size:] + signatures[one + 1][:size])
    return found


def _count_shingles(signatures: Sequence[bytes], spans: Spans, length: int) -> tuple[Hashes, Int[np.ndarray, " n"]]:
    """The runs that do not stand still, and at how many places, at least, each is."""
    across = _across_borders(signatures, spans, length)
    apart, deep = np.append(non_overlapping(spans, len(signatures)), np.ones(len(across), bool)), _max_overlap(spans)
    whole = [*signatures, *across]
    kinds, counts, every = np.empty(0, np.uint64), np.empty(0, int), np.empty(0, int)
    for start in range(0, len(whole), BLOCK):
        runs = shingles_of(whole[start : start + BLOCK], length)
        moving = ~runs.still
        found = np.concatenate([kinds, runs.hashes[moving]])
        row = start + runs.sample[moving]
        times = np.concatenate([counts, apart[row].astype(int)])
        all_times = np.concatenate([every, (row < len(signatures)).astype(int)])
        kinds, place = np.unique(found, return_inverse=True)
        counts = np.bincount(place, times, len(kinds)).astype(int)
        every = np.bincount(place, all_times, len(kinds)).astype(int)
    # Between samples that share no item there may be items that only the others have.
    return kinds, np.maximum(counts, every // deep)


def _max_overlap(spans: Spans) -> int:
    """In how many samples one item is, at most."""
    ends: dict[str, deque[Any]] = {}
    deepest = 1
    for series, start, end in sorted(spans or (), key=lambda span: span[:2]):
        open_ = ends.setdefault(series, deque())
        while open_ and open_[0] <= start:
            open_.popleft()
        open_.append(end)
        deepest = max(deepest, len(open_))
    return deepest


def non_overlapping(spans: Spans, count: int) -> Bool[np.ndarray, " N"]:
    """Samples that share no item: of windows that overlap, one after the other in their order."""
    if spans is None:
        return np.ones(count, bool)
    ends: dict[str, Any] = {}
    chosen = np.zeros(count, bool)
    for row in sorted(range(count), key=lambda row: spans[row][:2]):
        series, start, end = spans[row]
        if series not in ends or start >= ends[series]:
            ends[series], chosen[row] = end, True
    return chosen


class SequenceCopyDetector:
    """Knows sequences again at any offset, by what `remember` kept of the training."""

    def __init__(self, memory: Memory) -> None:
        self._exact = ExactCopyDetector(memory)
        self._known, self._common, self._length = memory["runs"], memory["common"], int(memory["length"][0])
        self._tells, self._again = bool(memory["tells"][0]), float(memory["again"][0])
        self.doubts: Sequence[str] = () if self._tells and len(self._known) else (REPETITIVE_DATA,)

    def seen(self, marks: SampleMarks) -> CopyMatches:
        return self._found(marks, self._known, self._exact.seen(marks).exact)

    def among(self, marks: SampleMarks, others: SampleMarks) -> CopyMatches:
        known = np.unique(shingles_of(others.signatures, self._length).hashes)
        return self._found(marks, known, self._exact.among(marks, others).exact)

    def first(self, marks: SampleMarks) -> Int[np.ndarray, " N"]:
        runs = shingles_of(marks.signatures, self._length)
        telling = self._telling(runs)
        # Of windows that overlap the same rows are no copies, so each run is sought at places that do not overlap.
        chosen = np.flatnonzero(non_overlapping(marks.spans, len(marks))[runs.sample] & telling)
        kinds, at = np.unique(runs.hashes[chosen], return_index=True)
        there = np.flatnonzero(telling & _is_in(runs.hashes, kinds))
        home = np.arange(len(marks))[runs.sample]
        home[there] = runs.sample[chosen[at[np.searchsorted(kinds, runs.hashes[there])]]]
        copied = (home < runs.sample) & ~_overlap(marks.spans, runs.sample, home)
        parent = np.arange(len(marks))
        for row in np.flatnonzero(self._enough(runs, telling, copied)):
            own = slice(*np.searchsorted(runs.sample, [row, row + 1]))
            parent[row] = np.bincount(home[own][copied[own]]).argmax()
        silent = is_varying(marks.signatures) & (runs.covered(telling) == 0)
        if self._beyond_repeating(silent & _is_repeated(marks.contents), silent):
            parent[silent] = self._exact.first(marks)[silent]
        return chain_roots(parent)

    def _telling(self, runs: Shingles) -> Bool[np.ndarray, " n"]:
        return np.asarray(~runs.still & ~_is_in(runs.hashes, self._common) & self._tells)

    def _beyond_repeating(self, known: Bool[np.ndarray, " N"], of: Bool[np.ndarray, " N"]) -> bool:
        """Whether more are known as a whole than where data repeat themselves as the training data do."""
        return bool(known.sum() > (1 - (1 - MIN_KNOWN_SHARE) * (1 - self._again)) * of.sum())

    def _found(self, marks: SampleMarks, known: Hashes, exact: Bool[np.ndarray, " N"]) -> CopyMatches:
        runs = shingles_of(marks.signatures, self._length)
        telling = self._telling(runs)
        near = self._enough(runs, telling, telling & _is_in(runs.hashes, known))
        moving = is_varying(marks.signatures)
        # What repeats by itself may well be new. If more of it is known as it is than would be so, it is not.
        repeats = exact & moving & (runs.covered(telling) == 0)
        exact = exact & moving & (~repeats | self._beyond_repeating(exact & moving, moving))
        return CopyMatches(exact, near & ~exact)

    def _enough(
        self, runs: Shingles, telling: Bool[np.ndarray, " n"], known: Bool[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " N"]:
        says = runs.covered(telling)
        return (
            (says > 0) & (says >= MIN_INFORMATIVE_SHARE * runs.items) & (runs.covered(known) >= MIN_KNOWN_SHARE * says)
        )


def _is_in(hashes: Hashes, known: Hashes) -> Bool[np.ndarray, " n"]:
    """Which are among the known ones, which are in order."""
    if not len(known):
        return np.zeros(len(hashes), bool)
    return np.asarray(known[np.minimum(np.searchsorted(known, hashes), len(known) - 1)] == hashes)


def _overlap(spans: Spans, first: Int[np.ndarray, " n"], second: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Whether the samples of each pair are windows of one series that share items."""
    if spans is None:
        return np.zeros(len(first), bool)
    names, starts, ends = (np.array(column) for column in zip(*spans, strict=True))
    same = names[first] == names[second]
    return np.asarray(same & (starts[first] < ends[second]) & (starts[second] < ends[first]))
