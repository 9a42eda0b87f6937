"""Linear probe: the accuracy of a linear classifier on the frozen features, with all, 10 % and 1 % of the labels.

Multinomial logistic regression (scikit-learn, L-BFGS) on standardised features, without augmentation. The weight decay
is chosen for each number of labels on a held-out tenth of them; where that is few, on several draws of it. Without a
reference, a fifth of each class of the query is the test set and the rest the training set.
"""

import math
from collections.abc import Iterator

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from vssl.evaluation.base import EvalData
from vssl.evaluation.knn import balanced_accuracy
from vssl.evaluation.labels import Labelled, stratified
from vssl.evaluation.metric import Metric, Skip

NEEDS = frozenset({"labels"})
PERCENTS = (100, 10, 1)
METRICS = {
    f"linear/accuracy_{percent}": Metric(
        f"Accuracy of a linear classifier on the frozen features, trained with {percent} % of the labels.",
        title="linear" if percent == 100 else f"linear, {percent} %",
        priority=3 if percent == 100 else 99,
    )
    for percent in PERCENTS
} | {
    "linear/balanced_accuracy_{percent}": Metric(
        "Accuracy of each class, averaged, of a linear classifier trained with the percentage of labels in the name."
    )
}
# Per sample, so that one grid suits all numbers of labels; strong to weak, so that each fit starts near its solution.
WEIGHT_DECAYS = (1.0, 1e-1, 1e-2, 1e-3, 1e-4)
# Number of held-out labels for the choice, and the most draws for them: with five, the choice for 500 labels of
# CIFAR-10 could cost five points.
HELD_OUT, DRAWS = 1_000, 20
# Ten times the default of scikit-learn: more than twice as fast, and the accuracy differs by less than between splits.
TOLERANCE = 1e-3


def run(data: EvalData) -> Iterator[tuple[str, float | Skip]]:
    """Yield accuracy and balanced accuracy for each percentage of the training labels."""
    training, test = split(data)
    if not len(test):
        yield "linear", Skip("no class has two labelled samples, one for training and one for testing")
        return
    classes = len(np.unique(training.classes))
    for percent in PERCENTS:
        count = round(len(training) * percent / 100)
        if count < classes:
            reason = f"{percent} % of the {len(training)} labels are {count}, fewer than the {classes} classes"
            yield f"linear/accuracy_{percent}", Skip(reason)
            continue
        drawn = training.take(stratified(training.classes, percent / 100, data.seed).nonzero()[0])
        predicted = fit_predict(drawn, test.samples.features, data.seed)
        yield f"linear/accuracy_{percent}", float(np.mean(predicted == test.classes))
        yield f"linear/balanced_accuracy_{percent}", balanced_accuracy(test.classes, predicted)


def split(data: EvalData) -> tuple[Labelled, Labelled]:
    """The labelled samples for training, and those for testing."""
    if data.reference is not None:
        return data.examples, data.labelled
    held = stratified(data.labelled.classes, 0.2, data.seed, leave=1)
    return data.labelled.take((~held).nonzero()[0]), data.labelled.take(held.nonzero()[0])


def fit_predict(training: Labelled, features: np.ndarray, seed: int) -> np.ndarray:
    """Train on the labelled samples, weight decay included, and predict the classes [N] of the features [N, F]."""
    predicted: np.ndarray = fit(training, seed).predict(features.astype(np.float32))
    return predicted


def fit(training: Labelled, seed: int) -> Pipeline:
    """Train a classifier of features [N, F] in float32 on the labelled samples; the weight decay is chosen."""
    scaler = StandardScaler().fit(training.samples.features.astype(np.float32))
    features, classes = scaler.transform(training.samples.features.astype(np.float32)), training.classes
    model = LogisticRegression(max_iter=500, tol=TOLERANCE, warm_start=True)
    decay = best_decay(model, features, classes, seed + 1)
    model.set_params(C=1 / (decay * len(classes))).fit(features, classes)
    return Pipeline([("scaler", scaler), ("classifier", model)])


def best_decay(model: LogisticRegression, features: np.ndarray, classes: np.ndarray, seed: int) -> float:
    """The weight decay with the highest accuracy on held-out rows of the features [N, F], over several draws."""
    correct = np.zeros(len(WEIGHT_DECAYS))
    first = stratified(classes, 0.1, seed, leave=1)
    if not first.any():
        return WEIGHT_DECAYS[1]
    for draw in range(min(DRAWS, math.ceil(HELD_OUT / first.sum()))):
        held_out = stratified(classes, 0.1, seed + draw, leave=1)
        for row, decay in enumerate(WEIGHT_DECAYS):
            model.set_params(C=1 / (decay * (~held_out).sum())).fit(features[~held_out], classes[~held_out])
            correct[row] += model.score(features[held_out], classes[held_out])
    return WEIGHT_DECAYS[int(np.argmax(correct))]
