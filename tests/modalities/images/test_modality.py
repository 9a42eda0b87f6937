import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.covariance import LedoitWolf

from vssl.errors import ConfigError, DataError, EmptyDataError, TooManyBrokenError
from vssl.modalities import images
from vssl.modalities.images import store
from vssl.modalities.images.decode import Canvas
from vssl.modalities.images.modality import PICTURE_SIDE, ImageModality
from vssl.modalities.images.presets import PRESETS


def png_header(width: int, height: int) -> bytes:
    """A PNG file that claims a size and holds no pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + end


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty colour images of noise, 12 x 10 pixels (width x height)."""
    root = tmp_path / "photos"
    root.mkdir()
    rng = np.random.default_rng(0)
    for number in range(40):
        Image.fromarray(rng.integers(0, 256, (10, 12, 3), dtype=np.uint8)).save(root / f"{number}.png")
    return root


def modality_of(source: Path, **settings: object) -> ImageModality:
    config = images.Config(**settings)
    return images.build(config, images.measure(source, config))


def test_measuring_gives_the_canvas_and_each_channels_mean_and_spread(tmp_path: Path) -> None:
    for number, red in enumerate((50, 100, 150)):
        pixels = np.zeros((10, 20, 3), np.uint8)
        pixels[..., 0], pixels[:, :10, 1] = red, 255
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    spec = images.measure(tmp_path, images.Config())
    assert spec.canvas == Canvas(10, 20, 3)
    assert spec.mean == pytest.approx((100 / 255, 0.5, 0))
    # Blue has no spread at all, and 1 divides nothing away.
    assert spec.std == pytest.approx((np.std([50, 100, 150]) / 255, 0.5, 1))


def test_large_images_are_scaled_down_to_the_size_and_small_ones_never_up(tmp_path: Path) -> None:
    Image.new("L", (400, 200), 7).save(tmp_path / "large.png")
    assert images.measure(tmp_path, images.Config(size=64)).canvas == Canvas(32, 64, 1)
    assert images.measure(tmp_path, images.Config(size=1000)).canvas == Canvas(200, 400, 1)


@pytest.mark.parametrize("settings", [{"size": 7}, {"max_broken": -0.1}, {"max_broken": 1.5}])
def test_settings_out_of_range_are_named(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"images.{next(iter(settings))} is"):
        images.Config(**settings)


