"""Which windows a source holds: one pass over its files, of which only times, labels and counts are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from vssl.errors import BrokenFileError, DataError
from vssl.modalities.sensors import tables
from vssl.modalities.sensors.rows import Layout, read
from vssl.modalities.sensors.times import stretches, text


@dataclass(frozen=True)
class Cut:
    """How rows become windows: lengths in rows, and the usual step in nanoseconds or None."""

    window: int
    stride: int
    block: int
    step_ns: float | None


@dataclass(frozen=True, eq=False)
class File:
    """The windows of one file.

    Attributes:
        path: Where it lies.
        name: Within the source.
        starts: Row of the first row of each window.
        metadata: One row a window: series, start, end, block, and the labels.
        broken: Why it cannot be read; None if it can.
    """

    path: Path
    name: str
    starts: Int64[np.ndarray, " k"]
    metadata: pa.Table
    broken: str | None = None

    @property
    def samples(self) -> int:
        """Windows, or one for a file that cannot be read."""
        return len(self.starts) if self.broken is None else 1

    @property
    def ids(self) -> list[str]:
        return [f"{self.name}@{start}" for start in self.metadata["start"].to_pylist()]

    def ids_of(self, rows: Sequence[int]) -> list[str]:
        return [f"{self.name}@{start}" for start in self.metadata["start"].take(pa.array(rows, pa.int64())).to_pylist()]


@dataclass(frozen=True, eq=False)
class Index:
    """The windows of a source."""

    files: list[File]
    fingerprint: str

    def __len__(self) -> int:
        return sum(file.samples for file in self.files)


def index(source: str | Path, layout: Layout, cut: Cut) -> Index:
    """Look through all files of a source.

    Raises:
        DataError: There are no files, or no file has a window.
    """
    paths = tables.files_of(source)
    files = [_file(tables.state(path), tables.name_in(source, path), layout, cut) for path in paths]
    if not sum(file.samples for file in files):
        raise DataError(
            f"{source} holds no window of {cut.window} rows without a gap: give a shorter --window, or close gaps with "
            "--resample."
        )
    identity = repr(([(file.name, *tables.state(file.path)[1:]) for file in files], layout, cut))
    return Index(files, hashlib.sha256(identity.encode()).hexdigest())


@lru_cache(maxsize=4096)
def _file(state: tuple[str, int, int], name: str, layout: Layout, cut: Cut) -> File:
    path = Path(state[0])
    try:
        times: list[np.ndarray] = []
        labels: dict[str, list[np.ndarray]] = {}
        count = 0
        for rows in read(path, name, layout):
            count += len(rows)
            times += [] if rows.times is None else [rows.times]
            for column, values in rows.labels.items():
                labels.setdefault(column, []).append(values)
        return _windows(path, name, count, times, {key: np.concatenate(parts) for key, parts in labels.items()}, cut)
    except BrokenFileError as error:
        return File(path, name, np.empty(0, np.int64), _metadata(name, [], [], [], {}), error.reason)


def _windows(
    path: Path, name: str, count: int, parts: list[np.ndarray], labels: dict[str, np.ndarray], cut: Cut
) -> File:
    times = np.concatenate(parts) if parts else None
    whole = np.arange(count) if times is None else times
    starts = np.concatenate(
        [np.empty(0, np.int64)]
        + [
            np.arange(stretch.first, stretch.stop - cut.window + 1, cut.stride)
            for stretch in stretches(whole, cut.step_ns, name)
        ]
    )
    if times is None:
        begins, ends = starts.tolist(), (starts + cut.window).tolist()
    else:
        step = int(cut.step_ns or 0)
        begins = [text(time) for time in times[starts]]
        ends = [text(time + step) for time in times[starts + cut.window - 1]]
    of_windows = {column: _largest(values, starts, cut.window) for column, values in labels.items()}
    return File(path, name, starts, _metadata(name, begins, ends, starts // cut.block, of_windows))


def _largest(values: np.ndarray, starts: np.ndarray, window: int) -> np.ndarray:
    if not len(starts):
        return values[:0]
    order, codes = np.unique(values, return_inverse=True)
    views = np.lib.stride_tricks.sliding_window_view(codes, window)
    return order[np.array([views[start].max() for start in starts])]


def _metadata(name: str, begins: list, ends: list, blocks: Int64[np.ndarray, " k"] | list, labels: dict) -> pa.Table:
    columns = {
        "series": pa.array([name] * len(begins), pa.string()),
        "start": pa.array(begins),
        "end": pa.array(ends),
        "block": pa.array([f"{name}#{block}" for block in blocks], pa.string()),
    }
    return pa.table(columns | {column: pa.array(values) for column, values in labels.items()})


def windows(file: File, layout: Layout, window: int, rows: Int64[np.ndarray, " k"]) -> Iterator[np.ndarray]:
    """The windows [C, T] of a file with these numbers, which rise, in float32; it is read once, in constant memory."""
    starts = file.starts[rows]
    if not len(starts):
        return
    kept = np.empty((0, len(layout.channels)), np.float32)
    offset, at = 0, 0
    for piece in read(file.path, file.name, layout):
        kept = np.concatenate([kept, piece.values])
        while at < len(starts) and starts[at] + window <= offset + len(kept):
            begin = int(starts[at]) - offset
            yield kept[begin : begin + window].T
            at += 1
        if at == len(starts):
            return
        drop = min(max(0, int(starts[at]) - offset), len(kept))
        kept, offset = kept[drop:], offset + drop
