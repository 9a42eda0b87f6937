"""Out-of-distribution detection: how well each score separates the samples of a second data set from the query.

Outliers are the positives, and a higher score means more of an outlier. FPR95 is the share of in-distribution samples
that raise a false alarm at the threshold that detects 95 % of the outliers, as in Hendrycks et al. (Outlier
Exposure, ICLR 2019) and OpenOOD. (ODIN defines it the other way round: the share of outliers that pass where 95 % of
the in-distribution samples do.)

Without a reference the scores are fitted to one random half of the query, and the other half is evaluated.
"""

from collections.abc import Iterator

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve

from vssl import scores
from vssl.errors import DataError
from vssl.evaluation.base import EvalData, draw
from vssl.evaluation.metric import Metric, Skip
from vssl.evaluation.scoring import available
from vssl.types import Embeddings

NEEDS = frozenset({"outliers"})
METRICS = {
    "ood/auroc/{score}": Metric(
        "How well the score separates a second data set from the first: 0.5 is chance, 1 is perfect.", priority=7
    ),
    "ood/fpr95/{score}": Metric(
        "False-alarm rate of the score at the threshold that detects 95 % of the second data set.", "lower"
    ),
}


def run(data: EvalData) -> Iterator[tuple[str, float | Skip]]:
    """Yield AUROC and FPR95 for each score."""
    bank, inside = _bank_and_inside(data)
    assert data.outliers is not None
    is_outlier = np.repeat([False, True], [len(inside), len(data.outliers)])
    for name, config in available(inside, data.outliers, bank=bank).items():
        try:
            score = scores.fit(config, bank if config.uses_bank else inside)
        except DataError as error:
            yield f"ood/auroc/{name}", Skip(str(error))
            continue
        values = np.concatenate([score(inside), score(data.outliers)])
        yield f"ood/auroc/{name}", float(roc_auc_score(is_outlier, values))
        yield f"ood/fpr95/{name}", fpr95(is_outlier, values)


def _bank_and_inside(data: EvalData) -> tuple[Embeddings, Embeddings]:
    if data.reference is not None:
        return data.reference, data.query
    rows, half = draw(data.query, len(data.query), data.seed), len(data.query) // 2
    return data.query.take(rows[:half]), data.query.take(rows[half:])


def fpr95(is_outlier: np.ndarray, scores: np.ndarray) -> float:
    """The false-alarm rate at the highest threshold that detects at least 95 % of the outliers, in [0, 1]."""
    false_alarms, detected, _ = roc_curve(is_outlier, scores, drop_intermediate=False)
    return float(false_alarms[np.argmax(detected >= 0.95)])
