"""A trained run as something to call."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from vssl.errors import RunNotFoundError, RunVersionError
from vssl.run import Run
from vssl.training.model import Model, load
from vssl.types import Gaussian, View


@pytest.fixture(scope="module")
def model(tiny_run: Run) -> Model:
    return load(tiny_run, "cpu")


@pytest.fixture(scope="module")
def view(model: Model) -> View:
    return model.modality.eval_view(model.modality.load(model.run.info["source"]).batch(np.arange(8)))


@pytest.fixture
def copy(tiny_run: Run, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_run.path, tmp_path / "run")


def test_samples_become_features_and_gaussians(model: Model, view: View):
    features, latent = model(view)
    assert features.shape == (8, model.objective.encoder.features)
    assert features.dtype == torch.float32
    assert isinstance(latent, Gaussian)
    assert latent.mean.shape == (8, 16)
    assert not features.requires_grad


def test_a_sample_is_embedded_the_same_in_any_batch(model: Model, view: View):
    whole, (first, second) = model(view)[0], view.chunk(2)
    torch.testing.assert_close(torch.cat([model(first)[0], model(second)[0]]), whole, atol=1e-5, rtol=1e-4)


def test_loading_again_gives_the_same_model(model: Model, view: View):
    features, latent = load(str(model.run.path), "cpu")(view)
    assert torch.equal(features, model(view)[0])
    assert torch.equal(latent.mean, model(view)[1].mean)


def test_loading_leaves_the_random_numbers_of_the_user_alone(model: Model):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    load(model.run, "cpu")
    assert torch.equal(torch.rand(3), expected)


def test_a_run_of_another_format_is_refused_with_the_version_that_wrote_it(copy: Path):
    info = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps(info | {"format": 99, "versions": {"vssl": "7.1"}}))
    with pytest.raises(RunVersionError, match=r"run format 99.*format 4.*vssl 7\.1"):
        load(str(copy))


def test_a_run_json_that_is_cut_short_is_refused(copy: Path):
    (copy / "run.json").write_text((copy / "run.json").read_text()[:-20])
    with pytest.raises(RunVersionError, match="not readable JSON"):
        load(str(copy))


def test_a_run_without_a_model_is_refused(copy: Path):
    (copy / "model.safetensors").unlink()
    with pytest.raises(RunNotFoundError, match="holds no model yet"):
        load(str(copy))


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path):
    with pytest.raises(RunNotFoundError, match=r"it has no run\.json"):
        load(str(tmp_path))
