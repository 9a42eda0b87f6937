"""Which windows a source holds: one pass over its files, of which a few numbers per window are kept."""

import hashlib
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Int64

from vssl.errors import BrokenFileError, DataError
from vssl.modalities.sensors import tables
from vssl.modalities.sensors.column_roles import mixed_series_problem
from vssl.modalities.sensors.profiles import profile
from vssl.modalities.sensors.row_order import read_in_order
from vssl.modalities.sensors.rows import MISSING_INT, Layout, Rows, list_series, read_rows
from vssl.modalities.sensors.times import iso_text
from vssl.modalities.sensors.windowing import Windower, WindowIndex, WindowSpec

RowSelection = slice | Int64[np.ndarray, " k"] | Sequence[int]
ALL = slice(None)
LABEL_KINDS = {"u": "true and false", "i": "numbers", "f": "numbers", "U": "texts"}


@dataclass(frozen=True, eq=False)
class SeriesFile:
    """The windows of one file.

    Attributes:
        path: Where it lies.
        name: Within the source.
        windows: Where they begin and end, and their labels.
        block: Rows of a block.
        layout: How its rows are read.
        broken: Why it cannot be used; None if it can.
        words: How often each word stood for a missing number.
        order: What was done to the order of its rows; empty if nothing.
        rows: How many it has.
        known: In how many of them something is known of each channel.
    """

    path: Path
    name: str
    windows: WindowIndex
    block: int
    layout: Layout
    broken: str | None = None
    words: Mapping[str, int] = field(default_factory=dict)
    order: str = ""
    rows: int = 0
    known: tuple[int, ...] = ()

    @property
    def starts(self) -> Int64[np.ndarray, " k"]:
        """Row of the first row of each window."""
        return self.windows.starts

    @property
    def samples(self) -> int:
        """How many windows, or one for a file that cannot be used."""
        return len(self.starts) if self.broken is None else 1

    def ids(self, rows: RowSelection = ALL) -> list[str]:
        """Names of some windows: that of the file, and where they begin."""
        return [f"{self.name}@{begin}" for begin in self._shown(self.windows.begins[rows])]

    def row_of(self, identity: str) -> int | None:
        """Number of the window with this name, or None."""
        name, _, begin = identity.rpartition("@")
        if name != self.name:
            return None
        try:
            begin_at = int(np.datetime64(begin, "ns").astype(np.int64)) if self.windows.timed else int(begin)
        except ValueError:
            return None
        at = int(np.searchsorted(self.windows.begins, begin_at))
        return at if at < len(self.starts) and self.windows.begins[at] == begin_at else None

    def metadata(self, rows: RowSelection = ALL) -> pa.Table:
        """One row for each of some windows: series, start, end, block, the series' value, and the labels."""
        begins = self.windows.begins[rows]
        columns = {
            "series": pa.array([self.name] * len(begins), pa.string()),
            "start": pa.array(self._shown(begins)),
            "end": pa.array(self._shown(self.windows.ends[rows])),
            "block": pa.array([f"{self.name}#{start // self.block}" for start in self.starts[rows]], pa.string()),
        }
        by, group = self.layout.series_by, self.layout.group
        if by is not None and group is not None and by not in columns:
            columns[by] = pa.array([group] * len(begins), pa.string())
        return pa.table(columns | {column: _arrow(values[rows]) for column, values in self.windows.labels.items()})

    def _shown(self, positions: Int64[np.ndarray, " k"]) -> list[str] | list[int]:
        return [iso_text(time) for time in positions] if self.windows.timed else positions.tolist()


def _arrow(labels: np.ndarray) -> pa.Array:
    """Labels, those that are missing as null; a column without any suits that of every other file."""
    column = pa.array(labels == 2 if labels.dtype.kind == "u" else labels, mask=_missing(labels))
    return column if column.null_count < len(column) else pa.nulls(len(column))


