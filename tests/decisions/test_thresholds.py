"""From scores to accept, review and reject."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vssl.decisions import bounds
from vssl.decisions.core import ACCEPT, REJECT, REVIEW, Thresholds
from vssl.decisions.guarantee import Costs, Guarantee
from vssl.decisions.thresholds import compute_thresholds
from vssl.errors import ConfigError, DataError, NotEnoughDataError

NORMAL = np.arange(1000) / 1000
FAR, NEAR = 2 + NORMAL, 0.5 + NORMAL


def test_with_normals_only_there_is_one_limit_and_no_review():
    limits = compute_thresholds(NORMAL, None, Guarantee(0.01))
    assert limits.accept_up_to == limits.reject_above == bounds.binomial_threshold(NORMAL, 0.01)


def test_defects_that_overlap_with_normals_make_a_zone_that_is_reviewed():
    guarantee = Guarantee(0.01, 0.02)
    limits = compute_thresholds(NORMAL, NEAR, guarantee)
    assert limits.accept_up_to < limits.reject_above
    # Each guarantee has half of the doubt.
    assert limits.reject_above == bounds.binomial_threshold(NORMAL, 0.01, 0.975)
    missed = (limits.decide(NEAR) == ACCEPT).sum()
    assert missed == bounds.allowed_exceedances(len(NEAR), 0.02, 0.975)


def test_defects_far_away_need_no_review():
    limits = compute_thresholds(NORMAL, FAR, Guarantee(0.01, 0.02))
    assert limits.accept_up_to == limits.reject_above == bounds.binomial_threshold(NORMAL, 0.01, 0.975)


def test_a_score_at_the_limit_is_accepted_and_none_that_is_not_a_number():
    limits = Thresholds(1.0, 2.0)
    scores = np.array([1.0, 1.5, 2.0, 2.1, np.nan, np.inf, -np.inf])
    assert list(limits.decide(scores)) == [ACCEPT, REVIEW, REVIEW, REJECT, REVIEW, REVIEW, REVIEW]


@pytest.mark.parametrize("kind", ["continuous", "ties", "overlap"])
def test_both_promises_are_kept_together_with_the_stated_confidence(kind: str):
    rng = np.random.default_rng(0)
    draws = {
        "continuous": lambda n, shift: rng.normal(shift, 1, n),
        "ties": lambda n, shift: rng.poisson(3 + 2 * shift, n).astype(float),
        "overlap": lambda n, shift: rng.exponential(1 + shift, n),
    }
    draw, guarantee, broken, turns = draws[kind], Guarantee(0.05, 0.1, 0.9), 0, 400
    later = draw(100_000, 0), draw(100_000, 2.5)
    for _ in range(turns):
        limits = compute_thresholds(draw(200, 0), draw(100, 2.5), guarantee)
        false_alarms, misses = (later[0] > limits.reject_above).mean(), (later[1] <= limits.accept_up_to).mean()
        broken += false_alarms > 0.05 or misses > 0.1
    assert broken / turns <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / turns)


@given(st.lists(st.integers(0, 9), min_size=60, max_size=120), st.lists(st.integers(5, 15), min_size=60, max_size=120))
def test_the_limits_are_in_order_whatever_the_scores(normal: list[int], defects: list[int]):
    if len(set(normal)) < 2:
        return
    limits = compute_thresholds(np.array(normal, float), np.array(defects, float), Guarantee(0.1, 0.1, 0.9))
    assert limits.accept_up_to <= limits.reject_above


@pytest.mark.parametrize(
    ("normal", "defects", "guarantee", "error", "words"),
    [
        (NORMAL[:200], None, Guarantee(0.01), NotEnoughDataError, r"200 samples .* false alarms .*\(normals\).* 299\."),
        (NORMAL, FAR[:20], Guarantee(0.01, 0.02), NotEnoughDataError, r"20 samples .* misses .*\(defects\).* 183\."),
        (NORMAL, None, Guarantee(0.01, 0.02), ConfigError, "known defects"),
        (np.ones(500), None, Guarantee(0.01), DataError, "same score, 1"),
        (np.append(NORMAL, np.nan), None, Guarantee(0.01), DataError, "not finite"),
    ],
)
def test_what_cannot_be_promised_is_refused(normal, defects, guarantee, error, words):
    with pytest.raises(error, match=words):
        compute_thresholds(normal, defects, guarantee)


@pytest.mark.parametrize("wrong", [{"false_alarm": 0.0}, {"false_alarm": 1.5}, {"miss": 0.0}, {"confidence": 95.0}])
def test_levels_are_shares_between_0_and_1(wrong: dict[str, float]):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Guarantee(**wrong)


@pytest.mark.parametrize("wrong", [{"miss": -1.0}, {"miss": 1.0, "defect_share": 0.0}, {"miss": float("nan")}])
def test_costs_are_checked(wrong: dict[str, float]):
    with pytest.raises(ConfigError):
        Costs(**wrong)
