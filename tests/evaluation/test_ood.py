import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from vssl.evaluation import EvalData
from vssl.evaluation.ood import fpr95, run


def test_fpr95_is_the_false_alarm_rate_where_95_percent_of_the_outliers_are_found():
    inside, outside = np.arange(20.0), np.arange(20.0) + 10.5
    # 19 of the 20 outliers have 11.5 or more; so have 12 ... 19 of the in-distribution, 8 of 20.
    is_outlier = np.repeat([False, True], 20)
    assert fpr95(is_outlier, np.concatenate([inside, outside])) == pytest.approx(8 / 20)


def test_fpr95_of_a_useless_score_is_one():
    assert fpr95(np.array([False, True] * 10), np.zeros(20)) == 1.0


def test_far_outliers_are_told_apart_and_a_second_half_is_not(embeddings_from):
    rng = np.random.default_rng(0)
    query, reference, same = (rng.normal(size=(300, 5)) + 6 * np.eye(5)[0] for _ in range(3))
    far = rng.normal(size=(300, 5)) + 6 * np.eye(5)[1]
    for outliers, expected in ((far, 1.0), (same, 0.5)):
        data = EvalData(
            embeddings_from("q", query), embeddings_from("r", reference), outliers=embeddings_from("o", outliers)
        )
        values = dict(run(data))
        assert values["ood/auroc/nn_distance"] == pytest.approx(expected, abs=0.06)
        assert values["ood/auroc/mahalanobis"] == pytest.approx(expected, abs=0.06)
    assert values["ood/fpr95/nn_distance"] > 0.85


def test_ambiguity_is_evaluated_as_it_is_with_higher_for_outliers(embeddings_from):
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(size=(40, 3)), rng.normal(size=(30, 3)) + 0.5
    features = rng.normal(size=(110, 3))
    data = EvalData(
        embeddings_from("q", features[:40], inside),
        embeddings_from("r", features[40:80]),
        outliers=embeddings_from("o", features[80:], outside),
    )
    scores = np.concatenate([inside.astype(np.float32).mean(1), outside.astype(np.float32).mean(1)])
    expected = roc_auc_score(np.repeat([0, 1], [40, 30]), scores)
    assert dict(run(data))["ood/auroc/ambiguity"] == pytest.approx(expected)


def test_without_a_reference_the_evaluated_half_is_not_the_fitted_one(embeddings_from):
    rng = np.random.default_rng(0)
    # Were a sample fitted and evaluated, its distance to the reference would be zero and every outlier detected.
    query, outliers = rng.normal(size=(2, 200, 4))
    values = dict(run(EvalData(embeddings_from("q", query), outliers=embeddings_from("o", outliers))))
    assert values["ood/auroc/nn_distance"] == pytest.approx(0.5, abs=0.1)
