"""Notes on channels: training values that look wrong, and channels without values in the files read here."""

from collections.abc import Callable, Sequence

import numpy as np

from vssl.modalities.folders import first_and_more
from vssl.modalities.sensors import ChannelStats, Spec
from vssl.modalities.sensors.index import Index
from vssl.modalities.sensors.robust_scale import OUTLIER_SCALES

MAX_NAMED = 5
"""Most channels that a sentence names; the table of the report has all."""
MISSING_SHARE = 0.2
"""Share of missing rows above which there is a note."""
STUCK_SHARE = 0.2
"""Share of a file's rows in one stretch of one value above which there is a note."""

Item = tuple[str, ChannelStats]
Kind = tuple[Callable[[ChannelStats], bool], Callable[[ChannelStats], str], str]
"""Which channels are named, what is said of each, and the sentence that they stand in."""

CHECKS: tuple[Kind, ...] = (
    (
        lambda channel: channel.outliers > 0,
        lambda channel: f"{channel.outliers:,}, the farthest {channel.farthest:g}",
        f"In the training data values lie farther than {OUTLIER_SCALES:g} scales from the median; they count by their "
        "logarithm, and few of them hardly change the scale: {}.",
    ),
    (
        lambda channel: channel.missing > MISSING_SHARE,
        lambda channel: f"{channel.missing:.0%}",
        "Much is missing in the training data: {}.",
    ),
    (
        lambda channel: channel.empty_files > 0,
        lambda channel: f"{channel.empty_files:,}",
        "In some files of the training data channels have no value at all: {}.",
    ),
    (
        lambda channel: channel.low == channel.high,
        lambda channel: f"{channel.low:g}",
        "Channels that never move in the training data, of which one unit counts as a scale: {}.",
    ),
    (
        lambda channel: channel.constant_files > 0,
        lambda channel: f"{channel.constant_files:,}",
        "Channels that stand still in some files of the training data and move in others: {}.",
    ),
    (
        lambda channel: channel.stuck > STUCK_SHARE,
        lambda channel: f"{channel.stuck:.0%} of the rows",
        "Channels that move in nearly every row of the training data, but for a long stretch of one value, as if the "
        "sensor had been stuck: {}.",
    ),
)


def training_notes(spec: Spec) -> list[str]:
    """Sentences on the channels of the training data: sentinels, counters, outliers, missing and constant values."""
    items = list(zip(spec.channels, spec.channel_stats, strict=True)) if spec.channel_stats else []
    found = [_sentinels(spec, items), _counters(spec, items)]
    for looks_wrong, words, sentence in CHECKS:
        named = [f"{name} ({words(channel)})" for name, channel in items if looks_wrong(channel)]
        found.append(_sentence(named, sentence))
    some = [sentence for sentence in found if sentence]
    return [*some, "These numbers were counted in a part of the rows."] if some and spec.subsampled else some


def missing_notes(spec: Spec, index: Index) -> list[str]:
    """Sentences on channels without a value in files of a source, or with many fewer than in the training data."""
    files = [file for file in index.files if file.broken is None]
    if not files or not spec.channel_stats:
        return []
    known, rows = np.array([file.known for file in files]), sum(file.rows for file in files)
    empty, much = [], []
    for channel, stats, values in zip(spec.channels, spec.channel_stats, known.T, strict=True):
        missing, empty_files = 1 - values.sum() / rows, int((values == 0).sum())
        # What holds for the training data too is said in their notes.
        if not empty_files and missing <= max(MISSING_SHARE, 2 * stats.missing):
            continue
        if abs(missing - stats.missing) < 0.001 and empty_files == stats.empty_files:
            continue
        if empty_files:
            first = files[int(np.argmin(values))].name
            empty.append(f"{channel} (in {empty_files:,} of {len(files):,}, the first {first})")
        else:
            much.append(f"{channel} ({missing:.0%}, {stats.missing:.0%} in training)")
    nothing = "Channels without a single value in files that are read here, of which nothing is known: {}."
    found = [_sentence(empty, nothing), _sentence(much, "Much more is missing here than in the training data: {}.")]
    return [sentence for sentence in found if sentence]


def _sentinels(spec: Spec, items: Sequence[Item]) -> str:
    named = [
        f"{code:g} in {name} ({rows:,} rows)"
        for (name, channel), codes in zip(items, spec.sentinels, strict=bool(items))
        for code, rows in zip(codes, channel.sentinels, strict=True)
    ]
    return _sentence(named, "Values that stand for no measurement are taken as missing: {} of the training data.")


def _counters(spec: Spec, items: Sequence[Item]) -> str:
    named = [f"{name} ({channel.low:g} to {channel.high:g})" for name, channel in items if name in spec.counters]
    return _sentence(
        named,
        "Channels that only rise are taken as counters, of which the steps from row to row are learned, and a fall "
        "is a reset: {}.",
    )


def _sentence(named: list[str], sentence: str) -> str:
    """The sentence with what is named in it; empty without any."""
    return sentence.format(first_and_more(named, MAX_NAMED, ", and ")) if named else ""
