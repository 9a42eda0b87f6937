"""Metrics of decisions against known answers and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from vssl.decisions.bounds import observed_rate
from vssl.decisions.core import ACCEPT, REJECT, REVIEW, Thresholds
from vssl.decisions.metrics import LabelledDecisions, compute_metrics
from vssl.errors import DataError

SCORES = np.array([0.0, 1.0, 2.0, 3.0, 1.0, 2.5, 4.0, 5.0])
NORMAL = np.array([True] * 4 + [False] * 4)
CLASSES = np.array(["ok"] * 4 + ["dent", "dent", "crack", "crack"], dtype=object)


def test_rates_at_the_thresholds_of_the_policy():
    decisions = Thresholds(1.0, 2.6).decide(SCORES)
    found = compute_metrics(LabelledDecisions(SCORES, decisions, NORMAL, CLASSES))
    assert (found.false_alarm.count, found.normal_review.count) == (1, 1)
    assert {name: rate.count for name, rate in found.miss.items()} == {"all": 1, "crack": 0, "dent": 1}
    assert found.defect_review is not None
    assert found.defect_review.count == 1
    assert found.f1 == pytest.approx(f1_score(~NORMAL, decisions == REJECT))
    # Of the 16 pairs the defect is higher in 11, and one is a tie.
    assert found.auroc == pytest.approx((1.5 + 3 + 4 + 4) / 16)


def test_without_defects_there_are_no_misses():
    found = compute_metrics(LabelledDecisions(SCORES[:4], Thresholds(9, 9).decide(SCORES[:4]), NORMAL[:4], CLASSES[:4]))
    assert found.miss == {}
    assert found.auroc is None


def test_bounds_are_those_of_clopper_and_pearson():
    rate = observed_rate(np.arange(100) < 0)
    assert rate.upper == pytest.approx(1 - 0.05 ** (1 / 100))
    assert rate.lower == 0


def test_without_normals_there_is_no_false_alarm_rate():
    with pytest.raises(DataError, match="is normal"):
        compute_metrics(LabelledDecisions(SCORES[4:], Thresholds(9, 9).decide(SCORES[4:]), NORMAL[4:], CLASSES[4:]))


def test_of_a_block_the_worst_counts():
    blocks = np.array(["a", "a", "b", "b", "b", "c", "d", "d"], dtype=object)
    blocked = LabelledDecisions(SCORES, Thresholds(1.0, 2.6).decide(SCORES), NORMAL, CLASSES).by_block(blocks)
    # b holds two normals, one of which is rejected, and an accepted dent: that is a miss.
    assert blocked.scores.tolist() == [1.0, 1.0, 2.5, 5.0]
    assert blocked.outcomes.tolist() == [ACCEPT, ACCEPT, REVIEW, REJECT]
    assert blocked.is_normal.tolist() == [True, False, False, False]
    assert blocked.classes.tolist() == ["ok", "dent", "dent", "crack"]
    metrics = compute_metrics(blocked)
    assert (metrics.false_alarm.of, metrics.miss["all"].count, metrics.miss["all"].of) == (1, 1, 3)
