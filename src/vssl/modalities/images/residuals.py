"""What is left of a small grey picture when others are laid over it as well as they can be.

NumPy computes it in blocks that fit the processor's cache. The arrays are so small that torch's threads, which divide
each operation between them, cost more than they save, most of all where other processes use the cores as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy.lib.stride_tricks import sliding_window_view

MAX_SHIFT = 2  # pixels of the small picture by which one may be shifted
SATURATED, NEARLY_SATURATED = 235, 188
"""Above the first, brightening by a quarter cuts off what was above the second: there two pictures are not compared."""
MIN_KEPT = 0.25  # of the pixels; where fewer may be compared, all are
PAIRS = 64  # laid over each other at once

Thumbnails = UInt8[np.ndarray, "N h w"]
Others = UInt8[np.ndarray, "M h w"]
Rows = Int[np.ndarray, "N k"]


def residuals(pictures: Thumbnails, others: Others, rows: Rows) -> Float[np.ndarray, "N k"]:
    """What is left of each picture, in grey levels, when another is laid over it, for each of k others.

    Shifted by whole pixels where they correlate most, and then fitted: brightness, contrast, a part of a pixel and a
    change of size in either direction (to first order, by the slopes), and sharpness.

    Args:
        rows: For each picture the rows of the others.
    """
    left = np.empty(rows.shape)
    for part, inner, laid in _aligned(pictures, others, rows):
        height, width = inner.shape[1:]
        middle, up, down, before, after = (laid[:, :, *window] for window in _neighbours(height, width))
        across, along = (after - before) / 2, (down - up) / 2
        vertical, horizontal = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
        sharpness = up + down + before + after - 4 * middle
        mine = np.broadcast_to(inner[:, None], middle.shape)
        cut_off = (np.maximum(mine, middle) >= SATURATED) & (np.minimum(mine, middle) >= NEARLY_SATURATED)
        terms = (np.ones_like(middle), middle, along, across, vertical * along, horizontal * across, sharpness, mine)
        left[part] = _unexplained(np.stack(terms, 2), ~cut_off)
    return left


def joint_residuals(pictures: Thumbnails, others: Others, rows: Rows) -> Float[np.ndarray, " N"]:
    """What is left of each picture, in grey levels, when k others are laid over it all together.

    Args:
        rows: For each picture the rows of the others.
    """
    left = np.empty(len(rows))
    for part, inner, laid in _aligned(pictures, others, rows):
        mine, middle = inner[:, None], laid[:, :, 1:-1, 1:-1]
        left[part] = _unexplained(np.concatenate([np.ones_like(mine), middle, mine], 1), inner < SATURATED)
    return left


def _neighbours(height: int, width: int) -> list[tuple[slice, slice]]:
    """The windows of a picture with a border of a pixel: its middle, and a pixel up, down, left and right of it."""
    steps = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
    return [(slice(1 + down, 1 + down + height), slice(1 + right, 1 + right + width)) for down, right in steps]


@dataclass(frozen=True)
class _Prepared:
    """Pictures that are laid over others.

    Attributes:
        centred: Without their mean.
        lengths: Of each window of the picture by which it may be shifted, without the window's mean.
        windows: The windows, with a border of a pixel.
    """

    centred: Float[np.ndarray, "M h w"]
    lengths: Float[np.ndarray, "M r c"]
    windows: UInt8[np.ndarray, "M r c h w"]

    @classmethod
    def of(cls, others: Others, height: int, width: int) -> _Prepared:
        values = others.astype(np.float64)
        count = height * width
        variance = _window_sums(values**2, height, width) - _window_sums(values, height, width) ** 2 / count
        padded = np.pad(others, ((0, 0), (1, 1), (1, 1)), "edge")
        windows = sliding_window_view(padded, (height + 2, width + 2), axis=(1, 2))
        centred = (values - values.mean((1, 2), keepdims=True)).astype(np.float32)
        return cls(centred, np.sqrt(variance.clip(min=0)).astype(np.float32), windows)


def _window_sums(values: Float[np.ndarray, "M h w"], height: int, width: int) -> Float[np.ndarray, "M r c"]:
    """The sum of each window of that size; exact, as the values are whole numbers."""
    total = np.pad(values, ((0, 0), (1, 0), (1, 0))).cumsum(1).cumsum(2)
    bottom, top = total[:, height:], total[:, :-height]
    return np.asarray((bottom - top)[:, :, width:] - (bottom - top)[:, :, :-width])


def _aligned(
    pictures: Thumbnails, others: Others, rows: Rows
) -> Iterator[tuple[slice, Float[np.ndarray, "B y x"], Float[np.ndarray, "B k y2 x2"]]]:
    """Block by block: pictures without the border by which others are shifted, and the others shifted to fit best.

    The others have a border of a pixel.
    """
    used, place = np.unique(rows, return_inverse=True)
    place = place.reshape(rows.shape)
    border = [min(MAX_SHIFT, (side - 1) // 4) for side in pictures.shape[1:]]
    height, width = (side - 2 * edge for side, edge in zip(pictures.shape[1:], border, strict=True))
    prepared = _Prepared.of(others[used], height, width)
    size = max(1, PAIRS // max(1, rows.shape[1]))
    for first in range(0, len(rows), size):
        part = slice(first, first + size)
        inner = pictures[part, border[0] : border[0] + height, border[1] : border[1] + width].astype(np.float64)
        yield part, inner, _best_windows(inner, prepared, place[part])


def _best_windows(
    inner: Float[np.ndarray, "B y x"], others: _Prepared, place: Int[np.ndarray, "B k"]
) -> Float[np.ndarray, "B k y2 x2"]:
    downs, rights = others.lengths.shape[1:]
    centred = (inner - inner.mean((1, 2), keepdims=True)).astype(np.float32)
    # Each picture at each place where a window may lie: one product gives all its correlations.
    placed = np.zeros((len(inner), downs, rights, *others.centred.shape[1:]), np.float32)
    for down in range(downs):
        for right in range(rights):
            placed[:, down, right, down : down + inner.shape[1], right : right + inner.shape[2]] = centred
    flat = placed.reshape(len(inner), downs * rights, -1)
    products = others.centred[place].reshape(*place.shape, -1) @ flat.swapaxes(1, 2)
    best = (products / (others.lengths[place].reshape(products.shape) + 1e-3)).argmax(2)
    return np.asarray(others.windows[place, best // rights, best % rights], np.float64)


def _unexplained(terms: Float[np.ndarray, "*N t h w"], kept: Bool[np.ndarray, "*N h w"]) -> Float[np.ndarray, "*N"]:
    """Root mean square of what the other terms do not explain of the last, where it is kept."""
    kept = kept | (kept.mean((-2, -1), keepdims=True) < MIN_KEPT)
    if not kept.all():
        terms = terms * kept[..., None, :, :]
    flat = terms.reshape(*terms.shape[:-2], -1)
    products = flat @ flat.swapaxes(-2, -1)
    square, target = products[..., :-1, :-1], products[..., :-1, -1:]
    count = square.shape[-1]
    # Terms that are nearly the same, or nothing, must not corrupt the solution.
    ridge = 1e-6 * (1 + np.trace(square, axis1=-2, axis2=-1) / count)
    factors = np.linalg.solve(square + ridge[..., None, None] * np.eye(count), target)
    rest = np.concatenate([factors, -np.ones_like(factors[..., :1, :])], -2)
    squares = (rest.swapaxes(-2, -1) @ products @ rest)[..., 0, 0]
    freedom = (kept.sum((-2, -1)) - count).clip(min=1)
    return np.asarray(np.sqrt(squares.clip(min=0) / freedom))
