"""The training loop: what a run leaves behind, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from vssl.config import member
from vssl.errors import ConfigError, DivergedError, EmptyDataError, RunExistsError, RunVersionError
from vssl.objectives.vssl import VSSL
from vssl.run import Run
from vssl.training import loop, schedule
from vssl.training.settings import Budget, Optimiser, Settings
from vssl.types import Loss

Tiny = Callable[..., Settings]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_finished_run_says_what_it_did(tiny_run: Run):
    assert tiny_run.info["status"] == "done"
    assert tiny_run.info["progress"].items() >= {"step": 12, "steps": 12, "samples": 96}.items()
    assert tiny_run.info["samples"] == 64
    assert tiny_run.info["broken"] == []
    assert tiny_run.info["settings"]["encoder"] == {"name": "convnet", "variant": "tiny"}
    assert [line["step"] for line in tiny_run.metrics()] == [1, 10]
    assert (tiny_run.path / "model.safetensors").is_file()


def test_the_same_seed_gives_the_same_model_and_another_one_does_not(
    pictures: Path, tmp_path: Path, tiny_settings: Tiny
):
    def weights(name: str, seed: int) -> dict[str, torch.Tensor]:
        run = loop.train(pictures, tmp_path / name, tiny_settings(seed=seed, budget=Budget(steps=3)))
        return load_file(run.path / "model.safetensors")

    first, again, other = weights("a", 1), weights("b", 1), weights("c", 2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_training_leaves_the_random_numbers_of_the_user_alone(pictures: Path, tmp_path: Path, tiny_settings: Tiny):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    loop.train(pictures, tmp_path / "run", tiny_settings(budget=Budget(steps=1)))
    assert torch.equal(torch.rand(3), expected)


def test_a_batch_larger_than_the_data_takes_all_of_them(pictures: Path, tmp_path: Path, tiny_settings: Tiny):
    run = loop.train(pictures, tmp_path / "run", tiny_settings(batch=1000, budget=Budget(epochs=2)))
    assert run.info["progress"].items() >= {"step": 2, "samples": 128}.items()


def test_every_epoch_meets_each_sample_once_in_another_order():
    order = loop._batches(samples=10, batch=3, seed=0, step=0)
    epochs = [[next(order) for _ in range(3)] for _ in range(2)]
    first, second = ([int(row) for rows in epoch for row in rows] for epoch in epochs)
    assert len(set(first)) == len(set(second)) == 9
    assert first != second
    assert list(next(loop._batches(samples=10, batch=3, seed=0, step=4))) == list(epochs[1][1])


@pytest.fixture
def fake_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock takes a tenth of a second."""

    def ticks() -> Iterator[float]:
        now = 0.0
        while True:
            now += 0.1
            yield now

    monkeypatch.setattr(schedule, "time", SimpleNamespace(monotonic=ticks().__next__))


@pytest.mark.usefixtures("fake_time")
def test_a_budget_of_minutes_ends_in_time_with_the_learning_rate_near_zero(
    pictures: Path, tmp_path: Path, tiny_settings: Tiny, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loop, "LOG_STEPS", 1)
    settings = tiny_settings(budget=Budget(minutes=0.5))
    run = loop.train(pictures, tmp_path / "run", settings)
    rates = [line["learning_rate"] for line in run.metrics()]
    assert run.info["status"] == "done"
    assert 30 <= run.info["progress"]["seconds"] < 33
    assert rates[-1] < 0.01 * max(rates)
    assert max(rates) > 0.9 * settings.optimiser.learning_rate


def test_an_existing_run_is_not_overwritten_unless_asked(
    tiny_run: Run, pictures: Path, tmp_path: Path, tiny_settings: Tiny
):
    out = shutil.copytree(tiny_run.path, tmp_path / "run")
    before = content(out)
    with pytest.raises(RunExistsError, match=r"holds a run.*--overwrite"):
        loop.train(pictures, out, tiny_settings())
    assert content(out) == before
    run = loop.train(pictures, out, tiny_settings(seed=5, budget=Budget(steps=1)), overwrite=True)
    assert run.info["settings"]["seed"] == 5
    assert [line["step"] for line in run.metrics()] == [1]
    assert content(out)["model.safetensors"] != before["model.safetensors"]


def test_a_folder_that_is_no_run_is_never_touched(pictures: Path, tmp_path: Path, tiny_settings: Tiny):
    foreign = tmp_path / "thesis"
    foreign.mkdir()
    (foreign / "chapter.txt").write_text("years of work")
    with pytest.raises(RunExistsError, match="is not a run folder"):
        loop.train(pictures, foreign, tiny_settings(), overwrite=True)
    assert content(foreign) == {"chapter.txt": b"years of work"}
    with pytest.raises(RunExistsError, match="is a file"):
        loop.train(pictures, foreign / "chapter.txt", tiny_settings(), overwrite=True)


