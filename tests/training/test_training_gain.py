"""Healthy needs a gain over the untrained network; a run without one says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from vssl import api
from vssl.objectives.base import Objective
from vssl.run import Run
from vssl.training import loop
from vssl.training.health import NO_GAIN
from vssl.training.model import build_objective
from vssl.training.settings import Budget, Settings
from vssl.training.training_gain import TrainingGain, describe_gain, describe_progress, training_gain

MANY = 10**6
module = import_module("vssl.training.training_gain")


@pytest.fixture
def compare(tiny_run: Run) -> Callable[[Callable[[Objective], None]], TrainingGain]:
    """`compare(change)`: the training gain of an untrained objective that `change` has changed."""
    model = api.load(tiny_run, "cpu")
    dataset = model.modality.load(tiny_run.info["source"])

    def run(change: Callable[[Objective], None]) -> TrainingGain:
        objective = build_objective(model.settings, model.modality)
        with torch.no_grad():
            change(objective)
        return training_gain(objective, model.settings, model.modality, dataset, MANY)

    return run


def test_an_untrained_network_has_learned_nothing(compare: Callable[..., TrainingGain]) -> None:
    found = compare(lambda _: None)
    assert found.trained == found.untrained
    assert not found.helped
    assert found.samples == 64


def test_a_network_that_sees_all_alike_is_at_chance(compare: Callable[..., TrainingGain]) -> None:
    def collapse(objective: Objective) -> None:
        for parameter in objective.encoder.parameters():
            parameter.zero_()

    found = compare(collapse)
    assert found.trained == 0.5
    assert not found.helped


def test_a_network_that_knows_samples_again_has_learned(
    compare: Callable[..., TrainingGain], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = []

    def features(objective: Objective, _settings: Settings, view: object) -> torch.Tensor:
        count = len(view)  # type: ignore[arg-type]
        noise = torch.randn(count, 32, generator=torch.Generator().manual_seed(len(changed)))
        changed.append(objective)
        return torch.eye(count, 32) + torch.eye(count).flip(0)[:, :32] + (0 if len(changed) <= 2 else 10) * noise

    monkeypatch.setattr(module, "features_of", features)
    found = compare(lambda _: None)
    assert found.helped
    assert found.trained > 0.9 > found.untrained


def test_three_steps_on_24_pictures_show_no_gain_and_are_not_healthy(
    tmp_path: Path, draw_pictures: Callable[..., Path], tiny_settings: Callable[..., Settings]
) -> None:
    run = loop.train(draw_pictures(tmp_path / "few", count=24), tmp_path / "run", tiny_settings(budget=Budget(steps=3)))
    assert run.info["status"] == "done"
    assert run.info["health"] == NO_GAIN
    assert describe_progress(run.info) == "24 samples, each seen 1.0 times (3 steps)"
    assert "Train longer, or on more data" in describe_gain(run.info)


@pytest.mark.slow
def test_useful_training_is_healthy(
    tmp_path: Path, draw_pictures: Callable[..., Path], tiny_settings: Callable[..., Settings]
) -> None:
    settings = replace(tiny_settings(), batch=64, budget=Budget(steps=300))
    run = loop.train(draw_pictures(tmp_path / "many", count=512), tmp_path / "run", settings)
    assert run.info["health"] == "healthy", run.info["training_gain"]
    assert run.info["training_gain"]["trained"] > run.info["training_gain"]["untrained"]


def test_the_figure_is_the_same_every_time(tiny_run: Run) -> None:
    model = api.load(tiny_run, "cpu")
    dataset = model.modality.load(tiny_run.info["source"])
    one, two = (training_gain(model.objective, model.settings, model.modality, dataset, MANY) for _ in range(2))
    assert one == two


def test_few_samples_are_compared_after_a_short_run(tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    model = api.load(tiny_run, "cpu")
    asked = []
    dataset = model.modality.load(tiny_run.info["source"])
    batch = type(dataset).batch
    monkeypatch.setattr(type(dataset), "batch", lambda self, rows: asked.append(len(rows)) or batch(self, rows))
    monkeypatch.setattr(module, "MIN_SAMPLES", 8)
    training_gain(model.objective, model.settings, model.modality, dataset, seen=16 * 20)
    assert asked == [20]
