"""Which settings suit the good pictures: views, size, encoder and training mode, by rules that look at no label."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vssl.config import encoder_of, name_of
from vssl.training.model import build_modality, measure_spec

SAMPLE = 256
"""Pictures that the choice of views looks at."""
COARSE = 16
"""Side of the small pictures that layouts are compared by."""
MIN_LAYOUT = 0.1
"""Share of the variance within pictures that all of them have in common, below which they have no common layout."""
MIN_SYMMETRY = 0.5
"""Correlation of the mean picture with its mirror image, below which parts lie one way."""
OWN_SIZE, PRETRAINED_SIZE = 128, 224
"""Longest side in pixels: what a network of one's own learns from in minutes, and what pretrained weights expect."""


@dataclass(frozen=True)
class Choice:
    """Settings of the training.

    Attributes:
        modality, encoder: Their configuration.
        train: Training mode: all, or none for an encoder whose pretrained weights are kept.
        reasons: Why, in sentences.
    """

    modality: Any
    encoder: Any
    train: str
    reasons: tuple[str, ...]


def choose(good: str | Path, modality: Any, encoder: Any) -> Choice:
    """Choose what the user has left at its default.

    Args:
        good: Source of the good pictures.
        modality: A setting that differs from its default is kept.
        encoder: Name or configuration of an encoder; "auto" for a network of one's own.

    Raises:
        DataError: There are no pictures, or none can be read.
    """
    reasons, default = [], type(modality)()
    config = encoder_of(encoder, modality)
    pretrained = getattr(config, "pretrained", "none") != "none"
    if modality.size == default.size:
        modality = dataclasses.replace(modality, size=PRETRAINED_SIZE if pretrained else OWN_SIZE)
    if modality.views == default.views:
        views, why = _views(good, modality)
        modality = dataclasses.replace(modality, views=views)
        reasons.append(f"Views: {views}. {why}")
    canvas = measure_spec(good, modality).canvas
    reasons.append(f"Size: every picture is brought to {canvas.width} x {canvas.height} pixels (width x height).")
    name = "/".join(filter(None, (name_of(config), getattr(config, "variant", ""))))
    if pretrained:
        reasons.append(f"Encoder: {name} with its pretrained weights as they are; training would take longer.")
    else:
        reasons.append(f"Encoder: {name}, trained on these pictures from scratch, as no pretrained weights are given.")
    return Choice(modality, config, "none" if pretrained else "all", tuple(reasons))


def _views(good: str | Path, modality: Any) -> tuple[Any, str]:
    """The preset of views, and why."""
    spec = measure_spec(good, modality)
    raw = build_modality(modality, spec).sample(good, SAMPLE, seed=0).raw
    small = F.adaptive_avg_pool2d(raw.float().mean(1, keepdim=True), COARSE)[:, 0]
    within = small - small.mean((1, 2), keepdim=True)
    layout = within.mean(0)
    if layout.square().mean() < MIN_LAYOUT * within.square().mean().clamp(min=1e-6):
        return "texture", "The good pictures have no common layout, as surfaces have none: any rotation is usual."
    if min(_correlation(layout, layout.flip(0)), _correlation(layout, layout.flip(1))) < MIN_SYMMETRY:
        return "upright", "The good parts all lie one way: a mirrored part counts as another one."
    return "inspection", "The good parts have a common layout that looks much the same mirrored."


def _correlation(one: Float[Tensor, "h w"], other: Float[Tensor, "h w"]) -> float:
    return float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1])
