"""Stopped and resumed, a run is the run it would have been."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from vssl.config import member
from vssl.errors import RunError, RunNotFoundError
from vssl.run import Run
from vssl.training import checkpoint, loop
from vssl.training.model import load
from vssl.training.settings import Optimiser, Settings

Tiny = Callable[..., Settings]
Stop = Callable[[int, Callable[[], None]], None]


class Killed(BaseException):
    """Ends everything, as a kill does."""


def kill() -> None:
    raise Killed


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> Stop:
    """`at_step(n, event)`: the event happens in the step after `n` finished ones, once."""

    def arrange(step: int, event: Callable[[], None]) -> None:
        done = 0

        def counted(optimizer: Any, learning_rate: float) -> None:
            nonlocal done
            done += 1
            if done == step + 1:
                event()
            set_learning_rate(optimizer, learning_rate)

        set_learning_rate = loop.optim.set_learning_rate
        monkeypatch.setattr(loop.optim, "set_learning_rate", counted)

    return arrange


def assert_same(first: Run, second: Run) -> None:
    for name in (checkpoint.MODEL, checkpoint.STATE):
        one, other = load_file(first.path / name), load_file(second.path / name)
        assert one.keys() == other.keys()
        assert [key for key in one if not torch.equal(one[key], other[key])] == []


def small(objective: str) -> Any:
    config = member("objectives", objective)
    return replace(config, latent=16, hidden=32)


@pytest.mark.parametrize(
    ("objective", "algorithm"),
    [
        ("vssl", "adamw"),
        ("vssl/paper", "adamw"),
        ("vssl", "sgd"),
        ("simclr", "lars"),
    ],
)
def test_a_resumed_run_equals_one_that_was_never_stopped(
    pictures: Path, tmp_path: Path, tiny_settings: Tiny, at_step: Stop, objective: str, algorithm: str
):
    settings = tiny_settings(objective=small(objective), optimiser=Optimiser(algorithm, 1e-2))
    whole = loop.train(pictures, tmp_path / "whole", settings)
    at_step(7, press_ctrl_c)
    stopped = loop.train(pictures, tmp_path / "stopped", settings)
    assert stopped.info["progress"]["step"] == 8
    assert_same(whole, loop.resume(stopped.path))


def test_train_or_resume_trains_resumes_and_leaves_what_is_done_and_begins_anew_with_other_settings_or_data(
    pictures: Path, tmp_path: Path, tiny_settings: Tiny, at_step: Stop
):
    out, settings = tmp_path / "run", tiny_settings()
    whole = loop.train(pictures, tmp_path / "whole", settings)
    at_step(3, press_ctrl_c)
    assert loop.train_or_resume(pictures, out, settings).info["progress"]["step"] == 4
    done = loop.train_or_resume(pictures, out, settings)
    assert_same(whole, done)
    written = (out / "run.json").stat().st_mtime_ns
    assert loop.train_or_resume(pictures, out, settings).info == done.info
    assert (out / "run.json").stat().st_mtime_ns == written
    assert loop.train_or_resume(pictures, out, tiny_settings(seed=1)).info["settings"]["seed"] == 1
    copy = shutil.copytree(pictures, tmp_path / "copy")
    assert loop.train_or_resume(copy, out, tiny_settings(seed=1)).info["source"] == str(copy)


def test_ctrl_c_leaves_a_run_that_can_be_used(pictures: Path, tmp_path: Path, tiny_settings: Tiny, at_step: Stop):
    at_step(3, press_ctrl_c)
    run = loop.train(pictures, tmp_path / "run", tiny_settings())
    assert Run(run.path).info["status"] == "interrupted"
    assert Run(run.path).info["progress"].items() >= {"step": 4, "steps": 12, "samples": 32}.items()
    assert load(run, "cpu").objective.encoder.features == 128


def test_a_killed_run_goes_on_from_its_last_checkpoint_without_a_line_twice(
    pictures: Path, tmp_path: Path, tiny_settings: Tiny, at_step: Stop, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loop, "LOG_STEPS", 1)
    settings = tiny_settings(checkpoint_minutes=0.0)
    whole = loop.train(pictures, tmp_path / "whole", settings)

    def save_until_five(run: Run, objective: Any, optimizer: Any, progress: checkpoint.RunProgress) -> None:
        if progress.step <= 5:
            checkpoint.save_checkpoint(run, objective, optimizer, progress)

    at_step(9, kill)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_checkpoint", save_until_five)
        with pytest.raises(Killed):
            loop.train(pictures, tmp_path / "killed", settings)
    killed = Run(tmp_path / "killed")
    assert [line["step"] for line in killed.metrics()] == list(range(1, 10))
    resumed = loop.resume(killed.path)
    assert [line["step"] for line in resumed.metrics()] == list(range(1, 13))
    assert [line["loss"] for line in resumed.metrics()] == [line["loss"] for line in whole.metrics()]
    assert_same(whole, resumed)


def test_resuming_a_finished_run_changes_nothing(tiny_run: Run, tmp_path: Path):
    out = shutil.copytree(tiny_run.path, tmp_path / "run")
    again = loop.resume(out)
    assert_same(tiny_run, again)
    assert again.info["status"] == "done"
    assert again.info["health"] == tiny_run.info["health"]
    assert [line["step"] for line in again.metrics()] == [line["step"] for line in tiny_run.metrics()]


def test_resuming_does_not_forget_that_a_run_was_not_healthy(tiny_run: Run, tmp_path: Path):
    out = shutil.copytree(tiny_run.path, tmp_path / "run")
    lines = (out / "metrics.jsonl").read_text()
    (out / "metrics.jsonl").write_text(lines.replace('"healthy"', '"complete collapse"'))
    assert loop.resume(out).info["health"] == "complete collapse"


def test_a_run_of_a_version_with_other_settings_is_not_resumed(
    pictures: Path, tmp_path: Path, tiny_settings: Tiny, at_step: Stop
):
    at_step(3, press_ctrl_c)
    run = loop.train(pictures, tmp_path / "run", tiny_settings())
    settings = run.info["settings"]
    objective = {name: value for name, value in settings["objective"].items() if name != "views"}
    run.update(settings=settings | {"objective": objective})
    with pytest.raises(RunError, match=r"was started by vssl .*, which had other settings"):
        loop.resume(run.path)


def test_a_run_whose_data_have_changed_is_not_resumed(
    pictures: Path, tmp_path: Path, tiny_settings: Tiny, at_step: Stop, draw_pictures: Callable[..., Path]
):
    at_step(3, press_ctrl_c)
    run = loop.train(pictures, tmp_path / "run", tiny_settings())
    draw_pictures(pictures, count=65, seed=9)
    with pytest.raises(RunError, match="have changed since"):
        loop.resume(run.path)


def test_a_folder_without_a_run_is_not_resumed(tmp_path: Path):
    with pytest.raises(RunNotFoundError, match="is not a run folder"):
        loop.resume(tmp_path)
