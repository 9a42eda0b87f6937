"""Presets of views: for each kind of picture a pair of configurations, one for each of the two views."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace

from vssl.errors import ConfigError
from vssl.modalities.images.views import ViewConfig

Pair = tuple[ViewConfig, ViewConfig]


def natural(channels: int) -> Pair:
    """Photographs of things: the asymmetric BYOL recipe for small images, as solo-learn runs it on CIFAR.

    Crops of 8 to 100 %, flips, strong colour changes; no blur, which at 32 pixels removes the object itself; the
    second view is solarised in one of five cases (Grill et al. 2020, arXiv 2006.07733, appendix B; solo-learn
    `scripts/pretrain/cifar/augmentations/asymmetric.yaml`).
    """
    first = ViewConfig(
        crop_area=(0.08, 1.0),
        crop_aspect=(3 / 4, 4 / 3),
        flip_horizontal=0.5,
        jitter=0.8,
        brightness=0.4,
        contrast=0.4,
        saturation=0.2 if channels == 3 else 0.0,
        hue=0.1 if channels == 3 else 0.0,
        grey=0.2 if channels == 3 else 0.0,
    )
    return first, replace(first, solarise=0.2)


def inspection(channels: int) -> Pair:
    """Parts before a camera: where, how bright and how noisy may change; colour, shape and small marks may not.

    Crops keep at least 40 %: a small mark is lost at times, but views that are too alike teach nothing after minutes.
    Light and noise stay weak: a faint mark differs from its surroundings by a few hundredths of white, and bright parts
    must not clip. The second view has the poorer camera.
    """
    first = ViewConfig(
        crop_area=(0.4, 1.0),
        crop_aspect=(0.9, 1.1),
        flip_horizontal=0.5,
        flip_vertical=0.5,
        rotation_deg=(-5.0, 5.0),
        jitter=0.8,
        brightness=0.15,
        contrast=0.2,
        illumination=0.1,
        noise_sigma=(0.0, 0.01),
    )
    return first, replace(first, illumination=0.2, noise_sigma=(0.0, 0.02))


def upright(channels: int) -> Pair:
    """Inspection of what lies one way: labels, displays, parts of which the mirrored one is another or mounted wrongly.

    Flips would ask for the same representation of a 2 and a mirrored 2, which is nearly a 5.
    """
    first, second = (replace(view, flip_horizontal=0.0, flip_vertical=0.0) for view in inspection(channels))
    return first, second


def texture(channels: int) -> Pair:
    """Surfaces without an upright: any rotation and flip, crops that keep the scale of the grain."""
    first = ViewConfig(
        crop_area=(0.5, 1.0),
        crop_aspect=(0.9, 1.1),
        flip_horizontal=0.5,
        flip_vertical=0.5,
        right_angle=1.0,
        rotation_deg=(-45.0, 45.0),
        jitter=0.8,
        brightness=0.2,
        contrast=0.2,
        saturation=0.1 if channels == 3 else 0.0,
        illumination=0.15,
        noise_sigma=(0.0, 0.01),
    )
    return first, replace(first, noise_sigma=(0.0, 0.02))


Preset = Callable[[int], Pair]
PRESETS: dict[str, Preset] = {"natural": natural, "inspection": inspection, "upright": upright, "texture": texture}


def preset(name: str, channels: int) -> Pair:
    """The pair of views of a preset, for images of so many channels.

    Raises:
        ConfigError: There is no such preset; the message lists those there are.
    """
    if name not in PRESETS:
        close = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigError(f"There is no preset of views {name!r}; there are: {', '.join(PRESETS)}.{hint}")
    return PRESETS[name](channels)
