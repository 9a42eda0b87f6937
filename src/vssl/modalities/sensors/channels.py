"""Measures each channel on the training rows: median and scale, sentinels, whether it is a counter, statistics."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vssl.modalities.sensors import ChannelStats
from vssl.modalities.sensors.robust_scale import OUTLIER_SCALES, centre_and_scale, is_counter
from vssl.modalities.sensors.rows import Layout
from vssl.modalities.sensors.sampling import RowSample, sample_rows
from vssl.modalities.sensors.sentinels import find_sentinels, is_sentinel, mask_sentinels

ROUGH_SHARE = 0.05
"""Share of the rows in which a channel that moves in nearly each may keep its value, and in which it must be seen."""


@dataclass(frozen=True, eq=False)
class ChannelMeasurements:
    """What was measured on the channels of all files.

    Attributes:
        names: Of the channels that have values; the fields below are for these.
        centre, scale, sentinels, stats, counters: As in `Spec`.
        subsampled: Whether the statistics were computed on a part of the rows.
        step_s: Usual time from one row to the next, in seconds; None without times.
    """

    names: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    sentinels: tuple[tuple[float, ...], ...]
    stats: tuple[ChannelStats, ...]
    counters: tuple[str, ...]
    subsampled: bool
    step_s: float | None


def measure_channels(named: list[tuple[Path, str]], layout: Layout) -> ChannelMeasurements:
    """Measure the channels on the rows of all readable files: one pass, and another for bins and for counters.

    Raises:
        EmptyDataError: No file can be read.
    """
    found = sample_rows(named, replace(layout, resample_s=None))
    sentinels = tuple(find_sentinels(column) for column in _columns(found))
    clean = replace(found, parts=[mask_sentinels(part, sentinels) for part in found.parts])
    rows = sample_rows(named, replace(layout, sentinels=sentinels)) if layout.resample_s else clean
    used = np.array([bool(np.isfinite(column).any()) for column in _columns(rows)], bool)
    counts = np.array([use and is_counter(_parts(rows, at), rows.every) for at, use in enumerate(used)], bool)
    values = [_with_extremes(rows, at, sentinels[at]) for at in range(len(used))]
    if counts.any():
        own = tuple(np.array(layout.channels, object)[counts])
        codes = tuple(codes for codes, count in zip(sentinels, counts, strict=True) if count)
        steps = _columns(sample_rows(named, replace(layout, channels=own, sentinels=codes), added=True))
        values = [steps.pop(0) if count else column for column, count in zip(values, counts, strict=True)]
    kept = [at for at in range(len(used)) if used[at]]
    scales = {at: centre_and_scale(values[at][np.isfinite(values[at])]) for at in kept}
    return ChannelMeasurements(
        tuple(layout.channels[at] for at in kept),
        tuple(scales[at][0] for at in kept),
        tuple(scales[at][1] for at in kept),
        tuple(sentinels[at] for at in kept),
        tuple(_channel_stats(found, clean, at, sentinels[at], values[at], *scales[at]) for at in kept),
        tuple(layout.channels[at] for at in kept if counts[at]),
        found.every > 1,
        rows.step_s,
    )


def _parts(sample: RowSample, channel: int) -> list[Float64[np.ndarray, " n"]]:
    return [part[:, channel] for part in sample.parts]


def _columns(sample: RowSample) -> list[Float64[np.ndarray, " n"]]:
    """All values of each channel, one file after the other."""
    return list(np.concatenate(sample.parts).T)


def _channel_stats(
    found: RowSample,
    clean: RowSample,
    channel: int,
    sentinels: tuple[float, ...],
    values: Float64[np.ndarray, " n"],
    centre: float,
    scale: float,
) -> ChannelStats:
    parts = _parts(clean, channel)
    column = _with_extremes(clean, channel, sentinels)
    codes = tuple(
        found.every * sum(int(is_sentinel(part, code).sum()) for part in _parts(found, channel)) for code in sentinels
    )
    away = np.abs(values - centre) / scale
    moves = [_moves(part) for part in parts if len(part)]
    still = moves.count(False) if True in moves else 0
    return ChannelStats(
        float(np.nanmin(column)),
        float(np.nanmax(column)),
        min(1.0, float(found.missing[channel] + sum(codes)) / found.rows),
        codes,
        found.every * int((away > OUTLIER_SCALES).sum()),
        float(values[np.nanargmax(away)]),
        moves.count(None),
        still,
        max(_stuck(part) for part in parts),
    )


def _with_extremes(sample: RowSample, channel: int, sentinels: tuple[float, ...]) -> Float64[np.ndarray, " n"]:
    """The values of a channel; where rows were thinned out, the smallest and the largest of all rows among them."""
    ends = np.array([[sample.low[channel]], [sample.high[channel]]][: 2 * (sample.every > 1)]).reshape(-1, 1)
    return np.concatenate([*_parts(sample, channel), mask_sentinels(ends, (sentinels,))[:, 0]])


def _moves(part: Float64[np.ndarray, " n"]) -> bool | None:
    """Whether a channel moves in a file; None where it has no value there."""
    values = part[np.isfinite(part)]
    return bool(values.max() > values.min()) if len(values) else None


def _stuck(part: Float64[np.ndarray, " n"]) -> float:
    """Share of the rows of a file in the longest stretch of one value, if the channel moves in nearly all others."""
    values = part[np.isfinite(part)]
    moves = np.flatnonzero(np.diff(values, prepend=np.nan, append=np.nan) != 0)
    lengths = np.diff(moves)
    if len(lengths) < 2:
        return 0.0
    longest, rest = int(lengths.max()), len(values) - int(lengths.max())
    repeats = len(values) - len(lengths) - (longest - 1)
    return longest / len(values) if repeats <= ROUGH_SHARE * rest and rest >= ROUGH_SHARE * len(values) else 0.0
