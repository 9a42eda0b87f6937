"""Pictures of all modes, orientations and depths come out as Pillow shows them, or at full depth, or are refused."""

from __future__ import annotations

import io

import numpy as np
import picture_files
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from vssl.errors import BrokenFileError
from vssl.modalities.images.decode import Canvas, decode, read_header, wide_values

WRITABLE = {
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA"],
    "JPEG": ["L", "RGB", "CMYK", "YCbCr"],
    "WEBP": ["RGB", "RGBA"],
    "BMP": ["1", "L", "P", "RGB", "RGBA"],
    "TIFF": ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "La", "RGBX"],
}
COMPRESSIONS = ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"]
PAIRS = [(format, mode) for format, modes in WRITABLE.items() for mode in modes]
UNREADABLE = {"LAB"}


def random_image(mode: str, width: int, height: int, seed: int) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    if mode == "La":
        return Image.fromarray(values[..., :2], "LA").convert("La")
    if mode == "PA":
        return Image.fromarray(values, "RGBA").convert("PA")
    if mode in ("CMYK", "RGBA"):
        return Image.fromarray(values, mode)
    if mode in ("LA",):
        return Image.fromarray(values[..., :2], mode)
    if mode in ("YCbCr", "LAB"):
        return Image.fromarray(np.ascontiguousarray(values[..., :3]), mode)
    return Image.fromarray(np.ascontiguousarray(values[..., :3])).convert(mode)


def as_pillow_shows(data: bytes, channels: int) -> np.ndarray:
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.has_transparency_data:
        image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


@settings(max_examples=200, deadline=None)
@given(
    pair=st.sampled_from(PAIRS),
    size=st.tuples(st.integers(1, 19), st.integers(1, 19)),
    turned=st.integers(1, 8),
    compression=st.sampled_from(COMPRESSIONS),
    seed=st.integers(0, 99),
    channels=st.sampled_from([1, 3]),
)
def test_pictures_of_8_bits_are_what_pillow_shows_after_exif(pair, size, turned, compression, seed, channels):
    format, mode = pair
    exif = Image.Exif()
    exif[0x0112] = turned
    options = {"exif": exif} if format != "BMP" else {}
    if format == "TIFF":
        options["compression"] = "raw" if mode in ("La", "YCbCr", "LAB", "PA") else compression
    if format == "WEBP":
        options["lossless"] = True
    buffer = io.BytesIO()
    try:
        random_image(mode, *size, seed).save(buffer, format, **options)
    except (OSError, KeyError):  # not every mode can be written
        return
    data = buffer.getvalue()
    try:
        header = read_header(data, "a")
        pixels = decode(data, "a", Canvas(header.height, header.width, channels))
    except BrokenFileError:
        assert mode in UNREADABLE
        return
    assert np.array_equal(pixels, as_pillow_shows(data, channels))


ORIENTED = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x[::-1].swapaxes(0, 1),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: x[:, ::-1].swapaxes(0, 1),
}
"""What a viewer shows of stored values [H, W, ...]; EXIF 2.32, tag Orientation."""


def over_black(values: np.ndarray, channels: int) -> np.ndarray:
    if channels in (1, 3):
        return values
    opacity = values[..., -1:].astype(np.float64) / 65535
    return np.rint(values[..., :-1] * opacity).astype(np.uint16)


@settings(max_examples=100, deadline=None)
@given(
    channels=st.sampled_from([1, 2, 3, 4]),
    size=st.tuples(st.integers(1, 19), st.integers(1, 19)),
    turned=st.integers(1, 8),
    late=st.booleans(),
    seed=st.integers(0, 99),
)
def test_png_of_16_bits_keeps_its_depth(channels, size, turned, late, seed):
    values = np.random.default_rng(seed).integers(0, 65536, (*size, channels), dtype=np.uint16)
    data = picture_files.png16(values, picture_files.orientation(turned), late)
    expected = ORIENTED[turned](over_black(values, channels))
    check_wide(data, expected)


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"]),
    channels=st.sampled_from([1, 2, 3, 4]),
    size=st.tuples(st.integers(1, 19), st.integers(1, 19)),
    order=st.sampled_from("<>"),
    white_is_zero=st.booleans(),
    packed=st.booleans(),
    turned=st.integers(1, 8),
    planar=st.booleans(),
    seed=st.integers(0, 99),
)
def test_tiff_of_any_depth_is_read_as_it_was_written_or_refused(
    kind, channels, size, order, white_is_zero, packed, turned, planar, seed
):
    dtype = np.dtype(kind)
    rng = np.random.default_rng(seed)
    if dtype.kind == "f":
        values = (1000 * rng.standard_normal((*size, channels))).astype(dtype)
    else:
        limits = np.iinfo(dtype)
        values = rng.integers(limits.min, limits.max, (*size, channels), dtype, endpoint=True)
    alpha = 2 if channels in (2, 4) else None
    stored = values[..., 0] if channels == 1 else values
    data = picture_files.tiff(stored, order, white_is_zero, packed, alpha, turned, planar and channels > 1)
    expected = values
    if white_is_zero and channels < 3:
        assert dtype.kind != "f" or channels > 1 or is_refused(data)
        expected = (
            np.concatenate([np.iinfo(dtype).max - values[..., :1], values[..., 1:]], -1) if dtype.kind == "u" else None
        )
    if expected is None or is_refused(data):
        # Everything that scanners and cameras write is read.
        assert kind in ("i1", "i2", "i4", "f4", "f8") or channels > 1 or white_is_zero or (kind, order) == ("u4", ">")
        assert is_refused(data)
    elif dtype.itemsize == 1:
        header = read_header(data, "a")
        pixels = decode(data, "a", Canvas(header.height, header.width, 3))
        assert np.array_equal(pixels, as_pillow_shows(data, 3))
        if channels in (1, 3):
            shown = np.broadcast_to(ORIENTED[turned](expected), (*pixels.shape[1:], 3))
            assert np.array_equal(pixels, shown.transpose(2, 0, 1))
    else:
        check_wide(data, ORIENTED[turned](over_black(expected, channels)))


def is_refused(data: bytes) -> bool:
    reason = ""
    try:
        header = read_header(data, "a")
        canvas = Canvas(header.height, header.width, 3, 0.0, 9.0) if header.wide else Canvas(9, 9, 3)
        decode(data, "a", canvas)
    except BrokenFileError as error:
        reason = error.reason
    assert not reason or "save it" in reason
    return bool(reason)


def check_wide(data: bytes, expected: np.ndarray) -> None:
    """See that the values are those, and on the canvas where they belong."""
    header = read_header(data, "a")
    assert (header.height, header.width) == expected.shape[:2]
    assert header.channels == expected.shape[2]
    values = wide_values(data, "a")
    assert values == pytest.approx(expected.astype(np.float64).ravel(), abs=0 if expected.dtype.kind != "u" else 0.51)
    low, high = float(expected.min()), float(expected.max())
    if low < high and (low, high) != (0.0, 255.0):
        pixels = decode(data, "a", Canvas(header.height, header.width, header.channels, low, high))
        scaled = (expected.astype(np.float64) - low) * (255 / (high - low))
        assert np.abs(pixels - scaled.transpose(2, 0, 1)).max() <= 0.51
