"""Rows of a series: times, channels and labels, piece by piece, whichever way the file writes them."""

from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

from vssl.errors import BrokenFileError
from vssl.modalities.sensors import tables
from vssl.modalities.sensors.calendar_time import Times
from vssl.modalities.sensors.dialect import ReadOptions
from vssl.modalities.sensors.profiles import DEFAULT_OPTIONS, Profile, label_type, profile
from vssl.modalities.sensors.row_order import MAX_SORTED_ROWS, sort_rows
from vssl.modalities.sensors.sentinels import mask_sentinels
from vssl.modalities.sensors.times import check_rising
from vssl.modalities.sensors.values import read_pieces

NUMBER = pa.float64()
MISSING_INT = np.iinfo(np.int64).min
"""A label that is missing where the others are whole numbers: less than each of them."""
CHANNEL_LABEL = "\0sensor"
"""The label that holds the channel's name in files with one value per row."""
DATED_NS = 631_152_000_000_000_000
"""Times from 1990 on have a date; less is counted from a start, or within a day."""


@dataclass(frozen=True)
class Layout:
    """How a file is read.

    Attributes:
        channels: Columns that are channels; of files with one value per row, the channels' names.
        time: Column with the times; None where rows are counted.
        labels: Columns about the samples.
        long_format: Columns with the channel's name and the value, or None.
        resample_s: Length of the bins, or None.
        series_by: Column whose values tell the series of a file apart, or None.
        options: How files are written.
        sort: Whether the rows are put in the order of their times.
        group: Of a file with several series, the one that is read.
        sentinels: Of each channel the values that say that there is none; of no channel any where this is empty.
        units: Of each channel the unit behind its numbers in the training files; of no channel any where this is empty.
    """

    channels: tuple[str, ...]
    time: str | None
    labels: tuple[str, ...] = ()
    long_format: tuple[str, str] | None = None
    resample_s: float | None = None
    series_by: str | None = None
    options: ReadOptions = DEFAULT_OPTIONS
    sort: bool = False
    group: str | None = None
    sentinels: tuple[tuple[float, ...], ...] = ()
    units: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Rows:
    """Some consecutive rows: times in nanoseconds or None, values with NaN where none is known, labels by column.

    Labels are float64, int64, text, or uint8 (1 for false, 2 for true). A missing one is NaN, `MISSING_INT`, "" or 0.
    Besides, how often each word stood for a missing number, and what was done to the order of the rows.
    """

    times: Times | None
    values: Float64[np.ndarray, "n C"]
    labels: dict[str, np.ndarray]
    words: Mapping[str, int] = field(default_factory=dict)
    order: str = ""

    def __len__(self) -> int:
        return len(self.values)


def read_rows(file: Path, name: str, layout: Layout) -> Generator[Rows, None, None]:
    """The rows of a file, or of one series in it, in order.

    Raises:
        UnsortedError: A time is earlier than the one before it, and `layout.sort` is not set.
        BrokenFileError: It cannot be read; the reason names the row.
    """
    if layout.series_by is not None:
        of_file = name.removesuffix(f"/{layout.group}")
        found = _split_series(tables.file_state(file), of_file, replace(layout, sort=False, group=None))
        if layout.group not in found:
            raise BrokenFileError(name, f"it has no series {layout.group!r}")
        yield _sort_and_resample(found[layout.group], name, layout)
        return
    known = _check_columns(file, name, layout)
    if layout.long_format is not None or layout.sort or layout.resample_s is not None:
        yield _sort_and_resample(_read_all(file, name, layout, known), name, layout)
    else:
        yield from _check_order(_read_wide(file, name, layout, known), name)


def list_series(file: Path, name: str, layout: Layout) -> list[tuple[Path, str, Layout]]:
    """The series in a file, each with its name and how it is read; one that cannot be read is one series."""
    if layout.series_by is None:
        return [(file, name, layout)]
    try:
        values = list(_split_series(tables.file_state(file), name, replace(layout, sort=False, group=None)))
    except BrokenFileError:
        # The reason is given when it is read.
        return [(file, name, layout)]
    return [(file, f"{name}/{value}", replace(layout, group=value)) for value in values]


