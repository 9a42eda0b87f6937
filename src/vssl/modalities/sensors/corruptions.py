"""What goes wrong with sensors, at three levels: noise, dropouts, a sensor that sticks, one that drifts off."""

import torch
from jaxtyping import Float
from torch import Tensor

from vssl.modalities.base import check_corruption

Raw = Float[Tensor, "B C T"]
Scale = Float[Tensor, "C 1"]


def noise(raw: Raw, spread: Scale, level: int, generator: torch.Generator) -> Raw:
    """White noise with a standard deviation of 0.5, 1 or 2 spreads of the channel."""
    return raw + 0.25 * 2.0**level * spread * torch.randn(raw.shape, generator=generator, device=raw.device)


def dropout(raw: Raw, spread: Scale, level: int, generator: torch.Generator) -> Raw:
    """1/8, 1/4 or 1/2 of the window is missing in all channels, at a random place."""
    return raw.masked_fill(_span(raw, 2.0 ** (level - 4), generator), torch.nan)


def stuck(raw: Raw, spread: Scale, level: int, generator: torch.Generator) -> Raw:
    """1/8, 1/4 or 1/2 of the window keeps the value that it began with, in all channels."""
    span = _span(raw, 2.0 ** (level - 4), generator)
    first = span.float().argmax(2, keepdim=True).expand(-1, raw.shape[1], -1)
    return torch.where(span, raw.gather(2, first), raw)


def offset(raw: Raw, spread: Scale, level: int, generator: torch.Generator) -> Raw:
    """One channel is 2, 4 or 8 spreads too high or too low."""
    channel = torch.randint(raw.shape[1], (len(raw),), generator=generator, device=raw.device)
    sign = 2 * torch.randint(2, (len(raw), 1, 1), generator=generator, device=raw.device) - 1
    chosen = torch.arange(raw.shape[1], device=raw.device)[None, :, None] == channel[:, None, None]
    return raw + chosen * sign * 2.0**level * spread


KINDS = {"noise": noise, "dropout": dropout, "stuck": stuck, "offset": offset}


def corrupt(raw: Raw, spread: Scale, kind: str, level: int, generator: torch.Generator) -> Raw:
    """The raw batch, corrupted; see `Modality.corrupt`."""
    check_corruption(KINDS, kind, level)
    return KINDS[kind](raw, spread, level, generator)


def _span(raw: Raw, share: float, generator: torch.Generator) -> Tensor:
    length = raw.shape[2]
    size = max(1, round(share * length))
    first = torch.randint(length - size + 1, (len(raw), 1, 1), generator=generator, device=raw.device)
    place = torch.arange(length, device=raw.device)
    return (place >= first) & (place < first + size)
