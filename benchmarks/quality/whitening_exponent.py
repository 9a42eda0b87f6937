"""Which exponent of the length whitened features should keep to detect outliers: AUROC of the five nearest neighbours.

    python -m benchmarks.quality.cifar_one_class cifar10 --seeds 0 --steps 130
    python -m benchmarks.quality.whitening_exponent TRAIN.parquet TEST.parquet

    make demo
    vssl embed vssl-demo/run vssl-demo/known/parts.csv --name known
    vssl embed vssl-demo/run vssl-demo/hold-out/parts.csv --name hold-out
    python -m benchmarks.quality.whitening_exponent KNOWN.parquet HOLD-OUT.parquet --normal ok

The tables are those of `vssl embed`, in the folder embeddings of the run; they have labels. The reference set are the
training samples of one label; the test samples of this label are to be separated from all others. Without `--normal`
each label is the normal one in turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import tyro
from sklearn.metrics import roc_auc_score

from benchmarks.common.record import RESULTS, Record
from vssl import Embeddings
from vssl.scores import knn, neighbours
from vssl.scores.base import Score
from vssl.stats import whitening

NEIGHBOURS = knn.Config().neighbours
EXPONENTS = (0.0, neighbours.LENGTH, 1.0)


@dataclass(frozen=True)
class Options:
    """Whitened distances with several exponents.

    Attributes:
        training: Table of embeddings.
        test: Table of embeddings of the same run.
        normal: Label of the normal samples; each label in turn by default.
        label: Column of the labels.
        out: File of the record.
    """

    training: tyro.conf.Positional[Path]
    test: tyro.conf.Positional[Path]
    normal: str | None = None
    label: str = "label"
    out: Path = RESULTS / "whitening_exponent.json"


def main(options: Options) -> None:
    record = Record.create(options.out, tables=[options.training, options.test])
    training, test = (Embeddings(pq.read_table(path)) for path in (options.training, options.test))
    training_labels, test_labels = training.numpy(options.label), test.numpy(options.label)
    for normal in [options.normal] if options.normal else sorted(set(training_labels)):
        for name, score in _scores(training.where(training_labels == normal)).items():
            auroc = float(roc_auc_score(test_labels != normal, score(test)))
            record.add({"normal": normal, "distance": name, "auroc": auroc})
    for name in dict.fromkeys(row["distance"] for row in record.rows):
        values = [row["auroc"] for row in record.rows if row["distance"] == name]
        print(f"{name}: mean {np.mean(values):.3f}, lowest {min(values):.3f}")


def _scores(reference: Embeddings) -> dict[str, Score]:
    scores = {name: knn.fit(knn.Config(space=name), reference) for name in ("features", "mean")}
    features = reference.torch("features")
    for exponent in EXPONENTS:
        module = knn.KNN(whitening.fit(features, exponent), features, NEIGHBOURS)
        scores[f"whitened, length to the power of {exponent:g}"] = Score(("features",), module)
    return scores


if __name__ == "__main__":
    main(tyro.cli(Options))
