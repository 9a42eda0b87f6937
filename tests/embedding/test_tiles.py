"""Large pictures embedded in tiles: one row per picture, the same alone and among others, and in constant memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from vssl import api, runtime
from vssl.embedding import embed_raw, tiles
from vssl.errors import ConfigError
from vssl.modalities import images
from vssl.modalities.tiling import Tiling
from vssl.run import Run


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen grey pictures of noise, 224 x 160 pixels (width x height)."""
    folder = tmp_path_factory.mktemp("large")
    for number in range(16):
        pixels = np.random.default_rng(number).integers(0, 256, (160, 224), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    return folder


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    settings: dict[str, Any] = {"steps": 3, "batch": 16, "device": "cpu", "precision": "float32"}
    config = images.Config(views="texture", tile=64)
    return api.train(
        pictures, tmp_path_factory.mktemp("tiles") / "run", modality=config, encoder="convnet/tiny", **settings
    )


def test_a_picture_is_one_row_whose_features_are_the_mean_of_its_tiles(run: Run, pictures: Path) -> None:
    model = api.load(run, "cpu")
    raw = model.modality.sample(pictures, 2, seed=0).raw
    tiling = model.modality.tiling
    assert tiling is not None
    columns = embed_raw(model, raw)
    parts = tiling.cut(raw[1], range(len(tiling)))
    with torch.inference_mode():
        features = model.objective.encoder(model.modality.eval_view(parts)).mean(0)
    np.testing.assert_allclose(columns["features"][1], features.numpy(), rtol=1e-4, atol=1e-5)
    assert len(api.embed(run, pictures, device="cpu")) == 16


def test_patches_cover_the_whole_picture(run: Run, pictures: Path) -> None:
    model = api.load(run, "cpu")
    columns = embed_raw(model, model.modality.sample(pictures, 1, seed=0).raw)
    rows, across = columns["dense_patches"].shape[1:3]
    assert rows / across == pytest.approx(160 / 224)


def test_a_picture_gives_the_same_bits_alone_and_among_others(run: Run, pictures: Path) -> None:
    model = api.load(run, "cpu")
    raw = model.modality.sample(pictures, 3, seed=0).raw
    together, alone = embed_raw(model, raw), embed_raw(model, raw[1:2])
    assert all(np.array_equal(alone[name], together[name][1:2]) for name in together)
    assert all(len(values) == 0 for values in embed_raw(model, raw[:0]).values())


def test_squares_of_patches_are_averaged_where_a_picture_has_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    tiling = Tiling((4000, 5000), (256, 256))
    assert tiles.pooling(tiling, (32, 32)) == 4
    assert tiles.pooling(tiling, (8, 8)) == 1
    monkeypatch.setattr(tiles, "MAX_PATCHES", 1)
    assert tiles.pooling(tiling, (32, 32)) == 32


def test_random_views_of_large_pictures_are_refused(run: Run, pictures: Path) -> None:
    with pytest.raises(ConfigError, match="single tiles"):
        api.embed(run, pictures, name="pairs", view_pairs=1, device="cpu")


def test_a_run_says_how_many_tiles_its_pictures_have(run: Run) -> None:
    tiling = api.load(run, "cpu").modality.tiling
    assert tiling is not None
    assert run.info["tiles"] == len(tiling) > 1
    assert run.info["samples"] == 16


@pytest.mark.slow
def test_an_export_computes_the_same_of_whole_pictures_one_tile_after_the_other(
    run: Run, pictures: Path, tmp_path: Path
) -> None:
    folder = api.export(run, out=tmp_path / "export")
    decider, model = runtime.load(folder), api.load(run, "cpu")
    raw = model.modality.sample(pictures, 3, seed=0).raw
    expected, found = embed_raw(model, raw), decider.outputs(raw.numpy())
    assert set(found) == set(expected)
    for name, values in expected.items():
        wide = found[name].astype(float)
        # A patch feature may be rounded to the next whole number.
        tolerance = 1.0 if values.dtype == np.int8 else 1e-4 * np.abs(values).max()
        assert np.abs(wide - values).max() <= tolerance, name
    assert max(decider.check().values()) < 1e-5
