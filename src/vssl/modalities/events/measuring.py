"""What has to be known of the training data ever after: how lines are read, which kinds of events there are."""

from collections import Counter
from pathlib import Path

from vssl.errors import EmptyDataError
from vssl.modalities.events import Config, LineCounts, Spec
from vssl.modalities.events.collector import FIRST_TEMPLATE, Sample
from vssl.modalities.events.files import Tally, find_logs
from vssl.modalities.events.reading import detect_parser, read_samples
from vssl.modalities.events.templates import TemplateMiner, most_frequent

ROUND = 8


def measure(source: str | Path, config: Config) -> Spec:
    """Read all of `source` once, and find its templates; see `events.measure`."""
    files = find_logs(source)
    reading = detect_parser(files, config)
    # The events of presplit sessions are kinds already.
    is_presplit = reading.format == "sessions"
    kinds, miner, tally = Counter[str](), TemplateMiner(config.similarity), Tally()
    longest, reason = 0, ""

    def learn(message: str) -> int:
        if is_presplit:
            kinds[message] += 1
        else:
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
    most = config.vocabulary
    templates, left_out = most_frequent(kinds.items(), most) if is_presplit else miner.templates(most)
    lines = LineCounts(tally.read, tally.empty, tally.cut, tally.undecodable)
    # Twice the longest of the training: a session that is too long must look so.
    length = min(config.length, max(ROUND, -(-2 * longest // ROUND) * ROUND))
    return Spec(reading, templates, left_out, length, lines)
