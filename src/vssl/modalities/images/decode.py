"""From the bytes of one image file to the uint8 pixels of a data set's canvas; headers are judged before decoding."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from vssl.errors import BrokenFileError, ConfigError, VsslError

MAX_PIXELS = 100_000_000
MAX_BYTES = 256 * 2**20
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
GREY_MODES = ("1", "L", "LA", "La", "I", "F")


@dataclass(frozen=True)
class Header:
    """What an image file says about itself: size in pixels as it is shown, channels (1 or 3), bits per value."""

    height: int
    width: int
    channels: int
    bits: int
    format: str

    @property
    def wide(self) -> bool:
        """Whether the values need a measured range, because 0..255 does not hold them."""
        return self.bits > 8


@dataclass(frozen=True)
class Canvas:
    """How every image of a data set becomes uint8 [C, H, W].

    Values in `low`..`high` are mapped to 0..255 (clipped, rounded), then the whole image is stretched to the canvas:
    nothing is cropped, since a defect may sit at the border. 8-bit data have the range 0..255; any other range means
    wide data (16-bit, int32 or float), and the two are never mixed in one data set.
    """

    height: int
    width: int
    channels: int
    low: float = 0.0
    high: float = 255.0

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1 or self.channels not in (1, 3):
            raise ConfigError(f"A canvas needs a positive size and 1 or 3 channels: {self}.")
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise ConfigError(f"A canvas needs finite values with low < high: {self}.")

    @property
    def wide(self) -> bool:
        return (self.low, self.high) != (0.0, 255.0)


def read_header(data: bytes, name: str) -> Header:
    """Judge a file by its header, without decoding a pixel.

    Raises:
        BrokenFileError: It is not an image, of a format that is not in `FORMATS`, empty or too large.
    """
    with _opened(data, name) as image:
        return _header(image, name)


def decode(data: bytes, name: str, canvas: Canvas) -> np.ndarray:
    """Decode one image file onto the canvas: uint8 [C, H, W].

    The orientation in the file is applied, transparency is laid over black, palettes and CMYK become RGB, and of a
    file with several pages the first is taken. 16-bit colour is read as 8-bit colour; 16-bit grey keeps its depth.

    Raises:
        BrokenFileError: The file is refused by its header, truncated, damaged, or of the other depth than the canvas.
        ConfigError: Pillow was told to fill truncated images.
    """
    with _opened(data, name) as image:
        header = _header(image, name)
        if header.wide != canvas.wide:
            expected = f"values in {canvas.low:g}..{canvas.high:g}" if canvas.wide else "8-bit values"
            raise BrokenFileError(name, f"it has {header.bits}-bit values in a data set of {expected}")
        # JPEG can be decoded at 1/2, 1/4 or 1/8 of its size for a fraction of the time; twice the canvas loses nothing.
        target = _turned(image, canvas.width, canvas.height)
        image.draft(image.mode, (2 * target[0], 2 * target[1]))
        plain = _upright(image)
        return _fit(_to_grey(plain, canvas, name) if header.wide else plain, canvas)


def wide_values(data: bytes, name: str) -> np.ndarray:
    """The finite values of a 16-bit, int32 or float image, as stored: float64 [N].

    Raises:
        BrokenFileError: The file is refused by its header, truncated or damaged.
    """
    with _opened(data, name) as image:
        _header(image, name)
        values = np.asarray(image, dtype=np.float64).ravel()
        return values[np.isfinite(values)]


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image.Image]:
    if not data:
        raise BrokenFileError(name, "it is empty")
    if len(data) > MAX_BYTES:
        raise BrokenFileError(name, f"it has more than {MAX_BYTES:,} bytes")
    try:
        with warnings.catch_warnings():
            # `_header` refuses by our own limit, which must not depend on Pillow's.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                yield image
    except (VsslError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise BrokenFileError(name, f"it is not an image of the formats {', '.join(FORMATS)}") from error
    except Image.DecompressionBombError as error:
        raise BrokenFileError(name, f"it has more than {MAX_PIXELS:,} pixels") from error
    except Exception as error:  # Pillow's parsers raise whatever they stumble over
        raise BrokenFileError(name, str(error) or type(error).__name__) from error


def _header(image: Image.Image, name: str) -> Header:
    width, height = _turned(image, *image.size)
    if width < 1 or height < 1:
        raise BrokenFileError(name, f"its size is {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        raise BrokenFileError(name, f"it has {width} x {height} pixels, more than {MAX_PIXELS:,}")
    bits = 16 if image.mode.startswith("I;16") else 32 if image.mode in ("I", "F") else 8
    grey = image.mode in GREY_MODES or image.mode.startswith("I;16")
    return Header(height, width, 1 if grey else 3, bits, image.format or "")


def _turned(image: Image.Image, width: int, height: int) -> tuple[int, int]:
    return (height, width) if _orientation(image) >= 5 else (width, height)


def _orientation(image: Image.Image) -> int:
    # Pillow turns TIFF by itself, and its PNG reader would decode the pixels to look for a late EXIF chunk.
    return 1 if image.format == "TIFF" else int(Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1))


def _upright(image: Image.Image) -> Image.Image:
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise ConfigError(
            "PIL.ImageFile.LOAD_TRUNCATED_IMAGES is on, which fills truncated images silently: turn it off."
        )
    turned = _orientation(image) != 1
    image.load()
    return ImageOps.exif_transpose(image) if turned else image


def _to_grey(image: Image.Image, canvas: Canvas, name: str) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise BrokenFileError(name, "it holds NaN or infinite values")
    scaled = (values - canvas.low) * (255.0 / (canvas.high - canvas.low))
    return Image.fromarray(np.rint(scaled.clip(0.0, 255.0)).astype(np.uint8))


def _fit(image: Image.Image, canvas: Canvas) -> np.ndarray:
    image = _flat(image, "L" if canvas.channels == 1 else "RGB")
    size = (canvas.width, canvas.height)
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    pixels = np.asarray(image)
    return pixels[None] if canvas.channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _flat(image: Image.Image, mode: str) -> Image.Image:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return image if image.mode == mode else image.convert(mode)
