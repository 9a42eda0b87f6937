"""Retrieval: is the nearest neighbour of the same class, and does the uncertainty know when it is not?

The protocol of the URL benchmark (Kirchhof et al., "URL: A Representation Learning Benchmark for Transferable
Uncertainty Estimates", NeurIPS 2023): neighbours are looked for within the query, by cosine, a sample never finding
itself, even if there is a reference. A sample that is alone in its class counts as an error.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.metrics import roc_auc_score

from vssl.evaluate.base import Evidence, Skip
from vssl.evaluate.uncertainty import uncertainties

NEEDS = frozenset({"labels"})


def run(evidence: Evidence) -> Iterator[tuple[str, float | Skip]]:
    """Yield recall@1, and R-AUROC for each uncertainty: how well it predicts that the nearest has another class."""
    labelled, near = evidence.labelled, evidence.near_within
    wrong = labelled.classes[near.rows[:, 0].numpy()] != labelled.classes
    yield "retrieval/recall@1", float(np.mean(~wrong))
    if wrong.all() or not wrong.any():
        which = "another" if wrong.all() else "the same"
        yield "retrieval/r_auroc", Skip(f"every nearest neighbour has {which} class: there is nothing to tell apart")
        return
    for name, uncertainty in uncertainties(labelled.samples, near).items():
        yield f"retrieval/r_auroc/{name}", float(roc_auc_score(wrong, uncertainty))
