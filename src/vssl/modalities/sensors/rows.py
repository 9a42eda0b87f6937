"""Rows of a series: times, channels and labels, piece by piece, whichever way the file writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

from vssl.errors import BrokenFileError
from vssl.modalities.sensors import tables
from vssl.modalities.sensors.sentinels import known
from vssl.modalities.sensors.times import Times, check_rising, nanoseconds

NUMBER = pa.float64()
NONE = np.iinfo(np.int64).min
"""A label that is missing where the others are whole numbers: less than each of them."""


@dataclass(frozen=True)
class Layout:
    """How a file is read.

    Attributes:
        channels: Columns that are channels; of files with one value a row, the channels' names.
        time: Column with the times; None where rows are counted.
        labels: Columns about the samples.
        long: Columns with the channel's name and the value, or None.
        resample_s: Length of the bins, or None.
        sentinels: Of each channel the values that say that there is none; of no channel any where this is empty.
    """

    channels: tuple[str, ...]
    time: str | None
    labels: tuple[str, ...] = ()
    long: tuple[str, str] | None = None
    resample_s: float | None = None
    sentinels: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, eq=False)
class Rows:
    """Some consecutive rows: times in nanoseconds or None, values with NaN where none is known, labels by column.

    Labels are float64, int64, text, or uint8: 1 for false, 2 for true. One that is missing is NaN, `NONE`, "" or 0.
    """

    times: Times | None
    values: Float64[np.ndarray, "n C"]
    labels: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.values)


def read(file: Path, name: str, layout: Layout) -> Iterator[Rows]:
    """The rows of a file, in order.

    Raises:
        BrokenFileError: It cannot be read; the reason names the row.
    """
    schema = tables.schema_of(file, name)
    if layout.time is not None and layout.time not in schema.names:
        raise BrokenFileError(name, f"it has no column {layout.time!r} with the times")
    if layout.long is not None:
        yield _binned(_pivoted(file, name, layout, schema), layout, name)
        return
    missing = [column for column in layout.channels if column not in schema.names]
    if missing:
        raise BrokenFileError(name, f"it has no channel {missing[0]!r}")
    pieces = _wide(file, name, layout, schema)
    if layout.resample_s is None:
        yield from pieces
    else:
        yield _binned(joined(list(pieces), len(layout.channels)), layout, name)


def joined(pieces: list[Rows], channels: int) -> Rows:
    """Consecutive pieces as one."""
    if not pieces:
        return Rows(None, np.empty((0, channels)), {})
    times = None if pieces[0].times is None else np.concatenate([piece.times for piece in pieces])
    labels = {name: np.concatenate([piece.labels[name] for piece in pieces]) for name in pieces[0].labels}
    return Rows(times, np.concatenate([piece.values for piece in pieces]), labels)


def _wide(file: Path, name: str, layout: Layout, schema: pa.Schema) -> Iterator[Rows]:
    here = _labels_here(layout, schema)
    types = {column: _number(schema.field(column).type) for column in layout.channels} | here
    if layout.time is not None:
        types[layout.time] = schema.field(layout.time).type
    for batch in tables.pieces(file, name, types):
        table = pa.Table.from_batches([batch])
        times = None if layout.time is None else nanoseconds(table[layout.time], name)
        columns = [table[column].cast(NUMBER).to_numpy() for column in layout.channels]
        values = np.stack(columns, axis=1) if columns else np.empty((len(table), 0))
        yield Rows(times, known(values, layout.sentinels), {column: _label(table[column]) for column in here})


def _labels_here(layout: Layout, schema: pa.Schema) -> dict[str, pa.DataType]:
    """The labels that a file has, and as what each is read: whole numbers as those that `_label` can hold."""
    types = {column: schema.field(column).type for column in layout.labels if column in schema.names}
    return {column: pa.int64() if pa.types.is_integer(kind) else kind for column, kind in types.items()}


def _number(kind: pa.DataType) -> pa.DataType:
    """As what a channel is read: true and false are no numbers in a CSV file, and are made 1 and 0 afterwards."""
    return kind if pa.types.is_boolean(kind) else NUMBER


def _label(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_boolean(column.type):
        return (column.cast(pa.int8()).fill_null(-1).to_numpy() + 1).astype(np.uint8)
    if pa.types.is_integer(column.type):
        return column.fill_null(NONE).to_numpy()
    if pa.types.is_floating(column.type) or pa.types.is_null(column.type):
        return column.cast(NUMBER).fill_null(np.nan).to_numpy()
    return np.array([value or "" for value in column.cast(pa.string()).to_pylist()])


def _pivoted(file: Path, name: str, layout: Layout, schema: pa.Schema) -> Rows:
    """One row a time from a file with one row a value; it is read whole."""
    assert layout.long is not None
    sensor, value = layout.long
    if layout.time is None:
        raise BrokenFileError(name, "files with one value a row need times: name their column with --time")
    here = _labels_here(layout, schema)
    types = {sensor: pa.string(), value: NUMBER, layout.time: schema.field(layout.time).type} | here
    table = pa.Table.from_batches(list(tables.pieces(file, name, types)), pa.schema(list(types.items())))
    given = nanoseconds(table[layout.time], name)
    times, row = np.unique(given, return_inverse=True)
    place = {channel: at for at, channel in enumerate(layout.channels)}
    column = np.array([place.get(channel, -1) for channel in table[sensor].to_pylist()], int)
    cells = row * (len(place) + 1) + column
    twice = np.flatnonzero(np.bincount(cells[column >= 0], minlength=1) > 1)
    if len(twice):
        first = int(np.flatnonzero(cells == twice[0])[1]) + 1
        raise BrokenFileError(
            name, f"row {first} gives {layout.channels[twice[0] % (len(place) + 1)]!r} twice at one time"
        )
    values = np.full((len(times), len(place)), np.nan)
    values[row[column >= 0], column[column >= 0]] = table[value].to_numpy()[column >= 0]
    order = np.argsort(row, kind="stable")
    starts = np.searchsorted(row[order], np.arange(len(times)))
    values = known(values, layout.sentinels)
    return Rows(times, values, {column: largest(_label(table[column])[order], starts, len(row)) for column in here})


def _binned(rows: Rows, layout: Layout, name: str) -> Rows:
    """The mean of each bin that has rows; of labels the largest."""
    if layout.resample_s is None or not len(rows):
        return rows
    if rows.times is None:
        raise BrokenFileError(name, "resampling needs times: name their column with --time")
    check_rising(rows.times, name)
    width = int(layout.resample_s * 1e9)
    bins, first, row = np.unique(rows.times // width, return_index=True, return_inverse=True)
    there = np.isfinite(rows.values)
    sums, counts = (np.zeros((len(bins), rows.values.shape[1])) for _ in range(2))
    np.add.at(sums, row, np.where(there, rows.values, 0))
    np.add.at(counts, row, there)
    values = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    labels = {column: largest(found, first, len(rows)) for column, found in rows.labels.items()}
    return Rows(bins * width, values, labels)


def largest(column: np.ndarray, first: np.ndarray, stop: int) -> np.ndarray:
    """The largest value of each stretch of rows that begins at `first`; of texts the last in their order."""
    values, codes = ranked(column[:stop])
    return values[np.maximum.reduceat(codes, first)]


def ranked(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different values in their order, one that is missing as the least, and the place of each in it."""
    values, codes = np.unique(column, return_inverse=True)
    if values.dtype.kind == "f" and len(values) and np.isnan(values[-1]):
        return np.roll(values, 1), (codes + 1) % len(values)
    return values, codes