def _missing(labels: np.ndarray) -> Bool[np.ndarray, " k"]:
    """Which labels are missing, as `Rows` says; a text may be "" on purpose."""
    none = {"u": 0, "i": MISSING_INT}.get(labels.dtype.kind)
    return np.asarray(labels != labels if none is None else labels == none)


@dataclass(frozen=True, eq=False)
class Index:
    """The windows of a source."""

    files: list[SeriesFile]
    fingerprint: str

    def __len__(self) -> int:
        return sum(file.samples for file in self.files)


def build_index(source: str | Path, layout: Layout, spec: WindowSpec) -> Index:
    """Look through all files of a source.

    Raises:
        DataError: There are no files, or a column of labels is not of one kind in all of them.
    """
    paths = tables.files_of(source)
    series = [one for path in paths for one in list_series(path, tables.name_in(source, path), layout)]
    files = [_file(tables.file_state(path), name, own, spec) for path, name, own in series]
    _check_labels(files)
    identity = repr(([(file.name, *tables.file_state(file.path)[1:]) for file in files], layout, spec))
    return Index(files, hashlib.sha256(identity.encode()).hexdigest())


def _check_labels(files: list[SeriesFile]) -> None:
    first: dict[str, tuple[str, str]] = {}
    for file in files:
        for column, values in file.windows.labels.items():
            if _missing(values).all():
                continue
            kind = LABEL_KINDS[values.dtype.kind]
            known, name = first.setdefault(column, (kind, file.name))
            if kind != known:
                raise DataError(
                    f"The column {column!r} of --labels holds {known} in {name} and {kind} in {file.name}: write it "
                    "in one way."
                )


@lru_cache(maxsize=4096)
def _file(state: tuple[str, int, int], name: str, layout: Layout, spec: WindowSpec) -> SeriesFile:
    path = Path(state[0])
    try:
        if layout.series_by is None and layout.long_format is None:
            file = profile(path, name, layout.options)
            if problem := mixed_series_problem(file, (*layout.labels, *layout.channels)):
                raise BrokenFileError(name, problem)
        return read_in_order(lambda own: _window_file(path, name, own, spec), layout)
    except BrokenFileError as error:
        return SeriesFile(path, name, Windower(name, spec).index(), spec.block, layout, error.reason)


def _window_file(path: Path, name: str, layout: Layout, spec: WindowSpec) -> SeriesFile:
    windower, words, order, count = Windower(name, spec), Counter[str](), "", 0
    known = np.zeros(len(layout.channels), np.int64)
    with closing(read_rows(path, name, layout)) as pieces:
        for rows in pieces:
            windower.add(rows)
            words.update(rows.words)
            order = order or rows.order
            count += len(rows)
            known += np.isfinite(rows.values).sum(0)
    windower.check()
    return SeriesFile(
        path, name, windower.index(), spec.block, layout, None, words, order, count, tuple(known.tolist())
    )


def read_file(file: SeriesFile) -> Generator[Rows, None, None]:
    """The rows of a file that can be used; see `rows.read_rows`."""
    return read_rows(file.path, file.name, file.layout)


def read_windows(file: SeriesFile, window: int, rows: Int64[np.ndarray, " k"]) -> Iterator[np.ndarray]:
    """The windows [C, T] of a file with these numbers, which rise, in float64; it is read once, in constant memory."""
    starts = file.starts[rows]
    if not len(starts):
        return
    kept = np.empty((0, len(file.layout.channels)))
    offset, at = 0, 0
    with closing(read_file(file)) as pieces:
        for piece in pieces:
            kept = np.concatenate([kept, piece.values])
            while at < len(starts) and starts[at] + window <= offset + len(kept):
                begin = int(starts[at]) - offset
                yield kept[begin : begin + window].T
                at += 1
            if at == len(starts):
                return
            drop = min(max(0, int(starts[at]) - offset), len(kept))
            kept, offset = kept[drop:], offset + drop
