import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from vssl.evaluation import EvalData, Skip
from vssl.evaluation.retrieval import run

# Directions in degrees: the last two samples are nearest to each other and of different classes.
ANGLES = np.deg2rad([0, 2, 90, 93, 180, 190])
FEATURES = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
LABELS = ["a", "a", "b", "b", "a", "b"]


def test_recall_counts_the_nearest_other_sample_of_the_same_class(embeddings_from):
    assert dict(run(EvalData(embeddings_from("s", FEATURES, y=LABELS), label="y")))[
        "retrieval/recall@1"
    ] == pytest.approx(4 / 6)


def test_an_uncertainty_that_knows_the_errors_has_r_auroc_one(embeddings_from):
    knowing = [[0.0], [0.0], [0.1], [0.0], [2.0], [3.0]]
    values = dict(run(EvalData(embeddings_from("s", FEATURES, knowing, y=LABELS), label="y")))
    assert values["retrieval/r_auroc/ambiguity"] == 1.0
    # Here both errors are also the samples that lie farthest from their neighbour.
    assert values["retrieval/r_auroc/nn_distance"] == 1.0


def test_an_uncertainty_turned_upside_down_has_r_auroc_zero(embeddings_from):
    turned = [[0.0], [0.0], [-0.1], [0.0], [-2.0], [-3.0]]
    values = dict(run(EvalData(embeddings_from("s", FEATURES, turned, y=LABELS), label="y")))
    assert values["retrieval/r_auroc/ambiguity"] == 0.0


def test_a_longer_feature_is_a_surer_one(embeddings_from):
    rng = np.random.default_rng(0)
    lengths = rng.uniform(1, 2, size=6)
    values = dict(run(EvalData(embeddings_from("s", FEATURES * lengths[:, None], y=LABELS), label="y")))
    expected = roc_auc_score([0, 0, 0, 0, 1, 1], -lengths)
    assert values["retrieval/r_auroc/feature_norm"] == pytest.approx(expected)


def test_neighbours_are_found_in_the_query_even_with_a_reference(embeddings_from):
    query = embeddings_from("s", FEATURES, y=LABELS)
    reference = embeddings_from("r", FEATURES, y=["b", "b", "a", "a", "b", "a"])
    assert dict(run(EvalData(query, reference, "y")))["retrieval/recall@1"] == pytest.approx(4 / 6)


def test_a_deterministic_method_has_no_ambiguity_but_the_baselines(embeddings_from):
    names = set(dict(run(EvalData(embeddings_from("s", FEATURES, y=LABELS), label="y"))))
    assert {f"retrieval/r_auroc/{name}" for name in ("nn_distance", "knn_distance", "feature_norm")} < names
    assert "retrieval/r_auroc/ambiguity" not in names


def test_without_any_error_r_auroc_is_skipped_with_the_reason(embeddings_from):
    values = dict(run(EvalData(embeddings_from("s", FEATURES[:4], y=LABELS[:4]), label="y")))
    assert values["retrieval/recall@1"] == 1.0
    assert values["retrieval/r_auroc"] == Skip(
        "every nearest neighbour has the same class, so there is nothing to detect"
    )


def test_the_share_of_wrong_neighbours_is_what_an_uncertainty_should_follow(embeddings_from):
    # Three of each class: of the five others three are always of the other class, so there is no order to follow.
    numbered = embeddings_from("s", FEATURES, [[float(row)] for row in range(6)], y=LABELS)
    assert isinstance(dict(run(EvalData(numbered, label="y")))["retrieval/wrong_neighbours/ambiguity"], Skip)
    uneven = ["a", "b", "b", "b", "b", "b"]
    wrong = np.array([1, 1 / 5, 1 / 5, 1 / 5, 1 / 5, 1 / 5])
    uncertainty = np.array([0.9, 1.0, 0.1, 0.2, 0.3, 0.4])
    values = dict(run(EvalData(embeddings_from("s", FEATURES, uncertainty[:, None], y=uneven), label="y")))
    assert values["retrieval/wrong_neighbours/ambiguity"] == pytest.approx(
        spearmanr(uncertainty, wrong).statistic, abs=1e-6
    )
