"""Values of more than 8 bits as a file stores them: Pillow itself halves 16-bit colour to its high bytes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageFile

from vssl.errors import BrokenFileError

GREY_MODES = ("1", "L", "LA", "La", "I", "F")
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
"""TIFF 6.0, SampleFormat."""


NATIVE = {
    f"{kind}{order}{end}": f"{kind}N{end}"
    for kind, end in (("I;16", "S"), ("I;32", "S"), ("F;32", "F"))
    for order in ("B", "")
}
"""Pillow's names of how bytes lie: in a stated order, and in this computer's."""


@dataclass(frozen=True)
class PixelLayout:
    """How an opened file stores its values.

    Attributes:
        bits: Per value.
        channels: 1 or 3, without transparency.
        raw: Pillow's name of how the bytes lie, where they hold 16-bit colour or 16-bit grey with transparency.
        white_is_zero: Whether small values are bright, and Pillow leaves them so.
        unsigned_32: Whether values of 32 bits have no sign, which Pillow reads as if they had one.
    """

    bits: int
    channels: int
    raw: str = ""
    white_is_zero: bool = False
    unsigned_32: bool = False


PLAIN = {channels: PixelLayout(8, channels) for channels in (1, 3)}


def pixel_layout(image: ImageFile.ImageFile, name: str) -> PixelLayout:
    """How an opened file stores its values, by its header.

    Raises:
        BrokenFileError: They are of a kind that would be read wrongly; the message says what to save it as.
    """
    grey = image.mode in GREY_MODES or image.mode.startswith("I;16")
    if image.format not in ("PNG", "TIFF"):  # all others have 8 bits
        return PLAIN[1 if grey else 3]
    bits = 16 if image.mode.startswith("I;16") else 32 if image.mode in ("I", "F") else 8
    raw = _raw(image)
    deep = raw.endswith((";16B", ";16L", ";16N")) and not image.mode.startswith("I")
    plain = PixelLayout(16 if deep else bits, 1 if grey or raw.startswith("LA") else 3, raw if deep else "")
    return _tiff_layout(image, name, plain) if image.format == "TIFF" else plain


def _raw(image: ImageFile.ImageFile) -> str:
    """Pillow's name of how the bytes lie; empty where a format has none."""
    return _first(image.tile[0].args) if image.tile else ""


def _first(arguments: tuple[Any, ...] | str | None) -> str:
    raw = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return raw if isinstance(raw, str) else ""


def _tiff_layout(image: ImageFile.ImageFile, name: str, plain: PixelLayout) -> PixelLayout:
    tags = image.tag_v2  # type: ignore[attr-defined]
    bits = max(tags.get(ExifTags.Base.BitsPerSample, (1,)))
    kind = max(tags.get(ExifTags.Base.SampleFormat, (UNSIGNED,)))
    # A file that does not say which end is white has 0 for white; Pillow takes it so too.
    inverted = tags.get(ExifTags.Base.PhotometricInterpretation, 0) == 0
    if bits == 8 and kind == SIGNED:
        raise BrokenFileError(name, "its 8-bit values have a sign; save it as 16-bit TIFF")
    if bits > 8 and image.mode == "CMYK":
        raise BrokenFileError(name, f"it is CMYK of {bits} bits; save it as RGB")
    if bits > 8 and kind == FLOAT and inverted:
        raise BrokenFileError(name, "0 is its white and its values have no largest one; save it with 0 as black")
    if bits > 8 and plain.channels == 3 and tags.get(ExifTags.Base.PlanarConfiguration, 1) == 2:
        raise BrokenFileError(name, f"its {bits}-bit colours lie in separate planes; save it as PNG, or interleaved")
    wide = max(bits, plain.bits) if bits > 8 else plain.bits
    return PixelLayout(
        wide, plain.channels, plain.raw, bits > 8 and inverted, image.mode == "I" and bits == 32 and kind == 1
    )


def select_bytes(image: ImageFile.ImageFile, raw: str, high: bool) -> None:
    """Let an opened file of 16-bit colour be decoded to its high or to its low bytes, each as an image of 8 bits."""
    if raw.startswith("LA"):
        wanted = "RGBA"  # the four bytes of grey and transparency; both calls give the same
    else:
        # Premultiplied colours are laid over black already: as they are stored.
        kind, _, order = raw.replace("RGBa", "RGBA").partition(";16")
        big = order == "B" or (order == "N" and sys.byteorder == "big")
        wanted = f"{kind};16{'B' if big == high else 'L'}"
    image.tile = [
        tile._replace(args=(wanted, *tile.args[1:]) if isinstance(tile.args, tuple) else wanted) for tile in image.tile
    ]


def native_order(image: ImageFile.ImageFile) -> None:
    """Let an opened TIFF file whose strips libtiff unpacks be read in this computer's byte order, which they have then.

    Pillow does so for 16 bits without a sign, and swaps the bytes of all others of the other order.
    """
    image.tile = [
        tile._replace(args=(NATIVE.get(_first(tile.args), _first(tile.args)), *tile.args[1:]))
        if tile.codec_name == "libtiff" and isinstance(tile.args, tuple)
        else tile
        for tile in image.tile
    ]


def combine_bytes(high: Image.Image, low: Image.Image, raw: str) -> np.ndarray:
    """16-bit values, uint16 [H, W] or [H, W, 3], laid over black, from the images of their bytes."""
    upper, lower = np.asarray(high), np.asarray(low)
    if raw.startswith("LA"):
        upper, lower = upper[..., 0::2], upper[..., 1::2]
    values = upper.astype(np.uint16) << 8 | lower
    if raw.startswith(("RGBA", "LA")):
        opacity = values[..., -1:].astype(np.uint32)
        values = ((values[..., :-1] * opacity + 32767) // 65535).astype(np.uint16)
    elif raw.startswith("RGBa"):
        values = values[..., :3]
    transparent = high.info.get("transparency")
    if isinstance(transparent, tuple):
        values[(values == np.array(transparent, np.uint16)).all(-1)] = 0
    return np.asarray(values[..., 0] if values.shape[-1] == 1 else values)


def single_values(image: Image.Image, layout: PixelLayout) -> np.ndarray:
    """The values [H, W] of a decoded grey image of 16 or 32 bits, bright ones large, transparent ones 0."""
    values = np.asarray(image)
    if layout.unsigned_32:
        values = values.view(np.uint32)
    if layout.white_is_zero:
        values = values.dtype.type(2**layout.bits - 1) - values
    transparent = image.info.get("transparency")
    return np.where(values == transparent, 0, values).astype(values.dtype) if transparent is not None else values
