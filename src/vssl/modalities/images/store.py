"""Pixels of a whole data set: decoded by several processes in constant memory, once, and kept on disk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from vssl.errors import BrokenFileError, DataError
from vssl.modalities.images.cache import cached_entry, find_entry
from vssl.modalities.images.decode import Canvas, decode
from vssl.modalities.images.index import Index
from vssl.modalities.unreadable import Unreadable, check_share

DECODER_VERSION = 2  # counts up when `decode` gives other pixels for the same bytes, so that old entries are not used
SECONDS_THAT_PAY = 4.0
CHUNK_BYTES = 64 * 2**20
"""Pixels of a chunk at most, but for a chunk of one image."""


@dataclass(frozen=True, eq=False)
class DecodedChunk:
    """Some decoded images: `rows` int64 [B] of the index, `pixels` uint8 [B, C, H, W], and the broken ones between."""

    rows: np.ndarray
    pixels: np.ndarray
    broken: list[Unreadable]


@dataclass(frozen=True, eq=False)
class PixelData:
    """All images of a data set that could be decoded, N of them; `pixels` uint8 [N, C, H, W] lie on disk."""

    ids: list[str]
    metadata: pa.Table
    pixels: np.ndarray
    broken: list[Unreadable]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.ids)


def stream(index: Index, canvas: Canvas, batch: int = 1024, workers: int | None = None) -> Iterator[DecodedChunk]:
    """Decode all images in the order of the index, in constant memory: at most `batch` files and `CHUNK_BYTES` a chunk.

    Args:
        workers: Processes; None takes all cores where decoding lasts longer than starting them. 0 or 1: this process.

    Raises:
        DataError: A decoding process died, or an archive is gone. Unreadable files raise nothing: they stand in the
        chunks.
    """
    processes = _processes(index) if workers is None else workers
    batch = _at_once(canvas, batch)
    rows = (np.arange(start, min(start + batch, len(index))) for start in range(0, len(index), batch))
    if processes <= 1:
        return (_decode_rows(index.select(part), part, canvas) for part in rows)
    return _in_parallel(index, canvas, rows, processes)


def _at_once(canvas: Canvas, batch: int) -> int:
    return max(1, min(batch, CHUNK_BYTES // (canvas.channels * canvas.height * canvas.width)))


def read(
    index: Index, canvas: Canvas, rows: np.ndarray, batch: int = 1024, workers: int | None = None
) -> Iterator[DecodedChunk]:
    """Some rows of the index, ascending, in constant memory: from the cache where `load` has kept them, else decoded.

    Args:
        workers: As in `stream`.

    Raises:
        DataError: As in `stream`.
    """
    entry, batch = _find(index, canvas), _at_once(canvas, batch)
    parts = (rows[start : start + batch] for start in range(0, len(rows), batch))
    if entry is not None:
        return (_read_part(entry, part) for part in parts)
    chunks = stream(index.select(rows), canvas, batch, workers)
    return (replace(chunk, rows=rows[chunk.rows]) for chunk in chunks)


def load(
    index: Index,
    canvas: Canvas,
    max_broken: float = 0.01,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> PixelData:
    """All pixels of a data set, decoded once and kept in the cache under the index' fingerprint and the canvas.

    They are decoded again when a file that could not be read then can be read now.

    Args:
        max_broken: Share of the files, 0 to 1, that may be broken. Unreadable files are left out of the result and
        listed.
        on_progress: Called with the number of files done and of all files, when something has to be decoded.

    Raises:
        TooManyBrokenError: More files are broken; the message counts them and names the first five.
        DataError: A decoding process died, or an archive is gone.
        StorageError: The cache cannot be written: no permission, or the disk is full.
    """

    def build(folder: Path) -> None:
        _write(folder, index, canvas, stream(index, canvas, workers=workers), on_progress)

    name = _name(index, canvas)
    folder = cached_entry(name, build)
    broken = _broken(folder)
    if _readable_now(index, {item.id for item in broken if item.transient}):
        folder = cached_entry(name, build, refresh=True)
        broken = _broken(folder)
    check_share(broken, len(index), max_broken)
    kept = index.select(np.load(folder / "rows.npy"))
    # Copy on write: torch warns of arrays that are read-only, and the file must not change.
    pixels = np.load(folder / "pixels.npy", mmap_mode="c")
    return PixelData(kept.ids, kept.metadata, pixels, broken, index.fingerprint)


def _name(index: Index, canvas: Canvas) -> str:
    identity = f"{index.fingerprint} {index.source} {dataclasses.astuple(canvas)} {DECODER_VERSION}"
    return f"pixels-{hashlib.sha256(identity.encode()).hexdigest()[:32]}"


@dataclass(frozen=True, eq=False)
class _Entry:
    """What the cache holds of an index: the rows that could be decoded, their pixels, and the others, by row."""

    rows: np.ndarray
    pixels: np.ndarray
    broken: Mapping[int, Unreadable]


def _find(index: Index, canvas: Canvas) -> _Entry | None:
    """None where the cache does not have the index, or could not read a file that may be readable now."""
    folder = find_entry(_name(index, canvas))
    if folder is None:
        return None
    try:
        rows, pixels = np.load(folder / "rows.npy"), np.load(folder / "pixels.npy", mmap_mode="r")
        broken = _broken(folder)
    except FileNotFoundError:  # another process has just made room
        return None
    if any(item.transient for item in broken):
        return None
    missing = np.setdiff1d(np.arange(len(index)), rows)
    return _Entry(rows, pixels, dict(zip(missing.tolist(), broken, strict=True)))


def _read_part(entry: _Entry, part: np.ndarray) -> DecodedChunk:
    kept = part[~np.isin(part, list(entry.broken))]
    broken = [entry.broken[row] for row in part.tolist() if row in entry.broken]
    return DecodedChunk(kept, entry.pixels[np.searchsorted(entry.rows, kept)], broken)


def _write(
    folder: Path,
    index: Index,
    canvas: Canvas,
    chunks: Iterator[DecodedChunk],
    on_progress: Callable[[int, int], None] | None,
) -> None:
    rows: list[np.ndarray] = []
    broken: list[Unreadable] = []
    done = 0
    with (folder / "pixels.npy").open("wb") as file:
        _write_header(file, len(index), canvas)
        for chunk in chunks:
            # Not a memory map: on a full disk a write raises an error, where a memory map kills the process.
            file.write(chunk.pixels.data)
            rows.append(chunk.rows)
            broken += chunk.broken
            done += len(chunk.rows) + len(chunk.broken)
            if on_progress:
                on_progress(done, len(index))
        file.seek(0)
        _write_header(file, len(index) - len(broken), canvas)
    np.save(folder / "rows.npy", np.concatenate(rows))
    (folder / "broken.json").write_text(json.dumps([dataclasses.asdict(item) for item in broken]))


def _broken(folder: Path) -> list[Unreadable]:
    return [Unreadable(**item) for item in json.loads((folder / "broken.json").read_text())]


def _readable_now(index: Index, names: set[str]) -> bool:
    for row, name in enumerate(index.ids) if names else ():
        with suppress(BrokenFileError):
            if name in names and index.read(row):
                return True
    return False


def _write_header(file: BinaryIO, images: int, canvas: Canvas) -> None:
    # NumPy leaves room for a growing first axis, so that the final number of images fits where the first guess was.
    shape = (images, canvas.channels, canvas.height, canvas.width)
    np.lib.format.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": "|u1"})


def _decode_rows(part: Index, rows: np.ndarray, canvas: Canvas) -> DecodedChunk:
    pixels = np.empty((len(part), canvas.channels, canvas.height, canvas.width), dtype=np.uint8)
    kept: list[int] = []
    broken: list[Unreadable] = []
    for position, name in enumerate(part.ids):
        data = None
        try:
            data = part.read(position)
            pixels[len(kept)] = decode(data, name, canvas)
            kept.append(position)
        except BrokenFileError as error:
            broken.append(Unreadable(error.name, error.reason, transient=data is None))
    return DecodedChunk(rows[kept], pixels[: len(kept)], broken)


def _processes(index: Index) -> int:
    # About 0.1 ms for each file and 20 MB/s of compressed data in one process.
    seconds = len(index) * 1e-4 + index.sizes.sum() / 20e6
    return (os.cpu_count() or 1) if seconds > SECONDS_THAT_PAY else 1


def _in_parallel(index: Index, canvas: Canvas, rows: Iterator[np.ndarray], processes: int) -> Iterator[DecodedChunk]:
    # Not forked: a fork copies the locks of torch's threads, and a worker then waits for them for ever.
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=exec, initargs=_bootstrap())
    pending: deque[Future[DecodedChunk]] = deque()
    bare = replace(index, metadata=index.metadata.select([]), ignored={}, remarks=())
    try:
        for part in rows:
            with _script_hidden():
                pending.append(pool.submit(_decode_rows, bare.select(part), part, canvas))
            if len(pending) > processes + 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise DataError(
            "A process that decodes images died: out of memory, or a crash in an image library. "
            "Fewer workers need less memory; with one worker the error shows where it is."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _script_hidden() -> Iterator[None]:
    """Workers must not import the script that runs here: without a `__main__` guard it would start all over in each."""
    script = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def _bootstrap() -> tuple[str, dict[str, Any]]:
    """Code for a worker's first moment, and its variables.

    It stands empty packages in for ours, whose `__init__` import torch: seconds and hundreds of MB that decoding does
    not need. Ctrl-C is left to the main process, which ends the workers.
    """
    parts = __name__.split(".")[:-1]
    packages = [".".join(parts[: depth + 1]) for depth in range(len(parts))]
    code = """
import signal, sys, types
signal.signal(signal.SIGINT, signal.SIG_IGN)
for name, path in paths.items():
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = path
"""
    return code, {"paths": {name: list(sys.modules[name].__path__) for name in packages}}
