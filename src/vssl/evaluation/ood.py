"""Out-of-distribution detection: can a score tell the samples of a second data set from the query?

Outliers are the positives, and a higher score means more of an outlier. FPR95 is the share of in-distribution samples
that raise a false alarm at the threshold which finds 95 % of the outliers: the direction of Hendrycks et al. (Outlier
Exposure, ICLR 2019) and OpenOOD. (ODIN turns it round: the outliers passed where 95 % of the in-distribution are.)
Lower is better.

Without a reference the scores are fitted on one random half of the query and the other half is judged.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve

from vssl.evaluation.base import Evidence, Skip, draw
from vssl.scores import knn, mahalanobis
from vssl.types import Embeddings

NEEDS = frozenset({"outliers"})


def run(evidence: Evidence) -> Iterator[tuple[str, float | Skip]]:
    """Yield AUROC and FPR95 for each score."""
    reference, inside = _parts(evidence)
    assert evidence.outliers is not None
    samples = (inside, evidence.outliers)
    if all("ambiguity" in part for part in samples):
        yield from _measure("ambiguity", *(part.numpy("ambiguity") for part in samples))
    nearest = knn.fit(knn.Config(neighbours=1, space="features"), reference)
    yield from _measure("nn_distance", *map(nearest, samples))
    if len(reference) < 2:
        yield "ood/auroc/mahalanobis", Skip("one sample to fit on has no covariance")
        return
    yield from _measure("mahalanobis", *map(mahalanobis.fit(mahalanobis.Config(), reference), samples))


def _parts(evidence: Evidence) -> tuple[Embeddings, Embeddings]:
    if evidence.reference is not None:
        return evidence.reference, evidence.query
    rows, half = draw(evidence.query, len(evidence.query), evidence.seed), len(evidence.query) // 2
    table = evidence.query.table
    return Embeddings(table.take(rows[:half])), Embeddings(table.take(rows[half:]))


def _measure(name: str, inside: np.ndarray, outside: np.ndarray) -> Iterator[tuple[str, float]]:
    scores = np.concatenate([inside, outside])
    is_outlier = np.arange(len(scores)) >= len(inside)
    yield f"ood/auroc/{name}", float(roc_auc_score(is_outlier, scores))
    yield f"ood/fpr95/{name}", fpr95(is_outlier, scores)


def fpr95(is_outlier: np.ndarray, scores: np.ndarray) -> float:
    """The false-alarm rate at the highest threshold that finds at least 95 % of the outliers, in [0, 1]."""
    false_alarms, found, _ = roc_curve(is_outlier, scores, drop_intermediate=False)
    return float(false_alarms[np.argmax(found >= 0.95)])
