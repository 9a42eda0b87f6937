"""Templates: the constant words of lines of one kind, found without being told, and then frozen.

After Drain (He et al. 2017, ICWS, "Drain: An online log parsing approach with fixed depth tree"), with one change: the
path through the tree and the similarity count constant words only, so that a header of numbers and node names neither
leads all lines to one leaf nor makes strangers look alike. What libraries keep of it between runs is pickled; here it
is a list of texts.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from vssl.modalities.events import Template, masks

ANY = "<*>"
DEPTH = 3
MOST_CHILDREN = 100
MOST_CLUSTERS = 10_000
MOST_WORDS = 200
REMEMBERED = 20_000
EMPTY = "<empty>"
_VARIES = re.compile(r"\d|<[a-z*]+>")

Words = tuple[str, ...]


def words_of(message: str) -> Words:
    """The words of a message, masked; behind `MOST_WORDS` all are one word that varies."""
    words = masks.words(message) or [EMPTY]
    return (*words[:MOST_WORDS], ANY) if len(words) > MOST_WORDS else tuple(words)


def varies(word: str) -> bool:
    """Whether a word has a mask or a digit in it, and so says nothing about the kind of line."""
    return _VARIES.search(word) is not None


class Cluster:
    """Lines of one kind: where they agree their words, elsewhere `ANY`; and how many they are."""

    __slots__ = ("constant", "count", "words")

    def __init__(self, words: Words) -> None:
        self.words = words
        self.constant = constant_places(words)
        self.count = 0

    def take(self, words: Words) -> None:
        self.count += 1
        if words != self.words:
            self.words = tuple(a if a == b else ANY for a, b in zip(self.words, words, strict=True))
            self.constant = constant_places(self.words)

    def likeness(self, words: Words, rest: frozenset[int], path: frozenset[int]) -> float:
        """Share of the constant words of either, those of the path left aside, that both have in their places."""
        either = rest | (self.constant - path)
        return sum(self.words[place] == words[place] for place in either) / len(either) if either else 1.0


def constant_places(words: Words) -> frozenset[int]:
    """The places of the words that do not vary."""
    return frozenset(place for place, word in enumerate(words) if not varies(word))


class Miner:
    """Finds templates while it reads: a tree of fixed depth from the number of words over the first constant ones."""

    def __init__(self, similarity: float) -> None:
        self._similarity = similarity
        self._children: dict[Words, set[str]] = defaultdict(set)
        self._leaves: dict[Words, list[Cluster]] = defaultdict(list)
        self._known: dict[Words, Cluster] = {}
        self._clusters: list[Cluster] = []
        self.refused = 0

    def add(self, message: str) -> None:
        """Learn from one message."""
        words = words_of(message)
        cluster = self._known.get(words) or self._find(words)
        if cluster is None:
            self.refused += 1
            return
        cluster.take(words)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[words] = cluster

    def templates(self, most: int) -> tuple[tuple[Template, ...], int]:
        """The most frequent templates, in a fixed order, and how many messages all others stood for."""
        counts: dict[str, int] = defaultdict(int)
        for cluster in self._clusters:
            counts[" ".join(cluster.words)] += cluster.count
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        left_out = sum(count for _, count in ranked[most:]) + self.refused
        return tuple(Template(text, count) for text, count in ranked[:most]), left_out

    def _find(self, words: Words) -> Cluster | None:
        constant = sorted(constant_places(words))
        rest, path = frozenset(constant[DEPTH:]), frozenset(constant[:DEPTH])
        leaf = self._leaf(words, constant[:DEPTH])
        likeness, best = 0.0, None
        for cluster in leaf:
            if (own := cluster.likeness(words, rest, path)) > likeness:
                likeness, best = own, cluster
        if best is not None and likeness >= self._similarity:
            return best
        if len(self._clusters) >= MOST_CLUSTERS:
            return None
        cluster = Cluster(words)
        leaf.append(cluster)
        self._clusters.append(cluster)
        return cluster

    def _leaf(self, words: Words, places: Sequence[int]) -> list[Cluster]:
        """The clusters of lines with as many words and the same first constant ones."""
        path: Words = (str(len(words)),)
        for place in places:
            children, word = self._children[path], words[place]
            if word not in children and len(children) >= MOST_CHILDREN:
                word = ANY
            children.add(word)
            path = (*path, word)
        return self._leaves[path]


class Matcher:
    """The frozen templates: a line is of a known kind if every constant word of the template is in its place."""

    def __init__(self, templates: Sequence[Template], first: int, unknown: int) -> None:
        self._unknown = unknown
        self._by_start: dict[tuple[int, str], list[tuple[Words, int]]] = defaultdict(list)
        self._known: dict[Words, int] = {}
        numbered = [(tuple(item.text.split(" ")), first + row) for row, item in enumerate(templates)]
        # Of several that fit, the one with the most constant words says most; the more frequent one among equals.
        for words, token in sorted(numbered, key=lambda item: (item[0].count(ANY), item[1])):
            self._by_start[len(words), words[0]].append((words, token))

    def __call__(self, message: str) -> int:
        words = words_of(message)
        token = self._known.get(words)
        if token is None:
            token = self._match(words)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[words] = token
        return token

    def _match(self, words: Words) -> int:
        for start in (words[0], ANY):
            for template, token in self._by_start.get((len(words), start), ()):
                if all(own in (ANY, word) for own, word in zip(template, words, strict=True)):
                    return token
        return self._unknown
