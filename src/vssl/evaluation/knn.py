"""k-nearest-neighbour accuracy: are samples of one class near each other?

The weighted vote of Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance Discrimination" (CVPR 2018):
cosine similarity s, weight exp(s / 0.07); their temperature, with k = 20 instead of their 200. Without a reference each
sample is classified by all others. Both accuracies are repeated with whitened features (extension).
"""

from collections.abc import Iterator

import numpy as np
import torch

from vssl.evaluation.base import EvalData
from vssl.evaluation.metric import Metric, Skip
from vssl.scores.neighbours import Neighbours

NEEDS = frozenset({"labels"})
TEMPERATURE = 0.07
METRICS = {
    "knn/accuracy": Metric(
        "Share of samples whose label the vote of the 20 nearest neighbours predicts correctly, without any training.",
        title="kNN",
        priority=1,
    ),
    "knn/whitened_accuracy": Metric(
        "kNN accuracy with whitened features, in which all directions of the embedding have the same weight.",
        title="kNN, whitened",
        priority=2,
    ),
    "knn/balanced_accuracy": Metric(
        "kNN accuracy of each class, averaged over the classes, so that rare classes count equally."
    ),
    "knn/whitened_balanced_accuracy": Metric(
        "kNN accuracy of each class with whitened features, averaged over the classes."
    ),
}


def run(data: EvalData) -> Iterator[tuple[str, float | Skip]]:
    """Yield the accuracy and the balanced accuracy, by features and by whitened features."""
    truth = data.labelled.classes
    searches = {"": data.knn_reference(), "whitened_": data.knn_reference("whitened_directions")}
    for kind, nearest in searches.items():
        predicted = classify(nearest, data.examples.classes)
        yield f"knn/{kind}accuracy", float(np.mean(predicted == truth))
        yield f"knn/{kind}balanced_accuracy", balanced_accuracy(truth, predicted)


def classify(nearest: Neighbours, classes: np.ndarray) -> np.ndarray:
    """The class [N] with the largest weighted vote; the nearest neighbour decides between equal votes."""
    votes_for = torch.from_numpy(classes)[nearest.rows]
    weights = (nearest.similarity / TEMPERATURE).exp()
    winners = []
    for name, weight in zip(votes_for.split(8192), weights.split(8192), strict=True):
        # Votes are gathered at each neighbour for its own class: memory does not grow with the number of classes.
        votes = torch.einsum("njk,nk->nj", (name[:, :, None] == name[:, None, :]).float(), weight)
        winners.append(name.gather(1, votes.argmax(dim=1, keepdim=True)).squeeze(1))
    return torch.cat(winners).numpy()


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """The accuracy of each class that occurs in the truth, averaged over these classes."""
    _, inverse, count = np.unique(truth, return_inverse=True, return_counts=True)
    return float(np.mean(np.bincount(inverse, weights=predicted == truth) / count))
