"""Synthetic anomalies made from normal pictures: what a defect could look like, where none is known.

They tell without labels which score, size or way of training separates more, on the user's own pictures. A picture gets
one anomaly of a random kind and size: a patch or a scar from elsewhere (CutPaste, Li et al. 2021), another texture
under a random mask (DRAEM, Zavrtanik et al. 2021), a spot, a scratch, blur or noise. Make them at the full size of the
pictures, and shrink what comes out: an anomaly of 2 pixels that is made after shrinking is not a small one.

A new kind is a function in `KINDS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from vssl.modalities.images import effects

Picture = Float[Tensor, "C H W"]
Mask = Float[Tensor, "H W"]

SMALLEST_PX = 2.0
LARGEST = 0.2
"""Share of the shorter side that the largest anomaly reaches."""
VISIBLE = 12 / 255
"""Mean change of the strongest channel, where white is 1, below which an anomaly is drawn again."""
TRIES = 20


class Draw:
    """Random numbers from one generator."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        drawn: float = torch.rand((), generator=self.generator, device=self.generator.device).item()
        return low + (high - low) * drawn

    def log_uniform(self, low: float, high: float) -> float:
        return low * math.exp(self.uniform() * math.log(high / low))

    def below(self, count: int) -> int:
        return min(int(self.uniform() * count), count - 1)

    def sign(self) -> int:
        return 1 if self.uniform() < 0.5 else -1

    def normal(self, shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=self.generator, device=self.generator.device).cpu()


@dataclass(frozen=True)
class Site:
    """Where an anomaly lies in a window of the picture, and how large it is.

    Attributes:
        height, width: Size of the window in pixels.
        x, y: Centre in pixels.
        extent: Longest side or diameter in pixels.
        angle: Radians.
        spread: Standard deviation of the whole picture, where white is 1.
        colour: How far its channels differ, 0 (grey) to 1.
    """

    height: int
    width: int
    x: float
    y: float
    extent: float
    angle: float
    spread: float
    colour: float

    def turned(self) -> tuple[Mask, Mask]:
        """Distances of all pixels from the centre, along the site's direction and across it."""
        right = torch.arange(self.width) + 0.5 - self.x
        down = (torch.arange(self.height) + 0.5 - self.y)[:, None]
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        return right * cosine + down * sine, down * cosine - right * sine


Made = tuple[Mask, Picture]
Kind = Callable[[Picture, Picture, Site, Draw], Made]
"""Of the window, one from elsewhere, the site and the randomness: how far each pixel is replaced (0..1), by what."""


def paste(window: Picture, elsewhere: Picture, site: Site, draw: Draw) -> Made:
    """A rectangle from elsewhere."""
    return _rectangle(site, site.extent, site.extent * draw.uniform(0.3, 1)), elsewhere


def scar(window: Picture, elsewhere: Picture, site: Site, draw: Draw) -> Made:
    """A thin strip from elsewhere, a little lighter or darker."""
    across = draw.log_uniform(1.5, max(1.6, site.extent / 4))
    return _rectangle(site, 2 * site.extent, across), elsewhere + draw.uniform(-0.1, 0.1)


def spot(window: Picture, elsewhere: Picture, site: Site, draw: Draw) -> Made:
    """A blob that is lighter or darker than its surroundings, and may be tinted."""
    return _blob(site, draw), window + _tone(site, len(window), draw)


def texture(window: Picture, elsewhere: Picture, site: Site, draw: Draw) -> Made:
    """A blob of another place's texture, mirrored, more or less opaque."""
    mirrored = elsewhere.flip(1 + draw.below(2))
    return draw.uniform(0.4, 1) * _blob(site, draw), mirrored + draw.uniform(-0.15, 0.15)


def scratch(window: Picture, elsewhere: Picture, site: Site, draw: Draw) -> Made:
    """A thin bent line, lighter or darker."""
    return _bow(site, draw), window + _tone(site, len(window), draw)


def blur(window: Picture, elsewhere: Picture, site: Site, draw: Draw) -> Made:
    """A blob out of focus."""
    sigma = torch.tensor([max(1.0, site.extent * draw.uniform(0.1, 0.3))])
    return _blob(site, draw), effects.blur(window[None], sigma)[0]


def noise(window: Picture, elsewhere: Picture, site: Site, draw: Draw) -> Made:
    """A blob of noise."""
    drawn = draw.normal(window.shape)
    drawn = torch.lerp(drawn[:1].expand_as(drawn), drawn, site.colour)
    return _blob(site, draw), window + draw.uniform(0.5, 2) * site.spread * drawn


KINDS: dict[str, Kind] = {each.__name__: each for each in (paste, scar, spot, texture, scratch, blur, noise)}


@dataclass(frozen=True)
class Anomalies:
    """Pictures with an anomaly each.

    Attributes:
        pixels: The pictures.
        masks: Where they were changed.
        kinds: Kind of each anomaly, a key of `KINDS`.
    """

    pixels: UInt8[Tensor, "B C H W"]
    masks: Bool[Tensor, "B H W"]
    kinds: list[str]