def test_a_setting_that_is_refused_costs_no_run_that_was_there(
    tiny_run: Run, pictures: Path, tmp_path: Path, tiny_settings: Tiny
):
    pytest.importorskip("timm")
    out = shutil.copytree(tiny_run.path, tmp_path / "run")
    before = content(out)
    with pytest.raises(ConfigError, match="timm has no model"):
        loop.train(pictures, out, tiny_settings(encoder=member("encoders", "timm/nothing")), overwrite=True)
    assert content(out) == before


def test_the_objective_knows_the_share_of_the_run_before_each_step_and_the_logged_loss_is_the_one_it_names(
    pictures: Path, tmp_path: Path, tiny_settings: Tiny, monkeypatch: pytest.MonkeyPatch
):
    shares: list[float] = []
    original = VSSL.forward

    def forward(self: VSSL, *arguments: Any) -> Loss:
        shares.append(float(self.progress))
        return replace(original(self, *arguments), logged=torch.tensor(7.0))

    monkeypatch.setattr(VSSL, "forward", forward)
    run = loop.train(pictures, tmp_path / "run", tiny_settings(budget=Budget(steps=4)))
    assert shares == [0, 0.25, 0.5, 0.75]
    assert {line["loss"] for line in run.metrics()} == {7.0}


def test_too_few_samples_are_refused_and_leave_no_folder(
    draw_pictures: Callable[..., Path], tmp_path: Path, tiny_settings: Tiny
):
    few = draw_pictures(tmp_path / "few", count=10)
    with pytest.raises(EmptyDataError, match="holds 10 usable samples; training needs 16 or more"):
        loop.train(few, tmp_path / "run", tiny_settings())
    assert not (tmp_path / "run").exists()


def test_a_batch_that_the_processes_cannot_share_is_refused(
    pictures: Path, tmp_path: Path, tiny_settings: Tiny, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loop, "world_size", lambda: 3)
    with pytest.raises(
        ConfigError, match=r"A batch of 16 view pairs means 8 samples of 4 views .* number of processes \(3\)"
    ):
        loop.train(pictures, tmp_path / "run", tiny_settings())


def with_views(settings: Settings, views: int, **changes: Any) -> Settings:
    return replace(settings, objective=replace(settings.objective, views=views), **changes)


@pytest.mark.parametrize("views", [2, 8])
def test_more_views_of_a_sample_make_a_step_of_as_many_samples_fewer(
    pictures: Path, tmp_path: Path, tiny_settings: Tiny, views: int
):
    run = loop.train(pictures, tmp_path / "run", with_views(tiny_settings(), views))
    assert run.info["progress"].items() >= {"step": 12, "samples": 12 * 16 * 2 // views}.items()


def test_a_batch_too_small_for_its_views_is_refused(pictures: Path, tmp_path: Path, tiny_settings: Tiny):
    with pytest.raises(ConfigError, match="A batch of 3 view pairs means 1 samples of 4 views per step"):
        loop.train(pictures, tmp_path / "run", with_views(tiny_settings(), 4, batch=3))
    assert not (tmp_path / "run").exists()


@pytest.fixture
def diverging(tiny_settings: Tiny) -> Settings:
    """Steps so large that the second loss is no number; the first step leaves a checkpoint."""
    return tiny_settings(optimiser=Optimiser(learning_rate=1e30, warmup=0.0), checkpoint_minutes=0.0)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_checkpoint(
    pictures: Path, tmp_path: Path, diverging: Settings
):
    with pytest.raises(DivergedError, match=r"The loss is .* at step .*--learning-rate"):
        loop.train(pictures, tmp_path / "run", diverging)
    run = Run(tmp_path / "run")
    assert run.info["status"] == "diverged"
    assert run.info["health"].startswith("diverged: the loss is")
    assert all(json.dumps(line["loss"]) not in ("NaN", "Infinity") for line in run.metrics())
    assert (run.path / "state/latest.safetensors").is_file()


def test_no_checkpoint_holds_weights_that_are_no_numbers(pictures: Path, tmp_path: Path, tiny_settings: Tiny):
    settings = tiny_settings(optimiser=Optimiser(learning_rate=1e39, warmup=0.0), checkpoint_minutes=0.0)
    with pytest.raises(DivergedError):
        loop.train(pictures, tmp_path / "run", settings)
    for path in (tmp_path / "run").rglob("*.safetensors"):
        assert all(value.isfinite().all() for value in load_file(path).values()), path.name


def test_a_run_of_another_format_is_not_resumed(tiny_run: Run, tmp_path: Path):
    out = shutil.copytree(tiny_run.path, tmp_path / "run")
    (out / "run.json").write_text(json.dumps(tiny_run.info | {"format": 0}))
    with pytest.raises(RunVersionError, match="run format 0"):
        loop.resume(out)