# A file is asked for each of its series, one after the other.
@lru_cache(maxsize=1)
def _split_series(state: tuple[str, int, int], name: str, layout: Layout) -> dict[str, Rows]:
    assert layout.series_by is not None
    by, file = layout.series_by, Path(state[0])
    known = _check_columns(file, name, layout)
    if by not in known.schema.names:
        raise BrokenFileError(name, f"it has no column {by!r} for --series-by")
    whole = _read_all(file, name, replace(layout, labels=(*layout.labels, by)), known)
    values = whole.labels.pop(by) if by not in layout.labels else whole.labels[by]
    texts = np.array([str(value) for value in values.tolist()], object)
    missing = np.flatnonzero((values == MISSING_INT) if values.dtype.kind == "i" else (texts == "") | (texts == "nan"))
    if len(missing):
        raise BrokenFileError(name, f"row {missing[0] + 1} has no value in {by!r}, the column of --series-by")
    return {value: _take(whole, np.flatnonzero(texts == value)) for value in dict.fromkeys(texts.tolist())}


def _check_columns(file: Path, name: str, layout: Layout) -> Profile:
    """What a file is, if it has the times and the channels."""
    known = profile(file, name, layout.options)
    names = known.schema.names
    if layout.time is not None and layout.time not in names:
        raise BrokenFileError(name, f"it has no column {layout.time!r} with the times")
    missing = [] if layout.long_format is not None else [column for column in layout.channels if column not in names]
    if missing:
        raise BrokenFileError(name, f"it has no channel {missing[0]!r}")
    for channel, unit in zip(layout.channels, layout.units, strict=False):
        if unit and (own := known.column(channel).unit) and own != unit:
            raise BrokenFileError(
                name, f"the numbers of {channel!r} are in {own}, and in the training files in {unit}: convert them"
            )
    return known


def _check_order(found: Generator[Rows, None, None], name: str) -> Iterator[Rows]:
    row, before = 0, None
    with closing(found):
        for rows in found:
            if rows.times is not None and len(rows):
                check_rising(rows.times, name, row, before, may_repeat=True)
                before = int(rows.times[-1])
            row += len(rows)
            yield rows


def _sort_and_resample(rows: Rows, name: str, layout: Layout) -> Rows:
    """Rows in the order of their times, if that was asked for, and their means."""
    if layout.long_format is not None:
        return _resample(_pivot(rows, layout, name), layout, name)
    times = rows.times
    if times is not None and len(rows):
        if layout.sort:
            order, done = sort_rows(times, name, int(times.min()) >= DATED_NS)
            rows = replace(_take(rows, order), order=done) if done else rows
        else:
            check_rising(times, name, may_repeat=True)
    return _resample(rows, layout, name)


def _take(rows: Rows, places: np.ndarray) -> Rows:
    labels = {column: values[places] for column, values in rows.labels.items()}
    times = None if rows.times is None else rows.times[places]
    return replace(rows, times=times, values=rows.values[places], labels=labels)


def _read_all(file: Path, name: str, layout: Layout, known: Profile) -> Rows:
    """All rows of a file, if they are not too many to be sorted."""
    if layout.long_format is not None:
        return _read_long(file, name, layout, known)
    found, count = [], 0
    with closing(_read_wide(file, name, layout, known)) as rows:
        for piece in rows:
            found.append(piece)
            count += len(piece)
            if layout.sort and count > MAX_SORTED_ROWS:
                most = f"too many to sort here ({MAX_SORTED_ROWS:,})"
                raise BrokenFileError(name, f"its rows are not in the order of time, and {most}: sort it")
    return concat_rows(found, len(layout.channels))


def concat_rows(pieces: list[Rows], channels: int) -> Rows:
    """Consecutive pieces as one."""
    if not pieces:
        return Rows(None, np.empty((0, channels)), {})
    times = None if pieces[0].times is None else np.concatenate([piece.times for piece in pieces])
    labels = {name: np.concatenate([piece.labels[name] for piece in pieces]) for name in pieces[0].labels}
    words = sum((Counter(piece.words) for piece in pieces), Counter[str]())
    return Rows(times, np.concatenate([piece.values for piece in pieces]), labels, words)


def _read_wide(file: Path, name: str, layout: Layout, known: Profile) -> Generator[Rows, None, None]:
    """The rows as they stand."""
    here = _labels_here(file, name, layout, known)
    kinds = {column: known.column(column).type for column in layout.channels}
    # True and false are no numbers in a CSV file, and are made 1 and 0 afterwards.
    types = {column: kind if pa.types.is_boolean(kind) else NUMBER for column, kind in kinds.items()} | here
    with closing(read_pieces(file, name, types, layout.time, layout.options)) as found:
        for piece in found:
            columns = [piece.table[column].cast(NUMBER).to_numpy() for column in kinds]
            values = np.stack(columns, axis=1) if columns else np.empty((len(piece), 0))
            labels = {column: _label(piece.table[column]) for column in here}
            yield Rows(piece.times, mask_sentinels(values, layout.sentinels), labels, piece.words)


