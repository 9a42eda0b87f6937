import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from vssl.errors import BrokenFileError, ConfigError
from vssl.modalities.images import decode as decode_module
from vssl.modalities.images.decode import Canvas, decode, read_header, wide_values

COLOUR, GREY = Canvas(8, 12, 3), Canvas(8, 12, 1)


def encode(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def picture(mode: str = "RGB", width: int = 12, height: int = 8) -> Image.Image:
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3).astype(np.uint8)
    return Image.fromarray(ramp).convert(mode)


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + b"\0\0\1\0IDAT"


@pytest.mark.parametrize(
    ("format", "mode", "options"),
    [
        ("PNG", "RGB", {}),
        ("PNG", "L", {}),
        ("BMP", "RGB", {}),
        ("TIFF", "RGB", {}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("WEBP", "RGB", {"lossless": True}),
        ("JPEG", "RGB", {"quality": 100, "subsampling": 0}),
        ("JPEG", "L", {"quality": 100}),
    ],
)
def test_every_format_gives_the_pixels_that_were_written(format, mode, options):
    image = picture(mode)
    pixels = decode(encode(image, format, **options), "a", COLOUR)
    assert pixels.shape == (3, 8, 12)
    assert pixels.dtype == np.uint8
    expected = np.asarray(image.convert("RGB")).transpose(2, 0, 1).astype(int)
    assert np.abs(pixels - expected).max() <= (4 if format == "JPEG" else 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("canvas", [COLOUR, GREY])
def test_every_mode_fits_grey_and_colour_canvases(mode, canvas):
    image = picture(mode)
    expected = np.asarray(image.convert("RGB").convert("L" if canvas.channels == 1 else "RGB"))
    pixels = decode(encode(image), "a", canvas)
    assert np.array_equal(pixels, expected[None] if canvas.channels == 1 else expected.transpose(2, 0, 1))


def test_cmyk_becomes_colour():
    red = Image.new("CMYK", (12, 8), (0, 255, 255, 0))
    pixels = decode(encode(red, "JPEG", quality=100), "a", COLOUR)
    assert pixels[0].min() > 240
    assert pixels[1:].max() < 15


def test_transparent_parts_become_black_whatever_colour_they_hide():
    image = Image.new("RGBA", (12, 8), (200, 100, 50, 0))
    image.paste((200, 100, 50, 255), (0, 0, 6, 8))
    pixels = decode(encode(image), "a", COLOUR)
    assert pixels[:, 0, 0].tolist() == [200, 100, 50]
    assert pixels[:, 0, 11].tolist() == [0, 0, 0]


def test_transparency_of_a_palette_becomes_black():
    image = Image.new("P", (12, 8), 1)
    image.putpalette([0, 0, 0, 250, 250, 250])
    assert decode(encode(image, transparency=1), "a", COLOUR).max() == 0


def test_16_bit_values_are_mapped_from_the_measured_range_clipped_and_rounded():
    values = np.array([[0, 1000, 2000, 3000, 60000]], dtype=np.uint16)
    pixels = decode(encode(Image.fromarray(values)), "a", Canvas(1, 5, 1, 1000.0, 3000.0))
    assert pixels[0, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_int_and_float_tiff_are_wide(dtype):
    data = encode(Image.fromarray(np.array([[-100, 28, 155]], dtype=dtype)), "TIFF")
    assert read_header(data, "a").wide
    assert decode(data, "a", Canvas(1, 3, 3, -100.0, 155.0))[2, 0].tolist() == [0, 128, 255]
    assert wide_values(data, "a").tolist() == [-100, 28, 155]


def test_a_float_image_with_nan_is_refused():
    data = encode(Image.fromarray(np.array([[np.nan, 1]], dtype=np.float32)), "TIFF")
    with pytest.raises(BrokenFileError, match="NaN"):
        decode(data, "a", Canvas(1, 2, 1, 0.0, 1.0))


def test_depths_are_never_mixed():
    wide = encode(Image.fromarray(np.zeros((4, 4), np.uint16)))
    with pytest.raises(BrokenFileError, match="16-bit values in a data set of 8-bit"):
        decode(wide, "wide.png", GREY)
    with pytest.raises(BrokenFileError, match=r"8-bit values in a data set of values in 0\.\.4095"):
        decode(encode(picture("L")), "plain.png", Canvas(8, 12, 1, 0.0, 4095.0))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_the_orientation_in_the_file_is_applied_to_header_and_pixels(format):
    image = Image.new("RGB", (40, 20), "black")
    image.paste("white", (0, 0, 40, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter: the top goes to the right
    data = encode(image, format, exif=exif)
    header = read_header(data, "a")
    assert (header.height, header.width) == (40, 20)
    pixels = decode(data, "a", Canvas(40, 20, 1))[0]
    assert pixels[:, 15:].mean() > 240
    assert pixels[:, :5].mean() < 15


@pytest.mark.parametrize("side", [32, 500, 2000])
def test_the_whole_image_is_kept_and_averaged_when_scaled_down(side):
    image = Image.new("L", (side, side), 100)
    image.paste(200, (side // 2, 0, side, side))
    pixels = decode(encode(image, "JPEG", quality=95), "a", Canvas(8, 8, 1))[0].astype(int)
    assert np.abs(pixels[:, :3] - 100).max() < 8
    assert np.abs(pixels[:, 5:] - 200).max() < 8
    assert abs(pixels.mean() - 150) < 4


def test_a_1x1_image_fills_the_canvas():
    assert (decode(encode(Image.new("L", (1, 1), 77)), "a", COLOUR) == 77).all()


def test_several_pictures_in_one_file_are_refused_where_one_is_expected():
    pages = [Image.new("L", (12, 8), value) for value in (10, 200)]
    with pytest.raises(BrokenFileError, match=r"2 pages.*each as a file"):
        decode(encode(pages[0], "TIFF", save_all=True, append_images=pages[1:]), "a", GREY)


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_an_animation_is_refused(format):
    frames = [Image.new("L", (12, 8), value) for value in (10, 200)]
    with pytest.raises(BrokenFileError, match="an animation of 2 pictures"):
        read_header(encode(frames[0], format, save_all=True, append_images=frames[1:]), "a")


def test_a_thumbnail_before_the_page_is_no_page():
    page = Image.new("L", (64, 64), 200)
    data = encode(page.resize((16, 16)).point(lambda _: 10), "TIFF", save_all=True, append_images=[page])
    assert read_header(data, "a").width == 64
    assert (decode(data, "a", GREY) == 200).all()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_image_is_named_and_not_filled(format, share):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    data = encode(noise, format)
    with pytest.raises(BrokenFileError) as caught:
        decode(data[: int(len(data) * share)], "half.img", COLOUR)
    assert caught.value.name == "half.img"


def test_pillow_told_to_fill_truncated_images_is_refused(monkeypatch):
    monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(ConfigError, match="LOAD_TRUNCATED_IMAGES"):
        decode(encode(picture()), "a", COLOUR)


@pytest.mark.parametrize("check", [read_header, lambda data, name: decode(data, name, COLOUR)])
def test_bad_files_are_refused_by_their_header(check, monkeypatch):
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("it was decoded"))
    bad = {
        "not an image": b"just text, named .png",
        "is empty": b"",
        "more than 100,000,000 pixels|60000 x 60000": png_header(60_000, 60_000),
        "9600 x 11000 pixels, more than": png_header(9_600, 11_000),
        "not an image of the formats": encode(picture("P"), "GIF"),
    }
    for reason, data in bad.items():
        with pytest.raises(BrokenFileError, match=reason):
            check(data, "bad.png")


def test_too_many_bytes_are_refused(monkeypatch):
    monkeypatch.setattr(decode_module, "MAX_BYTES", 20)
    with pytest.raises(BrokenFileError, match="more than 20 bytes"):
        read_header(encode(picture()), "a")


def test_the_header_tells_size_channels_bits_and_format():
    header = read_header(encode(picture("L", 30, 20), "JPEG"), "a")
    assert (header.height, header.width, header.channels, header.bits, header.format) == (20, 30, 1, 8, "JPEG")
    assert read_header(encode(picture("RGBA")), "a").channels == 3
    assert read_header(encode(Image.fromarray(np.zeros((4, 4), np.uint16))), "a").bits == 16


@pytest.mark.parametrize("bad", [(0, 8, 3), (8, 8, 2), (8, 8, 1, 5.0, 5.0), (8, 8, 1, 0.0, float("nan"))])
def test_an_impossible_canvas_is_refused(bad):
    with pytest.raises(ConfigError, match="canvas"):
        Canvas(*bad)
