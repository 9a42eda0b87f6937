"""Presets of views, how strong each effect is for each kind of series; and a view made by them."""

from dataclasses import dataclass

import torch

from vssl.modalities.sensors import effects
from vssl.types import Series


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


PRESETS = {
    # Slow signals: level and size are what a fault changes, so they hardly change here. Where in time, how noisy and
    # which channels are known may change.
    "process": Strengths(
        crop=0.7, warp=0.1, jitter=0.1, scale=0.05, offset=0.05, magnitude=0.05, frequency=0.1, channels=0.1, span=0.2
    ),
    # Fast signals: the phase means nothing, so a view may begin anywhere; the speed, and so each frequency, stays. Size
    # may change with the load, a little.
    "vibration": Strengths(
        crop=0.98, warp=0.0, jitter=0.1, scale=0.15, offset=0.0, magnitude=0.1, frequency=0.2, channels=0.1, span=0.3
    ),
}
"""The presets of views by their names."""


def make_view(plain: Series, strengths: Strengths, generator: torch.Generator) -> Series:
    """A view of each window of a batch; what is not known is 0."""
    values, known = effects.resample(plain.values, plain.known, strengths.crop, strengths.warp, generator)
    values = effects.frequency_noise(values, strengths.frequency, generator)
    values = effects.warp_magnitude(values, strengths.magnitude, generator)
    values = effects.scale(values, strengths.scale, generator)
    values = effects.offset(values, strengths.offset, generator)
    values = effects.jitter(values, strengths.jitter, generator)
    known = effects.drop_channels(known, strengths.channels, generator)
    known = effects.mask_span(known, strengths.span, generator)
    return Series(values * known, known)
