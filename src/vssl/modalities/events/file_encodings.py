"""In which encoding a log is written: decided once per file, from its lines that are not plain ASCII."""

import lzma
import re
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from vssl.errors import BrokenFileError
from vssl.files import opened
from vssl.modalities import encodings

BLOCK = 2**18
ENOUGH_BYTES = 2**18  # bytes of lines that are not ASCII
LONGEST_LINE = 2**14
MAX_CONTROLS = 3  # a line with more control characters is what a broken disk or line left, and says nothing
MIN_READABLE = 0.99  # of the lines can be read in an encoding that is known
_ZEROS = re.compile(rb"\0{4,}")  # of a file that was lengthened and not written, or emptied while it was written
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_READ_ERRORS = (OSError, EOFError, lzma.LZMAError, zlib.error)


def file_encoding(path: Path, forced: str = "", known: Sequence[str] = ()) -> str:
    """Name of the encoding of a file, as Python's codecs have it.

    Args:
        forced: What the user said, which holds for files that are not UTF-8; empty where it is to be recognised.
        known: Those of the training data besides UTF-8: they are tried before others.

    Raises:
        BrokenFileError: It is binary.
    """
    try:
        status = path.stat()
    except OSError:  # what is wrong with it is said when it is read
        return "utf-8"
    return _of(path, (status.st_size, status.st_mtime_ns), forced, tuple(known))


def detect_encodings(paths: Sequence[Path], forced: str) -> tuple[str, ...]:
    """The encodings of files that have no mark of their own; large files, which show more of theirs, decide first."""
    found: list[str] = []
    for path in sorted(paths, key=_size, reverse=True):
        name = file_encoding(path, forced, tuple(found))
        if not forced and not name.startswith("utf") and name not in found:
            found.append(name)
    return tuple(found)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@lru_cache(maxsize=4096)
def _of(path: Path, _state: tuple[int, int], forced: str, known: tuple[str, ...]) -> str:
    head = _head(path)
    if marked := encodings.byte_order_mark(head):
        return marked[0]
    if b"\0" in (head := _ZEROS.sub(b"", head)):
        if forced.lower().replace("_", "-").startswith(("utf-16", "utf-32")):
            return forced
        if wide := encodings.detect_wide(head):
            return wide
        raise BrokenFileError(
            str(path), "it holds zero bytes and is no UTF-16 either, so it is no text: a binary file. Take it away."
        )
    lines = _not_ascii(path)
    if forced:
        # What a service was sent is written as UTF-8, whatever the logs are; no other text is valid by chance.
        return "utf-8" if encodings.readable_share(lines, "utf-8") == 1 else forced
    text = [line for line in lines if len(set(_BINARY.findall(line))) < MAX_CONTROLS]
    wrong = encodings.not_utf_8(text) if 2 * len(text) > len(lines) else []
    fitting = (name for name in known if wrong and encodings.readable_share(wrong, name) >= MIN_READABLE)
    return next(fitting, None) or encodings.guess(wrong)


def _head(path: Path) -> bytes:
    try:
        with opened(path) as file:
            return file.read(2**12)
    except _READ_ERRORS:
        return b""


def _not_ascii(path: Path) -> list[bytes]:
    """The first lines that are not ASCII, about `ENOUGH_BYTES` bytes of them, the same line once."""
    found: dict[bytes, None] = {}
    size = 0
    for line in _lines(path):
        if line not in found and not line.isascii():
            found[line] = None
            size += len(line)
            if size > ENOUGH_BYTES:
                break
    return list(found)


def _lines(path: Path) -> Iterator[bytes]:
    rest = b""
    try:
        with opened(path) as file:
            while block := file.read(BLOCK):
                if block.isascii():
                    rest = b""  # what it lacks at its start is ASCII, and decides nothing
                    continue
                *lines, rest = (rest + block).replace(b"\r", b"\n").split(b"\n")
                yield from (line for line in lines if len(line) <= LONGEST_LINE)
                rest = rest if len(rest) <= 2 * BLOCK else b""
    except _READ_ERRORS:  # said with its line when the file is read
        return
    if rest:
        yield rest
