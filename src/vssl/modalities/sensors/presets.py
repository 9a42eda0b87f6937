"""Presets of views: for each kind of series how strong each effect is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Strengths:
    """How far a view may be from the window; see `effects`.

    Attributes:
        crop: Smallest share of the window that is kept, 0..1.
        warp: Of the speed.
        jitter, scale, offset, magnitude, frequency: In spreads of the channel, or as a share of its values.
        channels: Probability of a channel to be left out, 0..1.
        span: Largest share of the window to be left out, 0..1.
    """

    crop: float
    warp: float
    jitter: float
    scale: float
    offset: float
    magnitude: float
    frequency: float
    channels: float
    span: float


def process() -> Strengths:
    """Slow signals of a process: level and size are what a fault changes, so they hardly change here.

    Where in time, how noisy and which channels are known may change.
    """
    return Strengths(
        crop=0.7, warp=0.1, jitter=0.1, scale=0.05, offset=0.05, magnitude=0.05, frequency=0.1, channels=0.1, span=0.2
    )


def vibration() -> Strengths:
    """Fast signals: the phase means nothing, so a view may begin anywhere; the speed, and so each frequency, stays.

    Size may change with the load, a little.
    """
    return Strengths(
        crop=0.98, warp=0.0, jitter=0.1, scale=0.15, offset=0.0, magnitude=0.1, frequency=0.2, channels=0.1, span=0.3
    )


PRESETS: dict[str, Callable[[], Strengths]] = {"process": process, "vibration": vibration}
