"""What a person must know of the channels: those whose training values look wrong, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vssl.modalities.sensors import Spec
from vssl.modalities.sensors.channel_stats import ChannelStats
from vssl.modalities.sensors.robust_scale import OUTLIER_SCALES

MAX_NAMED = 5
"""Channels that a sentence names; the table of the report has all."""
MISSING_SHARE = 0.2
"""Share of the rows from which on missing values are said."""
STUCK_SHARE = 0.2
"""Share of a file's rows from which on a stretch of one value is said."""

Item = tuple[str, ChannelStats]
Kind = tuple[Callable[[ChannelStats], bool], Callable[[ChannelStats], str], str]
"""Which channels are named, what is said of each, and the sentence that they stand in."""

CHECKS: tuple[Kind, ...] = (
    (
        lambda channel: channel.far > 0,
        lambda channel: f"{channel.far:,}, the farthest {channel.farthest:g}",
        f"In the training data values lie farther than {OUTLIER_SCALES:g} scales from the median; they count by their "
        "logarithm, and few of them hardly change the scale: {}.",
    ),
    (
        lambda channel: channel.missing > MISSING_SHARE,
        lambda channel: f"{channel.missing:.0%}",
        "Much is missing in the training data: {}.",
    ),
    (
        lambda channel: channel.absent > 0,
        lambda channel: f"{channel.absent:,}",
        "In some files of the training data channels have no value at all: {}.",
    ),
    (
        lambda channel: channel.low == channel.high,
        lambda channel: f"{channel.low:g}",
        "Channels that never move in the training data, of which one unit counts as a scale: {}.",
    ),
    (
        lambda channel: channel.still > 0,
        lambda channel: f"{channel.still:,}",
        "Channels that stand still in some files of the training data and move in others: {}.",
    ),
    (
        lambda channel: channel.stuck > STUCK_SHARE,
        lambda channel: f"{channel.stuck:.0%} of the rows",
        "Channels that move in nearly every row of the training data, but for a long stretch of one value, as if the "
        "sensor had been stuck: {}.",
    ),
)


def notes(spec: Spec) -> list[str]:
    """Sentences on channels with sentinels, far or missing values, that count, or that stand still; else none."""
    items = list(zip(spec.channels, spec.about, strict=True)) if spec.about else []
    found = [_sentinels(spec, items), _counters(spec, items)]
    for looks_wrong, words, sentence in CHECKS:
        found.append(
            _sentence([f"{name} ({words(channel)})" for name, channel in items if looks_wrong(channel)], sentence)
        )
    some = [sentence for sentence in found if sentence]
    return [*some, "These numbers were counted in a part of the rows."] if some and spec.thinned else some


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
    more = [f"and {len(named) - MAX_NAMED} more"] if len(named) > MAX_NAMED else []
    return sentence.format(", ".join([*named[:MAX_NAMED], *more])) if named else ""