def _labels_here(file: Path, name: str, layout: Layout, known: Profile) -> dict[str, pa.DataType]:
    """The labels that a file has, and as what each is read: whole numbers as those that `_label` can hold."""
    here = [column for column in layout.labels if column in known.schema.names]
    types = {column: label_type(file, name, known.column(column), layout.options) for column in here}
    return {column: pa.int64() if pa.types.is_integer(kind) else kind for column, kind in types.items()}


def _label(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_boolean(column.type):
        return np.asarray((column.cast(pa.int8()).fill_null(-1).to_numpy() + 1).astype(np.uint8))
    if pa.types.is_integer(column.type):
        return np.asarray(column.fill_null(MISSING_INT).to_numpy())
    if pa.types.is_floating(column.type) or pa.types.is_null(column.type):
        return np.asarray(column.cast(NUMBER).fill_null(np.nan).to_numpy())
    return np.array([value or "" for value in column.cast(pa.string()).to_pylist()])


def _read_long(file: Path, name: str, layout: Layout, known: Profile) -> Rows:
    """All rows of a file with one value per row: the values, with the channel as a label `CHANNEL_LABEL`."""
    assert layout.long_format is not None
    sensor, value = layout.long_format
    if layout.time is None:
        raise BrokenFileError(name, "files with one value per row need times: name their column with --time-column")
    here = _labels_here(file, name, layout, known)
    types, found = {sensor: pa.string(), value: NUMBER} | here, []
    with closing(read_pieces(file, name, types, layout.time, layout.options)) as parts:
        for piece in parts:
            labels = {column: _label(piece.table[column]) for column in here}
            labels[CHANNEL_LABEL] = np.array(piece.table[sensor].to_pylist(), object)
            found.append(Rows(piece.times, piece.table[value].to_numpy()[:, None], labels, piece.words))
    return concat_rows(found, 1)


def _pivot(rows: Rows, layout: Layout, name: str) -> Rows:
    """One row a time from one row a value."""
    if rows.times is None:
        return Rows(None, np.empty((0, len(layout.channels))), {})
    times, row = np.unique(rows.times, return_inverse=True)
    place = {channel: at for at, channel in enumerate(layout.channels)}
    column = np.array([place.get(channel, -1) for channel in rows.labels[CHANNEL_LABEL].tolist()], int)
    cells = row * (len(place) + 1) + column
    twice = np.flatnonzero(np.bincount(cells[column >= 0], minlength=1) > 1)
    if len(twice):
        first = int(np.flatnonzero(cells == twice[0])[1]) + 1
        channel = layout.channels[twice[0] % (len(place) + 1)]
        raise BrokenFileError(name, f"row {first} gives {channel!r} twice at one time")
    values = np.full((len(times), len(place)), np.nan)
    values[row[column >= 0], column[column >= 0]] = rows.values[column >= 0, 0]
    order = np.argsort(row, kind="stable")
    starts = np.searchsorted(row[order], np.arange(len(times)))
    others = {one: held for one, held in rows.labels.items() if one != CHANNEL_LABEL}
    labels = {one: segment_max(held[order], starts, len(row)) for one, held in others.items()}
    return Rows(times, mask_sentinels(values, layout.sentinels), labels, rows.words)


def _resample(rows: Rows, layout: Layout, name: str) -> Rows:
    """The mean of each bin that has rows; of labels the largest."""
    if layout.resample_s is None or not len(rows):
        return rows
    if rows.times is None:
        raise BrokenFileError(name, "resampling needs times: name their column with --time-column")
    check_rising(rows.times, name)
    width = int(layout.resample_s * 1e9)
    bins, first, row = np.unique(rows.times // width, return_index=True, return_inverse=True)
    there = np.isfinite(rows.values)
    sums, counts = (np.zeros((len(bins), rows.values.shape[1])) for _ in range(2))
    np.add.at(sums, row, np.where(there, rows.values, 0))
    np.add.at(counts, row, there)
    values = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    labels = {column: segment_max(found, first, len(rows)) for column, found in rows.labels.items()}
    return Rows(bins * width, values, labels, rows.words, rows.order)


def segment_max(column: np.ndarray, first: np.ndarray, stop: int) -> np.ndarray:
    """The largest value of each stretch of rows that begins at `first`; of texts the last in their order."""
    values, codes = factorise(column[:stop])
    return values[np.maximum.reduceat(codes, first)]


def factorise(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different values in their order, one that is missing as the least, and the place of each in it."""
    values, codes = np.unique(column, return_inverse=True)
    if values.dtype.kind == "f" and len(values) and np.isnan(values[-1]):
        return np.roll(values, 1), (codes + 1) % len(values)
    return values, codes
