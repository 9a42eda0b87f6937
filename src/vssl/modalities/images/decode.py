"""From the bytes of one image file to the uint8 pixels of a data set's canvas; headers are checked before decoding."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from vssl.errors import BrokenFileError, ConfigError, VsslError
from vssl.modalities.images import bit_depth, magic_bytes, tiff
from vssl.modalities.images.bit_depth import PixelLayout

MAX_PIXELS = 100_000_000
MAX_BYTES = 256 * 2**20
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
ANIMATED = ("PNG", "WEBP")
MAX_DRAWING_VALUES = 8
"""Values of a drawing, at most."""


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
    """Check a file by its header, without decoding a pixel.

    Raises:
        BrokenFileError: It is not an image, of a format that is not in `FORMATS`, empty or too large.
    """
    with _opened(data, name) as (_, header, _):
        return header


def decode(data: bytes, name: str, canvas: Canvas) -> np.ndarray:
    """Decode one image file onto the canvas: uint8 [C, H, W].

    The orientation in the file is applied, transparency is laid over black, palettes and CMYK become RGB. Grey and
    colour of more than 8 bits keep their depth. Of a TIFF file, thumbnails and reduced copies of its page are no pages.

    Raises:
        BrokenFileError: The file is refused by its header, truncated, damaged, of the other depth than the canvas, or
            holds several pictures.
        ConfigError: Pillow is set to fill truncated images.
    """
    with _opened(data, name) as (image, header, layout):
        if header.wide != canvas.wide:
            expected = f"values in {canvas.low:g}..{canvas.high:g}" if canvas.wide else "8-bit values"
            raise BrokenFileError(name, f"it has {header.bits}-bit values in a data set of {expected}")
        # JPEG can be decoded at 1/2, 1/4 or 1/8 of its size for a fraction of the time; twice the canvas loses nothing.
        target = _turned(image, canvas.width, canvas.height)
        image.draft(image.mode, (2 * target[0], 2 * target[1]))
        plain = _to_8_bits(_values(data, image, layout, name), canvas, name) if header.wide else _upright(image)
        return _fit(plain, canvas)


def wide_values(data: bytes, name: str) -> np.ndarray:
    """The finite values of an image of more than 8 bits, as stored, bright ones large: float64 [N].

    Raises:
        BrokenFileError: The file is refused by its header, truncated or damaged.
    """
    with _opened(data, name) as (image, _, layout):
        values = _values(data, image, layout, name).astype(np.float64).ravel()
        return values[np.isfinite(values)]


def preview(data: bytes, name: str, side: int) -> Image.Image:
    """A picture for a person, at most `side` pixels wide and high; more than 8 bits are stretched over the grey levels.

    Raises:
        BrokenFileError: The file is refused by its header, truncated or damaged.
    """
    with _opened(data, name) as (image, header, layout):
        if header.wide:
            values = _values(data, image, layout, name)
            finite = values[np.isfinite(values)].astype(np.float64)
            low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
            scaled = (np.nan_to_num(values.astype(np.float64)) - low) * (255 / max(high - low, 1))
            shown = Image.fromarray(scaled.clip(0, 255).astype(np.uint8))
        else:
            image.draft("RGB", (side, side))
            shown = _upright(image)
        shown = _flat(shown, "RGB")
        shown.thumbnail((side, side))
        return shown


def is_drawing(data: bytes, name: str) -> bool:
    """Whether an image has so few values that it is no photograph, such as a mask: up to 8, or black and white alone.

    Raises:
        BrokenFileError: The file is refused by its header, truncated or damaged.
    """
    with _opened(data, name) as (image, header, layout):
        if header.wide:
            return len(np.unique(_values(data, image, layout, name))) <= MAX_DRAWING_VALUES
        image.draft(image.mode, (256, 256))
        counts = np.bincount(np.asarray(_upright(image)).astype(np.uint8).ravel(), minlength=256)
        # Compression blurs the edge between black and white a little.
        extreme = counts[:16].sum() + counts[-16:].sum()
        return bool(
            np.count_nonzero(counts) <= MAX_DRAWING_VALUES
            or (counts[0] and counts[-1] and extreme >= 0.98 * counts.sum())
        )


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[tuple[ImageFile.ImageFile, Header, PixelLayout]]:
    if not data:
        raise BrokenFileError(name, "it is empty")
    if len(data) > MAX_BYTES:
        raise BrokenFileError(name, f"it has more than {MAX_BYTES:,} bytes")
    if data.startswith(magic_bytes.TIFF):
        tiff.silence_libtiff()
        data = tiff.only_page(data, name)
    try:
        with warnings.catch_warnings():
            # `_header` refuses by our own limit, which must not depend on Pillow's.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if image.format == "PNG" and "exif" not in image.info:
                    image.info.update(magic_bytes.late_exif(data))
                layout = bit_depth.pixel_layout(image, name)
                yield image, _header(image, name, layout), layout
    except (VsslError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise BrokenFileError(name, magic_bytes.unknown_format_message(data, FORMATS)) from error
    except Image.DecompressionBombError as error:
        raise BrokenFileError(name, f"it has more than {MAX_PIXELS:,} pixels") from error
    except Exception as error:  # Pillow's parsers raise whatever they stumble over
        # A mode that Pillow opens but neither decodes nor converts is a ValueError.
        remedy = "; save it as PNG of 8 or 16 bits" if isinstance(error, ValueError) else ""
        raise BrokenFileError(name, f"{str(error) or type(error).__name__}{remedy}") from error


def _header(image: Image.Image, name: str, layout: PixelLayout) -> Header:
    width, height = _turned(image, *image.size)
    if width < 1 or height < 1:
        raise BrokenFileError(name, f"its size is {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        raise BrokenFileError(name, f"it has {width} x {height} pixels, more than {MAX_PIXELS:,}")
    frames = getattr(image, "n_frames", 1) if image.format in ANIMATED else 1
    if frames > 1:
        raise BrokenFileError(name, f"it is an animation of {frames} pictures; save each as a file of its own")
    # What Pillow calls MPO is a JPEG with further pictures behind it, such as a preview; every viewer shows the first.
    kind = "JPEG" if image.format == "MPO" else image.format or ""
    return Header(height, width, layout.channels, layout.bits, kind)


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


def _values(data: bytes, image: ImageFile.ImageFile, layout: PixelLayout, name: str) -> np.ndarray:
    """The values of an opened image of more than 8 bits, [H, W] or [H, W, 3], upright and laid over black."""
    if not layout.raw:
        bit_depth.native_order(image)
        return bit_depth.single_values(_upright(image), layout)
    bit_depth.select_bytes(image, layout.raw, high=True)
    high = _upright(image)
    if layout.raw.startswith("LA"):
        return bit_depth.combine_bytes(high, high, layout.raw)
    with _opened(data, name) as (again, _, _):
        bit_depth.select_bytes(again, layout.raw, high=False)
        return bit_depth.combine_bytes(high, _upright(again), layout.raw)


def _to_8_bits(values: np.ndarray, canvas: Canvas, name: str) -> Image.Image:
    if values.dtype == np.uint16:
        return Image.fromarray(_levels(canvas.low, canvas.high)[values])
    if not np.isfinite(values).all():
        raise BrokenFileError(name, "it holds NaN or infinite values; replace them by a number")
    return Image.fromarray(_scaled(values, canvas.low, canvas.high))


@lru_cache(maxsize=4)
def _levels(low: float, high: float) -> np.ndarray:
    """What becomes of each value of 16 bits, uint8 [65536]: much quicker than scaling every pixel."""
    return _scaled(np.arange(65536), low, high)


def _scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    scaled = (values.astype(np.float64) - low) * (255.0 / (high - low))
    return np.asarray(np.rint(scaled.clip(0.0, 255.0)).astype(np.uint8))


def _fit(image: Image.Image, canvas: Canvas) -> np.ndarray:
    image = _flat(image, "L" if canvas.channels == 1 else "RGB")
    size = (canvas.width, canvas.height)
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    pixels = np.asarray(image)
    return pixels[None] if canvas.channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _flat(image: Image.Image, mode: str) -> Image.Image:
    if image.has_transparency_data:
        image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return image if image.mode == mode else image.convert(mode)
