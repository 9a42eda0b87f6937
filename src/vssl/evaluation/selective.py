"""Selective classification: how the error rate falls when the samples with the highest scores are rejected.

The classifier is that of the evaluator `knn`, and its samples are sorted by each score. AURC and E-AURC: Geifman et
al., "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers" (ICLR 2019). AUGRC: Traub et al., "Overcoming
Common Flaws in the Evaluation of Selective Classification Systems" (arXiv 2407.01032).
"""

from collections.abc import Iterator

import numpy as np

from vssl.evaluation.base import EvalData
from vssl.evaluation.knn import classify
from vssl.evaluation.metric import Metric, Skip

NEEDS = frozenset({"labels"})
METRICS = {
    "selective/aurc/{score}": Metric(
        "Error rate of the kNN classifier on the samples that are accepted, averaged over all coverages.", "lower"
    ),
    "selective/e_aurc/{score}": Metric(
        "AURC above that of a perfect score, which rejects all errors first: 0 is perfect.", "lower"
    ),
    "selective/augrc/{score}": Metric(
        "Share of all samples that are both accepted and wrong, averaged over all coverages.", "lower", (0, 0.5)
    ),
}


def run(data: EvalData) -> Iterator[tuple[str, float | Skip]]:
    """Yield AURC, E-AURC and AUGRC for each score."""
    wrong = classify(data.knn_reference(), data.examples.classes) != data.labelled.classes
    for name, values in data.reference_scores.items():
        if isinstance(values, Skip):
            yield f"selective/aurc/{name}", values
            continue
        yield f"selective/aurc/{name}", aurc(wrong, values)
        yield f"selective/e_aurc/{name}", excess_aurc(wrong, values)
        yield f"selective/augrc/{name}", augrc(wrong, values)


def aurc(wrong: np.ndarray, score: np.ndarray) -> float:
    """Area under the risk-coverage curve, in [0, 1]: the mean error rate of the n lowest scores, over n = 1 ... N.

    Samples of equal score are averaged over all their orders.
    """
    errors = _accumulated_errors(wrong, score)
    return float(np.mean(errors / np.arange(1, len(errors) + 1)))


def excess_aurc(wrong: np.ndarray, score: np.ndarray) -> float:
    """AURC above that of the perfect order, in [0, 1].

    The AURC of the perfect order is computed exactly; for N to infinity it is r + (1 - r) ln(1 - r) of the
    error rate r.
    """
    return aurc(wrong, score) - aurc(wrong, wrong)


def augrc(wrong: np.ndarray, score: np.ndarray) -> float:
    """Area under the generalised risk-coverage curve, in [0, 1/2].

    Generalised risk is the share of all N samples that are both accepted and wrong. By the trapezoid rule, with which
    AUGRC = (1 - AUROC) a (1 - a) + (1 - a)^2 / 2 holds exactly for the accuracy a (Traub et al., equation 5).
    """
    errors = np.concatenate([[0], _accumulated_errors(wrong, score)])
    return float(np.mean((errors[1:] + errors[:-1]) / 2) / len(wrong))


def _accumulated_errors(wrong: np.ndarray, score: np.ndarray) -> np.ndarray:
    _, inverse, count = np.unique(score, return_inverse=True, return_counts=True)
    rates = np.bincount(inverse, weights=wrong) / count
    return np.cumsum(np.repeat(rates, count))
