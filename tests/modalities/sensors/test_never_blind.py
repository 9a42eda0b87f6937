"""A channel never goes blind: faults are rejected whatever glitches, sentinels or offsets the training data had."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from serving import HERE, service_of
from vssl import Run, api, runtime
from vssl.modalities import sensors
from vssl.serving.app import build
from vssl.serving.limits import Limits

FAULTS = [slice(start, start + 100) for start in range(300, 3000, 600)]
Change = Callable[[np.ndarray], np.ndarray]


def pump(path: Path, rows: int, seed: int, change: Change, faults: bool = False) -> Path:
    """Pressure and flow of a pump; in a fault the pressure is three too high."""
    rng = np.random.default_rng(seed)
    pressure = 7 + np.sin(np.arange(rows) / 9 + seed) + 0.15 * rng.normal(size=rows)
    flow = np.cos(np.arange(rows) / 14 + seed) + 0.15 * rng.normal(size=rows)
    for fault in FAULTS if faults else ():
        pressure[fault] += 3
    lines = [f"{value:.3f},{other:.3f}" for value, other in zip(change(pressure), flow, strict=True)]
    path.write_text("\n".join(["pressure,flow", *lines]))
    return path


def nothing(values: np.ndarray) -> np.ndarray:
    return values


def spikes(values: np.ndarray) -> np.ndarray:
    values[[500, 1700]] = 1e6, -3e7
    return values


def sentinel(values: np.ndarray) -> np.ndarray:
    values[::70] = -9999
    return values


def high(values: np.ndarray) -> np.ndarray:
    return values + 1e9


@dataclass(frozen=True)
class Case:
    """How the training data differ from tidy ones, and the later data."""

    train: Change
    later: Change = nothing


CASES = {"tidy": Case(nothing), "spikes": Case(spikes), "sentinel": Case(sentinel, sentinel), "high": Case(high, high)}


def trained(folder: Path, case: Case) -> Run:
    run = api.train(
        pump(folder / "train.csv", 2400, 1, case.train),
        folder / "run",
        modality=sensors.Config(window="16"),
        encoder="temporal/tiny",
        steps=20,
        batch=64,
        precision="float32",
        device="cpu",
    )
    known = pump(folder / "known.csv", 8000, 2, case.later)
    api.calibrate(run, known, bank="train", block="block", false_alarm=0.05, device="cpu")
    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_faults_are_rejected_whatever_the_training_data_had(tmp_path: Path, name: str):
    case = CASES[name]
    run = trained(tmp_path, case)
    table = api.decide(run, pump(tmp_path / "later.csv", 3000, 3, case.later, faults=True), device="cpu").table
    starts = np.array([int(name.partition("@")[2]) for name in table["id"].to_pylist()])
    within = np.zeros(len(starts), bool)
    outside = np.ones(len(starts), bool)
    for fault in FAULTS:
        within |= (starts >= fault.start) & (starts + 16 <= fault.stop)
        outside &= (starts + 16 <= fault.start) | (starts >= fault.stop)
    rejected = np.array(table["decision"].to_pylist()) == "reject"
    assert rejected[within].mean() > 0.95
    assert rejected[outside].mean() < 0.05


@pytest.mark.slow
def test_at_an_offset_of_a_billion_files_exports_and_requests_agree(tmp_path: Path):
    run = trained(tmp_path, CASES["high"])
    later = pump(tmp_path / "later.csv", 600, 3, high, faults=True)
    table = api.decide(run, later, device="cpu").table
    folder = api.export(run, out=tmp_path / "export")
    windows = api.load(run, "cpu").modality.load(later).batch(np.arange(len(table))).numpy()
    assert windows.dtype == np.float64
    decided = runtime.load(folder).decide(windows)
    expected = table["score"].to_pylist()
    assert [item.score for item in decided] == pytest.approx(expected, abs=2e-3)
    with TestClient(build(service_of(folder, tmp_path), Limits(samples=1000)), base_url=HERE) as client:
        samples = [{"values": window.tolist()} for window in windows]
        sent = client.post("/v1/decide", json={"samples": samples}).json()["decisions"]
    assert [item["score"] for item in sent] == pytest.approx([item.score for item in decided], abs=1e-4)
    assert {item["decision"] for item in sent} == {"accept", "reject"}
