"""Linear probe: how well does a linear classifier on the frozen features do with all, 10 % and 1 % of the labels?

Multinomial logistic regression (scikit-learn, L-BFGS) on standardised features, without augmentation. The weight decay
is chosen, for each amount of labels anew, on a tenth of those labels; where that is few, on several draws of it.
Without a reference a fifth of each class of the query is tested and the rest learned from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from vssl.evaluation.base import Evidence, Skip
from vssl.evaluation.knn import balanced_accuracy
from vssl.evaluation.labels import Labelled, stratified

NEEDS = frozenset({"labels"})
PERCENTS = (100, 10, 1)
# Per sample, so that one grid suits all amounts of labels; strong to weak, so that each fit starts near its solution.
WEIGHT_DECAYS = (1.0, 1e-1, 1e-2, 1e-3, 1e-4)
# How many held-out labels the choice wants, and the most draws for them: with five, the choice for 500 labels of
# CIFAR-10 could cost five points.
HELD, DRAWS = 1_000, 20
# Ten times scikit-learn's own 1e-4: more than twice as fast, and within the chance of a split.
TOLERANCE = 1e-3


def run(evidence: Evidence) -> Iterator[tuple[str, float | Skip]]:
    """Yield accuracy and balanced accuracy for each percentage of the training labels."""
    training, test = split(evidence)
    if not len(test):
        yield "linear", Skip("no class has two labelled samples, one to learn from and one to test")
        return
    classes = len(np.unique(training.classes))
    for percent in PERCENTS:
        count = round(len(training) * percent / 100)
        if count < classes:
            reason = f"{percent} % of {len(training)} labels are {count}: fewer than the {classes} classes"
            yield f"linear/accuracy_{percent}", Skip(reason)
            continue
        drawn = training.take(stratified(training.classes, percent / 100, evidence.seed).nonzero()[0])
        predicted = fit_predict(drawn, test.samples.features, evidence.seed)
        yield f"linear/accuracy_{percent}", float(np.mean(predicted == test.classes))
        yield f"linear/balanced_accuracy_{percent}", balanced_accuracy(test.classes, predicted)


def split(evidence: Evidence) -> tuple[Labelled, Labelled]:
    """The labelled samples to learn from, and those to test."""
    if evidence.reference is not None:
        return evidence.examples, evidence.labelled
    held = stratified(evidence.labelled.classes, 0.2, evidence.seed, leave=1)
    return evidence.labelled.take((~held).nonzero()[0]), evidence.labelled.take(held.nonzero()[0])


def fit_predict(training: Labelled, features: np.ndarray, seed: int) -> np.ndarray:
    """Learn from the labelled samples, weight decay included, and classify the features [N, F]."""
    return fit(training, seed).predict(features.astype(np.float32))


def fit(training: Labelled, seed: int) -> Pipeline:
    """The classifier of features [N, F] in float32 that the labelled samples teach, weight decay included."""
    scaler = StandardScaler().fit(training.samples.features.astype(np.float32))
    known, classes = scaler.transform(training.samples.features.astype(np.float32)), training.classes
    model = LogisticRegression(max_iter=500, tol=TOLERANCE, warm_start=True)
    decay = best_decay(model, known, classes, seed + 1)
    model.set_params(C=1 / (decay * len(classes))).fit(known, classes)
    return Pipeline([("scaler", scaler), ("classifier", model)])


def best_decay(model: LogisticRegression, known: np.ndarray, classes: np.ndarray, seed: int) -> float:
    """The weight decay that does best on labels held out of the features [N, F], over enough draws to tell."""
    right = np.zeros(len(WEIGHT_DECAYS))
    first = stratified(classes, 0.1, seed, leave=1)
    if not first.any():
        return WEIGHT_DECAYS[1]
    for draw in range(min(DRAWS, math.ceil(HELD / first.sum()))):
        held = stratified(classes, 0.1, seed + draw, leave=1)
        for place, decay in enumerate(WEIGHT_DECAYS):
            model.set_params(C=1 / (decay * (~held).sum())).fit(known[~held], classes[~held])
            right[place] += model.score(known[held], classes[held])
    return WEIGHT_DECAYS[int(np.argmax(right))]
