"""How well a function of the sample alone can predict that its nearest neighbour has another label, taught by labels.

    python -m benchmarks.quality.cifar_one_class cifar10 --seeds 0 --steps 130
    python -m benchmarks.quality.oracle_variance TRAIN.parquet TEST.parquet

A variance is a function of the sample alone, whereas a distance to the nearest neighbour knows the neighbour. Two
functions of the features learn from labels, which no variance does: one predicts wrong neighbours, one the classes.
Their R-AUROC shows what a variance could reach beside the distances; it is no upper limit. The tables are those of
`vssl embed`, here runs/cifar-0/embeddings/train.parquet and test.parquet; they have labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import tyro
from scipy.stats import entropy
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.common.record import RESULTS, Record
from vssl import Embeddings
from vssl.evaluation import EvalData, evaluate
from vssl.scores.neighbours import Neighbours, neighbours

PREFIX = "retrieval/r_auroc/"


@dataclass(frozen=True)
class Options:
    """Uncertainties without labels, beside predictors that learn from labels.

    Attributes:
        training: Table of embeddings whose labels teach.
        test: Table of embeddings of the same run, none of them in `training`.
        label: Column of the labels.
        seed: Random seed of the samples drawn from `training`.
        out: File of the record.
    """

    training: tyro.conf.Positional[Path]
    test: tyro.conf.Positional[Path]
    label: str = "label"
    seed: int = 0
    out: Path = RESULTS / "oracle_variance.json"


def main(options: Options) -> None:
    record = Record.create(options.out, seeds=(options.seed,))
    training, test = (Embeddings(pq.read_table(path)) for path in (options.training, options.test))
    values = evaluate(EvalData(test, label=options.label), ["retrieval"]).values
    record.add(
        *(
            {"uses_labels": False, "predictor": name.removeprefix(PREFIX), "r_auroc": value}
            for name, value in values.items()
            if name.startswith(PREFIX)
        )
    )
    # As many training as test samples, so that their neighbours are as far away.
    drawn = np.sort(np.random.default_rng(options.seed).permutation(len(training))[: len(test)])
    for name, value in _taught(training.take(drawn), test, options.label):
        record.add({"uses_labels": True, "predictor": name, "r_auroc": value})


def _taught(training: Embeddings, test: Embeddings, label: str) -> Iterator[tuple[str, float]]:
    (near, wrong), (test_near, test_wrong) = (_wrong(samples, label) for samples in (training, test))
    features, test_features = training.numpy("features"), test.numpy("features")
    boosted = HistGradientBoostingClassifier(learning_rate=0.05, max_leaf_nodes=15, early_stopping=True, random_state=0)
    alone = boosted.fit(features, wrong).predict_proba(test_features)[:, 1]
    yield "whether the neighbour is wrong, from the features alone", roc_auc_score(test_wrong, alone)
    classes = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    unsure = entropy(classes.fit(features, training.numpy(label)).predict_proba(test_features), axis=1)
    yield "how unsure a linear classifier of the classes is", roc_auc_score(test_wrong, unsure)
    both, test_both = np.c_[features, near.similarity[:, 0]], np.c_[test_features, test_near.similarity[:, 0]]
    together = boosted.fit(both, wrong).predict_proba(test_both)[:, 1]
    yield "whether the neighbour is wrong, from the features and its distance", roc_auc_score(test_wrong, together)


def _wrong(samples: Embeddings, label: str) -> tuple[Neighbours, np.ndarray]:
    near, labels = neighbours(samples, samples, 1, exclude_same_id=True), samples.numpy(label)
    return near, labels[near.rows[:, 0].numpy()] != labels


if __name__ == "__main__":
    main(tyro.cli(Options))
