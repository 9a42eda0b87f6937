"""Faults in event logs: are they found, and is the guaranteed false-alarm rate kept, beside detectors that only count?

    python -m benchmarks.quality.event_logs hdfs event-logs/hdfs --seeds 0 1 2 --steps 100
    python -m benchmarks.quality.event_logs hadoop event-logs/hadoop --seeds 0 1 2 --steps 150

HDFS (Xu et al. 2009, as prepared by ait-aecid/anomaly-detection-log-datasets): of 5,583 normal sessions 3,000 train and
1,000 others calibrate; the rest and all 16,838 abnormal sessions are decided on. The division is drawn with the seed.
Hadoop has 17 sessions to train on, too few for any guarantee, so only the ranking of its 150 normal and 811 abnormal
sessions is measured. Comparison methods see the same sessions. What is recorded is not repeated.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from sklearn.metrics import roc_auc_score

from benchmarks import tables
from benchmarks.common.record import RESULTS, Record
from benchmarks.common.rivals.event_counts import RIVALS, Session
from benchmarks.common.scores import fit
from benchmarks.common.training import settings_of, train_once
from vssl import Run, api
from vssl.decisions import bounds

NAMES = (
    *("novelty", "5-NN, whitened features", "5-NN, features", "5-NN, latent means", "Mahalanobis, features"),
    "mixture of 8 Gaussians",
)
NEEDS_MORE_THAN_17_SESSIONS = ("mixture of 8 Gaussians",)
TRAINING, CALIBRATION, FALSE_ALARM, CONFIDENCE = 3000, 1000, 0.01, 0.95
Parts = dict[str, list[str]]


@dataclass(frozen=True)
class Options:
    """Faults in event logs.

    Attributes:
        data: Which log, hdfs or hadoop.
        folder: Folder with its *.txt.xz files.
        runs: Folder of the runs and of the divided sessions; a run that is done is not trained again.
        seeds: Random seeds of the division and of the training.
        minutes: Minutes of each training.
        steps: Optimiser steps of each training, instead of minutes.
        encoder: Network, as in `vssl train`.
        objectives: Training methods, named as in `vssl bench`; untrained is an encoder that has learned nothing.
        out: File of the record.
    """

    data: tyro.conf.Positional[Literal["hdfs", "hadoop"]]
    folder: tyro.conf.Positional[Path]
    runs: Path = Path("runs")
    seeds: tuple[int, ...] = (0, 1, 2)
    minutes: float = 3.0
    steps: int | None = None
    encoder: str = "event_transformer"
    objectives: tuple[str, ...] = ("vssl",)
    out: Path = RESULTS / "event_logs.json"


def main(options: Options) -> None:
    record = Record.resume(options.out, seeds=options.seeds)
    for seed in options.seeds:
        parts = _hdfs(options.folder, seed) if options.data == "hdfs" else _hadoop(options.folder)
        about = {"data": options.data, "seed": seed}
        if not record.holds(**about, encoder=None):
            record.add(*(about | row for row in _rivals(parts)))
        for objective in options.objectives:
            if not record.holds(**about, encoder=options.encoder, objective=objective):
                record.add(*(about | row for row in _ours(options, parts, seed, objective)))
    tables.show("event_logs", record)


def _hdfs(folder: Path, seed: int) -> Parts:
    normals = _read(folder / "train.txt.xz")
    order = np.random.default_rng(seed).permutation(len(normals))
    names = ("training", "calibration", "normal")
    rows = np.split(order, [TRAINING, TRAINING + CALIBRATION])
    parts = {name: [normals[row] for row in np.sort(own)] for name, own in zip(names, rows, strict=True)}
    return parts | {"abnormal": _read(folder / "test_abnormal.txt.xz")}


def _hadoop(folder: Path) -> Parts:
    files = {"training": "train", "normal": "test_normal", "abnormal": "test_abnormal"}
    return {part: _read(folder / f"{name}.txt.xz") for part, name in files.items()}


def _read(path: Path) -> list[str]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        return file.read().splitlines()


def _rivals(parts: Parts) -> Iterator[dict[str, Any]]:
    sessions = {name: [_session(line) for line in lines] for name, lines in parts.items()}
    for name, detector_from in RIVALS.items():
        detector = detector_from(sessions["training"])
        scores = {part: detector(own) for part, own in sessions.items() if part != "training"}
        yield {"encoder": None, "objective": None, "score": name, **_figures(scores)}


def _session(line: str) -> Session:
    return tuple(int(event) for event in line.partition(",")[2].split())


def _figures(scores: Mapping[str, np.ndarray]) -> dict[str, float]:
    """AUROC and, where there are calibration sessions, the rates at the threshold of the guarantee."""
    normal, abnormal = scores["normal"], scores["abnormal"]
    truth = np.repeat([0, 1], [len(normal), len(abnormal)])
    figures = {"auroc": float(roc_auc_score(truth, np.concatenate([normal, abnormal])))}
    if "calibration" not in scores:
        return figures
    threshold = bounds.binomial_threshold(scores["calibration"], FALSE_ALARM, CONFIDENCE)
    return figures | _rates(normal > threshold, abnormal > threshold)


def _rates(alarms: np.ndarray, hits: np.ndarray) -> dict[str, float]:
    f1 = 2 * hits.sum() / (hits.sum() + alarms.sum() + len(hits))
    return {"f1": float(f1), "false_alarm": float(alarms.mean()), "miss": float(1 - hits.mean())}


def _ours(options: Options, parts: Parts, seed: int, objective: str) -> Iterator[dict[str, Any]]:
    folder = _written(options.runs / f"{options.data}-{seed}", parts)
    words = re.sub("[^A-Za-z0-9_=.]+", "-", f"{options.encoder} {objective}")
    budget = {"minutes": options.minutes} if options.steps is None else {"steps": options.steps}
    settings = {"modality": "events", "encoder": options.encoder, "seed": seed} | budget | settings_of(objective)
    run = train_once(folder / "training", options.runs / f"{options.data}-{seed}-{words}", **settings)
    embedded = {part: api.embed(run, folder / part, name=part, device="cpu") for part in parts}
    about = {"steps": run.info["progress"]["step"], "seconds": run.info["progress"]["seconds"]}
    for name in NAMES:
        if "calibration" not in parts and name in NEEDS_MORE_THAN_17_SESSIONS:
            continue
        score = fit(name, embedded["training"])
        figures = _figures({part: score(samples) for part, samples in embedded.items() if part != "training"})
        decided = _decided(run, folder) if name == "novelty" and "calibration" in parts else {}
        head = {"encoder": options.encoder, "objective": objective, "score": name}
        yield head | figures | about | decided


def _written(folder: Path, parts: Parts) -> Path:
    """Each part as a file in a folder of its own."""
    for name, lines in parts.items():
        path = folder / name / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    return folder


def _decided(run: Run, folder: Path) -> dict[str, float]:
    """The rates of `vssl calibrate` and `vssl decide`."""
    api.calibrate(run, folder / "calibration", bank="training", false_alarm=FALSE_ALARM, device="cpu", overwrite=True)
    made = (
        api.decide(run, folder / part, device="cpu").table["decision"].to_numpy() for part in ("normal", "abnormal")
    )
    return {f"decided_{name}": rate for name, rate in _rates(*(each == "reject" for each in made)).items()}


if __name__ == "__main__":
    main(tyro.cli(Options))
