"""How much room is there for a function of the sample alone to predict that its nearest neighbour has another label?

    python benchmarks/cifar_one_class.py cifar10 --seeds 0 --steps 130 --objective vssl/contrast:views=2
    python benchmarks/variance_room.py runs/cifar-0/embeddings/train.parquet runs/cifar-0/embeddings/test.parquet

A variance is a function of the sample alone; a distance to the nearest neighbour is not, it knows the neighbour. So
two functions of the features are *taught by labels*, which no variance is: one what is wrong on as many other samples,
one the classes themselves. Their R-AUROC shows how much room there is above the distances; it is no upper limit.
Reads tables of `vssl embed` that have labels.
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

from vssl import Embeddings
from vssl.evaluation import EvalData, evaluate
from vssl.scores.neighbours import Neighbours, neighbours

PREFIX = "retrieval/r_auroc/"


@dataclass(frozen=True)
class Options:
    """Uncertainties that nobody taught, beside those that labels taught.

    Attributes:
        known: Table of embeddings, for the labels to teach with.
        judged: Table of embeddings of the same run, none of them in `known`.
        label: Column of the labels.
        seed: Of the samples drawn from `known`.
    """

    known: tyro.conf.Positional[Path]
    judged: tyro.conf.Positional[Path]
    label: str = "label"
    seed: int = 0


def main(options: Options) -> None:
    known, judged = (Embeddings(pq.read_table(path)) for path in (options.known, options.judged))
    untaught = evaluate(EvalData(judged, label=options.label), ["retrieval"]).values
    for name, value in untaught.items():
        if name.startswith(PREFIX):
            print(f"{name.removeprefix(PREFIX)}: {value:.3f}")
    for name, value in _taught(_as_many(known, judged, options.seed), judged, options.label):
        print(f"taught by labels, {name}: {value:.3f}")


def _as_many(known: Embeddings, judged: Embeddings, seed: int) -> Embeddings:
    """As many as are judged, so that their neighbours are as far."""
    rows = np.random.default_rng(seed).permutation(len(known))[: len(judged)]
    return known.take(np.sort(rows))


def _taught(known: Embeddings, judged: Embeddings, label: str) -> Iterator[tuple[str, float]]:
    (near, wrong), (judged_near, judged_wrong) = (_wrong(samples, label) for samples in (known, judged))
    features, judged_features = known.numpy("features"), judged.numpy("features")
    boosted = HistGradientBoostingClassifier(learning_rate=0.05, max_leaf_nodes=15, early_stopping=True, random_state=0)
    alone = boosted.fit(features, wrong).predict_proba(judged_features)[:, 1]
    yield "whether the neighbour is wrong, from the features alone", roc_auc_score(judged_wrong, alone)
    classes = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    unsure = entropy(classes.fit(features, known.numpy(label)).predict_proba(judged_features), axis=1)
    yield "how unsure a linear classifier of the classes is", roc_auc_score(judged_wrong, unsure)
    both, judged_both = np.c_[features, near.similarity[:, 0]], np.c_[judged_features, judged_near.similarity[:, 0]]
    together = boosted.fit(both, wrong).predict_proba(judged_both)[:, 1]
    yield "whether the neighbour is wrong, from the features and its distance", roc_auc_score(judged_wrong, together)


def _wrong(samples: Embeddings, label: str) -> tuple[Neighbours, np.ndarray]:
    near, labels = neighbours(samples, samples, 1, exclude_same_id=True), samples.numpy(label)
    return near, labels[near.rows[:, 0].numpy()] != labels


if __name__ == "__main__":
    main(tyro.cli(Options))
