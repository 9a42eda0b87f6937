"""What the training values of a channel look like; it is kept with the run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ChannelStats:
    """The values of a channel; of a counter, but for the range, what it adds from row to row.

    Attributes:
        low, high: The smallest and the largest, sentinels left aside.
        missing: Share of the rows in which it has none, 0..1; a sentinel is none.
        sentinels: How many rows have each of its sentinels.
        far: How many values are farther than `robust_scale.OUTLIER_SCALES` scales from the median.
        farthest: The farthest of all.
        absent: In how many files it has no value.
        still: In how many files it never moves, though it does in others.
        stuck: Share of a file's rows in its longest stretch of one value, where it moves in nearly all others; else 0.
    """

    low: float
    high: float
    missing: float
    sentinels: tuple[int, ...]
    far: int
    farthest: float
    absent: int
    still: int
    stuck: float
