"""Two processes with half a batch each train as one process with the whole batch does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from vssl.objectives import barlow, dino, lejepa, mcinfonce, simclr, vicreg, vssl
from vssl.run import Run
from vssl.training import loop
from vssl.training.settings import Budget, Optimiser, Settings

pytestmark = pytest.mark.slow

Tiny = Callable[..., Settings]


def torchrun(script: str, *arguments: Path) -> None:
    # Standalone, it looks for a free port and keeps it: one that is probed first may be taken before it is used.
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [str(Path(__file__).with_name(script)), *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            _, errors = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            # torchrun ends its processes when it is asked to, and leaves them behind when it is killed.
            process.terminate()
            raise
    assert process.returncode == 0, errors[-4000:]


def train_in_two(*runs: tuple[Path, Path, Settings]) -> None:
    """Train one after the other: from the data, into the folder, with the settings."""
    task = runs[0][1].with_suffix(".json")
    task.write_text(json.dumps([[str(source), str(out), settings.to_dict()] for source, out, settings in runs]))
    torchrun("distributed_training.py", task)


def test_gradients_and_batch_statistics_cross_the_processes():
    torchrun("distributed_pieces.py")


OBJECTIVES = {
    "vssl aggregate": vssl.Config(),
    "vssl aggregate with a teacher": vssl.Config(ema_half_life=0.2),
    "vssl paired": vssl.paper(),
    "vssl marginal": vssl.Config(prior="marginal"),
    "simclr": simclr.Config(),
    "barlow": barlow.Config(),
    "vicreg": vicreg.Config(),
    "lejepa": lejepa.Config(),
    "mcinfonce": mcinfonce.Config(),
    "dino": dino.Config(prototypes=32, teacher_temperature=0.1),
}


@pytest.fixture(scope="module")
def trained_in_two(
    tmp_path_factory: pytest.TempPathFactory, draw_pictures: Callable[..., Path], tiny_settings: Tiny
) -> dict[str, tuple[Path, Settings, Run]]:
    """For each objective the data, the settings, and the run of two processes; all from one start of these."""
    folder = tmp_path_factory.mktemp("in_two")
    source = draw_pictures(folder / "pictures")
    settings = {
        name: tiny_settings(
            objective=replace(objective, latent=16, hidden=32),
            # Small, plain steps: a ReLU whose input rounding tips over zero changes the next losses in proportion
            # to the learning rate, also in one process; AdamW's steps are as large where a gradient is rounding alone.
            optimiser=Optimiser("sgd", 5e-4, warmup=0.0),
            budget=Budget(steps=5),
            seed=5,  # rounding tips no ReLU in any of them; with 0 and 1 it does in one
        )
        for name, objective in OBJECTIVES.items()
    }
    train_in_two(*((source, folder / name, chosen) for name, chosen in settings.items()))
    return {name: (source, chosen, Run(folder / name)) for name, chosen in settings.items()}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_two_processes_train_as_one_does(
    trained_in_two: dict[str, tuple[Path, Settings, Run]],
    objective: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(loop, "LOG_STEPS", 1)
    source, settings, two = trained_in_two[objective]
    one = loop.train(source, tmp_path / "one", settings)
    assert two.info["machine"]["processes"] == 2
    losses = [[line["loss"] for line in run.metrics()] for run in (one, two)]
    assert len(losses[0]) == 5
    assert losses[1] == pytest.approx(losses[0], rel=1e-4, abs=1e-4)
    first, second = (load_file(run.path / "model.safetensors") for run in (one, two))
    for name, value in first.items():
        torch.testing.assert_close(
            second[name], value, atol=1e-3, rtol=1e-3, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_a_checkpoint_of_the_first_process_disturbs_no_other(pictures: Path, tmp_path: Path, tiny_settings: Tiny):
    settings = tiny_settings(budget=Budget(steps=60), checkpoint_minutes=0.01)
    train_in_two((pictures, tmp_path / "run", settings))
    assert Run(tmp_path / "run").info["status"] == "done"
