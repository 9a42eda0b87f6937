"""A contact sheet: images beside their views in one picture, so that a person sees what the views do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

SIDE_PX = 96
"""About how large an image is shown."""

GAP_PX, CAPTION_PX, TEXT_PX = 4, 22, 14
PAPER, INK = (255, 255, 255), (40, 40, 40)

Pixels = UInt8[Tensor, "N C H W"] | Float[Tensor, "N C H W"]


def contact_sheet(pixels: UInt8[Tensor, "N C H W"], views: Sequence[Sequence[Pixels]]) -> Image.Image:
    """One row per image: the image, then the draws of the first view, of the second, and so on.

    Small images are enlarged by a whole factor without smoothing.

    Args:
        pixels: The images, grey or RGB.
        views: For each view its draws, each a view of all images: uint8, or floats in 0..1.
    """
    columns = [[pixels], *views]
    scale = max(1, SIDE_PX // max(pixels.shape[2:]))
    height, width = pixels.shape[2] * scale, pixels.shape[3] * scale
    across = sum(len(column) * (width + GAP_PX) for column in columns) + GAP_PX * (2 * len(columns) - 1)
    sheet = Image.new("RGB", (across, CAPTION_PX + len(pixels) * (height + GAP_PX)), PAPER)
    left = GAP_PX
    for number, column in enumerate(columns):
        title = f"view {number}" if number else "original"
        ImageDraw.Draw(sheet).text((left, 3), title, fill=INK, font=ImageFont.load_default(TEXT_PX))
        for batch in column:
            for row, picture in enumerate(_bytes(batch)):
                enlarged = Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST)
                sheet.paste(enlarged, (left, CAPTION_PX + row * (height + GAP_PX)))
            left += width + GAP_PX
        left += 2 * GAP_PX
    return sheet


def _bytes(batch: Pixels) -> UInt8[np.ndarray, "N H W 3"]:
    """The batch as RGB bytes with the channels last."""
    shown = batch if not batch.is_floating_point() else (batch.clamp(0, 1) * 255).round().byte()
    return shown.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().contiguous().numpy()
