"""What images there are, without opening one: folders, lists and archives as one table of names and sizes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from vssl.errors import BrokenFileError, ConfigError, DataError, EmptyDataError, TooManyBrokenError
from vssl.modalities import folders
from vssl.modalities.folders import FileState
from vssl.modalities.images import archives, decode, folder_listing, lists, masks, multipage, tiff
from vssl.modalities.images.decode import Canvas, Header
from vssl.modalities.images.names import SUFFIXES, first_names, hidden_notes, is_image

LIST_SUFFIXES = (".csv", ".parquet")
DEFAULT_SIZE = 96
SMALLEST_SIDE = 8
RANGE_SAMPLE = 50


@dataclass(frozen=True)
class FileReader:
    """Single files on disk, named by their path relative to `root`."""

    root: Path

    def read(self, name: str, offset: int, size: int) -> bytes:
        return folder_listing.read(self.root, name)


@dataclass(frozen=True, eq=False)
class Index:
    """The images of a data set: N names, their sizes and metadata, and the way to their bytes.

    Attributes:
        source: The folder, list, archive or image that was opened.
        ids: Unique names [N]: relative path, path as listed, or member name.
        sizes: Bytes [N], int64; 0 where a link points nowhere, which comes out as a broken file when it is read.
        mtimes: Time of change in ns [N], int64; for archives that of the archive.
        offsets: Place in an uncompressed tar in bytes, or in a zip file's table of contents [N], int64.
        metadata: One row per image; it may have no column.
        ignored: How many files were left aside because of their suffix, by suffix. Hidden files are not counted.
        pages: Where in a TIFF file of several pages a page's directory lies, and the offset of the next [N, 2], int64;
            0 for a file that is one image.
        remarks: What else a person must know: what was left out of the index, and how names were read.
    """

    source: Path
    ids: list[str]
    sizes: np.ndarray
    mtimes: np.ndarray
    offsets: np.ndarray
    metadata: pa.Table
    reader: archives.Reader
    ignored: Mapping[str, int]
    pages: np.ndarray
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over names, sizes and times of change; the bytes of the images are not read for it."""
        digest = hashlib.sha256("\0".join(self.ids).encode())
        digest.update(self.sizes.tobytes())
        digest.update(self.mtimes.tobytes())
        return digest.hexdigest()

    def read(self, row: int) -> bytes:
        """The bytes of one image file; of a page, a file with this page alone.

        Raises:
            BrokenFileError: It cannot be read, or is larger than `decode.MAX_BYTES`.
        """
        name, size = self.ids[row], int(self.sizes[row])
        offset, next_at = self.pages[row].tolist()
        if size > decode.MAX_BYTES:
            remedy = "; save its pages as files of their own" if offset else ""
            raise BrokenFileError(name, f"it has {size:,} bytes, more than {decode.MAX_BYTES:,}{remedy}")
        if not offset:
            return self.reader.read(name, int(self.offsets[row]), size)
        file, place, changed = name.rpartition(tiff.PAGE_MARK)[0], int(self.offsets[row]), int(self.mtimes[row])
        try:
            data = _cached_read(self.reader, file, place, size, changed)
        except BrokenFileError as error:
            raise BrokenFileError(name, error.reason) from error
        return tiff.extract_page(data, offset, next_at)

    def select(self, rows: np.ndarray | Sequence[int]) -> Index:
        """The index of some rows, in the order given; light enough to be sent to another process."""
        rows = np.asarray(rows, dtype=np.int64)
        table = self.metadata
        return replace(
            self,
            ids=[self.ids[row] for row in rows.tolist()],
            sizes=self.sizes[rows],
            mtimes=self.mtimes[rows],
            offsets=self.offsets[rows],
            pages=self.pages[rows],
            # Arrow forgets the number of rows of a table without columns.
            metadata=table.take(pa.array(rows)) if table.num_columns else _no_metadata(len(rows)),
        )


@lru_cache(maxsize=1)
def _cached_read(reader: Any, name: str, offset: int, size: int, _mtime: int) -> Any:
    # The pages of a file come one behind the other.
    return reader.read(name, offset, size)


