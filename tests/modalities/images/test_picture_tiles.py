"""Pictures in tiles: the canvas is the picture's own, training draws tiles, and a sample stays a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vssl.errors import ConfigError
from vssl.modalities import images
from vssl.modalities.images.decode import Canvas
from vssl.modalities.images.modality import ImageModality
from vssl.modalities.images.wire import build


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three grey pictures of noise, 200 x 150 pixels (width x height)."""
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (150, 200), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return tmp_path


def modality_of(source: Path, **settings: object) -> ImageModality:
    config = images.Config(**settings)
    return images.build(config, images.measure(source, config))


def test_with_tiles_pictures_keep_their_pixels_and_a_given_size_stays_a_limit(folder: Path) -> None:
    assert images.measure(folder, images.Config(tile=64)).canvas == Canvas(150, 200, 1)
    assert images.measure(folder, images.Config(tile=64, size=100)).canvas == Canvas(75, 100, 1)
    assert images.measure(folder, images.Config()).canvas == Canvas(72, 96, 1)


def test_encoders_are_built_for_a_tile_and_pictures_no_larger_have_none(folder: Path) -> None:
    assert modality_of(folder, tile=64).shape == (1, 64, 64)
    assert modality_of(folder, tile=160).shape == (1, 150, 160)
    whole = modality_of(folder, tile=256)
    assert (whole.shape, whole.tiling) == ((1, 150, 200), None)


@pytest.mark.parametrize("tile", [-32, 32, 100])
def test_a_tile_that_no_network_fits_is_refused(tile: int) -> None:
    with pytest.raises(ConfigError, match=r"images\.tile is"):
        images.Config(tile=tile)


def test_training_samples_are_the_tiles_of_each_picture_with_its_name_and_metadata(folder: Path) -> None:
    modality = modality_of(folder, tile=64, label_from="folder")
    dataset = modality.load(folder)
    tiles = modality.training_samples(dataset)
    assert modality.tiling is not None
    each = len(modality.tiling)
    assert (len(dataset), len(tiles)) == (3, 3 * each)
    assert tiles.ids[each - 1 : each + 1] == ["0.png", "1.png"]
    assert tiles.metadata.num_rows == len(tiles)
    row, column = modality.tiling.corners[5]
    expected = dataset.batch(np.array([2]))[0, :, row : row + 64, column : column + 64]
    assert torch.equal(tiles.batch(np.array([0, 2 * each + 5]))[1], expected)


def test_what_recognises_copies_is_kept_of_each_picture(folder: Path) -> None:
    modality = modality_of(folder, tile=64)
    assert len(modality.remember(modality.load(folder))["pictures"]) == 3


def test_both_views_of_a_large_picture_are_of_one_tile(folder: Path) -> None:
    modality = modality_of(folder, tile=64, views="upright")
    raw = modality.sample(folder, 3, seed=0).raw
    raw[:, :, :, :100], raw[:, :, :, 100:] = 0, 255
    first, second = modality.views(raw.repeat(8, 1, 1, 1), torch.Generator().manual_seed(0))
    assert first.pixels.shape == second.pixels.shape == (24, 1, 64, 64)
    means = [view.pixels.mean((1, 2, 3)) for view in (first, second)]
    assert torch.corrcoef(torch.stack(means))[0, 1] > 0.9


def test_a_batch_of_large_pictures_is_described_as_a_whole(folder: Path) -> None:
    modality = modality_of(folder, tile=64)
    raw = modality.sample(folder, 3, seed=0).raw
    assert modality.raw_descriptor(modality.overview(raw)).shape == (3, 2 * 64 + 1)


def test_streams_hold_few_large_pictures_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vssl.modalities.images.store.CHUNK_BYTES", 2 * 150 * 200)
    chunks = list(modality_of(folder, tile=64).stream(folder))
    assert [len(chunk.ids) for chunk in chunks] == [2, 1]


def test_a_close_up_of_a_large_picture_shows_a_mark_in_its_own_pixels(tmp_path: Path) -> None:
    pixels = np.full((1500, 2000), 90, np.uint8)
    pixels[1400:1402, 1900:1912] = 255
    Image.fromarray(pixels).save(tmp_path / "large.png")
    wire = build(images.measure(tmp_path, images.Config(tile=256)))
    content = (tmp_path / "large.png").read_bytes()
    found = wire.closeup(content, (1400 / 1500, 1900 / 2000))
    assert found is not None
    assert found.size == (320, 320)
    assert np.count_nonzero(np.asarray(found) == 255) == 24
    assert wire.decoded_bytes == 1500 * 2000


def test_a_picture_that_is_shown_in_its_own_pixels_has_no_close_up(folder: Path) -> None:
    wire = build(images.measure(folder, images.Config(tile=64)))
    assert wire.closeup((folder / "0.png").read_bytes(), (0.5, 0.5)) is None
