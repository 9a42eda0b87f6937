"""Anomalies in sensor series: are marked stretches found, and is the guaranteed false-alarm rate kept?

    python -m benchmarks.quality.series servers server-metrics-asd --seeds 0 1 2
    python -m benchmarks.quality.series nab nab --seeds 0 1 2

For each series an encoder is trained on the first 60 % of its unlabelled rows, which are the reference set as well; the
other 40 % calibrate. A row has the mean score of the windows that cover it, and the calibration takes the worst row of
each block of 64. The guaranteed rate is the lowest that the number of blocks allows with 95 % confidence. Figures:
VUS-PR, VUS-ROC and average precision; F1 and false alarms at the guaranteed threshold, never at the best one.
Comparison methods see the same windows. What is recorded is not repeated.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pyarrow.parquet as pq
import tyro
from sklearn.metrics import average_precision_score, f1_score

from benchmarks import tables
from benchmarks.common.record import RESULTS, Record
from benchmarks.common.rivals.series_windows import RIVALS, Windows
from benchmarks.common.scores import fit
from benchmarks.common.training import UNTRAINED, settings_of, train
from benchmarks.common.vus import rows_from_windows, vus
from benchmarks.data.series import TASKS, WINDOW, Task
from vssl import Embeddings, Run, api
from vssl.decisions import bounds
from vssl.decisions.core import worst_of_each
from vssl.types import Series

BUFFER = 100
"""Largest number of rows that the volume under the surface tolerates beside a marked stretch."""
TRAINING_SHARE = 0.6
NAMES = (
    *("novelty", "patches", "5-NN, whitened features", "5-NN, features", "5-NN, latent means"),
    *("Mahalanobis, features", "ambiguity"),
)
NO_OBJECTIVE = "-"


@dataclass(frozen=True)
class Options:
    """Anomalies in sensor series.

    Attributes:
        data: Which series, servers or nab.
        folder: The folder of the data set; see `benchmarks/data/series.py`.
        seeds: Random seeds of the trainings.
        steps: Optimiser steps of 256 view pairs; 1 stands for an encoder that has learned nothing.
        objectives: Training methods, named as in `vssl bench`.
        rivals: Whether comparison methods are measured as well, once per series.
        series: Names of the series; all by default.
        out: File of the record; benchmarks/results/DATA.json by default.
    """

    data: tyro.conf.Positional[Literal["servers", "nab"]]
    folder: tyro.conf.Positional[Path]
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: tuple[int, ...] = (100,)
    objectives: tuple[str, ...] = ("vssl",)
    rivals: bool = True
    series: tuple[str, ...] = ()
    out: Path | None = None


def main(options: Options) -> None:
    record = Record.resume(options.out or RESULTS / f"{options.data}.json", seeds=options.seeds)
    tasks = [task for task in TASKS[options.data](options.folder) if task.name in (options.series or (task.name,))]
    trials = product(options.seeds, options.objectives, tasks, options.steps)
    first = (options.seeds[0], options.objectives[0], options.steps[0])
    for seed, objective, task, steps in trials:
        about = {"series": task.name, "seed": seed, "steps": steps, "objective": objective}
        if not record.holds(**about):
            rivals = options.rivals and (seed, objective, steps) == first
            record.add(*(about | row for row in compare(task, objective, seed, steps, rivals)))
    tables.show(options.data, record)


def compare(task: Task, objective: str, seed: int, steps: int, rivals: bool) -> Iterator[dict[str, Any]]:
    """Train on a series, and measure every score on its later part."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{name}.parquet" for name in ("training", "calibration", "test")}
        cut = int(TRAINING_SHARE * len(task.unlabelled))
        parts = (task.unlabelled.slice(0, cut), task.unlabelled.slice(cut), task.test)
        for path, part in zip(paths.values(), parts, strict=True):
            pq.write_table(part, path)
        settings = {"modality": task.config, "seed": seed, "steps": steps, "device": "cpu"}
        settings |= settings_of(UNTRAINED if steps == 1 else objective)
        run = train(paths["training"], Path(folder) / "run", **settings)
        reference, calibration, test = (api.embed(run, path, name=name, device="cpu") for name, path in paths.items())
        windows = [_windows(run, path) for path in paths.values()]
    for name in NAMES:
        if name != "ambiguity" or name in reference:
            score = fit(name, reference)
            figures = _figures(score(calibration), score(test), calibration, test, task.truth)
            yield {"rows": len(task.truth), "score": name, **figures}
    for name, rival in RIVALS.items() if rivals else ():
        scores = (rival(windows[0], windows[1]), rival(windows[0], windows[2]))
        figures = _figures(*scores, calibration, test, task.truth)
        yield {"rows": len(task.truth), "objective": NO_OBJECTIVE, "score": name, **figures}


def _windows(run: Run, path: Path) -> Windows:
    modality = api.load(run, "cpu").modality
    chunks = list(modality.stream(path))
    values = np.concatenate([cast(Series, modality.eval_view(chunk.raw)).values.numpy() for chunk in chunks])
    starts = np.concatenate([chunk.metadata["start"].to_numpy() for chunk in chunks])
    series = np.zeros((starts[-1] + WINDOW, values.shape[1]), np.float32)
    for start, window in zip(starts, values, strict=True):
        series[start : start + WINDOW] = window.T
    return Windows(values, starts, series)


def _figures(
    calibration: np.ndarray, test: np.ndarray, calibrated: Embeddings, tested: Embeddings, truth: np.ndarray
) -> dict[str, Any]:
    starts = calibrated.numpy("start")
    worst = worst_of_each(*_rows(calibration, starts, int(starts.max()) + WINDOW))
    # Slightly above the exact rate, so that rounding does not demand one block more.
    rate = bounds.upper_rate(0, len(worst), 0.95) * (1 + 1e-9)
    threshold = bounds.binomial_threshold(worst, rate, 0.95)
    rows, blocks = _rows(test, tested.numpy("start"), len(truth))
    volume = vus(rows, truth, BUFFER)
    alarms = worst_of_each(rows, blocks) > threshold
    normal = worst_of_each(truth.astype(float), blocks) == 0
    return {
        "vus_pr": volume.pr,
        "vus_roc": volume.roc,
        "average_precision": float(average_precision_score(truth, rows)),
        "f1": float(f1_score(truth, rows > threshold)),
        "guaranteed": rate,
        "false_alarms": int(alarms[normal].sum()),
        "normal_blocks": int(normal.sum()),
    }


def _rows(scores: np.ndarray, starts: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The score of each row, and the number of its block as text that sorts in order."""
    return rows_from_windows(scores, starts, WINDOW, count), np.array([f"{row // WINDOW:06d}" for row in range(count)])


if __name__ == "__main__":
    main(tyro.cli(Options))
