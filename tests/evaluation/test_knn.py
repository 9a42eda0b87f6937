import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier

from vssl.evaluation import EvalData
from vssl.evaluation.knn import balanced_accuracy, classify, run
from vssl.scores.neighbours import Neighbours


def blobs(seed, count, classes=4):
    rng = np.random.default_rng(seed)
    labels = rng.choice(classes, size=count, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    return rng.normal(size=(count, 6)) + 1.5 * np.eye(6)[labels], labels


def test_accuracy_equals_scikit_learns_weighted_cosine_neighbours(embeddings_from):
    (query, truth), (reference, known) = blobs(0, 200), blobs(1, 300)
    model = KNeighborsClassifier(20, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.07))
    expected = model.fit(reference, known).predict(query)
    data = EvalData(embeddings_from("q", query, y=truth), embeddings_from("r", reference, y=known), "y")
    values = dict(run(data))
    assert values["knn/accuracy"] == pytest.approx(np.mean(expected == truth))
    assert values["knn/balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, expected))


def test_whitened_neighbours_are_those_of_scikit_learns_whitened_vectors(embeddings_from):
    (query, truth), (reference, known) = blobs(0, 200), blobs(1, 300)
    stretch = np.diag([30.0, 10, 3, 1, 1, 1])
    query, reference = query @ stretch, reference @ stretch
    gaussian = LedoitWolf().fit(reference)
    root = np.linalg.cholesky(gaussian.precision_)
    model = KNeighborsClassifier(20, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.07))
    expected = model.fit((reference - gaussian.location_) @ root, known).predict((query - gaussian.location_) @ root)
    data = EvalData(embeddings_from("q", query, y=truth), embeddings_from("r", reference, y=known), "y")
    values = dict(run(data))
    assert values["knn/whitened_accuracy"] == pytest.approx(np.mean(expected == truth))
    assert values["knn/whitened_accuracy"] > values["knn/accuracy"] + 0.05


def test_without_a_reference_each_sample_is_classified_by_the_others(embeddings_from):
    # In degrees: two of class a lie together, the third of that class lies with the three of class b.
    angles = np.deg2rad([0, 2, 90, 91, 92, 100])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    data = EvalData(embeddings_from("s", features, y=["a", "a", "b", "b", "b", "a"]), label="y")
    assert dict(run(data))["knn/accuracy"] == pytest.approx(5 / 6)
    assert dict(run(data))["knn/balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)


def test_a_near_neighbour_outvotes_two_far_ones():
    near = Neighbours(torch.tensor([[0, 1, 2]]), torch.tensor([[0.9, 0.5, 0.5]]))
    assert classify(near, np.array([7, 3, 3])).tolist() == [7]


def test_a_tie_goes_to_the_nearest_neighbour():
    near = Neighbours(torch.tensor([[0, 1]]), torch.tensor([[0.5, 0.5]]))
    assert classify(near, np.array([7, 3])).tolist() == [7]


def test_balanced_accuracy_weighs_a_rare_class_like_a_common_one():
    truth = np.array([0] * 98 + [1] * 2)
    assert balanced_accuracy(truth, np.zeros(100)) == 0.5
