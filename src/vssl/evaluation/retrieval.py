"""Retrieval: is the nearest neighbour of the same class, and does the uncertainty know when it is not?

The protocol of the URL benchmark (Kirchhof et al., "URL: A Representation Learning Benchmark for Transferable
Uncertainty Estimates", NeurIPS 2023): neighbours are looked for within the query, by cosine, a sample never finding
itself, even if there is a reference. A sample that is alone in its class counts as an error.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from vssl.evaluation.base import Evidence, Skip
from vssl.evaluation.uncertainty import uncertainties

NEEDS = frozenset({"labels"})


def run(evidence: Evidence) -> Iterator[tuple[str, float | Skip]]:
    """Yield recall@1, and for each uncertainty how well it predicts wrong neighbours.

    R-AUROC: that the nearest has another class. `wrong_neighbours`: Spearman's rank correlation with the share of
    the 20 nearest that have another class.
    """
    labelled, near = evidence.labelled, evidence.near_within
    wrong = labelled.classes[near.rows[:, 0].numpy()] != labelled.classes
    yield "retrieval/recall@1", float(np.mean(~wrong))
    whitened = labelled.classes[evidence.whitened_near_within.rows[:, 0].numpy()]
    yield "retrieval/whitened_recall@1", float(np.mean(whitened == labelled.classes))
    if wrong.all() or not wrong.any():
        which = "another" if wrong.all() else "the same"
        yield "retrieval/r_auroc", Skip(f"every nearest neighbour has {which} class: there is nothing to tell apart")
        return
    share_wrong = np.mean(labelled.classes[near.rows.numpy()] != labelled.classes[:, None], axis=1)
    found = uncertainties(labelled.samples, near, evidence.whitened_near_within, evidence.latent_near_within)
    for name, uncertainty in found.items():
        yield f"retrieval/r_auroc/{name}", float(roc_auc_score(wrong, uncertainty))
        yield f"retrieval/wrong_neighbours/{name}", _rank_correlation(uncertainty, share_wrong)


def _rank_correlation(uncertainty: np.ndarray, share_wrong: np.ndarray) -> float | Skip:
    if not np.ptp(uncertainty) or not np.ptp(share_wrong):
        return Skip("one of the two is the same for all samples")
    return float(spearmanr(uncertainty, share_wrong).statistic)
