"""Retrieval: how often the nearest neighbour has the same class, and how well each score predicts when it does not.

The protocol of the URL benchmark (Kirchhof et al., "URL: A Representation Learning Benchmark for Transferable
Uncertainty Estimates", NeurIPS 2023): neighbours are searched within the query, by cosine, without the sample itself,
even if there is a reference. A sample that is alone in its class counts as an error.
"""

from collections.abc import Iterator

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from vssl.evaluation.base import EvalData
from vssl.evaluation.metric import Metric, Skip

NEEDS = frozenset({"labels"})
METRICS = {
    "retrieval/recall@1": Metric("Share of samples whose nearest neighbour has the same label.", priority=5),
    "retrieval/whitened_recall@1": Metric(
        "Recall@1 with whitened features, in which all directions of the embedding have the same weight.", priority=4
    ),
    "retrieval/r_auroc/{score}": Metric(
        "How well the score detects samples whose nearest neighbour has another label: 0.5 is chance, 1 is perfect.",
        priority=6,
    ),
    "retrieval/wrong_neighbours/{score}": Metric(
        "Rank correlation of the score with the share of the 20 nearest neighbours that have another label.",
        range=(-1, 1),
    ),
}


def run(data: EvalData) -> Iterator[tuple[str, float | Skip]]:
    """Yield recall@1, and for each score how well it predicts wrong neighbours.

    R-AUROC: that the nearest neighbour has another class. `wrong_neighbours`: Spearman's rank correlation with the
    share of the 20 nearest that have another class.
    """
    classes, rows = data.labelled.classes, data.knn_query().rows.numpy()
    wrong = classes[rows[:, 0]] != classes
    yield "retrieval/recall@1", float(np.mean(~wrong))
    whitened = classes[data.knn_query("whitened_directions").rows[:, 0].numpy()]
    yield "retrieval/whitened_recall@1", float(np.mean(whitened == classes))
    if wrong.all() or not wrong.any():
        which = "another" if wrong.all() else "the same"
        yield "retrieval/r_auroc", Skip(f"every nearest neighbour has {which} class, so there is nothing to detect")
        return
    share_wrong = np.mean(classes[rows] != classes[:, None], axis=1)
    for name, values in data.query_scores.items():
        if isinstance(values, Skip):
            yield f"retrieval/r_auroc/{name}", values
            continue
        yield f"retrieval/r_auroc/{name}", float(roc_auc_score(wrong, values))
        yield f"retrieval/wrong_neighbours/{name}", _rank_correlation(values, share_wrong)


def _rank_correlation(score: np.ndarray, share_wrong: np.ndarray) -> float | Skip:
    if not np.ptp(score) or not np.ptp(share_wrong):
        return Skip("the score or the share of wrong neighbours is the same for all samples")
    return float(spearmanr(score, share_wrong).statistic)
