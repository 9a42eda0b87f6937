"""Stability: does an encoder trained with another seed see the same structure?

Linear CKA: Kornblith et al., "Similarity of Neural Network Representations Revisited" (ICML 2019), equation 4.
Needs no labels. 1 is best for all values.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import spearmanr

from vssl.evaluation.base import Evidence, Skip, draw
from vssl.scores.neighbours import neighbours
from vssl.types import Embeddings

NEEDS = frozenset({"twin"})
NEAREST = 10
MOST = 10_000  # samples drawn for the neighbours, whose cost grows with the square


def run(evidence: Evidence) -> Iterator[tuple[str, float | Skip]]:
    """Yield CKA, the overlap of the 10 nearest (of at most 10,000 samples) and ambiguity's rank correlation."""
    query, twin = evidence.query, evidence.twin
    assert twin is not None
    if np.ptp(query.features, axis=0).any() and np.ptp(twin.features, axis=0).any():
        yield "stability/cka", linear_cka(query.features, twin.features)
    else:
        yield "stability/cka", Skip("all features of one encoder are equal: it has collapsed")
    rows = draw(query, MOST, evidence.seed)
    yield "stability/neighbour_jaccard", jaccard(*(_nearest(samples, rows) for samples in (query, twin)))
    yield "stability/ambiguity_spearman", _ambiguity_spearman(query, twin)


def _nearest(samples: Embeddings, rows: np.ndarray) -> np.ndarray:
    drawn = Embeddings(samples.table.take(rows))
    return neighbours(drawn, drawn, NEAREST, exclude_same_id=True).rows.numpy()


def _ambiguity_spearman(query: Embeddings, twin: Embeddings) -> float | Skip:
    if "ambiguity" not in query or "ambiguity" not in twin:
        return Skip("not both encoders have a variance")
    values = query.numpy("ambiguity"), twin.numpy("ambiguity")
    if not all(np.ptp(value) for value in values):
        return Skip("the ambiguity of one encoder is the same for all samples")
    return float(spearmanr(*values).statistic)


def linear_cka(first: np.ndarray, second: np.ndarray) -> float:
    """Linear centred kernel alignment of features [N, F] and [N, G], in [0, 1]; blind to rotation and scale."""
    x, y = (part.astype(np.float64) - part.mean(axis=0, dtype=np.float64) for part in (first, second))
    shared = np.linalg.norm(x.T @ y) ** 2
    return float(shared / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


def jaccard(first: np.ndarray, second: np.ndarray) -> float:
    """The mean of |A and B| / |A or B| over the rows' sets of neighbours [N, k], in [0, 1]."""
    common = (first[:, :, None] == second[:, None, :]).any(axis=2).sum(axis=1)
    return float(np.mean(common / (2 * first.shape[1] - common)))
