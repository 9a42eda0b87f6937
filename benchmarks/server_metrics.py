"""Twelve servers, 19 metrics each: are the marked stretches found, and is the promised rate of false alarms kept?

    python benchmarks/server_metrics.py server-metrics-asd --seeds 0 1 2

For each server an encoder is trained on the first 60 % of its unlabelled series, which are also the bank; the other
40 % calibrate in blocks of 64 rows. 1 % of false alarms needs 299 blocks and there are 43 to 54, so the promise is the
lowest rate that these allow at 95 %. Rows are calibrated and judged alike (a row has the mean of the windows that cover
it): VUS-PR and VUS-ROC with buffers of up to 100 rows, average precision, and F1 at the promised threshold, never at
the best one. Rivals see the same windows, bank and test series. What is recorded is not repeated.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
import tyro
from sklearn.metrics import average_precision_score, f1_score

from series_baselines import RIVALS
from vssl import Run, api
from vssl.decide import bounds
from vssl.decide.exchange import worst_of_each
from vssl.evaluate.vus import rows_from_windows, vus
from vssl.files import write_json
from vssl.modalities import sensors
from vssl.scores import knn, mahalanobis, novelty, places
from vssl.train.describe import machine, versions

OUT = Path(__file__).parent / "results" / "server_metrics.json"
WINDOW, STRIDE = 64, 8
TRAINED = 0.6
BUFFER = 100
SCORES = {
    "novelty": (novelty, novelty.Config()),
    "places": (places, places.Config()),
    "5-NN, features": (knn, knn.Config()),
    "5-NN, latent means": (knn, knn.Config(space="mean")),
    "Mahalanobis": (mahalanobis, mahalanobis.Config()),
}


@dataclass(frozen=True)
class Options:
    """Sensor series of servers.

    Attributes:
        folder: With server-NN.train.parquet and server-NN.test.parquet.
        servers: Which; all by default.
        seeds: Of the trainings.
        steps: Steps of 256 windows.
        untrained: Also score with encoders that have learned nothing.
        out: Where the record goes.
    """

    folder: tyro.conf.Positional[Path]
    servers: tuple[str, ...] = tuple(f"{number:02d}" for number in range(1, 13))
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 100
    untrained: bool = False
    out: Path = OUT


@dataclass(frozen=True)
class Parts:
    """The windows of one server: scores are functions of `known` and of others."""

    known: Any
    calibration: Any
    test: Any


def main(options: Options) -> None:
    record = json.loads(options.out.read_text()) if options.out.exists() else {"rows": []}
    done = {(row["server"], row["seed"], row["steps"]) for row in record["rows"]}
    command = " ".join(["python benchmarks/server_metrics.py", *sys.argv[1:]])
    about = {"command": command, "versions": versions(), "machine": machine(torch.device("cpu"))}
    for seed in options.seeds:
        for server in options.servers:
            for steps in (options.steps, *((1,) if options.untrained else ())):
                if (server, seed, steps) not in done:
                    record["rows"] += _server(options, server, seed, steps)
                    write_json(options.out, about | {"rows": record["rows"]})
    _print(record["rows"])


def _server(options: Options, server: str, seed: int, steps: int) -> list[dict[str, Any]]:
    series = pq.read_table(options.folder / f"server-{server}.train.parquet")
    judged = pq.read_table(options.folder / f"server-{server}.test.parquet")
    with tempfile.TemporaryDirectory() as folder:
        names = {name: Path(folder) / f"{name}.parquet" for name in ("learn", "rest", "test")}
        cut = int(TRAINED * len(series))
        for name, part in (("learn", series.slice(0, cut)), ("rest", series.slice(cut)), ("test", judged)):
            pq.write_table(part, names[name])
        config = sensors.Config(window=str(WINDOW), stride=str(STRIDE), block=str(WINDOW), labels=("anomaly",))
        settings: dict[str, Any] = {"steps": steps} if steps > 1 else {"steps": 1, "optimiser": _no_learning()}
        run = api.train(names["learn"], Path(folder) / "run", modality=config, seed=seed, device="cpu", **settings)
        tables = Parts(*(api.embed(run, path, name=name, device="cpu") for name, path in names.items()))
        plain = Parts(*(_values(run, path) for path in names.values()))
    truth = judged["anomaly"].to_numpy()
    found = []
    for name, (module, settled) in SCORES.items():
        score = module.fit(settled, tables.known)
        found.append({"score": name} | _judged(score(tables.calibration), score(tables.test), tables, truth))
    for name, rival in RIVALS.items() if steps > 1 and seed == options.seeds[0] else ():
        scores = (rival(plain.known, part) for part in (plain.calibration, plain.test))
        found.append({"score": name} | _judged(*scores, tables, truth))
    rows = [{"server": server, "seed": seed, "steps": steps, "rows": len(truth)} | row for row in found]
    for row in rows:
        print(f"{server} {seed} {steps} {row['score']:28} VUS-PR {row['vus_pr']:.3f} F1 {row['f1']:.3f}", flush=True)
    return rows


def _no_learning() -> Any:
    from vssl import Optimiser

    return Optimiser(learning_rate=1e-9)


def _values(run: Run, path: Path) -> np.ndarray:
    modality = api.load(run, "cpu").modality
    return np.concatenate([modality.plain(chunk.raw).values.flatten(1).numpy() for chunk in modality.stream(path)])


def _judged(calibration: np.ndarray, test: np.ndarray, tables: Parts, truth: np.ndarray) -> dict[str, Any]:
    """Rows are calibrated as they are judged: by the mean of the windows that cover them, the worst of each block."""
    starts = tables.calibration.numpy("start")
    known = rows_from_windows(calibration, starts, WINDOW, int(starts.max()) + WINDOW)
    worst = worst_of_each(known, _blocks(known))
    # A little above it, so that rounding does not ask for one block more.
    rate = bounds.upper_rate(0, len(worst), 0.95) * (1 + 1e-9)
    limit = bounds.binomial_threshold(worst, rate, 0.95)
    rows = rows_from_windows(test, tables.test.numpy("start"), WINDOW, len(truth))
    volume = vus(rows, truth, BUFFER)
    alarms = worst_of_each(rows, _blocks(rows)) > limit
    normal = worst_of_each(truth.astype(float), _blocks(rows)) == 0
    return {
        "vus_pr": volume.pr,
        "vus_roc": volume.roc,
        "average_precision": float(average_precision_score(truth, rows)),
        "f1": float(f1_score(truth, rows > limit)),
        "promised": rate,
        "false_alarms": int(alarms[normal].sum()),
        "normal_blocks": int(normal.sum()),
    }


def _blocks(rows: np.ndarray) -> np.ndarray:
    """The number of each row's block, in an order that sorts as text."""
    return np.array([f"{row // WINDOW:06d}" for row in range(len(rows))])