def open_index(source: str | Path, label_from: Literal["none", "folder"] = "none", refresh: bool = False) -> Index:
    """Find the images of a folder (any depth), a CSV or Parquet list with a column `path`, an archive, or one image.

    A folder inside an archive is named behind it: images.tar.xz/train.

    No image is opened, but for the directories of TIFF files, and a few of those that are masks by their names. What
    is trusted from an earlier start: an archive's table of contents, as long as the archive's path, size and time of
    change are the same. Folders are always listed again, and each file is asked for its size and time of change (about
    5 s for 1,000,000 files on a local disk); so a file that was replaced in place changes the fingerprint, and pixels
    decoded from its old content are not used again.

    Args:
        label_from: "folder" adds the column `label`, the name of the folder that holds the image. Without it a folder's
            name is never taken for a label.
        refresh: Read the table of contents of an archive again.

    Raises:
        DataError: There is no such path, or a list or archive cannot be used; the message names row and column.
        EmptyDataError: There is no image.
        StorageError: The cache, which archives need, cannot be written.
    """
    path = Path(source).expanduser().absolute()
    archive = next((parent for parent in path.parents if parent.is_file() and archives.is_archive(parent)), None)
    if path.is_dir():
        index = _from_folder(path)
    elif archive is not None:
        index = _from_archive(archive, refresh, path.relative_to(archive).as_posix())
    elif not path.is_file():
        raise DataError(f"{path} does not exist. Give a folder of images, a list, an archive, or one image.")
    elif archives.is_archive(path):
        index = _from_archive(path, refresh)
    elif path.suffix.lower() in LIST_SUFFIXES:
        index = _from_list(path)
    elif path.suffix.lower() in SUFFIXES:
        folders.check_name(path.parent, path.name)
        index = multipage.split_pages(
            _on_disk(path, path.parent, [path.name], [folders.file_state(path.stat())], {}), _pages_on_disk
        )
    else:
        known = " ".join((*SUFFIXES, *LIST_SUFFIXES, *archives.SUFFIXES))
        raise DataError(f"{path} is neither a folder nor a file of a known kind ({known}).")
    return _labelled(index) if label_from == "folder" else index


def choose_canvas(index: Index, size: int | None = DEFAULT_SIZE, seed: int = 0, sample: int = 500) -> Canvas:
    """The canvas that fits a data set, from the headers of up to `sample` random images.

    The median height and width, scaled down (never up) until the longer side is at most `size` pixels (None: no
    limit), each at least 8; 1 channel where all are grey, else 3. Where most are wide (16-bit, int32, float), `low` and
    `high` are the 0.1 and 99.9 percentiles of the values of up to 50 of them. Unreadable files are passed over here;
    decoding counts them.

    Raises:
        ConfigError: `size` is below 8.
        TooManyBrokenError: Not one of the images looked at can be read.
    """
    if size is not None and size < SMALLEST_SIDE:
        raise ConfigError(f"The size of the images is {size} pixels; it must be at least {SMALLEST_SIDE}.")
    headers = _headers(index, np.random.default_rng(seed).permutation(len(index))[:sample])
    wide = 2 * sum(header.wide for header in headers.values()) > len(headers)
    headers = {row: header for row, header in headers.items() if header.wide == wide}
    height, width = np.median([(header.height, header.width) for header in headers.values()], axis=0)
    scale = 1.0 if size is None else min(1.0, size / max(height, width))
    sides = [max(SMALLEST_SIDE, round(side * scale)) for side in (height, width)]
    channels = max(header.channels for header in headers.values())
    low, high = _value_range(index, list(headers)[:RANGE_SAMPLE]) if wide else (0.0, 255.0)
    return Canvas(sides[0], sides[1], channels, low, high)


def _headers(index: Index, rows: np.ndarray) -> dict[int, Header]:
    headers: dict[int, Header] = {}
    problems = []
    for row in rows.tolist():
        try:
            headers[row] = decode.read_header(index.read(row), index.ids[row])
        except BrokenFileError as error:
            problems.append(str(error))
    if not headers:
        raise TooManyBrokenError(f"None of {len(rows)} images of {index.source} can be read; the first: {problems[0]}.")
    return headers


