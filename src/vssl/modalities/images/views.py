"""Views of images, in batches on the training device: draw the parameters of all samples, then apply them.

The order is that of the light's way: geometry, illumination, colour, blur, solarisation, noise, cut-out. What a
configuration cannot do costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from vssl.errors import ConfigError
from vssl.modalities.images import colour, effects, geometry

Range = tuple[float, float]


@dataclass(frozen=True)
class ViewConfig:
    """How one view is disturbed; by default not at all. Ranges are (low, high), drawn uniformly unless stated.

    Attributes:
        crop_area: Share of the image's area that the crop shows, above 0 and up to 1.
        crop_aspect: Width to height of the crop relative to the image's own, log-uniform; the range holds 1.
        flip_horizontal: Probability.
        flip_vertical: Probability.
        right_angle: Probability of a turn by a multiple of 90 degrees, all four equally likely.
        rotation_deg: Rotation in degrees, counter-clockwise.
        jitter: Probability that brightness, contrast, saturation and hue change.
        brightness: Strength s: the factor is in 1 - s .. 1 + s.
        contrast: The same, about the mean of the image.
        saturation: The same, about each pixel's own luma.
        hue: Largest turn of the hue in turns, 0..0.5.
        grey: Probability that all colour is lost.
        illumination: Largest slope of a light from any direction: 0.2 is 0.8 on one edge and 1.2 on the other.
        blur: Probability.
        blur_sigma_px: Standard deviation of the blur in pixels.
        solarise: Probability.
        noise_sigma: Standard deviation of the noise, where white is 1.
        cutout: Probability.
        cutout_area: Share of the image's area that is cut out.

    Raises:
        ConfigError: A value is out of its range; names the field.
    """

    crop_area: Range = (1.0, 1.0)
    crop_aspect: Range = (1.0, 1.0)
    flip_horizontal: float = 0.0
    flip_vertical: float = 0.0
    right_angle: float = 0.0
    rotation_deg: Range = (0.0, 0.0)
    jitter: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    grey: float = 0.0
    illumination: float = 0.0
    blur: float = 0.0
    blur_sigma_px: Range = (0.1, 2.0)
    solarise: float = 0.0
    noise_sigma: Range = (0.0, 0.0)
    cutout: float = 0.0
    cutout_area: Range = (0.05, 0.2)

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value, pair = getattr(self, name), isinstance(getattr(ViewConfig, name), tuple)
            ends = value if isinstance(value, tuple) else (value, value)
            if isinstance(value, tuple) != pair or len(ends) != 2 or not low <= ends[0] <= ends[1] <= high:
                kind = "a pair (low, high) within" if pair else "a number within"
                raise ConfigError(f"The view's {name} is {value!r}; it must be {kind} {low:g}..{high:g}.")
        if not self.crop_aspect[0] <= 1 <= self.crop_aspect[1]:
            raise ConfigError(
                f"The view's crop_aspect is {self.crop_aspect!r}; its range must hold 1, the image's own."
            )

    @property
    def warps(self) -> bool:
        """Whether any sample may change its geometry."""
        flips = self.flip_horizontal or self.flip_vertical or self.right_angle
        return bool(flips) or (self.crop_area, self.crop_aspect, self.rotation_deg) != ((1, 1), (1, 1), (0, 0))

    @property
    def recolours(self) -> bool:
        """Whether any sample may change its colour."""
        strengths = (self.brightness, self.contrast, self.saturation, self.hue)
        return self.grey > 0 or (self.jitter > 0 and any(strengths))


LIMITS: dict[str, Range] = {
    **dict.fromkeys((field.name for field in fields(ViewConfig)), (0, 1)),
    "crop_area": (1e-4, 1),
    "crop_aspect": (0.1, 10),
    "rotation_deg": (-180, 180),
    "hue": (0, 0.5),
    "blur_sigma_px": (0.01, 16),
}
"""Lowest and highest value of every setting."""


@dataclass(frozen=True)
class Parameters:
    """What was drawn for every sample of a batch: one tensor [B] a field, as the functions that use it say.

    A slice of the whole batch's parameters is what one of several processes needs for its part of the batch.
    """

    width: Float[Tensor, " B"]
    height: Float[Tensor, " B"]
    place_x: Float[Tensor, " B"]
    place_y: Float[Tensor, " B"]
    mirror_x: Float[Tensor, " B"]
    mirror_y: Float[Tensor, " B"]
    rotation_deg: Float[Tensor, " B"]
    brightness: Float[Tensor, " B"]
    contrast: Float[Tensor, " B"]
    saturation: Float[Tensor, " B"]
    hue: Float[Tensor, " B"]
    slope_x: Float[Tensor, " B"]
    slope_y: Float[Tensor, " B"]
    blur_sigma_px: Float[Tensor, " B"]
    solarise: Bool[Tensor, " B"]
    noise_sigma: Float[Tensor, " B"]
    noise_shift: Float[Tensor, " B"]
    cut_x: Float[Tensor, " B"]
    cut_y: Float[Tensor, " B"]
    cut_area: Float[Tensor, " B"]

    def __len__(self) -> int:
        return self.width.shape[0]

    def __getitem__(self, rows: slice) -> Self:
        return type(self)(**{name: value[rows] for name, value in vars(self).items()})

    def to(self, device: torch.device | str) -> Self:
        return type(self)(**{name: value.to(device, non_blocking=True) for name, value in vars(self).items()})


def draw(config: ViewConfig, rows: int, generator: torch.Generator) -> Parameters:
    """Draw the parameters of `rows` samples, on the generator's device.

    The number of draws does not depend on the configuration, so that two views of one seed stay comparable when a
    setting changes.
    """
    u = torch.rand(26, rows, generator=generator, device=generator.device).unbind()
    width, height = geometry.crop_shares(_between(u[0], config.crop_area), u[1], config.crop_aspect)
    turn = torch.where(u[2] < config.right_angle, torch.floor(u[3] * 4) * 90, 0)
    jittered = u[4] < config.jitter
    direction, slope = u[5] * (2 * math.pi), u[6] * config.illumination
    return Parameters(
        width=width,
        height=height,
        place_x=u[7] * 2 - 1,
        place_y=u[8] * 2 - 1,
        mirror_x=torch.where(u[9] < config.flip_horizontal, -1.0, 1.0),
        mirror_y=torch.where(u[10] < config.flip_vertical, -1.0, 1.0),
        rotation_deg=_between(u[11], config.rotation_deg) + turn,
        brightness=torch.where(jittered, 1 + (u[12] * 2 - 1) * config.brightness, 1),
        contrast=torch.where(jittered, 1 + (u[13] * 2 - 1) * config.contrast, 1),
        saturation=torch.where(jittered, 1 + (u[14] * 2 - 1) * config.saturation, 1) * (u[15] >= config.grey),
        hue=torch.where(jittered, (u[16] * 2 - 1) * config.hue, 0),
        slope_x=slope * direction.cos(),
        slope_y=slope * direction.sin(),
        blur_sigma_px=torch.where(u[17] < config.blur, _between(u[18], config.blur_sigma_px), 0),
        solarise=u[19] < config.solarise,
        noise_sigma=_between(u[20], config.noise_sigma),
        noise_shift=u[21],
        cut_x=u[22] * 2 - 1,
        cut_y=u[23] * 2 - 1,
        cut_area=torch.where(u[24] < config.cutout, _between(u[25], config.cutout_area), 0),
    )


def _between(uniform: Tensor, ends: Range) -> Tensor:
    return ends[0] + uniform * (ends[1] - ends[0])


def apply(
    pixels: UInt8[Tensor, "B C H W"], parameters: Parameters, config: ViewConfig, generator: torch.Generator
) -> Float[Tensor, "B C H W"]:
    """The views of a batch of images, in 0..1.

    Args:
        pixels: Images of one size, on the device that trains.
        parameters: One entry per image, from `draw` with the same configuration.
        generator: For the noise of the pixels. In the same state it gives each image the same noise, however many
            of the batch's images are asked for.
    """
    # Autocast would round the products with the matrices to bf16, whose steps near white are as wide as a byte's.
    with torch.autocast(pixels.device.type, enabled=False):
        return _disturb(pixels.float(), parameters.to(pixels.device), config, generator)


def _disturb(x: Tensor, p: Parameters, config: ViewConfig, generator: torch.Generator) -> Tensor:
    if config.warps:
        mirror, size = (p.mirror_x, p.mirror_y), (x.shape[2], x.shape[3])
        x = geometry.warp(x, geometry.affine((p.width, p.height), (p.place_x, p.place_y), mirror, p.rotation_deg, size))
    if config.illumination:
        x = effects.illuminate(x, p.slope_x, p.slope_y)
    if config.recolours:
        matrix = colour.colour_matrix(p.brightness, p.contrast, p.saturation, p.hue, x.mean(dim=(2, 3)))
        x = colour.recolour(x, matrix / 255)
    else:
        x = x / 255
    if config.blur:
        x = effects.blur(x, p.blur_sigma_px)
    if config.solarise:
        x = effects.solarise(x, p.solarise)
    if config.noise_sigma[1]:
        x = effects.add_noise(x, p.noise_sigma, p.noise_shift, generator)
    if config.cutout:
        x = effects.cut_out(x, p.cut_x, p.cut_y, p.cut_area)
    return x.clamp_(0, 1)


def make_view(
    pixels: UInt8[Tensor, "B C H W"], config: ViewConfig, generator: torch.Generator
) -> Float[Tensor, "B C H W"]:
    """Draw and apply: one view of every image, in 0..1."""
    return apply(pixels, draw(config, len(pixels), generator), config, generator)


def normalise(
    pixels: Float[Tensor, "B C H W"], mean: Sequence[float], std: Sequence[float]
) -> Float[Tensor, "B C H W"]:
    """Subtract the mean and divide by the standard deviation of each channel."""
    scale = pixels.new_tensor([1 / value for value in std])[:, None, None]
    shift = pixels.new_tensor([-m / s for m, s in zip(mean, std, strict=True)])[:, None, None]
    return torch.addcmul(shift, pixels, scale)
