"""The prepared GPU benchmark: its whole path on a CPU, with tiny sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

pytest.importorskip("benchmarks.common.record")

from benchmarks.common.record import Record
from benchmarks.speed import gpu


@pytest.mark.slow
def test_every_row_is_measured_once_and_resuming_adds_none(tmp_path: Path):
    options = gpu.Options(tiny=True, out=tmp_path / "gpu.json")
    gpu.main(options)
    rows = Record.read(options.out).rows
    rates = [row for row in rows if row["stage"] in ("views", "teacher", "step")]
    trainings = [row for row in rows if row["stage"] == "training"]
    assert [(row["stage"], row["compiled"]) for row in rates] == [
        (stage, compiled) for stage in ("views", "teacher", "step") for compiled in (False, True)
    ]
    assert [row["outcome"] for row in rates + trainings] == ["done"] * 8
    assert all(row["images_per_s"] > 0 for row in rates)
    assert all(0 <= row["linear_accuracy"] <= 1 for row in trainings)
    assert [row["accuracy"] for row in rows if row["stage"] == "time_to_accuracy"] == [0.8, 0.9]
    gpu.main(options)
    assert Record.read(options.out).rows == rows


def test_a_row_over_its_budget_is_recorded_as_such_and_one_without_time_left_is_not(tmp_path: Path):
    record = Record.create(tmp_path / "gpu.json")

    def endless() -> dict:
        while True:
            torch.ones(1).add(1)

    gpu.measure(record, {"stage": "endless"}, 0.2, gpu.time.monotonic() + 10, endless)
    gpu.measure(record, {"stage": "late"}, 60.0, gpu.time.monotonic() + 10, dict)
    assert [(row["stage"], row["outcome"]) for row in Record.read(record.path).rows] == [
        ("endless", "over the budget of 0.2 s")
    ]


def test_the_probe_separates_classes_that_are_linearly_separable_and_guesses_without_a_difference():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(500) % 5
    noise = torch.randn(500, 8, generator=generator)
    assert gpu.linear_accuracy(noise + 10 * torch.eye(5, 8)[labels], labels) == 1
    assert gpu.linear_accuracy(noise, labels) < 0.4


def test_the_time_to_an_accuracy_is_that_of_the_shortest_training_that_reaches_it(tmp_path: Path):
    record = Record.create(tmp_path / "gpu.json")
    for seconds, accuracy in ((15.0, 0.7), (30.0, 0.85), (60.0, 0.88)):
        record.add({"stage": "training", "seconds": seconds, "linear_accuracy": accuracy})
    gpu.add_times_to_accuracy(record, (15.0, 30.0, 60.0, 90.0))
    assert not record.holds(stage="time_to_accuracy")
    gpu.add_times_to_accuracy(record, (15.0, 30.0, 60.0))
    times = [(row["accuracy"], row["seconds"]) for row in record.rows if row["stage"] == "time_to_accuracy"]
    assert times == [(0.8, 30.0), (0.9, None)]
