"""In which encoding a log is written: decided once per file, from its lines that are not plain ASCII."""

from __future__ import annotations

import codecs
import lzma
import re
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from charset_normalizer import from_bytes

from vssl.errors import BrokenFileError
from vssl.files import opened

BLOCK = 2**18
ENOUGH = 2**18  # bytes of lines that are not ASCII
SHOWN_TO_LIBRARY = 2**15
LONGEST_LINE = 2**14
FEW_CONTROLS = 3  # a line with more control characters is what a broken disk or line left, and says nothing
GUESSED = ("euc_jp", "cp932", "gb18030", "cp1252", "latin_1")
"""Those that are told apart where nobody says --encoding; the last two decode whatever bytes there are."""

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_UTF_32 = codecs.BOM_UTF32_LE
_PARTS = (OSError, EOFError, lzma.LZMAError, zlib.error)
_PAIRED = ("euc_jp", "gb18030")
_ZEROS = re.compile(rb"\0{4,}")  # of a file that was lengthened and not written, or emptied while it was written
# Letters of cp850, as DOS and its heirs write them, within words; in cp1252 these are quotation marks and daggers.
_DOS_LETTER = re.compile(rb"[A-Za-z][\x81\x82\x84\x87\x88\x94](?=[a-z])")
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_CONTROL = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x09\x0b-\x1f]")
_HIGH = re.compile(rb"[\x80-\xff]+")
# Rows D0 to D7 hold a fifth of the common characters in GB 2312, and rare ones in JIS X 0208.
_CHINESE = range(0xD0, 0xD8)
_CHINESE_SHARE = 0.05


def of(path: Path, forced: str = "", known: Sequence[str] = ()) -> str:
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


def other_than_utf_8(paths: Sequence[Path], forced: str) -> tuple[str, ...]:
    """The encodings of files that have no mark of their own; large files, which show more of theirs, decide first."""
    found: list[str] = []
    for path in sorted(paths, key=_size, reverse=True):
        name = of(path, forced, tuple(found))
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
    if not head.startswith(_UTF_32):
        for mark, name in _MARKS:
            if head.startswith(mark):
                return name
    if forced.lower().replace("_", "-").startswith(("utf-16", "utf-32")) and b"\0" in head:
        return forced
    head = _ZEROS.sub(b"", head)
    if b"\0" in head:
        return _utf_16(path, head)
    lines = _not_ascii(path)
    if forced:
        # What a service was sent is written as UTF-8, whatever the logs are; no other text is valid by chance.
        return "utf-8" if all(_decodes(line, "utf-8") for line in lines) else forced
    wrong = [line for line in lines if not _decodes(line, "utf-8") and len(set(_BINARY.findall(line))) < FEW_CONTROLS]
    if 2 * len(wrong) <= len(lines):
        return "utf-8"
    for name in known:
        if _decodes_most(wrong, name):
            return name
    return _guess(wrong)


def _guess(lines: Sequence[bytes]) -> str:
    sample = _CONTROL.sub(b" ", b"\n".join(lines)[:SHOWN_TO_LIBRARY]).rpartition(b"\n")[0] or lines[0]
    best = from_bytes(sample, cp_isolation=list(GUESSED)).best()
    fits = [name for name in GUESSED if _decodes_most(lines, name)] or ["latin_1"]
    found = best.encoding if best is not None and best.encoding in fits else fits[0]
    words = [word for line in lines for word in _HIGH.findall(line)]
    single = next((name for name in ("cp1252", "latin_1") if name in fits), found)
    if found in _PAIRED and 2 * sum(len(word) % 2 for word in words) > len(words):
        found = single  # letters with accents stand alone, and characters of two bytes do not
    if found == "cp932" and not any(byte < 0xA0 for word in words for byte in word):
        found = single
    if 2 * sum(len(_DOS_LETTER.findall(line)) for line in lines) > len(words):
        return "cp850"
    if found in _PAIRED and all(name in fits for name in _PAIRED):
        found = "gb18030" if _is_chinese(words) else "euc_jp"
    return found


def _is_chinese(words: Sequence[bytes]) -> bool:
    pairs = {word[at : at + 2] for word in words for at in range(0, len(word) - 1, 2)}
    hanzi = [pair for pair in pairs if pair[0] >= 0xB0]
    return sum(pair[0] in _CHINESE for pair in hanzi) > _CHINESE_SHARE * len(hanzi)


def _decodes_most(lines: Sequence[bytes], name: str) -> bool:
    return sum(not _decodes(line, name) for line in lines) <= 0.01 * len(lines)


def _decodes(line: bytes, name: str) -> bool:
    try:
        line.decode(name)
    except UnicodeDecodeError:
        return False
    return True


def _utf_16(path: Path, head: bytes) -> str:
    """UTF-16 without a mark: ASCII characters, line ends at least, have their zero byte on one side."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    name = "utf-16-le" if odd > even else "utf-16-be"
    text = head[: len(head) // 2 * 2].decode(name, errors="replace")
    # The last character may be cut in two.
    if min(even, odd) > 0.02 * max(even, odd) or "\0" in text or "\ufffd" in text[:-1]:
        raise BrokenFileError(
            str(path), "it holds zero bytes and is no UTF-16 either, so it is no text: a binary file. Take it away."
        )
    return name


def _head(path: Path) -> bytes:
    try:
        with opened(path) as file:
            return file.read(2**12)
    except _PARTS:
        return b""


def _not_ascii(path: Path) -> list[bytes]:
    """The first lines that are not ASCII, about `ENOUGH` bytes of them, the same line once."""
    found: dict[bytes, None] = {}
    size = 0
    for line in _lines(path):
        if line not in found and not line.isascii():
            found[line] = None
            size += len(line)
            if size > ENOUGH:
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
    except _PARTS:  # said with its line when the file is read
        return
    if rest:
        yield rest
