"""Uncertainties from distances that are known."""

import numpy as np
import pytest
import torch

from vssl.evaluation import Evidence
from vssl.evaluation.retrieval import run
from vssl.evaluation.uncertainty import SMALLEST_DISTANCE, uncertainties
from vssl.scores.neighbours import Neighbours, neighbours

ANGLES = np.deg2rad([0.0, 10.0, 90.0, 120.0])
UNIT = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def near_with(similarity: list[float]) -> Neighbours:
    return Neighbours(torch.zeros(len(similarity), 1, dtype=torch.long), torch.tensor(similarity)[:, None])


def test_without_a_latent_there_are_the_stand_ins_alone(embeddings_from):
    found = uncertainties(embeddings_from("s", UNIT), near_with([1.0, 0.5, 0.0, -1.0]), near_with([0.5] * 4))
    assert set(found) == {"nn_distance", "knn_distance", "whitened_nn_distance", "feature_norm"}
    assert found["whitened_nn_distance"].tolist() == [0.5] * 4
    assert found["nn_distance"].tolist() == [0.0, 0.5, 1.0, 2.0]


def test_the_posterior_distance_is_the_mean_of_what_was_found_and_what_is_expected(embeddings_from):
    log_variance = np.array([[-1.0], [0.0], [1.0], [2.0]])
    latent = near_with([1.0, 0.5, 0.0, -1.0])
    near = near_with([0.9, 1.0, 0.5, 0.0])
    found = uncertainties(embeddings_from("s", UNIT, log_variance), near, near_with([0.0] * 4), latent)
    measured = np.log([0.1, SMALLEST_DISTANCE, 0.5, 1.0]) + np.log([SMALLEST_DISTANCE, 0.5, 1.0, 2.0])
    expected = (measured + log_variance[:, 0]) / 3
    assert found["posterior_distance"] == pytest.approx(expected, abs=1e-6)


def test_a_method_without_a_variance_has_the_distance_in_its_latent_but_no_posterior_distance(embeddings_from):
    found = uncertainties(embeddings_from("s", UNIT), near_with([0.0] * 4), near_with([0.0] * 4), near_with([0.5] * 4))
    assert "latent_nn_distance" in found
    assert "posterior_distance" not in found


def test_neighbours_in_the_latent_space_are_found_by_the_means(embeddings_from):
    samples = embeddings_from("s", np.eye(4))
    column = embeddings_from("s", UNIT).table["features"]
    samples.table = samples.table.append_column("mean", column)
    near = neighbours(samples, samples, 1, exclude_same_id=True, space="mean")
    assert near.rows[:, 0].tolist() == [1, 0, 3, 2]
    assert near.similarity[0, 0] == pytest.approx(np.cos(ANGLES[1]))
    labelled = type(samples)(samples.table.append_column("y", [["a", "b", "a", "a"]]))
    values = dict(run(Evidence(labelled, label="y")))
    assert "retrieval/r_auroc/latent_nn_distance" in values
