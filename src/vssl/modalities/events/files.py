"""Log files: which there are, and their lines, one at a time, whatever they hold."""

import hashlib
import io
import lzma
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from vssl.errors import BrokenFileError
from vssl.files import COMPRESSED, opened
from vssl.modalities import folders

SUFFIXES = (".log", ".txt", ".jsonl", ".ndjson", ".json", ".csv", ".out")
LONGEST_LINE = 2**16
MAX_UNDECODABLE_SHARE = 0.01
"""Share of a file's lines with bytes that its encoding does not have; with more, the file is refused."""
# What logrotate and Python's TimedRotatingFileHandler leave behind: app.log.1, app.log-20250131, app.log.2025-01-31.
_ROTATED = re.compile(r"[.-](\d{4}-\d\d-\d\d(?:[_-]\d\d)*|\d+)$")
_DATED = re.compile(r"[._-]?(?<!\d)(?:19|20)\d\d([._-]?)[01]\d\1[0-3]\d(?!\d)")
_LARGEST_AGE = 999


@dataclass(frozen=True)
class LogFile:
    """A file, and the name by which a person knows it: its path below the source."""

    name: str
    path: Path


@dataclass(frozen=True)
class RawLine:
    """A line that is not empty: its number from 1 on, its text without the end, and what had to be done to it."""

    number: int
    text: str
    cut: bool
    undecodable: bool


def find_logs(source: str | Path) -> list[LogFile]:
    """The log files of a folder (any depth, the oldest first), or the one file; hidden ones are left aside.

    Raises:
        DataError: There is no such path, it cannot be listed, or a file's name is not UTF-8.
        EmptyDataError: The folder holds no log file.
    """
    path = Path(source).expanduser().absolute()
    names = folders.find_files(path, is_log, "log file", (*SUFFIXES, *COMPRESSED))
    folder = path.parent if path.is_file() else path
    return [LogFile(name, folder / name) for name in sorted(names, key=_rotation_order)]


def is_log(name: str) -> bool:
    """Whether a file's name is that of a log, compressed or rotated ones included."""
    return _ROTATED.sub("", _unpacked(name)).endswith(SUFFIXES)


def _unpacked(name: str) -> str:
    plain = name.lower()
    for suffix in COMPRESSED:
        plain = plain.removesuffix(suffix)
    return plain


def log_name(name: str) -> str:
    """What the parts of one log have in common: the name without what a rotation adds, and without a date in it."""
    plain = _unpacked(name)
    return _DATED.sub("", _ROTATED.sub("", plain))


def _rotation_order(name: str) -> tuple[str, bool, int, str]:
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


@dataclass
class Tally:
    """What was seen while logs were read.

    Attributes:
        read, empty, cut, undecodable: Lines; of them empty ones, cut ones, and those with bytes that cannot be decoded.
        zeros: Lines with zero bytes, which are taken out: a computer that lost its power while it wrote leaves them.
        encodings: The files in another encoding than UTF-8, and its name.
        lines, stamped: Lines that can be used, and of them those with a time.
        unstamped: Files without a line that has a time.
        falls, first_fall: How often the clock fell back, and where it did first, for a person.
        jumps, first_jump: The same of a clock that went ahead by more than a year.
        shared: Names of sessions that occur in several logs.
    """

    read: int = 0
    empty: int = 0
    cut: int = 0
    undecodable: int = 0
    zeros: int = 0
    encodings: dict[str, str] = field(default_factory=dict)
    lines: int = 0
    stamped: int = 0
    unstamped: list[str] = field(default_factory=list)
    falls: int = 0
    first_fall: str = ""
    jumps: int = 0
    first_jump: str = ""
    shared: int = 0


def read_lines(file: LogFile, tally: Tally | None = None, encoding: str = "utf-8") -> Iterator[RawLine]:
    """The lines of a file that are not empty, in constant memory; \\n, \\r\\n and \\r end a line.

    A line is cut behind `LONGEST_LINE` characters, and bytes that the encoding does not have become U+FFFD.

    Raises:
        BrokenFileError: It cannot be read, ends too early (a compressed file that is cut off), or more than
            `MAX_UNDECODABLE_SHARE` of its lines cannot be decoded.
    """
    number = 0
    tally = Tally() if tally is None else tally
    if not encoding.startswith("utf-8"):
        tally.encodings[file.name] = encoding
    wrong: list[int] = []
    try:
        with (
            _opened(file.path) as binary,
            io.TextIOWrapper(binary, encoding=encoding, errors="replace", newline=None) as lines,
        ):
            for text, cut in _split_lines(lines):
                text = text if number else text.removeprefix("\ufeff")
                number += 1
                if row := _row(number, text, cut, tally):
                    if row.undecodable:
                        wrong.append(number)
                    yield row
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        # Not only this line is lost, but everything behind it: that must not pass for a broken sample among many.
        where = f"behind line {number}" if number else "at its start"
        raise BrokenFileError(
            str(file.path), f"it cannot be read {where}: {error or type(error).__name__}. Repair it or take it away."
        ) from error
    if len(wrong) > max(1, MAX_UNDECODABLE_SHARE * number):
        raise BrokenFileError(
            str(file.path),
            f"{len(wrong):,} of {number:,} lines, the first of them line {wrong[0]}, hold bytes that cannot be decoded "
            f"as {encoding}, or the sign U+FFFD of an earlier conversion: different events would become one. "
            "Say how the file is written with --encoding (utf-8, cp1252, cp932, euc_jp, gb18030 ...), or convert it.",
        )


def _row(number: int, text: str, cut: bool, tally: Tally) -> RawLine | None:
    tally.read += 1
    tally.cut += cut
    undecodable = "\ufffd" in text
    tally.undecodable += undecodable
    if "\0" in text:
        cut = True
        tally.zeros += 1
    text = clean_text(text)
    if not text or text.isspace():
        tally.empty += 1
        return None
    return RawLine(number, text, cut, undecodable)


def clean_text(text: str) -> str:
    """A line without zero bytes, and without the mark of an encoding, which stands where files were put together."""
    return text.removeprefix("\ufeff").replace("\0", "")


def _opened(path: Path) -> io.BufferedReader:
    plain = opened(path)
    return plain if isinstance(plain, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, plain))


def _split_lines(lines: io.TextIOWrapper) -> Iterator[tuple[str, bool]]:
    while text := lines.readline(LONGEST_LINE):
        cut = False
        if not text.endswith("\n"):
            rest = text
            while len(rest) == LONGEST_LINE and not rest.endswith("\n"):
                rest = lines.readline(LONGEST_LINE)
                cut = cut or rest not in ("", "\n")
        yield text.rstrip("\n"), cut
