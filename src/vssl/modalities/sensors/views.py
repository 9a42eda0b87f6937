"""Views of windows: the effects of a preset, one after the other."""

from __future__ import annotations

import torch

from vssl.modalities.sensors import effects
from vssl.modalities.sensors.presets import Strengths
from vssl.types import Series


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
