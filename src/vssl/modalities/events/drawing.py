"""Sessions to show a person: one as text, and many beside their views as strips of colour."""

import colorsys
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import torch
from jaxtyping import Int
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from vssl.modalities.events import Template
from vssl.modalities.events.collector import CONTENT_HASH_COLUMNS, PADDING, TRUNCATED, UNKNOWN, Sample
from vssl.modalities.events.explaining import text_of

WIDTH_PX, LINES, LINE_PX, TEXT_PX = 320, 14, 13, 10
MAX_LETTERS = 58
SWATCH_PX = 40
# Masks before the first word say nothing, and take its position.
_LEADING = re.compile(r"^(?:<[a-z*]+>\s+)+(?=\S)")
CELL_PX, STRIP_PX, CELLS, NAMED, DRAWS = 5, 14, 64, 24, 2
PAPER, INK, ALARM, FAINT = (255, 255, 255), (40, 40, 40), (200, 30, 30), (200, 200, 200)

Colour = tuple[int, int, int]


def picture(sample: Sample, templates: Sequence[Template]) -> Image.Image:
    """A sample as text: its events in order, repeated ones once with their number, unknown ones in red."""
    runs = [(token, len(list(run))) for token, run in groupby(sample.codes[0, CONTENT_HASH_COLUMNS:].tolist())]
    sheet = Image.new("RGB", (WIDTH_PX, LINES * LINE_PX + 4), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT_PX)
    for row, (token, count) in enumerate(runs[:LINES]):
        last = row == LINES - 1 and len(runs) > LINES
        # The colours are what is left of the text in a thumbnail.
        pen.rectangle((0, 2 + row * LINE_PX, SWATCH_PX, row * LINE_PX + LINE_PX), fill=PAPER if last else colour(token))
        text = f"... and {len(runs) - row} more" if last else _line(token, count, templates, sample.metadata)
        pen.text(
            (SWATCH_PX + 6, 2 + row * LINE_PX), text, fill=ALARM if token == UNKNOWN and not last else INK, font=font
        )
    return sheet


def _line(token: int, count: int, templates: Sequence[Template], metadata: Mapping[str, Any]) -> str:
    text = _LEADING.sub("", text_of(token, templates, metadata))
    many = f"{count} x " if count > 1 else ""
    return f"{many}{text}"[:MAX_LETTERS]


def sheet(
    ids: Sequence[str],
    tokens: Int[Tensor, "N L"],
    views: Sequence[Sequence[Int[Tensor, "N L"]]],
    templates: Sequence[Template],
) -> Image.Image:
    """For each sample a strip of colours, one an event, and below it those of its views; then what the colours mean.

    Args:
        views: For each view its draws, each a view of all samples.
    """
    strips = [("original", tokens)] + [
        (f"view {number}", draw) for number, column in enumerate(views, 1) for draw in column
    ]
    shown = [token for token in torch.unique(tokens).tolist() if token > TRUNCATED][:NAMED]
    named = [UNKNOWN, TRUNCATED, *shown]
    block = LINE_PX + 4 + len(strips) * STRIP_PX
    width = 80 + CELLS * CELL_PX + 420
    image = Image.new("RGB", (width, max(len(ids) * block, (len(named) + 1) * LINE_PX) + 8), PAPER)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(TEXT_PX)
    for row, name in enumerate(ids):
        top = 4 + row * block
        pen.text((4, top), name[:MAX_LETTERS], fill=INK, font=font)
        for number, (title, batch) in enumerate(strips):
            _strip(pen, batch[row].tolist()[:CELLS], title, top + LINE_PX + number * STRIP_PX, font)
    for row, token in enumerate(named):
        left, top = 100 + CELLS * CELL_PX, 4 + row * LINE_PX
        pen.rectangle((left, top, left + 10, top + 10), fill=colour(token))
        pen.text((left + 16, top), _line(token, 1, templates, {}), fill=INK, font=font)
    return image


def _strip(pen: ImageDraw.ImageDraw, tokens: Sequence[int], title: str, top: int, font: Any) -> None:
    pen.text((12, top), title, fill=INK, font=font)
    for position, token in enumerate(tokens):
        if token != PADDING:
            left = 72 + position * CELL_PX
            pen.rectangle((left, top, left + CELL_PX - 2, top + STRIP_PX - 4), fill=colour(token))


def colour(token: int) -> Colour:
    """A colour of its own for each kind of event, neighbours far apart; unknown ones red, those not shown grey."""
    if token <= TRUNCATED:
        return {PADDING: PAPER, UNKNOWN: ALARM, TRUNCATED: FAINT}[token]
    # The golden ratio spreads hues evenly, however many there are.
    red, green, blue = colorsys.hsv_to_rgb(0.1 + 0.85 * (token * 0.618034 % 1), 0.35 + 0.3 * (token % 3) / 2, 0.85)
    return round(255 * red), round(255 * green), round(255 * blue)
