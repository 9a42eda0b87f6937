"""What may happen to a window of series without changing what it shows; each effect with a strength for each sample.

All work on scaled values [B, C, T] and know nothing of presets; noise is drawn for the whole batch.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Values = Float[Tensor, "B C T"]
KNOTS = 5
"""Points of a smooth curve over a window."""


def jitter(values: Values, strength: float, generator: torch.Generator) -> Values:
    """White noise with a standard deviation of `strength` spreads of the channel."""
    return values + strength * _normal(values.shape, values, generator)


def scale(values: Values, strength: float, generator: torch.Generator) -> Values:
    """Each channel times exp(strength N(0, 1))."""
    return values * (strength * _normal((*values.shape[:2], 1), values, generator)).exp()


def offset(values: Values, strength: float, generator: torch.Generator) -> Values:
    """Each channel higher or lower by `strength` spreads."""
    return values + strength * _normal((*values.shape[:2], 1), values, generator)


def warp_magnitude(values: Values, strength: float, generator: torch.Generator) -> Values:
    """Each channel times a smooth curve around 1."""
    return values * (strength * _smooth(values.shape[:2], values, generator)).exp()


def frequency_noise(values: Values, strength: float, generator: torch.Generator) -> Values:
    """Each frequency of each channel times 1 + strength N(0, 1), its phase kept."""
    spectrum = torch.fft.rfft(values.float())
    factor = 1 + strength * _normal(spectrum.shape, values, generator)
    changed: Values = torch.fft.irfft(spectrum * factor, n=values.shape[2])
    return changed


def drop_channels(known: Values, share: float, generator: torch.Generator) -> Values:
    """Channels of which nothing is known, each with the probability `share`; one always stays."""
    drawn = torch.rand(known.shape[:2], generator=generator, device=known.device)
    kept = (drawn >= share) | (drawn == drawn.amax(1, keepdim=True))
    return known * kept[:, :, None]


def mask_span(known: Values, share: float, generator: torch.Generator) -> Values:
    """A span of which nothing is known, of up to `share` of the window, at a random place."""
    batch, _, length = known.shape
    size = share * length * torch.rand(batch, 1, generator=generator, device=known.device)
    first = (length - size) * torch.rand(batch, 1, generator=generator, device=known.device)
    place = torch.arange(length, device=known.device)
    return known * ((place < first) | (place >= first + size))[:, None]


def resample(
    values: Values, known: Values, crop: float, warp: float, generator: torch.Generator
) -> tuple[Values, Values]:
    """A part of at least `crop` of the window, stretched over it, at a speed that changes by about `warp`.

    Between two rows values are interpolated; a value is known where both are.
    """
    batch, _, length = values.shape
    share = crop + (1 - crop) * torch.rand(batch, 1, generator=generator, device=values.device)
    begin = (1 - share) * torch.rand(batch, 1, generator=generator, device=values.device)
    speed = (warp * _smooth((batch, 1), values, generator)).exp().squeeze(1)
    passed = speed.cumsum(1) - speed[:, :1]
    place = (begin + share * passed / passed[:, -1:]) * (length - 1)
    low = place.floor().long().clamp(0, length - 2)
    part = (place - low)[:, None]
    index = low[:, None].expand_as(values)
    first, second = values.gather(2, index), values.gather(2, index + 1)
    both = known.gather(2, index) * known.gather(2, index + 1)
    return first + part * (second - first), both


def _normal(shape: tuple[int, ...] | torch.Size, like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(*shape, generator=generator, device=like.device)


def _smooth(shape: tuple[int, ...] | torch.Size, like: Values, generator: torch.Generator) -> Tensor:
    """Smooth curves over the window, of about unit size."""
    knots = _normal((*shape, KNOTS), like, generator)
    return F.interpolate(knots, size=like.shape[2], mode="linear", align_corners=True)