def _print(rows: list[dict[str, Any]]) -> None:
    """Means over the servers, for each seed; smallest and largest of the seeds in brackets."""
    print(
        "| Score | Steps | VUS-PR | VUS-ROC | Average precision | F1 at the promise | False alarms in normal blocks |"
    )
    print("|---|---|---|---|---|---|---|")
    for steps in sorted({row["steps"] for row in rows}, reverse=True):
        for name in dict.fromkeys(row["score"] for row in rows):
            some = [row for row in rows if (row["score"], row["steps"]) == (name, steps)]
            if not some:
                continue
            figures = [_spread(some, key) for key in ("vus_pr", "vus_roc", "average_precision", "f1")]
            alarms, blocks = (sum(row[key] for row in some) for key in ("false_alarms", "normal_blocks"))
            print(f"| {name} | {steps} | {' | '.join(figures)} | {alarms / blocks:.1%} |")


def _spread(rows: list[dict[str, Any]], key: str) -> str:
    means = [
        np.mean([row[key] for row in rows if row["seed"] == seed]) for seed in sorted({row["seed"] for row in rows})
    ]
    return f"{np.mean(means):.3f}" + (f" ({min(means):.3f} to {max(means):.3f})" if len(means) > 1 else "")


if __name__ == "__main__":
    main(tyro.cli(Options))
