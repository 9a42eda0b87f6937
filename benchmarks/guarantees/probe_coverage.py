"""Whether the prediction sets of `vssl probe` contain the true class as often as stated, from few labels.

    python -m benchmarks.data.infrared infrared-solar-modules.tar.xz infrared
    python -m benchmarks.quality.infrared_decide infrared --seeds 0
    python -m benchmarks.guarantees.probe_coverage runs/mixture-0 runs/untrained-0

The 4,000 test images of the infrared modules (12 classes, half of them normal), as the runs of `infrared_decide`
embedded them. Labels are drawn from 2,000 of them, and the other 2,000 are predicted. The coverage is guaranteed on
average over draws, so its mean is measured. The share of sets with a single class shows what the encoder is worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks import tables
from benchmarks.common.record import RESULTS, Record
from vssl import Embeddings, Run
from vssl.decisions.probe import probe


@dataclass(frozen=True)
class Options:
    """Coverage of prediction sets.

    Attributes:
        runs: Runs that hold embeddings `test` with a column `label`.
        labels: Numbers of labels.
        coverages: Stated coverages, 0..1.
        draws: How often labels are drawn.
        out: File of the record.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    labels: tuple[int, ...] = (200, 400, 1000)
    coverages: tuple[float, ...] = (0.8, 0.9, 0.95)
    draws: int = 50
    out: Path = RESULTS / "probe_coverage.json"


def main(options: Options) -> None:
    record = Record.create(options.out, seeds=range(options.draws), draws=options.draws)
    for path, labels, coverage in product(options.runs, options.labels, options.coverages):
        record.add(row(path, labels, coverage, options.draws))
    tables.show("probe_coverage", record)


def row(path: Path, labels: int, coverage: float, draws: int) -> dict[str, Any]:
    """Means over draws, and the standard error of the measured coverage."""
    samples = Run(path).embeddings("test")
    figures = np.array([_draw(samples, labels, coverage, seed) for seed in range(draws)])
    measured, size, single = figures.mean(axis=0).tolist()
    error = float(figures[:, 0].std(ddof=1) / np.sqrt(draws))
    about = {"encoder": path.name, "labels": labels, "coverage": coverage, "measured_coverage": measured}
    return about | {"standard_error": error, "mean_set_size": size, "single_label_share": single}


def _draw(samples: Embeddings, labels: int, coverage: float, seed: int) -> tuple[float, float, float]:
    """Coverage, mean number of classes per set, and share of sets with one class."""
    order, truth = np.random.default_rng(seed).permutation(len(samples)), samples.numpy("label")
    ids = np.array(samples.ids, dtype=object)
    tested = np.isin(np.arange(len(samples)), order[len(samples) // 2 :])
    labelled = dict(zip(ids[order[:labels]], truth[order[:labels]], strict=True))
    fitted = probe(samples, labelled, coverage, seed=seed)
    sets = fitted.sets(samples.where(tested))
    column = {name: number for number, name in enumerate(fitted.classes)}
    # A class without a label is in no set.
    covered = [name in column and sets[row, column[name]] for row, name in enumerate(truth[tested])]
    return float(np.mean(covered)), float(sets.sum(axis=1).mean()), float((sets.sum(axis=1) == 1).mean())


if __name__ == "__main__":
    main(tyro.cli(Options))