def synthesise(raw: UInt8[Tensor, "B C H W"], generator: torch.Generator) -> Anomalies:
    """One visible anomaly in each picture, 2 pixels to a fifth of the shorter side; its surroundings stay as they are.

    Args:
        raw: Normal pictures; patches and textures come from these, so that one alone only has its own.
        generator: The result depends on its state and on the pictures alone.
    """
    draw, names, known = Draw(generator), list(KINDS), raw.cpu()
    pixels, kinds = known.clone(), [names[draw.below(len(names))] for _ in range(len(raw))]
    for row, kind in enumerate(kinds):
        other = known[row if draw.uniform() < 0.5 else draw.below(len(raw))]
        pixels[row] = _changed(KINDS[kind], known[row], other, draw)
    return Anomalies(pixels.to(raw.device), (pixels != known).any(1).to(raw.device), kinds)


def _changed(kind: Kind, raw: UInt8[Tensor, "C H W"], other: Tensor, draw: Draw) -> UInt8[Tensor, "C H W"]:
    values = raw.float() / 255
    spread, colour = values.std(correction=0).item(), _colourfulness(values)
    for attempt in range(TRIES + 1):
        site, rows, columns = _site(raw.shape[1], raw.shape[2], spread, colour, draw)
        window = values[:, rows, columns]
        if attempt < TRIES:
            mask, source = kind(window, _elsewhere(other, site, draw), site, draw)
        else:
            # On a picture of one tone a patch from elsewhere or blur shows nothing; the opposite tone always does.
            mask, source = _rectangle(site, site.extent, site.extent), (window < 0.5).float()
        changed = torch.lerp(window, source.clamp(0, 1), mask.expand_as(window))
        if attempt == TRIES or (mask * (changed - window).abs().amax(0)).sum() >= VISIBLE * mask.sum():
            break
    result = raw.clone()
    result[:, rows, columns] = (changed * 255).round().to(torch.uint8)
    return result


def _site(height: int, width: int, spread: float, colour: float, draw: Draw) -> tuple[Site, slice, slice]:
    """A random site and the rows and columns of its window, which holds the longest anomaly and some surroundings."""
    extent = draw.log_uniform(SMALLEST_PX, max(SMALLEST_PX, LARGEST * min(height, width)))
    x, y = (draw.uniform(min(extent, side) / 2, side - min(extent, side) / 2) for side in (width, height))
    reach = 2 * extent + 4
    left, top = max(0, int(x - reach)), max(0, int(y - reach))
    right, bottom = min(width, int(x + reach) + 1), min(height, int(y + reach) + 1)
    site = Site(bottom - top, right - left, x - left, y - top, extent, draw.uniform(0, math.pi), spread, colour)
    return site, slice(top, bottom), slice(left, right)


def _elsewhere(other: UInt8[Tensor, "C H W"], site: Site, draw: Draw) -> Picture:
    """A random part of a picture, as large as the window."""
    top, left = draw.below(other.shape[1] - site.height + 1), draw.below(other.shape[2] - site.width + 1)
    return other[:, top : top + site.height, left : left + site.width].float() / 255


def _tone(site: Site, channels: int, draw: Draw) -> Float[Tensor, "C 1 1"]:
    """A shift of each channel, up to three standard deviations of the picture in one direction."""
    size = max(VISIBLE, draw.uniform(0.5, 3) * site.spread)
    tint = [1 - draw.uniform(0, 0.5) * site.colour for _ in range(channels)]
    return draw.sign() * size * torch.tensor(tint)[:, None, None] / max(tint)


def _colourfulness(picture: Picture) -> float:
    """How far the channels differ; a grey picture gets no coloured spots."""
    differences = (picture - picture.mean(0)).std(correction=0).item()
    return min(1.0, 3 * differences / max(picture.std(correction=0).item(), 1e-6))


def _rectangle(site: Site, along: float, across: float) -> Mask:
    x, y = site.turned()
    return (0.5 + along / 2 - x.abs()).clamp(0, 1) * (0.5 + across / 2 - y.abs()).clamp(0, 1)


def _blob(site: Site, draw: Draw) -> Mask:
    """An ellipse with a wavy outline and an edge that is one pixel to a quarter of it wide."""
    x, y = site.turned()
    narrow = draw.uniform(0.4, 1)
    turn = torch.atan2(y / narrow, x)
    outline = torch.ones_like(turn)
    for waves in (2, 3, 5):
        outline += draw.uniform(0, 0.25) * torch.cos(waves * turn + draw.uniform(0, 2 * math.pi))
    edge = draw.uniform(1, max(1.0, site.extent / 4))
    distance = torch.hypot(x, y / narrow)
    return (0.5 + (outline * site.extent / 2 - distance) / edge).clamp(0, 1)


def _bow(site: Site, draw: Draw) -> Mask:
    """A line bent like a bow, three times the extent long and 1 to 3 pixels wide."""
    x, y = site.turned()
    length, bend = 3 * site.extent, draw.uniform(-1, 1)
    # Across a parabola the distance is that along the other axis, by the cosine of its slope.
    bow, slope = bend * (x * x / length - length / 12), 2 * bend * x / length
    across = (y - bow).abs() / (1 + slope * slope).sqrt()
    return (0.5 + draw.uniform(0.5, 1.5) - across).clamp(0, 1) * (0.5 + length / 2 - x.abs()).clamp(0, 1)
