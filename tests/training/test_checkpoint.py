"""Checkpoints: whole or not there, whatever happens while they are written."""

from __future__ import annotations

import errno
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from vssl.errors import RunNotFoundError, StorageError
from vssl.run import Run
from vssl.training import checkpoint, optim
from vssl.training.checkpoint import RunProgress, load_checkpoint, load_model, save_checkpoint
from vssl.training.settings import Optimiser


class Killed(BaseException):
    """Ends everything, as a kill does; no clean-up may rely on it."""


class FullDisk(io.BytesIO):
    def write(self, data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_disk(descriptor: int, mode: str) -> FullDisk:
    os.close(descriptor)
    return FullDisk()


class State:
    """A network with its optimiser, some steps old."""

    def __init__(self, algorithm: str = "adamw", seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))
        self.optimizer = optim.build(Optimiser(algorithm), self.net)

    def step(self) -> None:
        inputs = torch.randn(8, 2, 4, 4, generator=torch.Generator().manual_seed(1))
        self.optimizer.zero_grad()
        self.net(inputs).square().mean().backward()
        self.optimizer.step()

    def weights(self) -> list[torch.Tensor]:
        return [value.clone() for value in self.net.state_dict().values()]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", {"status": "running"})


def equal(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("algorithm", ["adamw", "sgd", "lars"])
def test_a_loaded_optimiser_goes_on_as_the_saved_one_would(run: Run, algorithm: str):
    saved, loaded = State(algorithm, seed=0), State(algorithm, seed=1)
    for _ in range(3):
        saved.step()
    save_checkpoint(run, saved.net, saved.optimizer, RunProgress(3, 1.25, 24))
    assert load_checkpoint(run, loaded.net, loaded.optimizer) == RunProgress(3, 1.25, 24)
    saved.step()
    loaded.step()
    assert equal(saved.weights(), loaded.weights())


def test_without_a_checkpoint_a_run_starts_at_the_start(run: Run):
    state = State()
    before = state.weights()
    assert load_checkpoint(run, state.net, state.optimizer) == RunProgress(0, 0.0, 0)
    assert equal(state.weights(), before)


def two_checkpoints(run: Run, spoil: Callable[[], None], error: type[BaseException]) -> list[torch.Tensor]:
    """Save one, spoil what comes, fail to save the next; returns the weights of the first."""
    state = State()
    save_checkpoint(run, state.net, state.optimizer, RunProgress(1))
    first = state.weights()
    state.step()
    spoil()
    with pytest.raises(error):
        save_checkpoint(run, state.net, state.optimizer, RunProgress(2))
    return first


def assert_stands(run: Run, step: int, weights: list[torch.Tensor]) -> None:
    state, model = State(seed=1), State(seed=2)
    assert load_checkpoint(run, state.net, state.optimizer).step == step
    load_model(run, model.net)
    assert equal(state.weights(), weights)
    assert equal(model.weights(), weights)


def test_a_kill_before_the_file_gets_its_name_leaves_the_last_good_one(run: Run, monkeypatch: pytest.MonkeyPatch):
    def kill(path: Path, target: Path) -> None:
        raise Killed

    first = two_checkpoints(run, lambda: monkeypatch.setattr(Path, "replace", kill), Killed)
    monkeypatch.undo()
    assert_stands(run, 1, first)


def test_half_a_file_that_a_kill_left_behind_is_not_taken_for_a_checkpoint(run: Run):
    state = State()
    save_checkpoint(run, state.net, state.optimizer, RunProgress(1))
    for name in (checkpoint.STATE, checkpoint.MODEL):
        whole = run.path / name
        whole.with_name(f".{whole.name}.abc.tmp").write_bytes(whole.read_bytes()[:100])
    assert_stands(run, 1, state.weights())


def test_a_kill_between_state_and_model_leaves_both_usable(run: Run, monkeypatch: pytest.MonkeyPatch):
    def kill(run: Run, objective: nn.Module) -> None:
        raise Killed

    first = two_checkpoints(run, lambda: monkeypatch.setattr(checkpoint, "save_model", kill), Killed)
    state, model = State(seed=1), State(seed=2)
    assert load_checkpoint(run, state.net, state.optimizer).step == 2
    load_model(run, model.net)
    assert equal(model.weights(), first)


def test_a_full_disk_is_a_storage_error_and_leaves_the_last_good_checkpoint(run: Run, monkeypatch: pytest.MonkeyPatch):
    first = two_checkpoints(run, lambda: monkeypatch.setattr("vssl.files.os.fdopen", full_disk), StorageError)
    monkeypatch.undo()
    assert_stands(run, 1, first)
    assert [path.name for path in (run.path / "state").iterdir()] == ["latest.safetensors"]


def test_a_full_disk_is_named_with_file_and_advice(run: Run, monkeypatch: pytest.MonkeyPatch):
    state = State()
    monkeypatch.setattr("vssl.files.os.fdopen", full_disk)
    with pytest.raises(StorageError, match=r"latest\.safetensors cannot be written: No space left.*Free some space"):
        save_checkpoint(run, state.net, state.optimizer, RunProgress(1))


@pytest.mark.parametrize("name", [checkpoint.STATE, checkpoint.MODEL])
def test_a_damaged_file_is_named(run: Run, name: str):
    state = State()
    save_checkpoint(run, state.net, state.optimizer, RunProgress(1))
    path = run.path / name
    path.write_bytes(path.read_bytes()[:-50])
    read = {
        checkpoint.STATE: lambda: load_checkpoint(run, state.net, state.optimizer),
        checkpoint.MODEL: lambda: load_model(run, state.net),
    }[name]
    with pytest.raises(RunNotFoundError, match=f"{path.name} is damaged"):
        read()


def test_a_model_that_is_not_there_yet_is_said_so(run: Run):
    with pytest.raises(RunNotFoundError, match="holds no model yet"):
        load_model(run, State().net)


def test_a_model_of_other_settings_is_refused(run: Run):
    state = State()
    save_checkpoint(run, state.net, state.optimizer, RunProgress(1))
    with pytest.raises(RunNotFoundError, match="does not fit the settings"):
        load_model(run, nn.Linear(3, 3))
    shutil.rmtree(run.path / "state")
    load_model(run, state.net)
