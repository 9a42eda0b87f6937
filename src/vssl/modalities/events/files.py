"""Log files: which there are, and their lines, one at a time, whatever they hold."""

from __future__ import annotations

import hashlib
import io
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from vssl.errors import BrokenFileError, DataError, EmptyDataError
from vssl.files import COMPRESSED, opened
from vssl.modalities import folders

SUFFIXES = (".log", ".txt", ".jsonl", ".ndjson", ".json", ".csv", ".out")
LONGEST_LINE = 2**16
PEEK = 2**12
# What logrotate and Python's TimedRotatingFileHandler leave behind: app.log.1, app.log-20250131, app.log.2025-01-31.
_ROTATED = re.compile(r"[.-](\d{4}-\d\d-\d\d(?:[_-]\d\d)*|\d+)$")
_LARGEST_AGE = 999


@dataclass(frozen=True)
class LogFile:
    """A file, and the name by which a person knows it: its path below the source."""

    name: str
    path: Path


@dataclass(frozen=True)
class Row:
    """A line that is not empty: its number from 1 on, its text without the end, and what had to be done to it."""

    number: int
    text: str
    cut: bool
    undecodable: bool


def find(source: str | Path) -> list[LogFile]:
    """The log files of a folder (any depth, the oldest first), or the one file; hidden ones are left aside.

    Raises:
        DataError: There is no such path, it cannot be listed, or a file's name is not UTF-8.
        EmptyDataError: The folder holds no log file.
    """
    path = Path(source).expanduser().absolute()
    if path.is_file():
        folders.check_name(path.parent, path.name)
        return [LogFile(path.name, path)]
    if not path.is_dir():
        raise DataError(f"{path} does not exist. Give a log file, or a folder of them.")
    names, _, ignored = folders.scan(path, is_log)
    if not names:
        known = " ".join((*SUFFIXES, *COMPRESSED))
        raise EmptyDataError(f"There is no log file in {path}: looked for {known}; {folders.others(ignored)}.")
    return [LogFile(name, path / name) for name in sorted(names, key=_in_time)]


def is_log(name: str) -> bool:
    """Whether a file's name is that of a log, compressed or rotated ones included."""
    return _ROTATED.sub("", _unpacked(name)).endswith(SUFFIXES)


def _unpacked(name: str) -> str:
    plain = name.lower()
    for suffix in COMPRESSED:
        plain = plain.removesuffix(suffix)
    return plain


def _in_time(name: str) -> tuple[str, bool, int, str]:
    """Sorts names in natural order, and what a rotation left behind from the oldest on, so that sessions go on.

    app.log.10, app.log.2, app.log: numbers are ages. app.log-20250130, app.log-20250131, app.log: long ones are dates.
    """
    plain = _unpacked(name)
    rotated = _ROTATED.search(plain)
    number = int(re.sub(r"\D", "", rotated[1])) if rotated else 0
    stem = plain[: rotated.start()] if rotated else plain
    base = re.sub(r"\d+", lambda digits: digits[0].zfill(20), stem)
    return base, rotated is None, -number if number <= _LARGEST_AGE else number, name


def fingerprint(files: Sequence[LogFile]) -> str:
    """SHA-256 (hex) over names, sizes and times of change; nothing is read for it.

    Raises:
        BrokenFileError: A file is gone, or a link points nowhere.
    """
    return hashlib.sha256(repr([(file.name, *_state(file)) for file in files]).encode()).hexdigest()


def _state(file: LogFile) -> tuple[int, int]:
    try:
        status = file.path.stat()
    except OSError as error:
        raise BrokenFileError(str(file.path), f"it cannot be read: {error.strerror}. Take it away") from error
    return status.st_size, status.st_mtime_ns


def rows(file: LogFile, counts: Counter[str] | None = None) -> Iterator[Row]:
    """The lines of a file that are not empty, in constant memory; \\n, \\r\\n and \\r end a line.

    A line is cut behind `LONGEST_LINE` characters, and bytes that are no UTF-8 become U+FFFD.

    Args:
        counts: Counts `read`, `empty`, `cut` and `undecodable` lines.

    Raises:
        BrokenFileError: It cannot be read, is binary, or ends too early (a compressed file that is cut off).
    """
    number = 0
    counts = Counter() if counts is None else counts
    try:
        with _opened(file.path) as binary:
            _refuse_binary(file, binary)
            with io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline=None) as lines:
                for text, cut in _cut(lines):
                    number += 1
                    if row := _row(number, text, cut, counts):
                        yield row
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        # Not only this line is lost, but everything behind it: that must not pass for a broken sample among many.
        where = f"behind line {number}" if number else "at its start"
        raise BrokenFileError(
            str(file.path), f"it cannot be read {where}: {error or type(error).__name__}. Repair it or take it away."
        ) from error


def _row(number: int, text: str, cut: bool, counts: Counter[str]) -> Row | None:
    counts["read"] += 1
    counts["cut"] += cut
    undecodable = "\ufffd" in text
    counts["undecodable"] += undecodable
    if not text or text.isspace():
        counts["empty"] += 1
        return None
    return Row(number, text, cut, undecodable)


def _opened(path: Path) -> io.BufferedReader:
    plain = opened(path)
    return plain if isinstance(plain, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, plain))


def _refuse_binary(file: LogFile, binary: BinaryIO) -> None:
    assert isinstance(binary, io.BufferedReader)
    if b"\0" in binary.peek(PEEK)[:PEEK]:
        raise BrokenFileError(
            str(file.path), "it holds zero bytes, so it is no UTF-8 text: a binary file, or UTF-16. Convert it to UTF-8"
        )


def _cut(lines: io.TextIOWrapper) -> Iterator[tuple[str, bool]]:
    while text := lines.readline(LONGEST_LINE):
        cut = False
        if not text.endswith("\n"):
            rest = text
            while len(rest) == LONGEST_LINE and not rest.endswith("\n"):
                rest = lines.readline(LONGEST_LINE)
                cut = cut or rest not in ("", "\n")
        yield text.rstrip("\n"), cut
