"""Some lines from all over a log: what it looks like is decided from these, and not from its first lines alone."""

import lzma
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vssl.files import COMPRESSED, opened
from vssl.modalities.events import file_encodings
from vssl.modalities.events.files import LogFile, clean_text

MAX_FILES, MAX_LINES = 64, 3000
STRETCHES, BLOCK, STRIDE = 8, 2**16, 2**20
MAX_CHARS = 2**12


@dataclass(frozen=True)
class Stretch:
    """Neighbouring lines of a file that are not empty.

    Attributes:
        first: Whether they begin with the file's first line.
    """

    file: LogFile
    texts: Sequence[str]
    first: bool


def sample_stretches(files: Sequence[LogFile], forced: str = "", known: Sequence[str] = ()) -> list[Stretch]:
    """Up to about `MAX_LINES` lines in stretches from the start, the middle and the end of files of all the source.

    Of compressed files only the first 8 MiB are looked at.

    Args:
        forced, known: As in `file_encodings.file_encoding`.
    """
    chosen = files[:: max(1, -(-len(files) // MAX_FILES))]
    found: list[Stretch] = []
    for file in chosen:
        parts = _parts(file, file_encodings.file_encoding(file.path, forced, known))
        pieces = _pieces(parts, max(STRETCHES, MAX_LINES // len(chosen)))
        found += [Stretch(file, texts, first) for texts, first in pieces if texts]
    return found


def _pieces(parts: Sequence[list[str]], most: int) -> list[tuple[list[str], bool]]:
    if len(parts) == 1 and len(parts[0]) > most:  # a file that was read as a whole
        size = len(parts[0])
        starts = [row * (size - most // STRETCHES) // (STRETCHES - 1) for row in range(STRETCHES)]
        return [(parts[0][start : start + most // STRETCHES], not start) for start in starts]
    each = max(1, most // max(1, len(parts)))
    return [(part[:each], not number) for number, part in enumerate(parts)]


def _parts(file: LogFile, encoding: str) -> list[list[str]]:
    """Lines of blocks of a file, or all of its lines in one part where it is small."""
    try:
        blocks = _blocks(file.path)
    except (OSError, EOFError, lzma.LZMAError, zlib.error):  # said with its line when the file is read
        return []
    return [_lines(data, encoding, number > 0, last) for number, (data, last) in enumerate(blocks)]


def _blocks(path: Path) -> list[tuple[bytes, bool]]:
    """Blocks of bytes, and whether each reaches to the end of the file."""
    packed = path.suffix.lower() in COMPRESSED
    size = path.stat().st_size
    found: list[tuple[bytes, bool]] = []
    with opened(path) as file:
        if packed or size <= STRETCHES * BLOCK:
            data = file.read(STRETCHES * BLOCK)
            found = [(data, len(data) < STRETCHES * BLOCK)]
            for _ in range(STRETCHES - 1 if packed and not found[0][1] else 0):
                file.seek(STRIDE - BLOCK, 1)
                if data := file.read(BLOCK):
                    found.append((data, False))
            return found
        for number in range(STRETCHES):
            start = number * (size - BLOCK) // (STRETCHES - 1) // 4 * 4
            file.seek(start)
            found.append((file.read(BLOCK), number == STRETCHES - 1))
    return found


def _lines(data: bytes, encoding: str, inside: bool, last: bool) -> list[str]:
    texts = data.decode(encoding, errors="replace").removeprefix("\ufeff").splitlines()
    if len(texts) > 1:  # the first one is cut off at its start, and the last one at its end
        texts = texts[1 if inside else 0 : None if last else -1]
    texts = [clean_text(text[:MAX_CHARS]) for text in texts]
    return [text for text in texts if text and not text.isspace()]
