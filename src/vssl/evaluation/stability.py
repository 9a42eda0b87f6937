"""Stability: how far an encoder that was trained with another seed sees the same structure.

Linear CKA: Kornblith et al., "Similarity of Neural Network Representations Revisited" (ICML 2019), equation 4.
It needs no labels.
"""

from collections.abc import Iterator

import numpy as np
from scipy.stats import spearmanr

from vssl.evaluation.base import EvalData, draw
from vssl.evaluation.metric import Metric, Skip
from vssl.scores.neighbours import neighbours
from vssl.types import Embeddings

NEEDS = frozenset({"other_seed_run"})
METRICS = {
    "stability/cka": Metric(
        "Similarity of the features to those of an encoder trained with another seed: 1 is the same."
    ),
    "stability/neighbour_jaccard": Metric(
        "Overlap of the 10 nearest neighbours by this encoder and by one trained with another seed."
    ),
    "stability/ambiguity_spearman": Metric(
        "Rank correlation of the ambiguity with that of an encoder trained with another seed.", range=(-1, 1)
    ),
}
NEAREST = 10
MAX_SAMPLES = 10_000  # for the neighbours, whose cost grows with the square


def run(data: EvalData) -> Iterator[tuple[str, float | Skip]]:
    """Yield CKA, the overlap of the 10 nearest of at most 10,000 samples, and the rank correlation of ambiguity."""
    query, other = data.query, data.other_seed_run
    assert other is not None
    if np.ptp(query.features, axis=0).any() and np.ptp(other.features, axis=0).any():
        yield "stability/cka", linear_cka(query.features, other.features)
    else:
        yield "stability/cka", Skip("one encoder has collapsed: all its features are equal")
    rows = draw(query, MAX_SAMPLES, data.seed)
    drawn = (samples.take(rows) for samples in (query, other))
    nearest = (neighbours(some, some, NEAREST, exclude_same_id=True).rows.numpy() for some in drawn)
    yield "stability/neighbour_jaccard", jaccard(*nearest)
    yield "stability/ambiguity_spearman", _ambiguity_spearman(query, other)


def _ambiguity_spearman(query: Embeddings, other: Embeddings) -> float | Skip:
    if "ambiguity" not in query or "ambiguity" not in other:
        return Skip("one of the encoders, or both, has no variance")
    values = query.numpy("ambiguity"), other.numpy("ambiguity")
    if not all(np.ptp(value) for value in values):
        return Skip("the ambiguity of one encoder is the same for all samples")
    return float(spearmanr(*values).statistic)


def linear_cka(first: np.ndarray, second: np.ndarray) -> float:
    """Linear centred kernel alignment of features [N, F] and [N, G], in [0, 1]; invariant to rotation and scale."""
    x, y = (part.astype(np.float64) - part.mean(axis=0, dtype=np.float64) for part in (first, second))
    shared = np.linalg.norm(x.T @ y) ** 2
    return float(shared / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


def jaccard(first: np.ndarray, second: np.ndarray) -> float:
    """The mean of |A and B| / |A or B| over the rows' sets of neighbours [N, k], in [0, 1]."""
    common = (first[:, :, None] == second[:, None, :]).any(axis=2).sum(axis=1)
    return float(np.mean(common / (2 * first.shape[1] - common)))
