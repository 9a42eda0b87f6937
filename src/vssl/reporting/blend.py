"""Colour over a picture where something is unusual."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from PIL import Image

WARM = (224, 116, 42)
STRONGEST = 0.65


def blend(picture: Image.Image, strength: Float[np.ndarray, "h w"]) -> Image.Image:
    """The picture in RGB, with colour where the strength, stretched over it, is above 0; full where it is 1."""
    shown = (255 * STRONGEST * strength.clip(0, 1)).astype(np.uint8)
    mask = Image.fromarray(shown).resize(picture.size, Image.Resampling.BICUBIC)
    return Image.composite(Image.new("RGB", picture.size, WARM), picture.convert("RGB"), mask)
