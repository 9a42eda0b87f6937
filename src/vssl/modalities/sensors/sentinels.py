"""Sentinel values: numbers such as -9999 or 65535 that loggers write where there is no measurement."""

import numpy as np
from jaxtyping import Bool, Float64

from vssl.modalities.sensors.robust_scale import MIN_DISTINCT, OUTLIER_SCALES, centre_and_scale

Column = Float64[np.ndarray, " n"]

ROUNDING = 1e-7
"""Relative difference up to which two numbers are one: a file of 32 bits holds 1e30 as 1.00000001504747e30."""
HUGE = 1e19
"""No measurement is so large in its unit; netCDF's fill value is 9.97e36."""

REPEATED_DIGITS = tuple(float(digit * count) for digit in "789" for count in range(3 if digit == "9" else 4, 13))
"""999, 9999 and so on; also four or more eights or sevens."""
INTEGER_LIMITS = tuple(
    float(2**width - less) for width in (7, 8, 10, 12, 14, 15, 16, 23, 24, 31, 32, 63, 64) for less in (0, 1)
)
"""The largest and smallest numbers of integers and of converters, which stand for a fault."""
POWERS = tuple(10.0**power for power in range(4, 19))
OTHERS = (85.0, 6999.0, 7999.0)
"""The power-on value of DS18B20 thermometers; what Campbell's loggers write."""


def _tenths(sizes: tuple[float, ...], least: float) -> list[float]:
    """The numbers, and those from `least` on in tenths and hundredths."""
    return [*sizes, *(size / part for size in sizes if size >= least for part in (10, 100))]


NINES = np.sort(_tenths(REPEATED_DIGITS, 999))
TYPICAL = np.sort([*NINES, *_tenths(INTEGER_LIMITS, 2**15 - 1), *POWERS, *OTHERS])


def mask_sentinels(
    values: Float64[np.ndarray, "n C"], sentinels: tuple[tuple[float, ...], ...]
) -> Float64[np.ndarray, "n C"]:
    """The values with NaN in place of the sentinels of each channel."""
    if not any(sentinels):
        return values
    values = values.copy()
    for channel, own in enumerate(sentinels):
        for sentinel in own:
            values[is_sentinel(values[:, channel], sentinel), channel] = np.nan
    return values


def is_sentinel(column: Column, sentinel: float) -> Bool[np.ndarray, " n"]:
    """Which values of a channel are this sentinel, in 64 or 32 bits."""
    return np.abs(column - sentinel) <= ROUNDING * abs(sentinel)


def find_sentinels(column: Column) -> tuple[float, ...]:
    """The sentinels of a channel: typical numbers that are repeated exactly, far outside of all other values."""
    values, counts = np.unique(column[np.isfinite(column)], return_counts=True)
    plain = (np.abs(values) >= HUGE) | ((values < 0) & _is_one_of(NINES, values))
    likely = (counts > 1) & (plain | (values == -1) | _is_one_of(TYPICAL, values))
    if not likely.any():
        return ()
    rest = np.repeat(values[~likely], counts[~likely])
    if not len(rest):
        return tuple(values[plain & likely].tolist())
    low, high = np.quantile(rest, [0.001, 0.999])
    outside = np.maximum(low - values, values - high)
    apart = max(OUTLIER_SCALES * centre_and_scale(rest)[1], high - low)
    # Among few values only a number that is no measurement anywhere is distinguished from a state.
    few = int((~likely).sum()) < MIN_DISTINCT
    found = likely & (outside > np.maximum(apart, 100 * ROUNDING * np.abs(values))) & (plain | (not few))
    return tuple(values[found].tolist())


def _is_one_of(sizes: Float64[np.ndarray, " k"], values: Column) -> Bool[np.ndarray, " n"]:
    """Which values, with either sign, are among sorted sizes."""
    size = np.abs(values)
    at = np.searchsorted(sizes, size * (1 - ROUNDING)).clip(max=len(sizes) - 1)
    return np.asarray(np.abs(sizes[at] - size) <= ROUNDING * size)
