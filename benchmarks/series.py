"""What the benchmarks of sensor series share: one series is learned, calibrated on and judged; rivals see the same.

Rows are calibrated and judged alike: a row has the mean of the windows that cover it, the calibration takes the worst
row of each block. The guarantee is the lowest rate that the blocks allow at 95 %. Figures: VUS-PR and VUS-ROC, average
precision, and F1 at the guaranteed threshold, never at the best one.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from sklearn.metrics import average_precision_score, f1_score

from series_baselines import RIVALS, Windows
from training import UNTRAINED, learner, trained
from vssl import Embeddings, Run, api
from vssl.decisions import bounds
from vssl.decisions.core import worst_of_each
from vssl.evaluation.vus import rows_from_windows, vus
from vssl.files import write_json
from vssl.modalities import sensors
from vssl.scores import ambiguity, knn, mahalanobis, novelty, patches
from vssl.training.describe import machine, versions
from vssl.types import Series

WINDOW = 64
BUFFER = 100
TRAINED = 0.6
"""Share of the unlabelled rows that train and are the bank; the others calibrate."""
SCORES: dict[str, tuple[Any, Any]] = {
    "novelty": (novelty, novelty.Config()),
    "patches": (patches, patches.Config()),
    "5-NN, whitened features": (knn, knn.Config()),
    "5-NN, features": (knn, knn.Config(space="features")),
    "5-NN, latent means": (knn, knn.Config(space="mean")),
    "Mahalanobis, features": (mahalanobis, mahalanobis.Config()),
    "ambiguity": (ambiguity, ambiguity.Config()),
}
NO_OBJECTIVE = "-"
"""That of a rival, which nothing was trained for."""
FIGURES = ("vus_pr", "vus_roc", "average_precision", "f1")


@dataclass(frozen=True)
class Task:
    """A series to be learned and one to be judged.

    Attributes:
        name: Of the series.
        unlabelled: Its rows before, oldest first.
        judged: Rows to be judged, with the labels.
        truth: Of each judged row whether it is marked.
        config: How the series are read; the window is `WINDOW` rows.
    """

    name: str
    unlabelled: pa.Table
    judged: pa.Table
    truth: np.ndarray
    config: sensors.Config


def compare(task: Task, objective: str, seed: int, steps: int, rivals: bool) -> list[dict[str, Any]]:
    """Train on a task and measure every score.

    Args:
        objective: As `vssl bench` takes methods, for example vssl:latent=32.
        steps: Of the training; 1 is a training that learns nothing.
        rivals: Whether to measure them too: they do not depend on the seed.
    """
    with tempfile.TemporaryDirectory() as folder:
        names = {name: Path(folder) / f"{name}.parquet" for name in ("learn", "rest", "test")}
        cut = int(TRAINED * len(task.unlabelled))
        parts = (task.unlabelled.slice(0, cut), task.unlabelled.slice(cut), task.judged)
        for path, part in zip(names.values(), parts, strict=True):
            pq.write_table(part, path)
        settings = {"modality": task.config, "seed": seed, "steps": steps, "device": "cpu"}
        settings |= learner(UNTRAINED if steps == 1 else objective)
        run = trained(names["learn"], Path(folder) / "run", **settings)
        known, rest, test = (api.embed(run, path, name=name, device="cpu") for name, path in names.items())
        plain = [_windows(run, path) for path in names.values()]
    found = {}
    for name, (module, config) in SCORES.items():
        if name == "ambiguity" and name not in known:
            continue
        score = module.fit(config, known)
        found[name] = score(rest), score(test)
    for name, rival in RIVALS.items() if rivals else ():
        found[name] = rival(plain[0], plain[1]), rival(plain[0], plain[2])
    about = {"series": task.name, "seed": seed, "steps": steps, "rows": len(task.truth)}
    rows = [
        about
        | {"objective": NO_OBJECTIVE if name in RIVALS else objective, "score": name}
        | _judged(*pair, rest, test, task.truth)
        for name, pair in found.items()
    ]
    for row in rows:
        print(
            f"{task.name} {objective} {seed} {steps} {row['score']:28} VUS-PR {row['vus_pr']:.3f} F1 {row['f1']:.3f}",
            flush=True,
        )
    return rows


def _windows(run: Run, path: Path) -> Windows:
    modality = api.load(run, "cpu").modality
    chunks = list(modality.stream(path))
    values = np.concatenate([cast(Series, modality.eval_view(chunk.raw)).values.numpy() for chunk in chunks])
    starts = np.concatenate([chunk.metadata["start"].to_numpy() for chunk in chunks])
    series = np.zeros((starts[-1] + WINDOW, values.shape[1]), np.float32)
    for start, window in zip(starts, values, strict=True):
        series[start : start + WINDOW] = window.T
    return Windows(values, starts, series)


def _judged(
    calibration: np.ndarray, test: np.ndarray, rest: Embeddings, judged: Embeddings, truth: np.ndarray
) -> dict[str, Any]:
    starts = rest.numpy("start")
    worst = worst_of_each(*_rows(calibration, starts, int(starts.max()) + WINDOW))
    # A little above it, so that rounding does not ask for one block more.
    rate = bounds.upper_rate(0, len(worst), 0.95) * (1 + 1e-9)
    limit = bounds.binomial_threshold(worst, rate, 0.95)
    rows, blocks = _rows(test, judged.numpy("start"), len(truth))
    volume = vus(rows, truth, BUFFER)
    alarms = worst_of_each(rows, blocks) > limit
    normal = worst_of_each(truth.astype(float), blocks) == 0
    return {
        "vus_pr": volume.pr,
        "vus_roc": volume.roc,
        "average_precision": float(average_precision_score(truth, rows)),
        "f1": float(f1_score(truth, rows > limit)),
        "guaranteed": rate,
        "false_alarms": int(alarms[normal].sum()),
        "normal_blocks": int(normal.sum()),
    }


def _rows(scores: np.ndarray, starts: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The score of each row, and the number of its block, in an order that sorts as text."""
    return rows_from_windows(scores, starts, WINDOW, count), np.array([f"{row // WINDOW:06d}" for row in range(count)])


