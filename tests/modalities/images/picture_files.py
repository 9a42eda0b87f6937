"""Picture files that Pillow reads but does not write: any depth, alpha, byte order and number of pages."""

from __future__ import annotations

import struct
import zlib

import numpy as np

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Of PNG, by channels."""


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png16(values: np.ndarray, exif: bytes = b"", late: bool = False, transparent: tuple[int, ...] = ()) -> bytes:
    """A PNG file of 16 bits: uint16 [H, W, channels], grey or colour, with or without alpha."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPES[channels], 0, 0, 0)
    turned = _chunk(b"eXIf", exif) if exif else b""
    key = _chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent)) if transparent else b""
    pixels = _chunk(b"IDAT", zlib.compress(rows))
    body = key + (pixels + turned if late else turned + pixels)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + body + _chunk(b"IEND", b"")


def orientation(value: int) -> bytes:
    """EXIF data with the orientation alone."""
    return b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x0112, 3, 1, value, 0) + b"\0\0\0\0"


def tiff(
    values: np.ndarray,
    order: str = "<",
    white_is_zero: bool = False,
    packed: bool = False,
    alpha: int | None = None,
    turned: int = 1,
    planar: bool = False,
) -> bytes:
    """A TIFF file of one page: values [H, W] or [H, W, channels], of the depth and kind of their type.

    Args:
        packed: Compress the strip, which takes another way through the reader.
        alpha: What the last channel is: 1 of premultiplied colours, 2 of others, 0 nothing known.
        planar: One strip for each channel.
    """
    height, width = values.shape[:2]
    channels = values.shape[2] if values.ndim == 3 else 1
    planes = list(values.transpose(2, 0, 1)) if planar else [values]
    strips = [plane.astype(values.dtype.newbyteorder(order)).tobytes() for plane in planes]
    strips = [zlib.compress(strip) for strip in strips] if packed else strips
    starts = [8 + sum(map(len, strips[:number])) for number in range(len(strips))]
    colours = channels - (alpha is not None)
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    entries: dict[int, tuple[str, list[int]]] = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [8 * values.dtype.itemsize] * channels),
        259: ("H", [8 if packed else 1]),
        262: ("H", [2 if colours == 3 else 1 - white_is_zero]),
        273: ("I", starts),
        274: ("H", [turned]),
        277: ("H", [channels]),
        278: ("I", [height]),
        279: ("I", [len(strip) for strip in strips]),
        284: ("H", [2 if planar else 1]),
        339: ("H", [kind] * channels),
    }
    if alpha is not None:
        entries[338] = ("H", [alpha])
    body = b"\0" * 8 + b"".join(strips)
    listed = b""
    for tag, (letter, numbers) in sorted(entries.items()):
        packed_numbers = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
        if len(packed_numbers) > 4:
            body += b"\0" * (len(body) % 2)
            packed_numbers, body = struct.pack(f"{order}I", len(body)), body + packed_numbers
        listed += struct.pack(f"{order}HHI", tag, {"H": 3, "I": 4}[letter], len(numbers)) + packed_numbers.ljust(
            4, b"\0"
        )
    body += b"\0" * (len(body) % 2)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", len(body))
    return head + body[8:] + struct.pack(f"{order}H", len(entries)) + listed + b"\0\0\0\0"
