"""Rows of all files, thinned out evenly while they are read: enough to measure channels on, in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median_low

import numpy as np
from jaxtyping import Float64, Int64

from vssl.errors import BrokenFileError, EmptyDataError
from vssl.modalities.sensors.robust_scale import counter_steps
from vssl.modalities.sensors.row_order import read_in_order
from vssl.modalities.sensors.rows import Layout, Rows, list_series, read_rows
from vssl.modalities.sensors.times import STEP_ROWS, check_rising

SAMPLED_ROWS = 200_000
"""Enough for the quarters of every channel."""

Values = Float64[np.ndarray, "n C"]


@dataclass(frozen=True, eq=False)
class RowSample:
    """Some of the rows of all files.

    Attributes:
        parts: Of each file that can be read, in their order; NaN where nothing is known.
        every: How many rows stand for one of them.
        rows: How many rows there are in all.
        missing: In how many of these nothing is known of each channel.
        low, high: Smallest and largest value of each channel in all rows; NaN where there is none.
        step_s: The usual time from one row to the next; None without times.
    """

    parts: list[Values]
    every: int
    rows: int
    missing: Int64[np.ndarray, " C"]
    low: Float64[np.ndarray, " C"]
    high: Float64[np.ndarray, " C"]
    step_s: float | None


class _Totals:
    """What is counted in all rows, those too that are thinned out."""

    def __init__(self, channels: int) -> None:
        self.rows, self.missing = 0, np.zeros(channels, np.int64)
        self.low, self.high = np.full((2, channels), np.nan)

    def add(self, values: Values) -> None:
        self.rows += len(values)
        self.missing += np.isnan(values).sum(0)
        self._widen(np.fmin.reduce(values, initial=np.nan), np.fmax.reduce(values, initial=np.nan))

    def join(self, other: _Totals) -> None:
        """Count what was counted in a file too: only one that can be read to its end."""
        self.rows += other.rows
        self.missing += other.missing
        self._widen(other.low, other.high)

    def _widen(self, low: Float64[np.ndarray, " C"], high: Float64[np.ndarray, " C"]) -> None:
        self.low, self.high = np.fmin(self.low, low), np.fmax(self.high, high)


def sample_rows(named: list[tuple[Path, str]], layout: Layout, added: bool = False) -> RowSample:
    """Rows of all files that can be read; or, of each row, what it adds to the one before it.

    Raises:
        EmptyDataError: No file can be read.
    """
    seen = _Totals(len(layout.channels))
    parts: list[Values] = []
    found: list[float] = []
    every, broken = 1, None
    for file, name, own in [one for at, called in named for one in list_series(at, called, layout)]:
        try:
            thinned, step_s, coarser, counted = read_in_order(partial(_thin_file, file, name, every, added), own)
        except BrokenFileError as error:
            # All of them are named, with the reasons, when the data are loaded.
            broken = broken or error
            continue
        seen.join(counted)
        parts, every = [_thin(part, 0, coarser // every) for part in parts] + [thinned], coarser
        found += [] if step_s is None else [step_s]
        while sum(map(len, parts)) > 2 * SAMPLED_ROWS:
            parts, every = [_thin(part, 0, 2) for part in parts], 2 * every
    if not sum(map(len, parts)):
        raise EmptyDataError(f"None of {len(named)} files can be used; the first: {broken}") from broken
    # Not the mean of the steps, which no file may have.
    step = median_low(found) if found else None
    return RowSample(parts, every, seen.rows, seen.missing, seen.low, seen.high, step)


def _thin_file(
    file: Path, name: str, every: int, added: bool, layout: Layout
) -> tuple[Values, float | None, int, _Totals]:
    """Evenly thinned rows of a file, its usual step, how many rows became one, and what was counted in all rows.

    A long file is thinned more.
    """
    values, times, rows = [np.empty((0, len(layout.channels)))], [], 0
    own = _Totals(len(layout.channels))
    for piece in _counter_steps(read_rows(file, name, layout)) if added else read_rows(file, name, layout):
        # An infinite value would be the scale of its channel.
        finite = np.where(np.isfinite(piece.values), piece.values, np.nan)
        own.add(finite)
        begun = rows % every
        if begun:
            values[-1], carried = values[-1][:-1], values[-1][-1:]
            values.append(_thin(np.concatenate([carried, finite]), begun - 1, every))
        else:
            values.append(_thin(finite, 0, every))
        if piece.times is not None and rows < STEP_ROWS:
            times.append(piece.times)
        rows += len(piece)
        if sum(map(len, values)) > 2 * SAMPLED_ROWS:
            values, every = [_thin(np.concatenate(values), 0, 2)], 2 * every
    step_s = _step_s(np.concatenate(times), name) if times else None
    return np.concatenate(values), step_s, every, own


def _step_s(times: Int64[np.ndarray, " n"], name: str) -> float | None:
    # Of times that stand still no step is known, and of others a wrong one.
    check_rising(times, name)
    return float(np.median(np.diff(times))) / 1e9 if len(times) > 1 else None


def _counter_steps(pieces: Iterator[Rows]) -> Iterator[Rows]:
    """What each row adds to the one before it; see `robust_scale.counter_steps`."""
    begun, values, places = 0, np.empty((0, 0)), np.empty((0, 0))
    for piece in pieces:
        rows = np.arange(begun, begun + len(piece))[:, None] + 0 * piece.values
        if not begun:
            values, places = np.full((2, 1, rows.shape[1]), np.nan)
        added, held, since = counter_steps(np.concatenate([values, piece.values]), np.concatenate([places, rows]))
        values, places, begun = held[-1:], since[-1:], begun + len(piece)
        yield Rows(piece.times, added[1:], piece.labels)


def _thin(values: Values, before: int, every: int) -> Values:
    """The first known value of each channel in each stretch of so many rows; `before` of the first one went before."""
    if every == 1:
        return values
    stretches, channels = -(-(before + len(values)) // every), values.shape[1]
    padded = np.full((stretches * every, channels), np.nan)
    padded[before : before + len(values)] = values
    by_stretch = padded.reshape(stretches, every, channels)
    first = np.isfinite(by_stretch).argmax(1, keepdims=True)
    return np.take_along_axis(by_stretch, first, 1)[:, 0]
