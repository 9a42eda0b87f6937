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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from vssl.errors import BrokenFileError, DataError
from vssl.modalities.images.cache import entry

MAX_UNPACKED_BYTES = 32 * 2**30
COMPRESSED: dict[tuple[str, ...], Callable[..., Any]] = {
    (".tar.gz", ".tgz"): gzip.open,
    (".tar.xz", ".txz"): lzma.open,
    (".tar.bz2", ".tbz2"): bz2.open,
}
SUFFIXES = (".zip", ".tar", *(suffix for suffixes in COMPRESSED for suffix in suffixes))

Member = tuple[str, int, int]  # name, offset of the data, size of the data


class Reader(Protocol):
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
    """A zip file."""

    path: Path
    version: str

    def read(self, name: str, offset: int, size: int) -> bytes:
        try:
            archive = _open_zip(self.path, self.version, os.getpid())
        except OSError as error:
            raise DataError(f"The archive {self.path} cannot be read any more: {error.strerror}.") from error
        try:
            with archive.open(name) as member:
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
    """The reader of an archive and its table of contents: columns `name`, `offset`, `size`; one row a plain file.

    The table, and a compressed tar's uncompressed copy, are cached by the archive's path, size and time of change, so
    that a second start reads neither. Links are followed where they point at the same bytes (hard links), else skipped.

    Raises:
        DataError: It is damaged, encrypted, or larger than `MAX_UNPACKED_BYTES` when uncompressed.
        StorageError: The cache cannot be written.
    """
    status = path.stat()
    version = hashlib.sha256(f"{path}|{status.st_size}|{status.st_mtime_ns}".encode()).hexdigest()[:32]
    folder = entry(f"archive-{version}", partial(_build, path), refresh)
    table = pq.read_table(folder / "members.parquet")
    if _is_zip(path):
        return Zip(path, version), table
    return Tar(path if _decompressor(path) is None else folder / "plain.tar"), table


def _build(path: Path, folder: Path) -> None:
    try:
        members = _zip_members(path) if _is_zip(path) else _tar_members(_uncompressed(path, folder / "plain.tar"))
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"The archive {path} is damaged or incomplete: {error}. Copy or download it again.") from error
    pq.write_table(_table(path, members), folder / "members.parquet")


def _table(path: Path, members: Iterable[Member]) -> pa.Table:
    last = {name: (offset, size) for name, offset, size in members}  # a later member of the same name replaces it
    try:
        names = pa.array(last, pa.string())
    except UnicodeEncodeError as error:
        raise DataError(f"The archive {path} has a file name that is not UTF-8: {error.object!a}.") from error
    places = list(last.values())
    offsets, sizes = ([place[column] for place in places] for column in (0, 1))
    return pa.table({"name": names, "offset": pa.array(offsets, pa.int64()), "size": pa.array(sizes, pa.int64())})


def _is_zip(path: Path) -> bool:
    return path.name.lower().endswith(".zip")


def _zip_members(path: Path) -> list[Member]:
    with _reading(path), zipfile.ZipFile(path) as archive:
        members = [
            info for info in archive.infolist() if not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16)
        ]
    if any(info.flag_bits & 1 for info in members):
        raise DataError(f"The archive {path} is encrypted. Unpack it with its password and give the folder instead.")
    return [(info.filename, 0, info.file_size) for info in members]


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
        _copy(path, packed, plain)
    return copy


def _copy(path: Path, packed: BinaryIO, plain: BinaryIO) -> None:
    while block := _next_block(path, packed):
        plain.write(block)
        if plain.tell() > MAX_UNPACKED_BYTES:
            raise DataError(
                f"The archive {path} is larger than {MAX_UNPACKED_BYTES / 2**30:g} GiB when uncompressed. "
                "Unpack it and give the folder instead."
            )


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
