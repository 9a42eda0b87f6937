"""Values of more than 8 bits are read as they are stored."""

import numpy as np
import picture_files
import pytest
from PIL import Image
from test_decode import encode

from vssl.errors import BrokenFileError
from vssl.modalities.images.decode import Canvas, decode, is_drawing, preview, read_header, wide_values
from vssl.modalities.images.index import choose_canvas, open_index

RAMP = np.linspace(900, 3900, 16 * 24).reshape(16, 24).astype(np.uint16)
"""12 bits in 16, as cameras write them."""


def colours(ramp: np.ndarray = RAMP) -> np.ndarray:
    return np.stack([ramp, ramp[::-1], ramp[:, ::-1]], -1)


@pytest.mark.parametrize("write", [picture_files.png16, picture_files.tiff])
def test_colour_of_12_bits_in_16_keeps_its_grey_levels(tmp_path, write):
    for number in range(3):
        (tmp_path / f"{number}.{'tif' if write is picture_files.tiff else 'png'}").write_bytes(write(colours()))
    index = open_index(tmp_path)
    canvas = choose_canvas(index)
    assert (canvas.height, canvas.width, canvas.channels) == (16, 24, 3)
    assert 890 < canvas.low < 950
    assert 3850 < canvas.high < 3910
    pixels = decode(index.read(0), "a", canvas)
    expected = ((colours() - canvas.low) * 255 / (canvas.high - canvas.low)).clip(0, 255)
    assert np.abs(pixels - expected.transpose(2, 0, 1)).max() <= 0.5
    assert len(np.unique(pixels)) > 200


def test_grey_with_transparency_of_16_bits_is_grey_and_laid_over_black():
    opacity = np.full_like(RAMP, 65535)
    opacity[:, 12:] = 0
    data = picture_files.png16(np.stack([RAMP, opacity], -1))
    header = read_header(data, "a")
    assert (header.channels, header.bits) == (1, 16)
    values = wide_values(data, "a").reshape(RAMP.shape)
    assert np.array_equal(values[:, :12], RAMP[:, :12])
    assert (values[:, 12:] == 0).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_the_transparent_value_of_16_bits_is_black(channels):
    values = np.full((4, 4, channels), 3000, np.uint16)
    values[0] = 2000
    data = picture_files.png16(values, transparent=(2000,) * channels)
    shown = wide_values(data, "a").reshape(values.shape)
    assert (shown[0] == 0).all()
    assert (shown[1:] == 3000).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("packed", [False, True])
def test_where_0_is_white_bright_stays_bright(dtype, packed):
    top = np.iinfo(dtype).max
    stored = np.full((8, 8), top, dtype)
    stored[2:6, 2:6] = top // 8  # a bright square
    data = picture_files.tiff(stored, white_is_zero=True, packed=packed)
    canvas = Canvas(8, 8, 1) if dtype == np.uint8 else Canvas(8, 8, 1, 0.0, float(top))
    pixels = decode(data, "a", canvas)[0]
    assert pixels[0, 0] == 0
    assert pixels[4, 4] == pytest.approx(255 * 7 / 8, abs=1)


def test_values_beyond_the_range_of_signed_numbers_stay_large():
    stored = np.array([[0, 2**31, 2**32 - 1]], np.uint32)
    data = picture_files.tiff(stored)
    assert wide_values(data, "a").tolist() == [0, 2**31, 2**32 - 1]
    assert decode(data, "a", Canvas(1, 3, 1, 0.0, float(2**32)))[0, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.int32])
def test_packed_values_of_either_byte_order_are_the_same(order, dtype):
    stored = np.array([[-3, 607, 12]], dtype)
    if np.dtype(dtype) == np.int32 and order == "<":
        assert wide_values(picture_files.tiff(stored, order), "a").tolist() == [-3, 607, 12]
    assert wide_values(picture_files.tiff(stored, order, packed=True), "a").tolist() == [-3, 607, 12]


def test_float_values_from_0_to_1_fill_the_range(tmp_path):
    values = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(100, 100)
    (tmp_path / "a.tif").write_bytes(picture_files.tiff(values))
    canvas = choose_canvas(open_index(tmp_path))
    assert (canvas.low, canvas.high) == pytest.approx((0.001, 0.999), abs=1e-4)
    assert decode((tmp_path / "a.tif").read_bytes(), "a", Canvas(100, 100, 1, 0.0, 1.0)).mean() == pytest.approx(
        127.5, abs=1
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (picture_files.tiff(np.ones((2, 2), np.int8)), "8-bit values have a sign"),
        (picture_files.tiff(np.ones((2, 2), np.float32), white_is_zero=True), "0 is its white"),
        (picture_files.tiff(colours(), planar=True), "separate planes"),
        (picture_files.tiff(np.stack([RAMP, RAMP], -1), alpha=2), "one of a kind that is not read; save it as PNG"),
        (picture_files.tiff(np.ones((2, 2), np.float64)), "one of a kind that is not read"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 20, "a HEIC image; save it as PNG or JPEG"),
        (b"GIF89a" + b"\0" * 20, "a GIF image"),
    ],
)
def test_what_would_be_read_wrongly_is_refused_with_a_remedy(data, reason):
    with pytest.raises(BrokenFileError, match=reason):
        decode(data, "a", Canvas(8, 8, 1))


def test_a_jpeg_with_a_second_picture_behind_it_is_a_jpeg():
    image = Image.new("RGB", (12, 8), (200, 100, 50))
    data = encode(image, "MPO", save_all=True, append_images=[image])
    assert read_header(data, "a").format == "JPEG"
    assert decode(data, "a", Canvas(8, 12, 3))[0].mean() == pytest.approx(200, abs=3)


def test_a_deep_picture_is_shown_over_all_grey_levels():
    shown = np.asarray(preview(picture_files.png16(colours()), "a", 100))
    assert (shown.min(), shown.max()) == (0, 255)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP", "TIFF"])
def test_masks_are_drawings_and_photographs_are_not(format):
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (10, 10, 30, 40))
    assert is_drawing(encode(mask, format), "a")
    noise = np.random.default_rng(0).normal(128, 30, (64, 64)).clip(0, 255).astype(np.uint8)
    assert not is_drawing(encode(Image.fromarray(noise), format), "a")
