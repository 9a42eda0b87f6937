"""What has to be known of the training data ever after: how lines are read, which kinds of events there are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from vssl.errors import EmptyDataError
from vssl.modalities.events import Config, LineCounts, Spec, Template
from vssl.modalities.events.collector import FIRST_TEMPLATE, Sample
from vssl.modalities.events.files import Tally, find_logs
from vssl.modalities.events.reading import detect_parser, read_samples
from vssl.modalities.events.templates import TemplateMiner

ROUND = 8


class Vocabulary:
    """The kinds of events of ready sessions: what stands between the blanks."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, event: str) -> None:
        """Learn from one event."""
        self._counts[event] += 1

    def templates(self, most: int) -> tuple[tuple[Template, ...], int]:
        """The most frequent kinds, in a fixed order, and how many events all others are."""
        ranked = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return tuple(Template(text, count) for text, count in ranked[:most]), sum(count for _, count in ranked[most:])


def measure(source: str | Path, config: Config) -> Spec:
    """Read all of `source` once, and find its templates; see `events.measure`."""
    files = find_logs(source)
    reading = detect_parser(files, config)
    miner = Vocabulary() if reading.format == "sessions" else TemplateMiner(config.similarity)
    tally = Tally()
    longest, reason = 0, ""

    def learn(message: str) -> int:
        miner.add(message)
        return FIRST_TEMPLATE

    for item in read_samples(files, reading, learn, config.length, tally=tally):
        if isinstance(item, Sample):
            longest = max(longest, item.metadata["events"])
        else:
            reason = reason or f" The first problem: {item.id}: {item.reason}."
    if not longest:
        hint = f" --session {config.session} fits no line." if config.session else ""
        raise EmptyDataError(f"{source}: there is no session in it.{hint}{reason}")
    templates, left_out = miner.templates(config.vocabulary)
    lines = LineCounts(tally.read, tally.empty, tally.cut, tally.undecodable)
    return Spec(reading, templates, left_out, _length(longest, config.length), lines)


def _length(longest: int, most: int) -> int:
    # Twice the longest of the training: a session that is too long must look so.
    return min(most, max(ROUND, -(-2 * longest // ROUND) * ROUND))
