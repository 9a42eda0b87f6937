"""Names of the members of a zip file as they were meant: any encoding, and folders divided by backslashes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from zipfile import ZipInfo

from vssl.modalities import encodings

UTF8_FLAG = 0x800
UNICODE_PATH = 0x7075
"""Of the extra field with the name in UTF-8; Info-ZIP's extract.h."""


def names(members: Sequence[ZipInfo]) -> tuple[list[str], str | None]:
    """The names, divided by /, and the encoding that was guessed for some of them; None where nothing was.

    A name that the file does not declare to be UTF-8 is in whatever encoding the computer used that wrote it.
    """
    # Python's zipfile has taken these for the code page 437.
    raw = {info.orig_filename: info.orig_filename.encode("cp437") for info in members if not info.flag_bits & UTF8_FLAG}
    declared = [info.orig_filename for info in members if info.flag_bits & UTF8_FLAG]
    if _misread(declared):
        raw |= {name: name.encode("cp437") for name in declared}
    told = {
        name: known for info in members if (name := info.orig_filename) in raw and (known := _told(info, raw[name]))
    }
    unknown = [data for name, data in raw.items() if not data.isascii() and name not in told]
    encoding = encodings.guess(unknown, encodings.ZIP_ENCODINGS) if unknown else None

    def meant(name: str) -> str:
        if name in told:
            return told[name]
        # A name that another computer added keeps what the format says, the code page 437.
        is_guessed = encoding and name in raw and encodings.readable_share([raw[name]], encoding) == 1
        return raw[name].decode(encoding) if encoding and is_guessed else name

    found = [meant(info.orig_filename).replace("\\", "/") for info in members]
    return found, None if encoding == "utf-8" else encoding


def _misread(names: Sequence[str]) -> bool:
    """Whether names of another encoding were taken for the code page 437 before they were stored as UTF-8.

    Nobody calls a file by the pieces of frames that this code page has among its letters.
    """
    foreign = "".join(name for name in names if not name.isascii())
    try:
        foreign.encode("cp437")
    except UnicodeEncodeError:
        return False
    return any("\u2500" <= character <= "\u259f" for character in foreign)


def _told(info: ZipInfo, raw: bytes) -> str | None:
    """The name in the extra field for it, if that belongs to this name."""
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        body, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == UNICODE_PATH and len(body) > 5 and body[:5] == struct.pack("<BI", 1, zlib.crc32(raw)):
            return body[5:].decode("utf-8", "replace")
    return None