def _value_range(index: Index, rows: list[int]) -> tuple[float, float]:
    found = [np.empty(0)]
    for row in rows:
        with suppress(BrokenFileError):  # decoding will name and count it
            values = decode.wide_values(index.read(row), index.ids[row])
            found.append(values[:: max(1, len(values) // 100_000)])
    values = np.concatenate(found)
    low, high = np.percentile(values, [0.1, 99.9]).tolist() if len(values) else (0.0, 1.0)
    if low >= high:
        high = low + 1.0
    # Exactly 0..255 is how a canvas says that its data are 8-bit.
    return low, high if (low, high) != (0.0, 255.0) else 256.0


def _from_folder(root: Path) -> Index:
    found = folder_listing.list_pictures(root)
    return multipage.split_pages(
        _on_disk(root, root, found.names, found.states, found.ignored, found.remarks), _pages_on_disk
    )


def _from_archive(path: Path, refresh: bool, folder: str = "") -> Index:
    reader, table = archives.open_archive(path, refresh)
    names = table["name"].to_pylist()
    below = f"{folder}/" if folder else ""
    if folder:
        _check_below(path, folder, names)
    inside = [row for row, name in enumerate(names) if name.removeprefix("./").startswith(below)]
    shown = [row for row in inside if not folders.is_hidden(names[row])]
    ignored = Counter(folders.suffix(names[row]) for row in shown if not is_image(names[row]))
    rows = [row for row in shown if is_image(names[row])]
    order = folders.natural_order([names[row] for row in rows])
    table = table.take(pa.array([rows[i] for i in order], pa.int64()))
    sizes, offsets = table["size"].to_numpy(), table["offset"].to_numpy()
    mtimes = np.full(len(sizes), path.stat().st_mtime_ns)
    source = path / folder if folder else path
    ids = table["name"].to_pylist()
    folder_listing.check_not_empty(source, ids, ignored)
    remarks = _archive_remarks(path, table, [names[row] for row in inside])
    pages = dict(zip(ids, table["pages"].to_pylist(), strict=True))
    index = Index(
        source, ids, sizes, mtimes, offsets, _no_metadata(len(ids)), reader, dict(ignored), _no_pages(ids), remarks
    )
    return multipage.split_pages(_without_masks(index), lambda _index, row, name: tiff.pages_from_values(pages[name]))


def _check_below(path: Path, folder: str, names: list[str]) -> None:
    shown = [name.removeprefix("./") for name in names if is_image(name) and not folders.is_hidden(name)]
    if any(name.startswith(f"{folder}/") for name in shown):
        return
    tops = sorted({name.partition("/")[0] for name in shown})
    there = ", ".join(tops[:10]) + (", ..." if len(tops) > 10 else "")
    raise EmptyDataError(f"{path} holds no images below the folder {folder!r}. At its top: {there}.")


def _archive_remarks(path: Path, table: pa.Table, names: list[str]) -> tuple[str, ...]:
    hidden = [name for name in names if is_image(name) and folders.is_hidden(name) and not folders.is_system_file(name)]
    encoding = (table.schema.metadata or {}).get(b"encoding", b"").decode()
    if not encoding or encoding == "cp437":
        return tuple(hidden_notes(hidden, []))
    foreign = [name for name in names if not name.isascii()]
    word = (
        f"Names in {path.name} do not say their encoding and were read as {encoding.upper()}: {first_names(foreign)}."
    )
    return (word, *hidden_notes(hidden, []))


def _without_masks(index: Index) -> Index:
    rows, notes = masks.find_masks(index.ids, index.read)
    kept = [row for row in range(len(index)) if row not in rows]
    return replace(index.select(kept) if rows else index, remarks=(*index.remarks, *notes))


def _from_list(path: Path) -> Index:
    table, remarks = lists.read_list(path)
    names = table["path"].to_pylist()
    metadata = table.drop_columns("path") if table.num_columns > 1 else _no_metadata(len(names))
    index = _on_disk(path, path.parent, names, lists.file_states(path, names), {}, remarks)
    return multipage.split_pages(replace(index, metadata=metadata), _pages_on_disk)


def _pages_on_disk(index: Index, row: int, name: str) -> Sequence[tiff.Page]:
    assert isinstance(index.reader, FileReader)
    return tiff.pages_of_file(index.reader.root / name, int(index.sizes[row]), int(index.mtimes[row]))


def _on_disk(
    source: Path,
    root: Path,
    names: list[str],
    states: Sequence[FileState],
    ignored: Mapping[str, int],
    remarks: Sequence[str] = (),
) -> Index:
    sizes, mtimes = np.array(states, dtype=np.int64).reshape(-1, 2).T.copy()
    folder_listing.check_not_empty(source, names, ignored)
    reader, offsets, metadata = FileReader(root), np.zeros_like(sizes), _no_metadata(len(names))
    return Index(
        source, names, sizes, mtimes, offsets, metadata, reader, dict(ignored), _no_pages(names), tuple(remarks)
    )


def _no_pages(ids: Sequence[str]) -> np.ndarray:
    return np.zeros((len(ids), 2), dtype=np.int64)


def _no_metadata(rows: int) -> pa.Table:
    return pa.table({"none": pa.nulls(rows)}).select([])


def _labelled(index: Index) -> Index:
    if "label" in index.metadata.column_names:
        raise DataError(f"{index.source} has a column 'label' already, so the folders cannot give the labels too.")
    top = index.source.parent.name if index.source.is_file() else index.source.name
    if archives.is_archive(index.source):
        top = index.source.name.split(".")[0]
    parents = [name.rpartition("/")[0].rpartition("/")[2] for name in index.ids]
    labels = [top if parent in ("", ".") else parent for parent in parents]
    return replace(index, metadata=index.metadata.append_column("label", pa.array(labels, pa.string())))
