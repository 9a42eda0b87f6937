"""Windows as pictures: a line for each channel, below each other."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont

from vssl.modalities.sensors import Spec
from vssl.modalities.sensors.robust_scale import counter_steps
from vssl.modalities.sensors.sentinels import mask_sentinels

WIDTH, HEIGHT = 160, 112
SHEET_WIDTH = 220
GAP, CAPTION, TEXT = 8, 22, 14
PAPER, RULE = (255, 255, 255), (228, 228, 228)
INKS = ((38, 99, 166), (224, 116, 42), (46, 125, 80), (150, 60, 130), (110, 110, 110), (180, 150, 30))
MAX_SCALES = 4.0
"""Spreads of a channel that fill the height of its line."""
MAX_CHANNELS = 12
"""Channels that are drawn; more would be too small to see."""


def scaled_window(window: Float[np.ndarray, "C T"], spec: Spec) -> Float[np.ndarray, "C T"]:
    """A window in the units of the data as `plot` takes it: as the model sees it, but for the bound of far values."""
    rows = mask_sentinels(window.T.astype(np.float64), spec.sentinels)
    counts = np.array([name in spec.counters for name in spec.channels])
    added, _, _ = counter_steps(rows, np.arange(len(rows), dtype=np.float64)[:, None] + 0 * rows)
    added[:1] = added[1:2]
    return ((np.where(counts, added, rows) - spec.centre) / spec.scale).T


def plot(values: Float[np.ndarray, "C T"], size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """A window's scaled values, NaN where nothing is known: each channel on a line of its own."""
    width, height = size
    image = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(image)
    shown = values[:MAX_CHANNELS]
    row = height / len(shown)
    for number, channel in enumerate(shown):
        middle = row * (number + 0.5)
        pen.line([(0, middle), (width, middle)], fill=RULE)
        x = np.linspace(0, width - 1, len(channel))
        y = middle - (channel.clip(-MAX_SCALES, MAX_SCALES) / MAX_SCALES) * row / 2
        for piece in _pieces(y):
            points = list(zip(x[piece], y[piece], strict=True))
            pen.line(points if len(points) > 1 else points * 2, fill=INKS[number % len(INKS)])
    return image


def _pieces(y: Float[np.ndarray, " T"]) -> list[slice]:
    """Where a line goes on without a missing value."""
    known = np.concatenate([[0], np.isfinite(y).astype(int), [0]])
    edges = np.diff(known)
    return [slice(a, b) for a, b in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)]


def view_sheet(columns: Sequence[tuple[str, Float[np.ndarray, "N C T"]]]) -> Image.Image:
    """One row per window, one column each for the original and its views."""
    rows = len(columns[0][1])
    across = len(columns) * (SHEET_WIDTH + GAP) + GAP
    picture = Image.new("RGB", (across, CAPTION + rows * (HEIGHT + GAP)), PAPER)
    pen = ImageDraw.Draw(picture)
    for at, (title, windows) in enumerate(columns):
        left = GAP + at * (SHEET_WIDTH + GAP)
        pen.text((left, 3), title, fill=(40, 40, 40), font=ImageFont.load_default(TEXT))
        for row, window in enumerate(windows):
            picture.paste(plot(window, (SHEET_WIDTH, HEIGHT)), (left, CAPTION + row * (HEIGHT + GAP)))
    return picture
