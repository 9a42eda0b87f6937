"""What a file is by its first bytes, and what Pillow's reading of headers passes over."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
CONTAINER_BRANDS = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"mif1": "HEIC",
    b"crx ": "raw camera",
}
OTHER_FORMATS = {
    b"GIF8": "a GIF image",
    b"\0\0\0\x0cjP": "a JPEG 2000 image",
    b"\xff\x4f\xff\x51": "a JPEG 2000 image",
    b"\xff\x0a": "a JPEG XL image",
    b"\0\0\0\x0cJXL ": "a JPEG XL image",
    b"8BPS": "a Photoshop file",
    b"%PDF": "a PDF file",
    b"<svg": "an SVG drawing",
    b"SIMPLE  =": "a FITS image",
    b"#?RADIANCE": "a Radiance HDR image",
    b"v/1\x01": "an OpenEXR image",
    b"II\xbc": "a JPEG XR image",
    b"PK\x03\x04": "a zip archive",
    b"<!DOCTYPE html": "a web page",
    b"<html": "a web page",
}
READ_FORMATS = {"PNG": (b"\x89PNG",), "JPEG": (b"\xff\xd8",), "WebP": (b"RIFF",), "BMP": (b"BM",), "TIFF": TIFF}


def unknown_format_message(data: bytes, formats: Sequence[str]) -> str:
    """Why a file that Pillow does not open cannot be read, and what to do."""
    known = f"it is not an image of the formats {', '.join(formats)}"
    if data[4:8] == b"ftyp" and (brand := CONTAINER_BRANDS.get(data[8:12])):
        return f"{known}, but a{'n' if brand == 'AVIF' else ''} {brand} image; save it as PNG or JPEG"
    for start, kind in OTHER_FORMATS.items():
        if data.startswith(start):
            return f"{known}, but {kind}" + ("; save it as PNG or JPEG" if "image" in kind else "")
    for kind, starts in READ_FORMATS.items():
        if data.startswith(starts):
            return f"it is a damaged {kind} file, or one of a kind that is not read; save it as PNG of 8 or 16 bits"
    return known


def late_exif(data: bytes) -> dict[str | tuple[int, int], bytes]:
    """The EXIF chunk of a PNG file that stands behind the pixels, where reading its header does not come."""
    place = data.rfind(b"eXIf")
    if place < 4:
        return {}
    (size,) = struct.unpack(">I", data[place - 4 : place])
    end = place + 4 + size
    checked = data[place:end]
    # Compressed pixels may hold the four letters by chance.
    if len(data) < end + 4 or struct.unpack(">I", data[end : end + 4])[0] != zlib.crc32(checked):
        return {}
    return {"exif": b"Exif\0\0" + checked[4:]}
