"""What goes wrong before a camera, at three levels: noise, blur, a black part, and colours that drift."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vssl.modalities.base import check_corruption
from vssl.modalities.images import effects

Pixels = Float[Tensor, "B C H W"]


def noise(pixels: Pixels, level: int, generator: torch.Generator) -> Pixels:
    """Gaussian noise with a standard deviation of 0.05, 0.1 or 0.2 of white."""
    drawn = torch.randn(pixels.shape, generator=generator, device=pixels.device)
    return pixels + 0.025 * 2.0**level * drawn


def blur(pixels: Pixels, level: int, generator: torch.Generator) -> Pixels:
    """Gaussian blur with a standard deviation of 2.5, 5 or 10 % of the shorter side."""
    sigma = 0.0125 * 2**level * min(pixels.shape[2:])
    return effects.blur(pixels, torch.full((len(pixels),), sigma, device=pixels.device))


def blackout(pixels: Pixels, level: int, generator: torch.Generator) -> Pixels:
    """A black band over 1/8, 1/4 or 1/2 of the height, at a random place."""
    height = pixels.shape[2]
    band = max(1, round(height * 2 ** (level - 4)))
    top = torch.randint(height - band + 1, (len(pixels), 1), generator=generator, device=pixels.device)
    rows = torch.arange(height, device=pixels.device)
    black = (rows >= top) & (rows < top + band)
    return pixels.masked_fill(black[:, None, :, None], 0.0)


def colour(pixels: Pixels, level: int, generator: torch.Generator) -> Pixels:
    """Each channel 0.1, 0.2 or 0.4 of white brighter or darker, by chance; a grey picture as a whole."""
    shape = (len(pixels), pixels.shape[1], 1, 1)
    sign = 2 * torch.randint(2, shape, generator=generator, device=pixels.device) - 1
    return pixels + 0.05 * 2.0**level * sign


Corruption = Callable[[Pixels, int, torch.Generator], Pixels]
KINDS: dict[str, Corruption] = {"noise": noise, "blur": blur, "blackout": blackout, "colour": colour}


def corrupt(
    raw: UInt8[Tensor, "B C H W"], kind: str, level: int, generator: torch.Generator
) -> UInt8[Tensor, "B C H W"]:
    """The raw batch, corrupted; see `Modality.corrupt`."""
    check_corruption(KINDS, kind, level)
    return (KINDS[kind](raw.float() / 255, level, generator).clamp(0, 1) * 255).round().to(torch.uint8)
