"""Images: reading them from any folder, list or archive, and views of them in batches.

A newcomer adds a preset of views as a function in `presets`, and its name to `Config.views`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from vssl.config import FollowsEncoder, name_of
from vssl.errors import ConfigError
from vssl.modalities.data_summary import DataSummary
from vssl.modalities.images.decode import Canvas

if TYPE_CHECKING:
    from vssl.modalities.images.modality import ImageModality


DEFAULT_ENCODER = "convnet/small"
SMALLEST_TILE, TILE_STEP = 64, 32

SIZE, SIZE_PRETRAINED = 96, 320
"""Longest side in pixels by default. Networks with pretrained weights find more in larger pictures: with those of
tf_efficientnet_lite0, 224 instead of 96 pixels raised the AUPRO of small defects on surfaces from 0.33 to 0.60."""


@dataclass(frozen=True)
class Config(FollowsEncoder):
    """Images.

    Attributes:
        views: Preset of the augmented views: natural (photographs), inspection (parts before a camera), upright (as
            inspection, never mirrored) or texture (surfaces).
        size: Longest side in pixels that images are scaled down to; if it is not given, 96, or 320 for an encoder with
            pretrained weights, and with tiles that of the images. Images are never scaled up.
        tile: Side in pixels of the overlapping tiles in which large images are learned and scored, a multiple of 32;
            0 takes each image as a whole. An image stays one sample with one score and one decision.
        label_from: Label of an image: the name of its folder (folder), or no label (none).
        max_broken: Largest allowed share of unreadable files, 0 to 1. With more, the data are refused.
    """

    views: Literal["natural", "inspection", "upright", "texture"] = "natural"
    size: int | None = None
    tile: int = 0
    label_from: Literal["none", "folder"] = "none"
    max_broken: float = 0.01

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 8:
            raise ConfigError(f"images.size is {self.size}; it must be at least 8 pixels.")
        if self.tile and (self.tile < SMALLEST_TILE or self.tile % TILE_STEP):
            raise ConfigError(
                f"images.tile is {self.tile}; it must be 0, or a multiple of {TILE_STEP} pixels of at least "
                f"{SMALLEST_TILE}."
            )
        if not 0 <= self.max_broken <= 1:
            raise ConfigError(f"images.max_broken is {self.max_broken}; it is a share, 0 to 1.")

    def for_encoder(self, encoder: Any) -> Self:
        # The size of tiled images is that of the data.
        if self.size is not None or self.tile:
            return self
        pretrained = name_of(encoder) == "timm" and encoder.pretrained != "none"
        return replace(self, size=SIZE_PRETRAINED if pretrained else SIZE)


@dataclass(frozen=True)
class Spec:
    """What was measured on the training images; it holds for every image that the run sees later.

    Attributes:
        canvas: Size, channels and range of values that every image is converted to.
        mean, std: Mean and standard deviation of each channel, where white is 1.
    """

    canvas: Canvas
    mean: tuple[float, ...]
    std: tuple[float, ...]


# `modality` is imported late: it needs the two classes above.
def measure(source: str | Path, config: Config) -> Spec:
    """Measure a sample of the images of `source`.

    Raises:
        DataError: There are no images, or none of the sample can be read.
    """
    from vssl.modalities.images import modality

    return modality.summarise_channels(source, config)


def describe(spec: Spec) -> DataSummary:
    """The canvas, and the channels with their mean and spread."""
    canvas = spec.canvas
    names = ("grey",) if canvas.channels == 1 else ("red", "green", "blue")
    rows = [(name, f"{mean:.3f}", f"{std:.3f}") for name, mean, std in zip(names, spec.mean, spec.std, strict=True)]
    values = f" Values {canvas.low:g} to {canvas.high:g} are black to white." if canvas.wide else ""
    note = f"Every picture is brought to {canvas.width} x {canvas.height} pixels (width x height).{values}"
    return DataSummary("Channels", ("Channel", "Mean, where white is 1", "Standard deviation"), rows, note)


def build(config: Config, spec: Spec) -> ImageModality:
    """The modality for these settings and measurements."""
    from vssl.modalities.images.modality import ImageModality

    return ImageModality(config, spec)
