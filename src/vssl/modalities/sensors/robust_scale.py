"""The middle and the scale of a channel, which glitches cannot rule, and which channels only count."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

Column = Float64[np.ndarray, " n"]
Values = Float64[np.ndarray, "n C"]

NORMAL_IQR = 1.349
"""The distance between the quarters of a standard normal."""
GLITCH_SHARE = 0.001
"""Share of the values, the farthest ones, that say nothing about the scale."""
LIMIT_QUANTILES = (0.98, 0.995)
"""Quantiles of the distances from the median between which the largest one lies that counts in full."""
OUTLIER_SCALES = 20.0
"""Scales from all other values beyond which a value is looked at more closely."""
MIN_DISTINCT = 20
"""With fewer other values a channel may be one of states, and a far one of them is none that is wrong."""
STUCK_SHARES = (0.8, 0.2)
"""Least share of one value among all far ones, and largest share of these in all, where a sensor was stuck."""
IQR_BLEND = (0.1, 0.15)
"""Ratio of the quarters to the deviation at which the latter, and from which on the former is the scale."""
RESTING_TOLERANCE = 1e-14
"""Relative difference up to which a value is the resting one: rounding."""
MIN_COUNTER_STEPS = 100
"""A counter is recognised by so many steps at least."""
MIN_COUNTER_RISES = 20
RESET_FACTOR = 5.0
"""A fall of a counter is so many times its usual rise at least; that of a drift with noise is about as large."""


def centre_and_scale(column: Column) -> tuple[float, float]:
    """Median and robust scale of known values: for a normal distribution its standard deviation.

    It is the distance between the quarters, or where a channel rests most of the time its deviation, in which the
    farthest values count no more than those before them. A channel that never moves has 1, as nothing can be divided
    by 0. Up to one glitch in a thousand values, of any size, changes the scale by less than a factor of 4, if the
    channel moves in at least one row of a hundred.
    """
    column = _without_stuck(column)
    low, centre, high = np.quantile(column, [0.25, 0.5, 0.75])
    distances = np.sort(np.abs(column - centre))
    usual = distances[: len(distances) - int(np.ceil(GLITCH_SHARE * len(distances)))]
    moving = usual[usual > RESTING_TOLERANCE * abs(centre)]
    if not len(moving):
        seldom = distances[distances > RESTING_TOLERANCE * abs(centre)]
        # Of a channel that moves in fewer rows than glitches may have only small movements tell the unit.
        return float(centre), min(1.0, float(np.median(seldom))) if len(seldom) else 1.0
    deviation = _deviation(usual, moving)
    quarters = (high - low) / NORMAL_IQR
    if quarters <= IQR_BLEND[0] * deviation:
        return float(centre), deviation
    weight = np.interp(np.log(quarters / deviation), np.log(IQR_BLEND), (0.0, 1.0))
    return float(centre), float(deviation * (quarters / deviation) ** weight)


def _without_stuck(column: Column) -> Column:
    """The values without those of a sensor that was stuck far away: nearly all far values are one and the same."""
    low, centre, high = np.quantile(column, [0.25, 0.5, 0.75])
    far = np.abs(column - centre) > OUTLIER_SCALES * (high - low) / NORMAL_IQR
    if high == low or not 0 < far.mean() <= STUCK_SHARES[1]:
        return column
    values, counts = np.unique(column[far], return_counts=True)
    one = values[counts.argmax()]
    if counts.max() < STUCK_SHARES[0] * far.sum() or len(np.unique(column[~far])) < MIN_DISTINCT:
        return column
    return np.asarray(column[column != one])


def _deviation(usual: Column, moving: Column) -> float:
    """Root of the mean square of the distances, the largest of which are cut at what is usual among them.

    The limit is a mean over quantiles, so that a few values more or less move it little.
    """
    quantiles = np.quantile(usual, np.linspace(*LIMIT_QUANTILES, 16))
    limit = np.exp(np.log(quantiles.clip(min=np.quantile(moving, 0.1))).mean())
    squares = float(np.square(usual.clip(max=limit) / limit).mean())
    return float(limit * max(squares, GLITCH_SHARE) ** 0.5)


def is_counter(parts: Sequence[Column], every: int = 1) -> bool:
    """Whether a channel only counts up: it never falls but for resets, and rises by many steps.

    Args:
        parts: Its values in each file, in their order, NaN where none is known.
        every: How many rows stand for one of them.
    """
    steps = np.concatenate([np.diff(part[np.isfinite(part)]) for part in parts])
    rises, falls = steps[steps > 0], -steps[steps < 0]
    if (
        len(steps) < MIN_COUNTER_STEPS
        or len(rises) < MIN_COUNTER_RISES
        or len(falls) > min(0.001 * every, 0.02) * len(steps)
    ):
        return False
    return not len(falls) or float(np.median(falls)) >= RESET_FACTOR * float(np.median(rises))


def counter_steps(values: Values, places: Values) -> tuple[Values, Values, Values]:
    """What a counter adds to its last known value, per row; NaN for the first, and where it falls, as it was reset.

    Args:
        places: Number of the row of each value.

    Returns:
        The steps; and of each row the last known value and its place.
    """
    last = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(len(values))[:, None], 0))
    held, since = (np.take_along_axis(array, last, 0) for array in (values, places))
    added = np.full_like(values, np.nan)
    added[1:] = (values[1:] - held[:-1]) / (places[1:] - since[:-1])
    return np.where(added < 0, np.nan, added), held, since
