"""A real comparison of two methods on tiny pictures: its results, its page, and how it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vssl.benchmarking import page, suite, trial
from vssl.benchmarking.sources import Sources
from vssl.benchmarking.suite import Suite
from vssl.config import member
from vssl.errors import ConfigError, DivergedError, RunError, RunVersionError
from vssl.modalities import images
from vssl.run import Run
from vssl.training import loop
from vssl.training.settings import Budget


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, draw_pictures: Callable[..., Path]) -> Sources:
    folder = tmp_path_factory.mktemp("bench")
    places = {name: draw_pictures(folder / name, count, seed=seed) for seed, (name, count) in enumerate(SIZES.items())}
    return Sources(**{name: str(place) for name, place in places.items()})


SIZES = {"train": 96, "test": 64, "other": 48}


@pytest.fixture(scope="module")
def asked(sources: Sources) -> Suite:
    return Suite(
        sources=sources,
        methods=("vssl", "simclr:temperature=0.2"),
        budget=Budget(steps=6),
        modality=images.Config(label_from="folder"),
        encoder=member("encoders", "convnet/tiny"),
        seeds=(0,),
        batches=(16,),
        device="cpu",
    )


@pytest.fixture(scope="module")
def compared(asked: Suite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("compared")
    page.build(suite.run(asked, out, "vssl bench ..."), out)
    return out


@pytest.mark.slow
def test_each_trial_leaves_a_file_with_figures_and_cost(compared: Path):
    found = {result["method"]: result for result in suite.results(compared)}
    assert set(found) == {"vssl", "simclr:temperature=0.2"}
    for method, result in found.items():
        values = result["values"]
        assert result["outcome"] == "done"
        names = ("knn/accuracy", "linear/accuracy_100", "transfer/knn/accuracy", "ood/auroc/nn_distance")
        for name in (*names, "finetune/accuracy_10"):
            assert 0 <= values[name] <= 1
        assert {f"corruption/{kind}/3/auroc/nn_distance" for kind in ("noise", "blur", "blackout")} <= set(values)
        assert result["cost"]["samples"] == 6 * (8 if method == "vssl" else 16)
        assert result["cost"]["gflops_per_sample"] > 0
        assert result["cost"]["peak_mb"] > 50
        assert result["settings"]["seed"] == 0
        assert result["command"] == "vssl bench ..."
    assert "corruption/noise/3/auroc/ambiguity" in found["vssl"]["values"]
    assert "corruption/noise/3/auroc/ambiguity" not in found["simclr:temperature=0.2"]["values"]
    assert (compared / "report.html").is_file()
    assert not list(compared.glob("runs/*/embeddings"))


@pytest.mark.slow
def test_what_is_recorded_is_not_repeated_and_more_is_added(
    compared: Path, asked: Suite, monkeypatch: pytest.MonkeyPatch
):
    class NoPool:
        def __init__(self, *_: object, **__: object) -> None:
            raise AssertionError("a trial was run again")

    monkeypatch.setattr(suite, "ProcessPoolExecutor", NoPool)
    assert len(suite.run(asked, compared)) == 2
    with pytest.raises(AssertionError, match="run again"):
        suite.run(replace(asked, seeds=(0, 1)), compared)


def test_trials_differ_in_their_names(asked: Suite):
    wide = replace(asked, seeds=(0, 1), learning_rates=(1e-3, 2e-3), batches=(16, 32))
    names = [item.name for item in wide.trials()]
    assert len(names) == len(set(names)) == 16
    assert names[0].startswith("train_6-steps_vssl_lr-0.001_batch-16_seed-0_")
    other = replace(wide, encoder=member("encoders", "convnet/small"))
    assert not set(names) & {item.name for item in other.trials()}


def test_a_budget_is_said_in_words(asked: Suite):
    for budget, words in ((Budget(minutes=2.5), "2.5 minutes"), (Budget(epochs=1), "1 epoch")):
        assert next(replace(asked, budget=budget).trials()).budget == words


def test_an_unknown_method_is_refused_before_anything_is_trained(asked: Suite, tmp_path: Path):
    with pytest.raises(ConfigError, match="simclr"):
        suite.run(replace(asked, methods=("vssl", "simclt")), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_killed_process_is_said_and_nothing_recorded(asked: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(suite, "_run", killed)
    with pytest.raises(RunError, match="run the same command again to continue"):
        suite.run(asked, tmp_path)
    assert suite.results(tmp_path) == []


def killed(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
def test_a_trial_does_not_outlive_the_comparison(sources: Sources, tmp_path: Path):
    bench, log = training(sources, tmp_path)
    children = Path(f"/proc/{bench.pid}/task/{bench.pid}/children").read_text().split()
    bench.kill()
    bench.wait()
    until = time.monotonic() + 60
    while Run(log.parent).info["status"] != "interrupted":
        assert time.monotonic() < until, "the training goes on"
        time.sleep(0.1)
    until = time.monotonic() + suite.SECONDS_TO_SAVE / 2
    while any(map(alive, children)):
        assert time.monotonic() < until, "its process waits for nothing"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C in another way")
def test_ctrl_c_saves_the_run_and_says_how_to_go_on(sources: Sources, tmp_path: Path):
    bench, log = training(sources, tmp_path, stderr=subprocess.PIPE, start_new_session=True)
    os.killpg(bench.pid, signal.SIGINT)  # as a terminal does, to all of its processes
    said = bench.communicate(timeout=60)[1].decode()
    assert bench.returncode == 130
    assert "run the same command again to continue" in said
    assert "Traceback" not in said
    assert Run(log.parent).info["status"] == "interrupted"
    assert suite.results(tmp_path) == []


def training(sources: Sources, out: Path, **how: Any) -> tuple[subprocess.Popen[bytes], Path]:
    """A comparison in a process of its own, and the log of the training in progress."""
    command = f"-m vssl bench {sources.train} --out {out} --methods vssl --steps 100000 --batches 16 --device cpu"
    bench = subprocess.Popen([sys.executable, *command.split(), "--encoder", "convnet/tiny"], **how)
    while not (logs := list(out.glob("runs/*/metrics.jsonl"))):
        assert bench.poll() is None
        time.sleep(0.1)
    return bench, logs[0]


def alive(process: str) -> bool:
    """Whether it still runs; one that has ended, and that nobody asked for its status, does not."""
    try:
        return Path("/proc", process, "stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_run_that_diverges_is_a_result(asked: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def diverge(*_: object, **__: object) -> None:
        raise DivergedError("The loss is nan at step 3.")

    monkeypatch.setattr(loop, "train", diverge)
    result = trial.run(next(asked.trials()), tmp_path / "run", talk=False)
    assert result["outcome"] == "diverged"
    assert result["values"] == {}


def test_an_interrupted_run_is_no_result_and_goes_on(asked: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    item = next(asked.trials())
    monkeypatch.setattr(loop, "stop_on_signal", stopped_at_once)
    assert trial.run(item, tmp_path / "run", talk=False) is None
    monkeypatch.undo()
    monkeypatch.setattr(loop, "train", None)  # it must be resumed, not begun again
    monkeypatch.setattr(trial, "evaluate_model", lambda *_: {})
    (tmp_path / "run" / "embeddings").mkdir()
    assert trial.run(item, tmp_path / "run", talk=False)["outcome"] == "done"


class stopped_at_once:
    def __enter__(self) -> bool:
        return True

    def __exit__(self, *_: object) -> None: ...


def test_a_result_that_is_no_json_is_named(tmp_path: Path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.json").write_text(json.dumps({})[:1])
    with pytest.raises(RunVersionError, match=r"a\.json is not readable JSON"):
        suite.results(tmp_path)
