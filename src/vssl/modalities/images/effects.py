"""What no single matrix can do to a view: illumination, blur, noise, solarisation and cut-out.

All work on batches of pixels in 0..1 with one strength per sample, and leave a sample of strength zero as it is.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vssl.modalities.images.geometry import centres

Pixels = Float[Tensor, "B C H W"]
PerSample = Float[Tensor, " B"]

NOISE_SHIFTS = 1 << 16
"""From how many places of the shared noise a sample may take its own."""


def illuminate(pixels: Pixels, slope_x: PerSample, slope_y: PerSample) -> Pixels:
    """Multiply by a light that grows from 1 - slope to 1 + slope from edge to edge, 1 at the centre."""
    across, down = centres(pixels)
    light = 1 + slope_x[:, None, None] * across + slope_y[:, None, None] * down
    return pixels * light[:, None]


def blur(pixels: Pixels, sigma_px: PerSample) -> Pixels:
    """Gaussian blur with a standard deviation per sample; at the edges only pixels of the image count.

    Rows and columns are multiplied by a matrix of Gaussian weights: up to 100 pixels twice as fast on a CPU as
    convolutions with one kernel per sample, and as fast as needed on a GPU.
    """
    batch, channels, height, width = pixels.shape
    along_x = _gaussian_weights(sigma_px, width)
    along_y = along_x if height == width else _gaussian_weights(sigma_px, height)
    across = torch.bmm(pixels.reshape(batch, channels * height, width), along_x.transpose(1, 2))
    stacked = across.view(batch * channels, height, width)
    return torch.bmm(along_y.repeat_interleave(channels, dim=0), stacked).view_as(pixels)


def _gaussian_weights(sigma_px: PerSample, length: int) -> Float[Tensor, "B N N"]:
    places = torch.arange(length, device=sigma_px.device)
    distance = (places[:, None] - places) / sigma_px.clamp(min=1e-2)[:, None, None]
    # Weights below e^-30 change nothing that a float could show, and denormal ones are 50 times slower to multiply.
    return torch.softmax((-0.5 * distance**2).clamp(min=-30), dim=2)


def add_noise(pixels: Pixels, sigma: PerSample, shift: PerSample, generator: torch.Generator) -> Pixels:
    """Add Gaussian noise of a standard deviation per sample.

    One strip of noise is drawn and each sample takes a window of it, at `shift` (0..1). That is several times faster
    than drawing every pixel, and the strip does not depend on the size of the batch: processes that share a batch
    and the state of their generators add the same noise as one process would.
    """
    length = pixels[0].numel()
    strip = torch.randn(NOISE_SHIFTS + length, generator=generator, device=generator.device).to(pixels.device)
    windows = strip.unfold(0, length, 1)[(shift * NOISE_SHIFTS).long()]
    return torch.addcmul(pixels, windows.view_as(pixels), sigma[:, None, None, None])


def solarise(pixels: Pixels, chosen: Bool[Tensor, " B"]) -> Pixels:
    """Invert what is brighter than the middle in the chosen samples."""
    brighter = (pixels - 0.5).relu_()
    return torch.addcmul(pixels, brighter, chosen[:, None, None, None].float(), value=-2)


def cut_out(pixels: Pixels, centre_x: PerSample, centre_y: PerSample, area: PerSample) -> Pixels:
    """Replace a rectangle of the image's own aspect by the image's mean colour.

    Args:
        centre_x: -1..1 from the left to the right edge; parts outside the image are lost.
        centre_y: The same from top to bottom.
        area: Share of the image's area, 0..1; 0 cuts nothing.
    """
    across, down = centres(pixels)
    half = area.sqrt()[:, None]
    columns = (across - centre_x[:, None]).abs() < half
    rows = (down - centre_y[:, None, None]).abs() < half[:, None]
    mean = pixels.mean(dim=(2, 3), keepdim=True)
    return torch.where((rows & columns[:, None])[:, None], mean, pixels)
