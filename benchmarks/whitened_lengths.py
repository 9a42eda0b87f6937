"""How much of their length whitened features should keep to tell strangers: AUROC of the five nearest neighbours.

    python benchmarks/cifar_one_class.py cifar10 --seeds 0 --steps 130 --objective vssl/contrast:views=2
    python benchmarks/whitened_lengths.py runs/cifar-0/embeddings/train.parquet runs/cifar-0/embeddings/test.parquet

    vssl train infrared/infrared-train.csv --out run --views inspection --encoder convnet/tiny --vssl.views 2 \\
        --batch 256 --epochs 2 --seed 1
    vssl embed run infrared/infrared-train.csv --name train && vssl embed run infrared/infrared-test.csv --name test
    python benchmarks/whitened_lengths.py run/embeddings/train.parquet run/embeddings/test.parquet --normal No-Anomaly

    vssl demo && cd vssl-demo && vssl embed run known/parts.csv --name k && vssl embed run hold-out/parts.csv --name h
    python benchmarks/whitened_lengths.py run/embeddings/k.parquet run/embeddings/h.parquet --normal ok

Reads tables of `vssl embed` that have labels. The bank are the known samples of one label; the judged samples of this
label are to be told from all others. Without `--normal` each label is the normal one in turn, and the mean is printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import tyro
from sklearn.metrics import roc_auc_score

from vssl import Embeddings
from vssl.scores import knn, neighbours
from vssl.scores.base import Score
from vssl.stats import whitening

NEIGHBOURS = knn.Config().neighbours
LENGTHS = (0.0, neighbours.LENGTH, 1.0)


@dataclass(frozen=True)
class Options:
    """Forms of whitened distances, side by side.

    Attributes:
        known: Table of embeddings.
        judged: Table of embeddings of the same run.
        normal: Label of the normal samples; each in turn without it.
        label: Column of the labels.
    """

    known: tyro.conf.Positional[Path]
    judged: tyro.conf.Positional[Path]
    normal: str | None = None
    label: str = "label"


def main(options: Options) -> None:
    known, judged = (Embeddings(pq.read_table(path)) for path in (options.known, options.judged))
    truth, labels = known.numpy(options.label), judged.numpy(options.label)
    found: dict[str, list[float]] = {}
    for normal in [options.normal] if options.normal else sorted(set(truth)):
        bank = known.where(truth == normal)
        for name, score in _scores(bank).items():
            found.setdefault(name, []).append(float(roc_auc_score(labels != normal, score(judged))))
    for name, values in found.items():
        print(f"{name}: {np.mean(values):.3f}" + (f", worst {min(values):.3f}" if len(values) > 1 else ""))


def _scores(bank: Embeddings) -> dict[str, Score]:
    scores = {name: knn.fit(knn.Config(space=name), bank) for name in ("features", "mean")}
    features = bank.torch("features")
    for length in LENGTHS:
        module = knn.KNN(whitening.fit(features, length), features, NEIGHBOURS)
        scores[f"whitened, length to the power of {length:g}"] = Score(("features",), module)
    return scores


if __name__ == "__main__":
    main(tyro.cli(Options))