def test_data_of_which_no_image_can_be_read_are_refused_with_the_first_reason(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("text")
    with pytest.raises((EmptyDataError, TooManyBrokenError), match=r"notes\.png.*not an image"):
        images.measure(tmp_path, images.Config())


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("part", [slice(0, 8), slice(8, 16), slice(3, 5)])
def test_a_process_with_a_part_of_the_batch_sees_the_views_of_the_whole(folder: Path, preset: str, part: slice) -> None:
    modality = modality_of(folder, views=preset)
    raw = modality.sample(folder, 16, seed=0).raw
    whole = modality.views(raw, torch.Generator().manual_seed(3))
    mine = modality.views(raw, torch.Generator().manual_seed(3), part)
    assert len(whole) == len(mine) == 2
    for all_views, my_views in zip(whole, mine, strict=True):
        torch.testing.assert_close(my_views.pixels, all_views.pixels[part], rtol=0, atol=1e-5)


def test_two_views_differ_from_each_other_and_from_the_image(folder: Path) -> None:
    modality = modality_of(folder)
    raw = modality.sample(folder, 16, seed=0).raw
    first, second = modality.views(raw, torch.Generator().manual_seed(0))
    plain = modality.eval_view(raw)
    for one, other in ((first, second), (first, plain), (second, plain)):
        assert (one.pixels - other.pixels).abs().mean() > 0.1


def test_views_follow_from_the_generator_alone(folder: Path) -> None:
    modality = modality_of(folder, views="inspection")
    raw = modality.sample(folder, 8, seed=0).raw
    torch.manual_seed(1)
    once = modality.views(raw, torch.Generator().manual_seed(0))[1].pixels
    torch.manual_seed(2)
    assert torch.equal(once, modality.views(raw, torch.Generator().manual_seed(0))[1].pixels)
    assert not torch.equal(once, modality.views(raw, torch.Generator().manual_seed(1))[1].pixels)


def test_plain_images_are_the_bytes_normalised_and_nothing_else(folder: Path) -> None:
    modality = modality_of(folder)
    modality = images.build(modality.config, replace(modality.spec, mean=(0.5, 0.25, 0.0), std=(0.25, 0.5, 1.0)))
    raw = torch.tensor([0, 51, 102, 255], dtype=torch.uint8).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    share = torch.tensor([0, 0.2, 0.4, 1]).view(2, 2)
    expected = torch.stack([(share - 0.5) / 0.25, (share - 0.25) / 0.5, share])[None]
    torch.testing.assert_close(modality.eval_view(raw).pixels, expected)


def test_the_training_data_come_out_with_mean_0_and_spread_1(folder: Path) -> None:
    modality = modality_of(folder)
    pixels = modality.eval_view(modality.load(folder).batch(np.arange(40))).pixels
    torch.testing.assert_close(pixels.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(pixels.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_loading_and_streaming_give_the_same_images_in_the_same_order(folder: Path) -> None:
    modality = modality_of(folder)
    data, chunks = modality.load(folder), list(modality.stream(folder, size=16))
    assert [len(chunk.ids) for chunk in chunks] == [16, 16, 8]
    assert [name for chunk in chunks for name in chunk.ids] == list(data.ids) == [f"{n}.png" for n in range(40)]
    assert torch.equal(torch.cat([chunk.raw for chunk in chunks]), data.pixels)
    assert torch.equal(data.batch(np.array([5, 3])), data.pixels[[5, 3]])


def test_a_small_set_is_decoded_once_by_measuring_training_and_embedding(folder: Path, monkeypatch) -> None:
    modality = modality_of(folder)
    monkeypatch.setattr(store, "decode", lambda *_: pytest.fail("it was decoded again"))
    assert len(modality.load(folder)) == len(modality.sample(folder, 40, seed=1).ids) == 40
    assert sum(len(chunk.ids) for chunk in modality.stream(folder)) == 40


def test_a_stream_that_starts_later_gives_the_rest(folder: Path) -> None:
    modality = modality_of(folder)
    (chunk,) = modality.stream(folder, start=37)
    assert chunk.ids == ["37.png", "38.png", "39.png"]


def test_counting_reads_no_image(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modality = modality_of(folder)
    (folder / "7.png").write_text("broken")
    monkeypatch.setattr("vssl.modalities.images.index.Index.read", None)
    contents = modality.contents(folder)
    total, fingerprint = contents.samples, contents.fingerprint
    assert total == 40
    (folder / "40.png").write_text("one more")
    assert modality.contents(folder).fingerprint != fingerprint


def test_a_sample_is_the_same_every_time_and_drawn_from_all_of_the_source(folder: Path) -> None:
    modality = modality_of(folder)
    sample = modality.sample(folder, 10, seed=1)
    again, other = modality.sample(folder, 10, seed=1), modality.sample(folder, 10, seed=2)
    assert sample.ids == again.ids
    assert torch.equal(sample.raw, again.raw)
    assert sample.ids != other.ids
    numbers = [int(name.removesuffix(".png")) for name in sample.ids]
    assert numbers == sorted(numbers)
    assert min(numbers) < 20 < max(numbers)
    assert len(modality.sample(folder, 1000, seed=1).ids) == 40


def test_a_sample_leaves_out_and_names_what_is_broken(folder: Path) -> None:
    modality = modality_of(folder)
    (folder / "3.png").write_text("text")
    sample = modality.sample(folder, 40, seed=0)
    assert len(sample.ids) == len(sample.raw) == 39
    assert [item.id for item in sample.broken] == ["3.png"]


def test_deep_grey_levels_are_spread_over_the_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(20):
        Image.fromarray(rng.integers(1000, 3001, (10, 10), dtype=np.uint16)).save(tmp_path / f"{number}.png")
    modality = modality_of(tmp_path)
    assert modality.shape == (1, 10, 10)
    assert modality.spec.canvas.low == pytest.approx(1000, abs=20)
    assert modality.spec.canvas.high == pytest.approx(3000, abs=20)
    raw = modality.load(tmp_path).pixels
    assert raw.dtype == torch.uint8
    assert raw.float().mean() == pytest.approx(127.5, abs=3)
    (picture,) = modality.pictures(tmp_path, ["4.png"])
    assert picture.mode == "RGB"
    assert np.ptp(np.asarray(picture)) > 200


def test_pictures_come_in_the_order_asked_and_small_enough_to_show(folder: Path) -> None:
    Image.new("RGB", (640, 320), (0, 200, 0)).save(folder / "large.jpg")
    small, large = modality_of(folder).pictures(folder, ["5.png", "large.jpg"])
    assert np.array_equal(np.asarray(small), np.asarray(Image.open(folder / "5.png")))
    assert large.size == (PICTURE_SIDE, PICTURE_SIDE // 2)
    assert large.getpixel((9, 9)) == pytest.approx((0, 200, 0), abs=3)


def test_what_is_no_longer_there_has_no_picture(folder: Path) -> None:
    modality = modality_of(folder)
    (folder / "1.png").write_text("text")
    (folder / "2.png").write_bytes((folder / "3.png").read_bytes()[:60])
    assert [picture is None for picture in modality.pictures(folder, ["0.png", "1.png", "2.png", "gone.png"])] == [
        False,
        True,
        True,
        True,
    ]
    assert modality.pictures(folder.with_name("moved"), ["0.png", "1.png"]) == [None, None]


def test_a_picture_too_large_to_decode_is_not_shown(folder: Path) -> None:
    modality = modality_of(folder)
    (folder / "1.png").write_bytes(png_header(60_000, 60_000))
    assert modality.pictures(folder, ["1.png"]) == [None]


def test_drawing_shows_each_sample_with_four_draws_of_both_views(folder: Path, tmp_path: Path) -> None:
    modality = modality_of(folder)
    path = modality.draw(folder, tmp_path / "sheets" / "views.png", samples=3, seed=0)
    sheet = Image.open(path)
    assert sheet.format == "PNG"
    # Each image is enlarged from 12 x 10 to 96 x 80.
    assert 9 * 96 < sheet.width < 9 * 96 + 100
    assert 3 * 80 < sheet.height < 3 * 80 + 60
    again = modality.draw(folder, tmp_path / "again.png", samples=3, seed=0)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.filterwarnings("error")
def test_a_batch_of_which_nothing_was_readable_has_an_empty_outline(folder: Path) -> None:
    modality = modality_of(folder)
    assert modality.raw_descriptor(modality.eval_view(torch.zeros(0, *modality.shape, dtype=torch.uint8))).shape[0] == 0


def test_folders_are_labels_only_when_asked(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.new("L", (9, 9), 80).save(tmp_path / "pets" / name / "1.png")
    asked = modality_of(tmp_path / "pets", label_from="folder").sample(tmp_path / "pets", 2, seed=0)
    assert asked.metadata["label"].to_pylist() == ["cat", "dog"]
    unasked = modality_of(tmp_path / "pets").sample(tmp_path / "pets", 2, seed=0)
    assert unasked.metadata.column_names == []


def test_a_source_that_is_not_there_is_named(folder: Path) -> None:
    modality = modality_of(folder)
    with pytest.raises(DataError, match="nowhere"):
        modality.load(folder.with_name("nowhere"))


def test_a_blank_picture_is_unlike_others_by_its_outline_though_each_field_of_it_is_usual(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    light = rng.uniform(0, 255, (300, 1, 1, 1))
    raw = np.clip(light + 12 * rng.normal(size=(300, 1, 24, 40)), 0, 255).astype(np.uint8)
    for number, image in enumerate(raw[:40]):
        Image.fromarray(image[0]).save(tmp_path / f"{number}.png")
    modality = modality_of(tmp_path)
    known, blank = (
        modality.raw_descriptor(modality.eval_view(torch.from_numpy(some))).double()
        for some in (raw, np.stack([np.full_like(raw[0], level) for level in (0, 128, 255)]))
    )
    fitted = LedoitWolf().fit(known)
    assert fitted.mahalanobis(blank).min() > 3 * fitted.mahalanobis(known).max()
    fields = slice(0, 64)
    alone = LedoitWolf().fit(known[:, fields])
    assert alone.mahalanobis(blank[:, fields]).max() < alone.mahalanobis(known[:, fields]).max()
