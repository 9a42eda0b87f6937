"""What a person must know of the channels: those whose training values look wrong, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vssl.modalities.sensors import Spec
from vssl.modalities.sensors.channel import Channel
from vssl.modalities.sensors.scaling import FAR

MOST = 5
"""Channels that a sentence names; the table of the report has all."""
MISSING = 0.2
STUCK = 0.2
"""Share of a file's rows from which on a stretch of one value is said."""

Item = tuple[str, Channel]


def notes(spec: Spec) -> list[str]:
    """Sentences on channels with sentinels, far or missing values, that count, or that stand still; else none."""
    about = "about " if spec.thinned else ""
    items = list(zip(spec.channels, spec.about, strict=True)) if spec.about else []
    codes = dict(zip(spec.channels, spec.sentinels, strict=False))
    counting = [item for item in items if item[0] in spec.counters]
    found = [
        _said(
            [item for item in items if item[1].sentinels],
            lambda name, channel: "; ".join(
                f"{code:g} in {name} ({about}{rows:,} rows)"
                for code, rows in zip(codes[name], channel.sentinels, strict=True)
            ),
            "Values that stand for no measurement are taken as missing: {} of the training data.",
        ),
        _said(
            counting,
            lambda name, channel: f"{name} ({channel.low:g} to {channel.high:g})",
            "Channels that only rise are counters, of which the steps from row to row are learned, and a fall is taken "
            "as a reset: {}.",
        ),
        _said(
            [item for item in items if item[1].far],
            lambda name, channel: f"{name} ({about}{channel.far:,}, up to {channel.farthest:g})",
            f"In the training data values lie farther than {FAR:g} scales from the median; they count by their logarithm "
            "and hardly set the scale: {}.",
        ),
        _said(
            [item for item in items if item[1].missing > MISSING],
            lambda name, channel: f"{name} ({channel.missing:.0%})",
            "Channels of which much is missing in the training data: {}.",
        ),
        _said(
            [item for item in items if item[1].absent],
            lambda name, channel: f"{name} (in {channel.absent:,})",
            "Channels without any value in some files of the training data: {}.",
        ),
        _said(
            [item for item in items if item[1].low == item[1].high],
            lambda name, channel: f"{name} ({channel.low:g})",
            "Channels that never move in the training data, of which one unit counts as a scale: {}.",
        ),
        _said(
            [item for item in items if item[1].still],
            lambda name, channel: f"{name} (in {channel.still:,})",
            "Channels that stand still in some files of the training data and move in others: {}.",
        ),
        _said(
            [item for item in items if item[1].stuck > STUCK],
            lambda name, channel: f"{name} ({channel.stuck:.0%} of the rows)",
            "Channels that move in nearly every row of the training data, but for a long stretch of one value: {}. Was "
            "the sensor stuck?",
        ),
    ]
    return [sentence for sentence in found if sentence]


def _said(items: Sequence[Item], words: Callable[[str, Channel], str], sentence: str) -> str:
    """The sentence with the channels in it; empty without any."""
    named = [words(name, channel) for name, channel in items[:MOST]]
    more = [f"and {len(items) - MOST} more"] if len(items) > MOST else []
    return sentence.format(", ".join([*named, *more])) if items else ""
