"""What a person must know of the pictures of a source: how far they are shrunk, and that they are of several kinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from vssl.errors import BrokenFileError
from vssl.modalities.images import decode
from vssl.modalities.images.decode import Canvas, Header
from vssl.modalities.images.index import Index
from vssl.modalities.images.names import first_names, skipped_notes
from vssl.modalities.tiling import Tiling

SAMPLE, MIN_SAMPLE, SAMPLE_BYTES = 300, 20, 500_000_000
"""Pictures that are looked at: as many as this, or as have so many bytes together, but a few at least."""

MAX_SHRINK = 4.0
"""How many pixels, across or down, one pixel may stand for without a word."""

TILE = 256
"""Side of the tiles that are proposed: as large as most pretrained networks expect, and quick."""

FEW_SIZES = 4
UNLIKE_RATIO = 1.5
"""Ratio of two sides that a few cameras or settings explain, and one does not."""

DRAWING_BYTES = 0.1
"""A pixel of a compressed file; photographs have more, and drawings less."""

DECODED_SAMPLE = 60
DECODED_PIXELS = 100_000_000
"""Pictures and pixels at most that are decoded for a word on drawings."""


def notes(index: Index, canvas: Canvas, tiling: Tiling | None = None) -> list[str]:
    """Sentences on a source: what was left out, and what the headers of up to `SAMPLE` of its pictures show."""
    headers = _headers(index)
    return [
        *index.remarks,
        *skipped_notes(index.ignored),
        *_shrinking(list(headers.values()), canvas, tiling),
        *_unlike_canvas(list(headers.values()), canvas),
        *_kinds(list(headers.values())),
        *_drawings(index, headers),
    ]


def _headers(index: Index) -> dict[int, Header]:
    """The headers of some rows; broken files are named elsewhere."""
    found = {}
    rows = np.random.default_rng(0).permutation(len(index))[:SAMPLE]
    few_enough = np.cumsum(index.sizes[rows]) <= SAMPLE_BYTES
    few_enough[:MIN_SAMPLE] = True
    for row in np.sort(rows[few_enough]).tolist():
        try:
            found[row] = decode.read_header(index.read(row), index.ids[row])
        except BrokenFileError:
            continue
    return found


def _shrinking(headers: Sequence[Header], canvas: Canvas, tiling: Tiling | None) -> list[str]:
    """A word on marks that are lost, and on what keeps them."""
    if not headers:
        return []
    height, width = np.median([(header.height, header.width) for header in headers], axis=0)
    across, down = width / canvas.width, height / canvas.height
    most = max(across, down)
    if most <= MAX_SHRINK:
        return []
    marks = f"{across:.3g}" if round(across, 1) == round(down, 1) else f"{across:.3g} x {down:.3g}"
    side = 2 ** int(np.ceil(np.log2(max(height, width) / MAX_SHRINK)))
    remedy = (
        f"Give a larger --size, such as {side}."
        if tiling is not None
        else f"Give --tile {TILE} to keep all pixels, or a larger --size, such as {side}."
    )
    return [
        f"Pictures of {width:,.0f} x {height:,.0f} pixels (width x height) are shrunk to {canvas.width} x "
        f"{canvas.height}, {most:.3g}-fold: a mark of {marks} pixels becomes one pixel, and smaller ones are lost. "
        f"{remedy}"
    ]


def _unlike_canvas(headers: Sequence[Header], canvas: Canvas) -> list[str]:
    """A word on pictures that the run's canvas changes in more than their size."""
    colour = sum(header.channels == 3 for header in headers)
    found = []
    if colour and canvas.channels == 1:
        found.append(
            f"The run was trained on grey pictures, and the colours of {colour} of {len(headers)} are dropped."
        )
    if headers and not colour and canvas.channels == 3:
        found.append("The run was trained on pictures of which some had colour, and these are all grey.")
    shapes = np.array([header.width / header.height for header in headers]) * canvas.height / canvas.width
    stretched = np.maximum(shapes, 1 / shapes)
    # Side effects of the smallest canvas are part of the word on shrinking.
    if len(shapes) and np.median(stretched) > UNLIKE_RATIO and min(canvas.width, canvas.height) > 8:
        found.append(
            f"Pictures of another shape than those of the training are stretched to {canvas.width} x {canvas.height}: "
            f"most by a factor of {np.median(stretched):.2g} or more."
        )
    return found


def _kinds(headers: Sequence[Header]) -> list[str]:
    """A word on two kinds of pictures in one source: they are seldom pictures of the same thing."""
    kinds = {
        "channels": Counter("grey" if header.channels == 1 else "colour" for header in headers),
        "depth": Counter(f"{header.bits} bits a value" for header in headers),
        "size": _sizes(headers),
    }
    parts = [
        " and ".join(f"{count} of {kind}" for kind, count in kind.most_common())
        for kind in kinds.values()
        if len(kind) > 1
    ]
    if not parts:
        return []
    return [
        f"Several kinds of pictures lie in this source: of {len(headers)} looked at, {'; '.join(parts)}. If some of "
        "them are not to be evaluated, such as masks or previews, give a folder or list without them."
    ]


def _sizes(headers: Sequence[Header]) -> Counter[str]:
    """The sizes, where they are a few that differ much; photographs of many sizes are nothing unusual."""
    sizes = Counter((header.width, header.height) for header in headers)
    if not 2 <= len(sizes) <= FEW_SIZES:
        return Counter()
    sides = np.array(list(sizes), dtype=float)
    if (sides.max(axis=0) / sides.min(axis=0)).max() < UNLIKE_RATIO:
        return Counter()
    return Counter({f"{width} x {height} pixels": count for (width, height), count in sizes.items()})


def _drawings(index: Index, headers: dict[int, Header]) -> list[str]:
    """A word on pictures of a few values, such as masks, beside photographs."""
    rows = list(headers)[:: -(-len(headers) // DECODED_SAMPLE) or 1]
    left, found = DECODED_PIXELS, []
    for row in rows:
        header = headers[row]
        pixels = header.height * header.width
        if pixels <= left and (header.format == "BMP" or index.sizes[row] < DRAWING_BYTES * pixels + 1000):
            left -= pixels
            found += [row] * _is_drawing(index, row)
    if not found or len(found) == len(rows):
        return []
    return [
        f"Of {len(rows)} pictures looked into, {len(found)} have a few values only, as masks do, and the others many "
        f"({first_names([index.ids[row] for row in found])}). If they are masks, give a folder or list without them."
    ]


def _is_drawing(index: Index, row: int) -> bool:
    try:
        return decode.is_drawing(index.read(row), index.ids[row])
    except BrokenFileError:
        return False
