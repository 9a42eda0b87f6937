import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from vssl.evaluation import EvalData
from vssl.evaluation.selective import augrc, aurc, excess_aurc, run


def test_areas_of_four_samples_by_hand():
    # In order of uncertainty: right, wrong, right, wrong; the risks are 0, 1/2, 1/3, 1/2.
    wrong, uncertainty = np.array([1, 0, 1, 0], dtype=bool), np.array([0.4, 0.1, 0.2, 0.3])
    assert aurc(wrong, uncertainty) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    # The perfect order is right, right, wrong, wrong: 0, 0, 1/3, 1/2.
    assert excess_aurc(wrong, uncertainty) == pytest.approx((1 / 3 + 1 / 2 - 1 / 3) / 4)
    # Errors accepted after 0 ... 4 samples: 0, 0, 1, 1, 2; trapezoids 0, 1/2, 1, 3/2, of 4 samples and 4 steps.
    assert augrc(wrong, uncertainty) == pytest.approx(3 / 16)


def test_a_perfect_order_has_no_excess_and_any_other_has():
    wrong = np.arange(100) >= 70
    assert excess_aurc(wrong, np.arange(100)) == 0
    assert excess_aurc(wrong, -np.arange(100)) > 0.3


def test_the_perfect_area_tends_to_the_well_known_formula():
    wrong = np.arange(20_000) >= 14_000
    assert aurc(wrong, wrong) == pytest.approx(0.3 + 0.7 * np.log(0.7), abs=1e-4)


def test_an_uncertainty_that_is_the_same_for_all_has_the_error_rate_as_its_area():
    wrong = np.arange(10) < 3
    assert aurc(wrong, np.zeros(10)) == pytest.approx(0.3)


samples = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40)


@given(samples)
def test_augrc_is_the_published_function_of_accuracy_and_auroc(pairs):
    wrong, uncertainty = (np.array(column) for column in zip(*pairs, strict=True))
    accuracy = 1 - wrong.mean()
    separation = roc_auc_score(wrong, uncertainty) if 0 < accuracy < 1 else 0.0
    expected = (1 - separation) * accuracy * (1 - accuracy) + (1 - accuracy) ** 2 / 2
    assert augrc(wrong, uncertainty) == pytest.approx(expected)


@given(samples)
def test_the_excess_is_never_negative_and_blind_to_order(pairs):
    wrong, uncertainty = (np.array(column) for column in zip(*pairs, strict=True))
    assert excess_aurc(wrong, uncertainty) >= -1e-12
    assert aurc(wrong[::-1], uncertainty[::-1]) == pytest.approx(aurc(wrong, uncertainty))


def test_the_classifiers_errors_are_ordered_by_each_uncertainty(embeddings_from):
    # The reference gives "a" to the right and "b" upwards; the last sample lies with "b" and is called "a".
    reference = embeddings_from("r", [[1, 0], [1, 0.1], [0, 1], [0.1, 1]], y=["a", "a", "b", "b"])
    query = embeddings_from("q", [[1, 0.05], [0.05, 1], [0.1, 0.9]], [[0.0], [0.0], [1.0]], y=["a", "b", "a"])
    values = dict(run(EvalData(query, reference, "y")))
    assert values["selective/aurc/ambiguity"] == pytest.approx((0 + 0 + 1 / 3) / 3)
    assert values["selective/e_aurc/ambiguity"] == pytest.approx(0)
    assert values["selective/augrc/ambiguity"] == pytest.approx(0.5 / 9)
