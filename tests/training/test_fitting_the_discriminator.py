"""The discriminator that every training of an encoder for inspection ends with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vssl import api
from vssl.config import member
from vssl.embedding.encode import embed_raw
from vssl.errors import ConfigError
from vssl.run import Run
from vssl.scores import discriminator as score
from vssl.training import loop
from vssl.training import patch_discriminator as fitting
from vssl.training.model import Model
from vssl.training.patch_discriminator import describe_discriminator
from vssl.training.settings import Settings

INSPECTION = replace(member("modalities", "images"), views="inspection")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty smooth pictures of 32 x 32 pixels, in which any synthetic anomaly stands out."""
    folder = tmp_path_factory.mktemp("smooth")
    rng, ramp = np.random.default_rng(0), np.linspace(-1, 1, 32)
    for number in range(50):
        slope, level = rng.uniform(-30, 30, 2), rng.uniform(90, 160)
        pixels = level + slope[0] * ramp[:, None] + slope[1] * ramp + rng.normal(0, 1, (32, 32))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number:02d}.png")
    return folder


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory, tiny_settings: Callable[..., Settings]) -> Run:
    """Nothing but the discriminator is trained, in few steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "STEPS", 60)
        settings = tiny_settings(modality=INSPECTION, train="none")
        return loop.train(data, tmp_path_factory.mktemp("discriminator") / "run", settings)


def test_run_json_says_how_well_it_tells_held_out_pictures_with_an_anomaly(run: Run) -> None:
    fit = run.info["discriminator"]
    assert (fit["pictures"], fit["held_out"]) == (40, 10)
    assert fit["auroc"] > 0.7
    assert fit["learned"]
    assert "held-out pictures" in describe_discriminator(run.info)


def test_altered_pictures_score_higher(run: Run, data: Path) -> None:
    table, model = api.embed(run, data), api.load(run, "cpu")
    raw = model.modality.load(data).batch(np.arange(8))
    altered = raw.clone()
    spot = altered[:, :, 10:14, 10:14]
    altered[:, :, 10:14, 10:14] = torch.where(spot > 127, spot - 70, spot + 70)
    fitted = score.fit(score.Config(), table)
    before, after = (fitted.module(_logits(model, pixels)) for pixels in (raw, altered))
    assert (after > before).all()


def test_embeddings_hold_the_log_odds_of_each_patch_alone_as_in_a_batch(run: Run, data: Path) -> None:
    logits = api.embed(run, data).torch("discriminator_logits")
    model = api.load(run, "cpu")
    raw = model.modality.load(data).batch(np.arange(3))
    assert logits.dtype == torch.float16
    assert all(torch.equal(_logits(model, raw[row : row + 1])[0], logits[row]) for row in range(3))


def test_the_backbone_computes_it_without_vssl(run: Run, data: Path, tmp_path: Path) -> None:
    logits, model = api.embed(run, data).torch("discriminator_logits")[:3], api.load(run, "cpu")
    raw = model.modality.load(data).batch(np.arange(3))
    api.export(run, out=tmp_path, backbone_only=True)
    outputs = torch.export.load(tmp_path / "backbone.pt2").module()(raw)
    (found,) = (output for output in outputs if output.dtype == torch.float16)
    torch.testing.assert_close(found, logits, rtol=1e-2, atol=1e-2)


def test_a_run_that_is_killed_while_it_is_fitted_resumes_to_the_same(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "STEPS", 60)
    out = shutil.copytree(run.path, tmp_path / "run")
    expected = (out / "model.safetensors").read_bytes()
    (out / "model.safetensors").unlink()
    Run(out).update(status="running", discriminator=None)
    assert loop.resume(out).info["discriminator"]["auroc"] == run.info["discriminator"]["auroc"]
    assert (out / "model.safetensors").read_bytes() == expected


def test_photographs_of_things_have_none(tiny_run: Run, pictures: Path) -> None:
    assert tiny_run.info["discriminator"] is None
    assert describe_discriminator(tiny_run.info) == ""
    with pytest.raises(ConfigError, match="other --views than natural"):
        score.fit(score.Config(), api.embed(tiny_run, pictures, name="none"))


def test_one_that_learned_nothing_is_named() -> None:
    fit = {"auroc": 0.5, "pictures": 40, "held_out": 10, "learned": False, "seconds": 1.0}
    assert "Nothing shows" in describe_discriminator({"discriminator": fit})


def _logits(model: Model, raw: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(embed_raw(model, raw)["discriminator_logits"])
