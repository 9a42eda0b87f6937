"""Statistics of the training values of a channel, stored with the run for its reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ChannelStats:
    """Statistics of a channel; of a counter those of its increments, but for `low` and `high`.

    Attributes:
        low, high: Smallest and largest value, sentinels left out.
        missing: Share of the rows without a value, 0..1; a sentinel is no value.
        sentinels: Number of rows with each of the channel's sentinels.
        outliers: Number of values farther than `robust_scale.OUTLIER_SCALES` scales from the median.
        farthest: The value farthest from the median.
        empty_files: Number of files without a value.
        constant_files: Number of files in which the channel is constant, if it varies in others.
        stuck: Share of a file's rows in its longest stretch of one value, if nearly all its other rows vary; else 0.
    """

    low: float
    high: float
    missing: float
    sentinels: tuple[int, ...]
    outliers: int
    farthest: float
    empty_files: int
    constant_files: int
    stuck: float
