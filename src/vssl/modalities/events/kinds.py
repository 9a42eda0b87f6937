"""Kinds of lines: which places of lines hold values, and which hold the words that say what happened.

Two lines that differ in one place are of one kind if values are seen to stand there: a number in one of them, or many
different words between the same other ones. A place with two or three words in it, such as on and off, makes kinds.
That how many words a place has says what it is, is the idea of IPLoM (Makanju et al. 2009, KDD) and of Brain (Yu et
al. 2023, IEEE Transactions on Services Computing, "Brain: Log Parsing With Bidirectional Parallel Tree").
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import accumulate

from vssl.modalities.events import headers
from vssl.modalities.events.masks import MASKED
from vssl.modalities.events.wildcards import ANY, PIECE, Patterns, Words, apart, has_letter, merged, rank, spanned

ROUNDS = 10
LEAST_VALUES = 4  # two or three words are a choice, and each of them another event
LEAST_VERBS = 10  # the first word of a message most often says what happens, and so do started and stopping
EVIDENCE = 15  # values times constant words beside them
BESIDE_NUMBERS = 2  # constant words beside a place that holds a number in some lines
BESIDE_NAMES = 4  # and beside one that holds words with numbers in them: eth0 and lo1, thread-3 and timer-7
MANY_LENGTHS = 3

_MASK = re.compile(rf"{MASKED}|<\*>")
_PIECE = re.compile(PIECE)
_RUN = re.compile(r"<\*>(?:[:,.|#/x-]*<\*>)+")
_PARTICIPLE = re.compile(r"[a-z](?:ed|ing)\W*$")
_DIGIT = re.compile(r"\d")


@dataclass(slots=True)
class Kind:
    """Lines of one kind.

    Attributes:
        words: Where all agree their words, elsewhere a pattern with `ANY`.
        count: How many they are.
        varied: The places where words differ, not numbers alone.
    """

    words: Words
    count: int
    varied: frozenset[int] = frozenset()


Kinds = dict[Words, Kind]
"""By shape."""


@lru_cache(maxsize=50_000)
def _shape(word: str) -> str:
    return _RUN.sub(ANY, _PIECE.sub(_without_values, _MASK.sub("0", word)))


def _without_values(piece: re.Match[str]) -> str:
    return ANY if _DIGIT.search(piece[0]) else piece[0]


def shape_of(words: Words) -> Words:
    """The words with `ANY` for each piece that is masked or has a digit: lines of one shape are of one kind."""
    return tuple([_shape(word) for word in words])


def generalised(kinds: Kinds, similarity: float) -> list[Kind]:
    """The kinds that lines of these shapes belong to.

    Args:
        kinds: Lines of one shape each.
        similarity: Share of the words of a kind, 0..1, that must be the same in all its lines.
    """
    for _ in range(ROUNDS):
        changes = _changes(kinds, similarity)
        if not changes:
            break
        kinds = _changed(kinds, changes)
    return list(_absorbed(kinds).values())


def _changes(kinds: Kinds, similarity: float) -> dict[Words, dict[int, str]]:
    """Of each shape the places that hold values, and the patterns that are to stand there."""
    changes: dict[Words, dict[int, str]] = defaultdict(dict)
    alike = _alike_but_for_one(kinds)
    names = headers.names(alike, {shape: kind.count for shape, kind in kinds.items()})
    for shape in kinds if names else ():
        changes[shape] |= {place: ANY for place, own in names.items() if place < len(shape) and shape[place] in own}
    lengths = _lengths_behind(kinds)
    for place, shapes in alike:
        if len(shapes) > 1 and _enough(shapes, place, kinds, similarity):
            before = lengths[reduce(_joined, shapes[0][:place], 0)] < MANY_LENGTHS
            if _are_values(shapes, place, kinds, before):
                pattern = spanned([shape[place] for shape in shapes])
                for shape in shapes:
                    changes[shape].setdefault(place, pattern)
    return {shape: own for shape, own in changes.items() if own}


def _alike_but_for_one(shapes: Iterable[Words]) -> list[tuple[int, list[Words]]]:
    """Each place of each shape, with all shapes that differ from it there only."""
    buckets: dict[tuple[int, int, int], list[Words]] = defaultdict(list)
    for shape in shapes:
        codes = [hash((place, word)) for place, word in enumerate(shape)]
        total = sum(codes)
        for place, code in enumerate(codes):
            buckets[len(shape), place, total - code].append(shape)
    return [(place, own) for (_, place, _), own in buckets.items()]


def _lengths_behind(shapes: Iterable[Words]) -> dict[int, int]:
    """How many lengths lines have that begin with the same words, by the code of these words."""
    lengths: dict[int, set[int]] = defaultdict(set)
    for shape in shapes:
        for code in accumulate(shape, _joined, initial=0):
            lengths[code].add(len(shape))
    return {code: len(own) for code, own in lengths.items()}


def _joined(code: int, word: str) -> int:
    return hash((code, word))


def _are_values(shapes: Sequence[Words], place: int, kinds: Kinds, before: bool) -> bool:
    """Whether what stands in one place of lines that are else alike says nothing about their kind.

    Args:
        before: Whether the words before the place count. What has lines of many lengths behind it is a header, and
            that two lines share it does not make them alike.
    """
    words, shape = [shape[place] for shape in shapes], shapes[0]
    start, rests, end = apart(words)
    constant = sum(map(has_letter, shape[:place] * before + shape[place + 1 :])) + has_letter(start + end)
    if _a_number(start, rests, end, [kinds[shape].words[place] for shape in shapes]):
        return constant >= BESIDE_NUMBERS
    if all(ANY in rest for rest in rests):
        return constant >= BESIDE_NAMES
    # Where each line brings a word that is new, fewer are enough.
    least = LEAST_VALUES - (sum(kinds[shape].count for shape in shapes) == len(shapes))
    first = not (before and any(map(has_letter, shape[:place]))) and not headers.closes_behind(shape, place)
    if first or 2 * sum(_PARTICIPLE.search(word) is not None for word in words) >= len(words):
        least = LEAST_VERBS
    return len(words) >= least and len(words) * constant >= EVIDENCE


def _a_number(start: str, rests: Sequence[str], end: str, words: Sequence[str]) -> bool:
    """Whether some lines have a number or nothing where others have a word, or they differ in the signs beside one."""
    # SOCKS5 in all of its lines is a word as HTTPS is: one of a choice.
    numbers = any(rest == ANY and _MASK.search(word) for rest, word in zip(rests, words, strict=True))
    signs = ANY in start + end and not any(map(has_letter, rests))
    return numbers or signs or ("" in rests and start.endswith("="))


def _enough(shapes: Sequence[Words], place: int, kinds: Kinds, similarity: float) -> bool:
    """Whether so many words are the same in all lines that they still say what happened."""
    differing = {place}.union(*(kinds[shape].varied for shape in shapes))
    constant = sum(has_letter(word) for at, word in enumerate(shapes[0]) if at not in differing)
    return constant >= similarity * (constant + len(differing))


def _changed(kinds: Kinds, changes: Mapping[Words, Mapping[int, str]]) -> Kinds:
    groups: dict[Words, list[Kind]] = defaultdict(list)
    for shape, kind in kinds.items():
        change = changes.get(shape, {})
        after = tuple([change.get(place, word) for place, word in enumerate(shape)])
        groups[after].append(Kind(kind.words, kind.count, kind.varied.union(change)))
    return {shape: _together(own) for shape, own in groups.items()}


def _absorbed(kinds: Kinds) -> Kinds:
    """Lines whose every differing word stands where a kind has values are of that kind, be they as rare as they may."""
    wide = [shape for shape, kind in kinds.items() if kind.varied]
    find = Patterns(wide)
    groups: dict[Words, list[Kind]] = defaultdict(list)
    for shape, kind in kinds.items():
        fitting = [wide[row] for row in find.fitting(shape) if _are_rarer(shape, wide[row], kinds)]
        groups[max(fitting, key=rank, default=shape)].append(kind)
    return {shape: _together(own) for shape, own in groups.items()}


def _are_rarer(shape: Words, pattern: Words, kinds: Kinds) -> bool:
    # A place for numbers is none for words.
    return all(place in kinds[pattern].varied for place, word in enumerate(shape) if word != pattern[place])


def _together(kinds: Sequence[Kind]) -> Kind:
    if len(kinds) == 1:
        return kinds[0]
    words = tuple([merged(column) for column in zip(*(kind.words for kind in kinds), strict=True)])
    return Kind(words, sum(kind.count for kind in kinds), frozenset().union(*(kind.varied for kind in kinds)))
