"""Clusters of lines: which positions of lines hold values, and which hold the words that say what happened.

Two lines that differ in one position belong to one cluster if values are seen there: a number in one of them, or many
different words between the same other words. A position with two or three words, such as on and off, separates
clusters. The idea that the number of words at a position tells what it is comes from IPLoM (Makanju et al. 2009, KDD)
and Brain (Yu et al. 2023, IEEE Transactions on Services Computing, "Brain: Log Parsing With Bidirectional Parallel
Tree").
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from vssl.modalities.events import line_headers, similar_lines
from vssl.modalities.events.masks import MASK
from vssl.modalities.events.similar_lines import Candidate
from vssl.modalities.events.wildcards import (
    ANY,
    PIECE,
    PatternIndex,
    Words,
    common_ends,
    has_letter,
    merge_words,
    specificity,
    split_common_ends,
)

ROUNDS = 10
MIN_VALUES = 4  # two or three words are a choice, and each of them another event
MANY_VALUES = 10  # the first word of a message most often says what happens, and so do started and stopping
MIN_EVIDENCE = 15  # values times constant words beside them
MIN_WORDS_BESIDE_NUMBERS = 2  # constant words beside a position that holds a number in some lines
MIN_WORDS_BESIDE_NAMES = 4  # and beside one that holds words with numbers in them: eth0 and lo1, thread-3 and timer-7
MANY_LENGTHS = 3

_MASK = re.compile(rf"{MASK}|<\*>")
_PIECE = re.compile(PIECE)
_RUN = re.compile(r"<\*>(?:[:,.|#/x-]*<\*>)+")
_PARTICIPLE = re.compile(r"[a-z](?:ed|ing)\W*$")
_DIGIT = re.compile(r"\d")


@dataclass(slots=True)
class Cluster:
    """Lines of one kind.

    Attributes:
        words: Where all agree their words, elsewhere a pattern with `ANY`.
        count: How many they are.
        varied: The positions where words differ, not numbers alone.
    """

    words: Words
    count: int
    varied: frozenset[int] = frozenset()


Clusters = dict[Words, Cluster]
"""By shape."""
Changes = dict[Words, dict[int, str]]
"""Of shapes what is to stand in which of their positions."""


@lru_cache(maxsize=50_000)
def _shape(word: str) -> str:
    pieces = _PIECE.sub(lambda piece: ANY if _DIGIT.search(piece[0]) else piece[0], _MASK.sub("0", word))
    return _RUN.sub(ANY, pieces)


def shape_of(words: Words) -> Words:
    """The words with `ANY` for each piece that is masked or has a digit: lines of one shape are of one kind."""
    return tuple([_shape(word) for word in words])


def generalise(kinds: Clusters, similarity: float) -> list[Cluster]:
    """The kinds that lines of these shapes belong to.

    Args:
        kinds: Lines of one shape each.
        similarity: Share of the words of a kind, 0..1, that must be the same in all its lines.
    """
    for _ in range(ROUNDS):
        if not (changes := next(_all_changes(kinds, similarity), None)):
            break
        kinds = _apply_changes(kinds, changes)
    return list(_absorb(kinds).values())


def _all_changes(kinds: Clusters, similarity: float) -> Iterator[Changes]:
    """What is to be changed in the shapes, if anything is: what is surer first."""
    single, lengths = similar_lines.differing_in_one_place(kinds), similar_lines.lengths_by_prefix(kinds)
    if changes := _header_changes(kinds, single):
        yield changes
    if changes := _value_changes(kinds, single, lengths, similarity):
        yield changes
    for several in similar_lines.differing_in_rare_words(kinds, MANY_VALUES):
        if changes := _value_changes(kinds, several, lengths, similarity):
            yield changes


def _header_changes(kinds: Clusters, candidates: Sequence[Candidate]) -> Changes:
    """Of each shape the positions of its header that hold names."""
    names = line_headers.header_names(candidates, {shape: kind.count for shape, kind in kinds.items()})
    found = {
        shape: {
            position: ANY for position, own in names.items() if position < len(shape) and shape[position] in own - {ANY}
        }
        for shape in (kinds if names else ())
    }
    return {shape: own for shape, own in found.items() if own}


def _value_changes(
    kinds: Clusters, candidates: Iterable[Candidate], lengths: Mapping[int, int], similarity: float
) -> Changes:
    """Of each shape the positions that hold values, and the patterns that are to stand there."""
    changes: Changes = defaultdict(dict)
    for positions, shapes in candidates:
        several = len(positions) > 1 and not changes.keys().isdisjoint(shapes)
        if len(shapes) < 2 or several or not _enough_constant(shapes, positions, kinds, similarity):
            continue
        # What has lines of many lengths behind it is a header; that lines share it does not make them alike.
        before = lengths[similar_lines.prefix_hash(shapes[0][: positions[0]])] < MANY_LENGTHS
        if all(_are_values(shapes, position, positions, kinds, before) for position in positions):
            for position in positions:
                pattern = common_ends([shape[position] for shape in shapes])
                for shape in shapes:
                    changes[shape].setdefault(position, pattern)
    return changes


def _are_values(
    shapes: Sequence[Words], position: int, positions: Sequence[int], kinds: Clusters, before: bool
) -> bool:
    """Whether what stands in one of the positions of lines that are else alike says nothing about their kind.

    Args:
        before: Whether the words before all the positions count.
    """
    words, shape = sorted({shape[position] for shape in shapes}), shapes[0]
    start, rests, end = split_common_ends(words)
    beside = [word for at, word in enumerate(shape) if at not in positions and (before or at > positions[0])]
    constant = sum(map(has_letter, beside)) + has_letter(start + end)
    numbers = [kinds[own].words[position] for own in shapes if own[position] == f"{start}{ANY}{end}"]
    if _a_number(start, rests, end, numbers):
        return constant >= MIN_WORDS_BESIDE_NUMBERS
    if all(ANY in rest for rest in rests):
        return constant >= MIN_WORDS_BESIDE_NAMES
    # Where each line brings a word that is new, fewer are enough.
    least = MIN_VALUES - (sum(kinds[shape].count for shape in shapes) == len(words))
    first = not (before and any(map(has_letter, shape[: positions[0]]))) and not line_headers.header_ends_after(
        shape, position
    )
    if first or 2 * sum(_PARTICIPLE.search(word) is not None for word in words) >= len(words):
        least = MANY_VALUES
    return len(words) >= least and len(words) * constant >= MIN_EVIDENCE


def _a_number(start: str, rests: Sequence[str], end: str, numbers: Sequence[str]) -> bool:
    """Whether some lines have a number or nothing where others have a word, or they differ in the signs beside one."""
    # SOCKS5 in all of its lines is a word as HTTPS is: one of a choice.
    signs = ANY in start + end and not any(map(has_letter, rests))
    return any(map(_MASK.search, numbers)) or signs or ("" in rests and start.endswith("="))


def _enough_constant(shapes: Sequence[Words], positions: Sequence[int], kinds: Clusters, similarity: float) -> bool:
    """Whether so many words are the same in all lines that they still say what happened."""
    differing = set(positions).union(*(kinds[shape].varied for shape in shapes))
    constant = sum(has_letter(word) for at, word in enumerate(shapes[0]) if at not in differing)
    return constant >= similarity * (constant + len(differing))


def _apply_changes(kinds: Clusters, changes: Mapping[Words, Mapping[int, str]]) -> Clusters:
    groups: dict[Words, list[Cluster]] = defaultdict(list)
    for shape, kind in kinds.items():
        change = changes.get(shape, {})
        after = tuple([change.get(position, word) for position, word in enumerate(shape)])
        groups[after].append(Cluster(kind.words, kind.count, kind.varied.union(change)))
    return {shape: merge(own) for shape, own in groups.items()}


def _absorb(kinds: Clusters) -> Clusters:
    find = WildcardClusters(kinds)
    groups: dict[Words, list[Cluster]] = defaultdict(list)
    for shape, kind in kinds.items():
        groups[find(shape) or shape].append(kind)
    return {shape: merge(own) for shape, own in groups.items()}


class WildcardClusters:
    """The kinds that have positions for values: lines whose every other word stands there are theirs, be they rare."""

    def __init__(self, kinds: Clusters) -> None:
        self._wide = [shape for shape, kind in kinds.items() if kind.varied]
        self._varied = [kinds[shape].varied for shape in self._wide]
        self._find = PatternIndex(self._wide)

    def __call__(self, shape: Words) -> Words | None:
        """The shape of the widest such kind; None where there is none."""
        found = []
        for row in self._find.fitting(shape):
            differing = {at for at, (a, b) in enumerate(zip(shape, self._wide[row], strict=True)) if a != b}
            if differing <= self._varied[row]:  # a position for numbers is none for words
                found.append(self._wide[row])
        return max(found, key=specificity, default=None)


def merge(kinds: Sequence[Cluster]) -> Cluster:
    """Kinds of lines of one length as one."""
    if len(kinds) == 1:
        return kinds[0]
    words = tuple([merge_words(column) for column in zip(*(kind.words for kind in kinds), strict=True)])
    return Cluster(words, sum(kind.count for kind in kinds), frozenset().union(*(kind.varied for kind in kinds)))
