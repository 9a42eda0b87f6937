"""Images inside zip and tar archives, read at their place: nothing is unpacked under a name that an archive chooses."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from vssl.errors import BrokenFileError, DataError
from vssl.modalities.images import tiff, zip_names
from vssl.modalities.images.cache import cached_entry

MAX_UNPACKED_BYTES = 32 * 2**30
COMPRESSED: dict[tuple[str, ...], Callable[..., Any]] = {
    (".tar.gz", ".tgz"): gzip.open,
    (".tar.xz", ".txz"): lzma.open,
    (".tar.bz2", ".tbz2"): bz2.open,
}
SUFFIXES = (".zip", ".tar", *(suffix for suffixes in COMPRESSED for suffix in suffixes))

CONTENTS_VERSION = 2  # counts up when tables of contents hold something else for the same archive

MAX_BYTES = 256 * 2**20
"""Of a file whose pages are looked for; decoding refuses larger ones."""

Member = tuple[str, int, int]  # name, offset of the data, size of the data


class Reader(Hashable, Protocol):
    """Where the bytes of images come from; small and picklable, so that every process opens the file by itself."""

    def read(self, name: str, offset: int, size: int) -> bytes: ...


@dataclass(frozen=True)
class Tar:
    """An uncompressed tar file."""

    path: Path

    def read(self, name: str, offset: int, size: int) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                data = file.read(size)
        except OSError as error:
            raise DataError(f"The archive {self.path} cannot be read any more: {error.strerror}.") from error
        if len(data) != size:
            raise BrokenFileError(name, "the archive ends inside it")
        return data


@dataclass(frozen=True)
class Zip:
    """A zip file; the offset of a member is its place in the table of contents."""

    path: Path
    version: str

    def read(self, name: str, offset: int, size: int) -> bytes:
        try:
            archive = _open_zip(self.path, self.version, os.getpid())
        except OSError as error:
            raise DataError(f"The archive {self.path} cannot be read any more: {error.strerror}.") from error
        try:
            with archive.open(archive.infolist()[offset]) as member:
                return member.read(size)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, OSError) as error:
            raise BrokenFileError(name, f"its place in the archive is damaged: {error}") from error


@lru_cache(maxsize=4)
def _open_zip(path: Path, version: str, process: int) -> zipfile.ZipFile:
    # A forked process that shared the open file would share its position too.
    return zipfile.ZipFile(path)


def is_archive(path: Path) -> bool:
    """Whether the name says that it is an archive that can be read."""
    return path.name.lower().endswith(SUFFIXES)


def open_archive(path: Path, refresh: bool = False) -> tuple[Reader, pa.Table]:
    """The reader of an archive and its table of contents; one row a plain file.

    Its columns: `name`, `offset`, `size`, and `pages`, of TIFF files the numbers of `tiff.Page` one behind the other.
    Its schema's metadata has the `encoding` that names in a zip file were taken to be in, if it had to be guessed.

    The table, and a compressed tar's uncompressed copy, are cached by the archive's path, size and time of change, so
    that a second start reads neither. Links are followed where they point at the same bytes (hard links), else skipped.

    Raises:
        DataError: It is damaged, encrypted, or larger than `MAX_UNPACKED_BYTES` when uncompressed.
        StorageError: The cache cannot be written.
    """
    status = path.stat()
    identity = f"{path}|{status.st_size}|{status.st_mtime_ns}|{CONTENTS_VERSION}"
    version = hashlib.sha256(identity.encode()).hexdigest()[:32]
    folder = cached_entry(f"archive-{version}", partial(_build, path), refresh)
    table = pq.read_table(folder / "members.parquet")
    return _reader(path, version, folder), table


def _reader(path: Path, version: str, folder: Path) -> Reader:
    if _is_zip(path):
        return Zip(path, version)
    return Tar(path if _decompressor(path) is None else folder / "plain.tar")


def _build(path: Path, folder: Path) -> None:
    encoding = None
    try:
        if _is_zip(path):
            members, encoding = _zip_members(path)
        else:
            members = _tar_members(_uncompressed(path, folder / "plain.tar"))
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"The archive {path} is damaged or incomplete: {error}. Copy or download it again.") from error
    table = _table(path, members, _reader(path, folder.name, folder))
    pq.write_table(table.replace_schema_metadata({"encoding": encoding or ""}), folder / "members.parquet")


def _table(path: Path, members: Iterable[Member], reader: Reader) -> pa.Table:
    last = {name: (offset, size) for name, offset, size in members}  # a later member of the same name replaces it
    try:
        names = pa.array(last, pa.string())
    except UnicodeEncodeError as error:
        raise DataError(f"The archive {path} has a file name that is not UTF-8: {error.object!a}.") from error
    offsets = pa.array([offset for offset, _ in last.values()], pa.int64())
    sizes = pa.array([size for _, size in last.values()], pa.int64())
    pages = pa.array([_pages(reader, name, *place) for name, place in last.items()], pa.list_(pa.int64()))
    return pa.table({"name": names, "offset": offsets, "size": sizes, "pages": pages})


def _pages(reader: Reader, name: str, offset: int, size: int) -> list[int]:
    if not name.lower().endswith(tiff.SUFFIXES):
        return []
    try:
        data = reader.read(name, offset, size) if size <= MAX_BYTES else b""
    except BrokenFileError:  # reading it for its pixels will say so
        return []
    found = tiff.pages(lambda offset, size: data[offset : offset + size])
    return [int(value) for page in found for value in astuple(page)] if len(found) > 1 else []


def _is_zip(path: Path) -> bool:
    return path.name.lower().endswith(".zip")


def _zip_members(path: Path) -> tuple[list[Member], str | None]:
    with _reading(path), zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    if any(info.flag_bits & 1 for info in infos):
        raise DataError(f"The archive {path} is encrypted. Unpack it with its password and give the folder instead.")
    names, encoding = zip_names.names(infos)
    # Some tools divide folders by backslashes, and then end their names so too.
    plain = [
        not name.endswith("/") and not stat.S_ISLNK(info.external_attr >> 16)
        for name, info in zip(names, infos, strict=True)
    ]
    return [(names[row], row, infos[row].file_size) for row in range(len(infos)) if plain[row]], encoding


def _tar_members(path: Path) -> list[Member]:
    found: dict[str, Member] = {}
    with _reading(path), path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
        for info in archive:
            name = info.name.removeprefix("./")
            if info.isreg() and not info.issparse():
                found[name] = (name, info.offset_data, info.size)
            elif info.islnk() and (target := found.get(info.linkname.removeprefix("./"))):
                found[name] = (name, *target[1:])
            archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps every header otherwise: gigabytes for millions of files
        # To tarfile a header that it cannot read is the end; a true end is zeros, or nothing more.
        file.seek(archive.offset)
        if file.read(2 * tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError(f"no header at byte {archive.offset:,}, behind {len(found):,} files")
    return list(found.values())


def _decompressor(path: Path) -> Callable[..., Any] | None:
    name = path.name.lower()
    return next((opener for suffixes, opener in COMPRESSED.items() if name.endswith(suffixes)), None)


def _uncompressed(path: Path, copy: Path) -> Path:
    opener = _decompressor(path)
    if opener is None:
        return path
    with _reading(path):
        packed = opener(path, "rb")
    with packed, copy.open("wb") as plain:
        while block := _next_block(path, packed):
            plain.write(block)
            if plain.tell() > MAX_UNPACKED_BYTES:
                raise DataError(
                    f"The archive {path} is larger than {MAX_UNPACKED_BYTES / 2**30:g} GiB when uncompressed. "
                    "Unpack it and give the folder instead."
                )
    return copy


def _next_block(path: Path, packed: BinaryIO) -> bytes:
    with _reading(path):
        return packed.read(4 * 2**20)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # gzip reports damage so, which must not look like a full disk
        reason = error.strerror or str(error)
        raise DataError(
            f"The archive {path} cannot be read: {reason}. Get permission to read it, or copy or download it again."
        ) from error