def run_all(
    name: str,
    tasks: Iterable[Task],
    seeds: Sequence[int],
    steps: Sequence[int],
    out: Path,
    objectives: Sequence[str] = ("vssl",),
    rivals: bool = True,
) -> None:
    """Compare on all tasks, seed by seed, and print the table. What is recorded is not repeated.

    Args:
        name: Of the benchmark's file.
        out: Where the record goes.
        rivals: Whether to measure them too, once on each task.
    """
    record = json.loads(out.read_text()) if out.exists() else {"rows": []}
    done = {(row["series"], row["objective"], row["seed"], row["steps"]) for row in record["rows"]}
    command = " ".join([f"python benchmarks/{name}", *sys.argv[1:]])
    about = {"command": command, "versions": versions(), "machine": machine(torch.device("cpu"))}
    tasks = list(tasks)
    for seed, objective, task, count in product(seeds, objectives, tasks, steps):
        if (task.name, objective, seed, count) not in done:
            first = (seed, objective, count) == (seeds[0], objectives[0], steps[0])
            record["rows"] += compare(task, objective, seed, count, rivals=rivals and first)
            write_json(out, about | {"rows": record["rows"]})
    _show(record["rows"])


def _show(rows: list[dict[str, Any]]) -> None:
    """Means over the series, for each seed; smallest and largest of the seeds in brackets."""
    print("| Objective | Score | Steps | VUS-PR | VUS-ROC | Average precision | F1 at the guarantee | False alarms |")
    print("|---|---|---|---|---|---|---|---|")
    for objective, score, steps in dict.fromkeys((row["objective"], row["score"], row["steps"]) for row in rows):
        some = [row for row in rows if (row["objective"], row["score"], row["steps"]) == (objective, score, steps)]
        alarms, blocks = (sum(row[key] for row in some) for key in ("false_alarms", "normal_blocks"))
        figures = " | ".join(_spread(some, key) for key in FIGURES)
        print(f"| {objective} | {score} | {steps} | {figures} | {alarms / blocks:.1%} |")


def _spread(rows: list[dict[str, Any]], key: str) -> str:
    means = [
        np.mean([row[key] for row in rows if row["seed"] == seed]) for seed in sorted({row["seed"] for row in rows})
    ]
    return f"{np.mean(means):.3f}" + (f" ({min(means):.3f} to {max(means):.3f})" if len(means) > 1 else "")
