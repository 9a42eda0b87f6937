"""k-nearest-neighbour accuracy: do samples of one class lie together?

The weighted vote of Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance Discrimination" (CVPR 2018):
cosine similarity s, weight exp(s / 0.07); their temperature, with k = 20 instead of their 200. Without a reference each
sample is classified by all others. The same once more with whitened features (extension).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from vssl.evaluation.base import Evidence, Skip
from vssl.scores.neighbours import Neighbours

NEEDS = frozenset({"labels"})
TEMPERATURE = 0.07


def run(evidence: Evidence) -> Iterator[tuple[str, float | Skip]]:
    """Yield the share of right answers, and its mean over the classes (defects are rare)."""
    truth = evidence.labelled.classes
    for kind, near in (("", evidence.near_examples), ("whitened_", evidence.whitened_near_examples)):
        predicted = classify(near, evidence.examples.classes)
        yield f"knn/{kind}accuracy", float(np.mean(predicted == truth))
        yield f"knn/{kind}balanced_accuracy", balanced_accuracy(truth, predicted)


def classify(near: Neighbours, classes: np.ndarray) -> np.ndarray:
    """The class [N] with the largest weighted vote; of equal ones that of the nearest neighbour."""
    named = torch.from_numpy(classes)[near.rows]
    weights = (near.similarity / TEMPERATURE).exp()
    winners = []
    for name, weight in zip(named.split(8192), weights.split(8192), strict=True):
        # Votes are gathered at each neighbour for its own class: memory does not grow with the number of classes.
        votes = torch.einsum("njk,nk->nj", (name[:, :, None] == name[:, None, :]).float(), weight)
        winners.append(name.gather(1, votes.argmax(dim=1, keepdim=True)).squeeze(1))
    return torch.cat(winners).numpy()


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """The share of right answers in each class that occurs in the truth, averaged over these classes."""
    _, inverse, count = np.unique(truth, return_inverse=True, return_counts=True)
    return float(np.mean(np.bincount(inverse, weights=predicted == truth) / count))
