"""Draws an anomaly map over a picture."""

import numpy as np
from jaxtyping import Float
from PIL import Image

WARM = (224, 116, 42)
OPACITY = 0.65


def overlay(picture: Image.Image, strength: Float[np.ndarray, "h w"]) -> Image.Image:
    """The picture in RGB, coloured where the strength is above 0 and fully at 1; the map is resized to it."""
    alpha = (255 * OPACITY * strength.clip(0, 1)).astype(np.uint8)
    mask = Image.fromarray(alpha).resize(picture.size, Image.Resampling.BICUBIC)
    return Image.composite(Image.new("RGB", picture.size, WARM), picture.convert("RGB"), mask)
