"""Headers of lines: names of hosts, programs and threads in front of the messages, which may come from any of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from vssl.modalities.events.alike import Alike
from vssl.modalities.events.wildcards import Words, has_letter

LONGEST = 8  # words
MESSAGE = 3  # constant words behind the name at least
LENGTHS = 3
SHARE = 0.25
MANY = 5  # names that messages come with, where nothing else tells a header


def names(candidates: Sequence[Alike], counts: Mapping[Words, int]) -> dict[int, set[str]]:
    """The names in each place from a line's start on where messages of several lengths come with different ones.

    Args:
        candidates: Each place of each shape, with all shapes that differ there only.
        counts: How many lines have a shape.
    """
    messages: Counter[int] = Counter()
    found: dict[int, list[Sequence[Words]]] = defaultdict(list)
    for (place,), shapes in candidates:
        if place < LONGEST and sum(map(has_letter, shapes[0][place + 1 :])) >= MESSAGE:
            messages[place] += len(shapes) > 1 or counts[shapes[0]] > 1
            if len(shapes) >= (2 if closes_behind(shapes[0], place) else MANY):
                found[place].append(shapes)
    return {
        place: {shape[place] for shapes in own for shape in shapes}
        for place, own in found.items()
        if len(own) >= SHARE * messages[place] and len({len(shapes[0]) for shapes in own}) >= LENGTHS
    }


def closes_behind(shape: Words, place: int) -> bool:
    """Whether a word that closes a header, such as sshd[17]: or [main], comes with or behind this place, not before."""
    return any(word.endswith((":", "]")) for word in shape[place:LONGEST]) and not any(
        word.endswith(":") for word in shape[:place]
    )
