"""Selective classification: how fast do the errors go when the least certain samples are left out?

The kNN classifier of the judge `knn`, its samples ordered by each uncertainty. AURC and E-AURC: Geifman et al.,
"Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers" (ICLR 2019). AUGRC: Traub et al., "Overcoming Common
Flaws in the Evaluation of Selective Classification Systems" (arXiv 2407.01032). Lower is better for all three.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vssl.evaluation.base import Evidence, Skip
from vssl.evaluation.knn import classify
from vssl.evaluation.uncertainty import uncertainties

NEEDS = frozenset({"labels"})


def run(evidence: Evidence) -> Iterator[tuple[str, float | Skip]]:
    """Yield AURC, E-AURC and AUGRC for each uncertainty."""
    near = evidence.near_examples
    wrong = classify(near, evidence.examples.classes) != evidence.labelled.classes
    others = evidence.whitened_near_examples, evidence.latent_near_examples
    for name, uncertainty in uncertainties(evidence.labelled.samples, near, *others).items():
        yield f"selective/aurc/{name}", aurc(wrong, uncertainty)
        yield f"selective/e_aurc/{name}", excess_aurc(wrong, uncertainty)
        yield f"selective/augrc/{name}", augrc(wrong, uncertainty)


def aurc(wrong: np.ndarray, uncertainty: np.ndarray) -> float:
    """Area under the risk-coverage curve, in [0, 1]: the mean error rate of the n most certain, over n = 1 ... N.

    Samples of equal uncertainty count as in the mean over all their orders.
    """
    errors = _accumulated_errors(wrong, uncertainty)
    return float(np.mean(errors / np.arange(1, len(errors) + 1)))


def excess_aurc(wrong: np.ndarray, uncertainty: np.ndarray) -> float:
    """AURC above that of the perfect order, in [0, 1].

    The perfect order's AURC is taken exactly; for N to infinity it is the well-known r + (1 - r) ln(1 - r) of the
    error rate r.
    """
    return aurc(wrong, uncertainty) - aurc(wrong, wrong)


def augrc(wrong: np.ndarray, uncertainty: np.ndarray) -> float:
    """Area under the generalised risk-coverage curve, in [0, 1/2].

    Generalised risk is the share of all N samples that are both accepted and wrong. By the trapezoid rule, with which
    AUGRC = (1 - AUROC) a (1 - a) + (1 - a)^2 / 2 holds exactly for the accuracy a (Traub et al., equation 5).
    """
    errors = np.concatenate([[0], _accumulated_errors(wrong, uncertainty)])
    return float(np.mean((errors[1:] + errors[:-1]) / 2) / len(wrong))


def _accumulated_errors(wrong: np.ndarray, uncertainty: np.ndarray) -> np.ndarray:
    _, inverse, count = np.unique(uncertainty, return_inverse=True, return_counts=True)
    rates = np.bincount(inverse, weights=wrong) / count
    return np.cumsum(np.repeat(rates, count))
