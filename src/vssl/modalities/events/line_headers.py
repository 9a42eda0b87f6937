"""Headers of lines: names of hosts, programs and threads in front of the messages, which may come from any of them."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from vssl.modalities.events.similar_lines import Candidate
from vssl.modalities.events.wildcards import Words, has_letter

MAX_HEADER_WORDS = 8  # words
MIN_MESSAGE_WORDS = 3  # constant words behind the name at least
MIN_LENGTHS = 3
MIN_SHARE = 0.25
MIN_NAMES = 5  # names that messages come with, where nothing else tells a header


def header_names(candidates: Sequence[Candidate], counts: Mapping[Words, int]) -> dict[int, set[str]]:
    """The names in each position from a line's start on where messages of several lengths come with different ones.

    Args:
        candidates: Each position of each shape, with all shapes that differ there only.
        counts: How many lines have a shape.
    """
    messages: Counter[int] = Counter()
    found: dict[int, list[Sequence[Words]]] = defaultdict(list)
    for (position,), shapes in candidates:
        if position < MAX_HEADER_WORDS and sum(map(has_letter, shapes[0][position + 1 :])) >= MIN_MESSAGE_WORDS:
            messages[position] += len(shapes) > 1 or counts[shapes[0]] > 1
            if len(shapes) >= (2 if header_ends_after(shapes[0], position) else MIN_NAMES):
                found[position].append(shapes)
    return {
        position: {shape[position] for shapes in own for shape in shapes}
        for position, own in found.items()
        if len(own) >= MIN_SHARE * messages[position] and len({len(shapes[0]) for shapes in own}) >= MIN_LENGTHS
    }


def header_ends_after(shape: Words, position: int) -> bool:
    """Whether a word that closes a header, such as sshd[17]: or [main], is at this position or later, not before."""
    return any(word.endswith((":", "]")) for word in shape[position:MAX_HEADER_WORDS]) and not any(
        word.endswith(":") for word in shape[:position]
    )
