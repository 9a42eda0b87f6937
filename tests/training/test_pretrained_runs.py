"""A run that starts from pretrained weights keeps them and their record: their file is not needed again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from vssl.encoders.timm import Config
from vssl.run import Run
from vssl.training import loop
from vssl.training.settings import Budget, Settings

timm = pytest.importorskip("timm")

Tiny = Callable[..., Settings]
NETWORK = "test_resnet"  # timm's own for tests: 0.5 million weights


class Killed(BaseException):
    """Ends everything, as a kill does."""


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    save_file(timm.create_model(NETWORK).state_dict(), tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


@pytest.mark.parametrize("step", [0, 2])
@pytest.mark.parametrize("train", ["all", "adapt"])
def test_an_interrupted_run_is_finished_without_the_file_of_its_weights(
    train: Any,
    step: int,
    weights: Path,
    pictures: Path,
    tmp_path: Path,
    tiny_settings: Tiny,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoder = Config(NETWORK, str(weights))
    settings = tiny_settings(encoder=encoder, train=train, budget=Budget(steps=4), checkpoint_minutes=1e-9)
    whole = loop.train(pictures, tmp_path / "whole", settings)
    set_learning_rate, done = loop.optim.set_learning_rate, []

    def counted(*arguments: Any) -> None:
        done.append(1)
        if len(done) == step + 1:
            raise Killed
        set_learning_rate(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop.optim, "set_learning_rate", counted)
        with pytest.raises(Killed):
            loop.train(pictures, tmp_path / "run", settings)
    weights.unlink()
    run = loop.resume(tmp_path / "run")
    first, second = (load_file(each.path / "model.safetensors") for each in (whole, run))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert run.info["status"] == "done"
    assert run.info["training_gain"] == whole.info["training_gain"]


@pytest.mark.parametrize("train", ["all", "none"])
def test_the_record_of_the_weights_stays_with_the_finished_run(
    train: Any, weights: Path, pictures: Path, tmp_path: Path, tiny_settings: Tiny
) -> None:
    encoder = Config(NETWORK, str(weights))
    run = loop.train(pictures, tmp_path / "run", tiny_settings(encoder=encoder, train=train, budget=Budget(steps=2)))
    assert Run(run.path).info["pretrained"]["architecture"] == NETWORK
    assert len(run.info["pretrained"]["sha256"]) == 64
    assert run.info["weights"]["mode"] == train
    assert any("non-commercial" in note for note in run.notes)
