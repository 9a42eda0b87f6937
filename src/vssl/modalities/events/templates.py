"""Templates: the constant words of lines of one kind, found without labels, and then frozen as texts.

A line is read as its words, masked, and held as its shape: what is left when all pieces with a mask or a digit are
left out. Shapes are few however many lines there are; which of them are of one kind is found from them at the end
(`clusters`), and before that whenever there are too many.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from vssl.modalities.events import Template, masks
from vssl.modalities.events.clusters import Cluster, Clusters, WildcardClusters, generalise, merge, shape_of
from vssl.modalities.events.wildcards import ANY, PatternIndex, Words, merge_words

MAX_SHAPES = 10_000
MAX_WORDS = 200
MAX_CACHED = 20_000
EMPTY = "<empty>"


def message_words(message: str) -> Words:
    """The words of a message, masked; of equal masked words in a row one is left, so that a list may have any length.

    Behind `MAX_WORDS` all are one word that varies.
    """
    words = masks.masked_words(message)
    kept = [word for at, word in enumerate(words) if not at or word != words[at - 1] or "<" not in word]
    return (*kept[:MAX_WORDS], ANY) if len(kept) > MAX_WORDS else tuple(kept) or (EMPTY,)


def most_frequent(counts: Iterable[tuple[str, int]], most: int) -> tuple[tuple[Template, ...], int]:
    """The most frequent templates, in a fixed order, and how many messages all others stand for."""
    ranked = sorted(counts, key=lambda item: (-item[1], item[0]))
    return tuple(Template(text, count) for text, count in ranked[:most]), sum(count for _, count in ranked[most:])


class TemplateMiner:
    """Finds templates while it reads.

    Args:
        similarity: Share of the words of a kind, 0..1, that must be the same in all its lines.
    """

    def __init__(self, similarity: float) -> None:
        self._similarity = similarity
        self._held: dict[Words, int] = {}
        self._kinds: Clusters = {}
        self._wide: WildcardClusters | None = None
        self._refused = 0

    def add(self, message: str) -> None:
        """Learn from one message."""
        words = message_words(message)
        self._held[words] = self._held.get(words, 0) + 1
        if len(self._held) >= MAX_CACHED:
            self._fold(self._kinds)
            self._held = {}
            if len(self._kinds) >= MAX_SHAPES:
                self._condense()

    def templates(self, most: int) -> tuple[tuple[Template, ...], int]:
        """The most frequent templates, in a fixed order, and how many messages all others stood for."""
        kinds = {shape: Cluster(kind.words, kind.count, kind.varied) for shape, kind in self._kinds.items()}
        self._fold(kinds)
        texts = [kind.words for kind in generalise(kinds, self._similarity)]
        # Where a line fits two templates, it counts for the one that `template_matcher` gives it.
        find, counts = PatternIndex(texts), Counter[Words]()
        for words, count in [*((kind.words, kind.count) for kind in self._kinds.values()), *self._held.items()]:
            row = find(words)
            assert row is not None
            counts[texts[row]] += count
        templates, left_out = most_frequent(((" ".join(words), count) for words, count in counts.items()), most)
        return templates, left_out + self._refused

    def _fold(self, kinds: Clusters) -> None:
        """Add the lines that are held to the kinds that have their shapes."""
        for words, count in self._held.items():
            shape = shape_of(words)
            if shape not in kinds and self._wide:
                shape = self._wide(shape) or shape
            kind = kinds.setdefault(shape, Cluster(words, 0))
            kind.count += count
            if kind.words != words:
                kind.words = tuple(
                    [a if a == b else merge_words((a, b)) for a, b in zip(kind.words, words, strict=True)]
                )

    def _condense(self) -> None:
        """Keep kinds in place of shapes; if they are still too many, then the more frequent half."""
        kinds = sorted(generalise(self._kinds, self._similarity), key=lambda kind: (-kind.count, kind.words))
        self._refused += sum(kind.count for kind in kinds[MAX_SHAPES // 2 :])
        self._kinds = {}
        for kind in kinds[: MAX_SHAPES // 2]:
            shape = shape_of(kind.words)
            own = self._kinds.get(shape)
            self._kinds[shape] = merge([own, kind]) if own else kind
        self._wide = WildcardClusters(self._kinds)


def template_matcher(templates: Sequence[Template], first: int, unknown: int) -> Callable[[str], int]:
    """The token of a message: that of the template of which every constant word is in its position, or `unknown`.

    Args:
        first: The token of the first template.
    """
    find = PatternIndex([tuple(masks.split_words(item.text)) for item in templates])

    @lru_cache(maxsize=MAX_CACHED)
    def token(words: Words) -> int:
        row = find(words)
        return unknown if row is None else first + row

    return lambda message: token(message_words(message))
