import numpy as np
import pytest

from vssl.evaluation import EvalData, Skip
from vssl.evaluation.uniformity import run


def test_uniformity_of_three_directions_by_hand(embeddings_from):
    # Squared distances of the pairs: 2, 2 and 4; lengths do not count.
    values = dict(run(EvalData(embeddings_from("s", [[5, 0], [0, 1], [-2, 0]]))))
    expected = np.log((2 * np.exp(-4) + np.exp(-8)) / 3)
    assert values["uniformity/uniformity"] == pytest.approx(expected, abs=1e-5)


def test_collapsed_features_have_the_worst_uniformity(embeddings_from):
    values = dict(run(EvalData(embeddings_from("s", np.ones((100, 4))))))
    assert values["uniformity/uniformity"] == pytest.approx(0, abs=1e-4)


def test_alignment_is_the_mean_squared_distance_of_two_views(embeddings_from):
    query, second = embeddings_from("s", [[1, 0], [0, 1]]), embeddings_from("s", [[2, 0], [3, 0]])
    assert dict(run(EvalData(query, second_view=second)))["uniformity/alignment"] == pytest.approx((0 + 2) / 2)


def test_alignment_without_a_second_view_is_skipped_with_the_reason(embeddings_from):
    assert "second view" in dict(run(EvalData(embeddings_from("s", np.eye(2)))))["uniformity/alignment"].reason


def test_more_than_ten_thousand_samples_are_estimated_by_a_draw(embeddings_from):
    features = np.random.default_rng(0).normal(size=(12_000, 2))
    value = dict(run(EvalData(embeddings_from("s", features))))["uniformity/uniformity"]
    angles = np.linspace(0, 2 * np.pi, 10_000, endpoint=False)
    assert not isinstance(value, Skip)
    assert value == pytest.approx(np.log(np.exp(-2 * (2 - 2 * np.cos(angles))).mean()), abs=0.02)
