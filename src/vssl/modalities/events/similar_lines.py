"""Candidates for one kind: lines that are alike but for one position, or but for the positions of their rare words."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate

from vssl.modalities.events.wildcards import Words

Candidate = tuple[tuple[int, ...], list[Words]]
"""Places, and all shapes that are the same in all others."""


def differing_in_one_place(shapes: Collection[Words]) -> list[Candidate]:
    """Each position of each shape, with the shapes that differ from it there only; that may be none."""
    buckets: dict[tuple[int, int, int], list[Words]] = defaultdict(list)
    for shape in shapes:
        # A sum of codes of words would not do: the hashes of tuples are too regular for it.
        before = list(accumulate(shape, _chain, initial=0))
        behind = list(accumulate(reversed(shape), _chain, initial=len(shape)))
        for position in range(len(shape)):
            buckets[position, before[position], behind[-2 - position]].append(shape)
    return [((position,), own) for (position, _, _), own in buckets.items()]


def differing_in_rare_words(shapes: Collection[Words], least: int) -> Iterator[list[Candidate]]:
    """Shapes that differ in several positions at once, each with at least so many words, all of them rare ones.

    First with the rarest words left out, then with four times as frequent ones, and so on.
    """
    counts = Counter((len(shape), position, word) for shape in shapes for position, word in enumerate(shape))
    most = 1
    while most < len(shapes):
        groups: dict[tuple[str | None, ...], list[Words]] = defaultdict(list)
        for shape in shapes:
            length = len(shape)
            key = [None if counts[length, position, word] <= most else word for position, word in enumerate(shape)]
            groups[tuple(key)].append(shape)
        yield [found for own in groups.values() if len(own) >= least for found in _split_by_choices(own, least)]
        most *= 4


def _split_by_choices(shapes: Sequence[Words], least: int) -> Iterator[Candidate]:
    """Where shapes differ in few words only, each of these has shapes of its own."""
    columns = [set(column) for column in zip(*shapes, strict=True)]
    choices = [position for position, words in enumerate(columns) if 1 < len(words) < least]
    groups: dict[tuple[str, ...], list[Words]] = defaultdict(list)
    for shape in shapes:
        groups[tuple([shape[position] for position in choices])].append(shape)
    for own in groups.values():
        distinct = [len(set(column)) for column in zip(*own, strict=True)]
        if len(own) >= least and all(number == 1 or number >= least for number in distinct):
            yield tuple([position for position, number in enumerate(distinct) if number > 1]), own


def lengths_by_prefix(shapes: Collection[Words]) -> dict[int, int]:
    """How many lengths lines have that begin with the same words, by the `prefix_hash` of these words."""
    lengths: dict[int, set[int]] = defaultdict(set)
    for shape in shapes:
        for own in accumulate(shape, _chain, initial=0):
            lengths[own].add(len(shape))
    return {own: len(found) for own, found in lengths.items()}


def prefix_hash(words: Sequence[str]) -> int:
    """A number for some words in their order."""
    *_, last = accumulate(words, _chain, initial=0)
    return last


def _chain(before: int, word: str) -> int:
    return hash((before, word))
