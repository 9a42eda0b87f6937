"""Words and lines with wild cards: what several have in common, and which of many patterns a line fits."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from vssl.modalities.events.masks import MASK

ANY = "<*>"
MAX_LEAF = 2
Words = tuple[str, ...]

# What stands between these signs is a piece of a word; a mask is one too.
PIECE = r"[^=:,;()\[\]{}\"'|<>\s]+"
_PIECES = re.compile(rf"{MASK}|<\*>|{PIECE}|.", re.DOTALL)
_LETTER = re.compile(r"[^\W\d_]")
_RUN = re.compile(r"<\*>(?:<\*>)+")


def merge_words(words: Sequence[str]) -> str:
    """The pattern of several words: the pieces that all have in the same position, and `ANY` for what differs."""
    distinct = sorted(set(words))
    if len(distinct) == 1:
        return distinct[0]
    pieces = [_PIECES.findall(word) for word in distinct]
    if len({len(own) for own in pieces}) > 1:
        return common_ends(distinct)
    same = "".join([own[0] if len(set(own)) == 1 else ANY for own in zip(*pieces, strict=True)])
    return _balanced(_RUN.sub(ANY, same))


def common_ends(words: Sequence[str]) -> str:
    """The pieces that all words have in common at their start and end, and `ANY` between them."""
    start, _, end = split_common_ends(words)
    return _balanced(f"{start}{ANY}{end}")


def split_common_ends(words: Sequence[str]) -> tuple[str, list[str], str]:
    """The pieces that all words have in common at their start, what differs, and those in common at their end."""
    pieces = [_PIECES.findall(word) for word in words]
    shortest = min(map(len, pieces))
    start = next((n for n in range(shortest) if len({own[n] for own in pieces}) > 1), shortest)
    rest = shortest - start
    end = next((n for n in range(rest) if len({own[-1 - n] for own in pieces}) > 1), rest)
    middle = ["".join(own[start : len(own) - end]) for own in pieces]
    return "".join(pieces[0][:start]), middle, "".join(pieces[0][len(pieces[0]) - end :])


def has_letter(word: str) -> bool:
    """Whether a word is more than signs and values."""
    return _LETTER.search(word) is not None


def _balanced(pattern: str) -> str:
    # A bracket that is left alone would hold together words that it did not before.
    return pattern if pattern.count("[") == pattern.count("]") else ANY


def matches(pattern: Sequence[str], word: str) -> bool:
    """Whether a word has the parts of a pattern in their order, anything between them: in one pass over the word."""
    first, *middle, last = pattern
    if len(word) < len(first) + len(last) or not (word.startswith(first) and word.endswith(last)):
        return False
    at, end = len(first), len(word) - len(last)
    for part in middle:
        at = word.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def specificity(pattern: Words) -> tuple[int, int, Words]:
    """Orders patterns from the most special to the widest; of two that are as wide, by their texts."""
    return pattern.count(ANY), sum(ANY in word for word in pattern), pattern


class PatternIndex:
    """Finds the most special one of many patterns that a line fits: the one with the fewest wild cards.

    Args:
        patterns: Words with `ANY` in them. Of two that are as special, the first in the order of texts counts.
    """

    def __init__(self, patterns: Sequence[Words]) -> None:
        self._patterns = [[word.split(ANY) for word in words] for words in patterns]
        self._ranks = [specificity(words) for words in patterns]
        by_length: dict[int, list[int]] = defaultdict(list)
        for row in sorted(range(len(patterns)), key=self._ranks.__getitem__):
            by_length[len(patterns[row])].append(row)
        self._trees = {length: _Node(rows, patterns, frozenset(range(length))) for length, rows in by_length.items()}

    def __call__(self, words: Words) -> int | None:
        """The number of the pattern; None where none fits."""
        return min(self.fitting(words), key=self._ranks.__getitem__, default=None)

    def fitting(self, words: Words) -> list[int]:
        """The numbers of all patterns that fit."""
        tree = self._trees.get(len(words))
        return [row for row in tree.rows_for(words) if self._fits(row, words)] if tree else []

    def _fits(self, row: int, words: Words) -> bool:
        return all(
            own[0] == word if len(own) == 1 else matches(own, word)
            for own, word in zip(self._patterns[row], words, strict=True)
        )


class _Node:
    """Rows of patterns, divided by the word at the position where they have most different ones without a wild card."""

    __slots__ = ("_by_word", "_others", "_position", "_rows")

    def __init__(self, rows: Sequence[int], patterns: Sequence[Words], positions: frozenset[int]) -> None:
        kinds = {position: {patterns[row][position] for row in rows} for position in positions}
        constant = {position: sum(ANY not in word for word in kinds[position]) for position in positions}
        self._position = max(sorted(positions), key=lambda position: constant[position], default=-1)
        self._rows, self._by_word, self._others = rows, {}, None
        if len(rows) <= MAX_LEAF or constant.get(self._position, 0) < 2:
            return
        apart: dict[str, list[int]] = defaultdict(list)
        for row in rows:
            word = patterns[row][self._position]
            apart[ANY if ANY in word else word].append(row)
        self._rows, rest = (), positions - {self._position}
        others = apart.pop(ANY, None)
        self._others = _Node(others, patterns, rest) if others else None
        self._by_word = {word: _Node(own, patterns, rest) for word, own in apart.items()}

    def rows_for(self, words: Words) -> Iterator[int]:
        """The rows of patterns that the words may fit."""
        yield from self._rows
        if (own := self._by_word.get(words[self._position])) is not None:
            yield from own.rows_for(words)
        if self._others is not None:
            yield from self._others.rows_for(words)
