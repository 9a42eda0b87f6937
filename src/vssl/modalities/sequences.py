"""Sequences of rows or lines that are known again at any offset, by hashes of short runs of them.

A run that stands still tells nothing, and neither does one that the training has at three places or more: an idle
machine, a heartbeat without a time. How long a run must be follows from the training data: so long that it changes, and
that repetitions, by a cycle or by chance, are rare. Where none is long enough no run tells anything, and samples are
known as a whole: if more of them are than would be by the repetitions within the training data.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, UInt64

from vssl.modalities.copies import ExactCopies, Found, Marks, Memory, roots

Hashes = UInt64[np.ndarray, " n"]

FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, and without a pattern in its bits
SHIFT = np.uint64(29)

COMMON = 3
"""At so many places of the training a run repeats by itself. At two, somebody may have copied a file."""
RARE = 0.02
"""Share of the runs that may repeat by themselves; with more, longer runs are taken."""
LONGEST = 64
"""Items of a run, at most."""
CHANGES = 4
"""So many times, at most, must what is in a run change, to tell anything."""
BLOCK = 2**14
"""So many samples are looked at at once."""
KNOWN, TELLING = 0.6, 0.125
"""A sample is known if this share of what tells something in it is; of which there must be that share of its items."""


BLIND = (
    "The training data stand still or repeat themselves so much that samples are known again only where they were cut "
    "at the same place, and only if most of them were seen before."
)


def mixed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """A hash of two, uint64; the order counts."""
    both = (first ^ (second * FACTOR)) * FACTOR
    return both ^ (both >> SHIFT)


@dataclass(frozen=True)
class Runs:
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


def runs_of(traces: Sequence[bytes], length: int) -> Runs:
    """All runs of so many items; a sample with fewer is one run as a whole."""
    sizes = np.array([len(trace) // 8 for trace in traces], int)
    items = np.frombuffer(b"".join(traces), "<u8").astype(np.uint64)
    own = np.repeat(np.arange(len(traces)), sizes)
    ends = np.cumsum(sizes)
    place = np.arange(len(items))
    size = np.minimum(sizes[own], length)
    begins = place + size <= ends[own]
    place, size, own = place[begins], size[begins], own[begins]
    changes = np.concatenate([[0], np.cumsum(items[1:] != items[:-1])]) if len(items) else np.zeros(0, int)
    hashes = np.zeros(len(place), np.uint64)
    for step in range(length):
        inside = step < size
        hashes[inside] = mixed(hashes[inside], items[place[inside] + step])
    still = changes[place + size - 1] - changes[place] < np.minimum(size // 2, CHANGES)
    return Runs(hashes, own, place, size, still, sizes)


def remember(
    traces: Sequence[bytes], spans: Sequence[tuple[str, Any, Any]] | None, shortest: int
) -> dict[str, np.ndarray]:
    """What is kept of training samples: their runs, those of them that repeat by themselves, and how long they are."""
    longest = min(LONGEST, max(1, int(np.median([len(trace) // 8 for trace in traces])) // 2))
    length = min(shortest, longest)
    while True:
        kinds, counts = _counted(traces, spans, length)
        often = counts >= COMMON
        # A copied stretch is longer than a run; what repeats in a run, but not in one twice as long, does so by chance.
        by_chance = _repeated(counts) - _repeated(_counted(traces, spans, 2 * length)[1]) > RARE
        enough = counts[often].sum() <= RARE * counts.sum() and not by_chance and not _mostly_still(traces, length)
        if enough or length == longest:
            found = {"runs": kinds, "common": kinds[often], "length": np.array([length])}
            again = _twins(traces)[changing(traces)]
            return found | {
                "tells": np.array([not by_chance]),
                "again": np.array([again.mean() if len(again) else 0.0]),
            }
        length = min(2 * length, longest)


def _repeated(counts: Int[np.ndarray, " n"]) -> float:
    """The share of all runs of which there is another."""
    return float(counts[counts > 1].sum() / max(1, counts.sum()))


def _mostly_still(traces: Sequence[bytes], length: int) -> bool:
    """Whether most samples that change have no run that changes enough."""
    has, can = 0, 0
    for start in range(0, len(traces), BLOCK):
        part = traces[start : start + BLOCK]
        runs = runs_of(part, length)
        has += len(np.unique(runs.sample[~runs.still]))
        can += int(changing(part).sum())
    return 2 * has < can


def changing(traces: Sequence[bytes]) -> Bool[np.ndarray, " N"]:
    """Which samples are not the same item again and again; a single one is not."""
    return np.array([len(trace) <= 8 or trace != trace[:8] * (len(trace) // 8) for trace in traces], bool)


def _twins(samples: Sequence[bytes] | Sequence[str]) -> Bool[np.ndarray, " N"]:
    """Which samples are there again, as a whole."""
    counts = Counter[bytes | str](samples)
    return np.array([counts[sample] > 1 for sample in samples], bool)


def _borders(traces: Sequence[bytes], spans: Sequence[tuple[str, Any, Any]] | None, length: int) -> list[bytes]:
    """What lies on either side of each border between windows that do not overlap, for the runs across it."""
    if spans is None or length < 2:
        return []
    size, found = 8 * (length - 1), []
    for one, (before, after) in enumerate(pairwise(spans)):
        if before[0] == after[0] and after[1] >= before[2]:
            found.append(traces[one][-size:] + traces[one + 1][:size])
    return found


def _counted(
    traces: Sequence[bytes], spans: Sequence[tuple[str, Any, Any]] | None, length: int
) -> tuple[Hashes, Int[np.ndarray, " n"]]:
    """The runs that do not stand still, and at how many places, at least, each is."""
    across = _borders(traces, spans, length)
    apart, deep = np.append(disjoint(spans, len(traces)), np.ones(len(across), bool)), _depth(spans)
    whole = [*traces, *across]
    kinds, counts, every = np.empty(0, np.uint64), np.empty(0, int), np.empty(0, int)
    for start in range(0, len(whole), BLOCK):
        runs = runs_of(whole[start : start + BLOCK], length)
        moving = ~runs.still
        found = np.concatenate([kinds, runs.hashes[moving]])
        row = start + runs.sample[moving]
        times = np.concatenate([counts, apart[row].astype(int)])
        all_times = np.concatenate([every, (row < len(traces)).astype(int)])
        kinds, place = np.unique(found, return_inverse=True)
        counts = np.bincount(place, times, len(kinds)).astype(int)
        every = np.bincount(place, all_times, len(kinds)).astype(int)
    # Between samples that share no item there may be items that only the others have.
    return kinds, np.maximum(counts, every // deep)


def _depth(spans: Sequence[tuple[str, Any, Any]] | None) -> int:
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


def disjoint(spans: Sequence[tuple[str, Any, Any]] | None, count: int) -> Bool[np.ndarray, " N"]:
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


class SequenceCopies:
    """Knows sequences again at any offset, by what `remember` kept of the training."""

    def __init__(self, memory: Memory) -> None:
        self._exact = ExactCopies(memory)
        self._known, self._common, self._length = memory["runs"], memory["common"], int(memory["length"][0])
        self._tells, self._again = bool(memory["tells"][0]), float(memory["again"][0])
        self.doubts: Sequence[str] = () if self._tells and len(self._known) else (BLIND,)

    def seen(self, marks: Marks) -> Found:
        return self._found(marks, self._known, self._exact.seen(marks).exact)

    def among(self, marks: Marks, others: Marks) -> Found:
        known = np.unique(runs_of(others.traces, self._length).hashes)
        return self._found(marks, known, self._exact.among(marks, others).exact)

    def first(self, marks: Marks) -> Int[np.ndarray, " N"]:
        runs = runs_of(marks.traces, self._length)
        telling = self._telling(runs)
        # Of windows that overlap the same rows are no copies, so each run is sought at places that do not overlap.
        chosen = np.flatnonzero(disjoint(marks.spans, len(marks))[runs.sample] & telling)
        kinds, at = np.unique(runs.hashes[chosen], return_index=True)
        there = np.flatnonzero(telling & _within(runs.hashes, kinds))
        home = np.arange(len(marks))[runs.sample]
        home[there] = runs.sample[chosen[at[np.searchsorted(kinds, runs.hashes[there])]]]
        copied = (home < runs.sample) & ~_overlap(marks.spans, runs.sample, home)
        parent = np.arange(len(marks))
        for row in np.flatnonzero(self._enough(runs, telling, copied)):
            own = slice(*np.searchsorted(runs.sample, [row, row + 1]))
            parent[row] = np.bincount(home[own][copied[own]]).argmax()
        silent = changing(marks.traces) & (runs.covered(telling) == 0)
        if self._beyond_repeating(silent & _twins(marks.contents), silent):
            parent[silent] = self._exact.first(marks)[silent]
        return roots(parent)

    def _telling(self, runs: Runs) -> Bool[np.ndarray, " n"]:
        return ~runs.still & ~_within(runs.hashes, self._common) & self._tells

    def _beyond_repeating(self, known: Bool[np.ndarray, " N"], of: Bool[np.ndarray, " N"]) -> bool:
        """Whether more are known as a whole than where data repeat themselves as the training data do."""
        return bool(known.sum() > (1 - (1 - KNOWN) * (1 - self._again)) * of.sum())

    def _found(self, marks: Marks, known: Hashes, exact: Bool[np.ndarray, " N"]) -> Found:
        runs = runs_of(marks.traces, self._length)
        telling = self._telling(runs)
        near = self._enough(runs, telling, telling & _within(runs.hashes, known))
        moving = changing(marks.traces)
        # What repeats by itself may well be new. If more of it is known as it is than would be so, it is not.
        repeats = exact & moving & (runs.covered(telling) == 0)
        exact = exact & moving & (~repeats | self._beyond_repeating(exact & moving, moving))
        return Found(exact, near & ~exact)

    def _enough(
        self, runs: Runs, telling: Bool[np.ndarray, " n"], known: Bool[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " N"]:
        says = runs.covered(telling)
        return (says > 0) & (says >= TELLING * runs.items) & (runs.covered(known) >= KNOWN * says)


def _within(hashes: Hashes, known: Hashes) -> Bool[np.ndarray, " n"]:
    """Which are among the known ones, which are in order."""
    if not len(known):
        return np.zeros(len(hashes), bool)
    return known[np.minimum(np.searchsorted(known, hashes), len(known) - 1)] == hashes


def _overlap(
    spans: Sequence[tuple[str, Any, Any]] | None, first: Int[np.ndarray, " n"], second: Int[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Whether the samples of each pair are windows of one series that share items."""
    if spans is None:
        return np.zeros(len(first), bool)
    names, starts, ends = (np.array(column) for column in zip(*spans, strict=True))
    same = names[first] == names[second]
    return same & (starts[first] < ends[second]) & (starts[second] < ends[first])
