"""Do the sets of `vssl probe` hold the true class as often as stated, from few labels of real images?

    python benchmarks/infrared_list.py infrared-solar-modules.tar.xz infrared
    python benchmarks/infrared_decide.py infrared --seeds 0
    python benchmarks/probe_coverage.py runs/mixture-0 runs/untrained-0

The 4,000 test images of the infrared modules (12 classes, half of them normal), as the runs of `infrared_decide.py`
embedded them: from 2,000 labels are drawn, the other 2,000 are predicted. The coverage is guaranteed on average over
draws, so its mean is what counts; how many samples are decided (one class in the set) is what the encoder is worth.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from vssl import Embeddings, Run
from vssl.decisions.probe import probe
from vssl.files import write_json
from vssl.training.describe import versions

OUT = Path(__file__).parent / "results" / "probe_coverage.json"
LABELS = (200, 400, 1000)
COVERAGES = (0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Options:
    """Coverage of prediction sets.

    Attributes:
        runs: Runs that hold embeddings `test` with a column `label`.
        draws: How often labels are drawn.
        out: Where the record goes.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    draws: int = 50
    out: Path = OUT


def main(options: Options) -> None:
    rows = [
        row(path, labels, coverage, options.draws)
        for path in options.runs
        for labels in LABELS
        for coverage in COVERAGES
    ]
    command = " ".join(["python benchmarks/probe_coverage.py", *sys.argv[1:]])
    write_json(options.out, {"command": command, "versions": versions(), "draws": options.draws, "rows": rows})


def row(path: Path, labels: int, coverage: float, draws: int) -> dict[str, Any]:
    """Means over draws, and the standard error of the coverage's."""
    samples = Run(path).embeddings("test")
    found = np.array([_drawn(samples, labels, coverage, seed) for seed in range(draws)])
    held, size, decided = found.mean(axis=0).tolist()
    error = float(found[:, 0].std(ddof=1) / np.sqrt(draws))
    print(
        f"{path.name} {labels} labels, {coverage:.0%}: held {held:.1%}, {decided:.0%} decided, size {size:.2f}",
        flush=True,
    )
    about = {"run": path.name, "labels": labels, "coverage": coverage}
    return about | {"held": held, "standard error": error, "labels in a set": size, "decided": decided}


def _drawn(samples: Embeddings, labels: int, coverage: float, seed: int) -> tuple[float, float, float]:
    order, truth = np.random.default_rng(seed).permutation(len(samples)), samples.numpy("label")
    ids = np.array(samples.ids, dtype=object)
    judged = np.isin(np.arange(len(samples)), order[len(samples) // 2 :])
    known = dict(zip(ids[order[:labels]], truth[order[:labels]], strict=True))
    found = probe(samples, known, coverage, seed=seed)
    sets = found.sets(samples.where(judged))
    place = {name: at for at, name in enumerate(found.classes)}
    # A class that nobody labelled is in no set.
    held = [name in place and sets[row, place[name]] for row, name in enumerate(truth[judged])]
    return float(np.mean(held)), float(sets.sum(axis=1).mean()), float((sets.sum(axis=1) == 1).mean())


if __name__ == "__main__":
    main(tyro.cli(Options))
