"""Bounds against known answers, against slow definitions, and as guarantees that are kept in simulation."""

from __future__ import annotations

import copy
import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.guarantees import other_bounds
from vssl.decisions import bounds
from vssl.decisions.core import conformal_p_values
from vssl.errors import ConfigError, DataError, NotEnoughDataError

LEVELS = st.floats(0.001, 0.5)
# As people write them. Of a rate a last digit of floating point away from another, no exact answer is guaranteed.
WRITTEN_LEVELS = st.integers(10, 5000).map(lambda ten_thousandths: ten_thousandths / 10_000)
CONFIDENCES = st.sampled_from([0.5, 0.9, 0.95, 0.99])
# Few values, so that ties are common.
SCORES = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=60).map(np.array)


@pytest.mark.parametrize(("alpha", "needed"), [(0.01, 299), (0.005, 598), (0.001, 2995)])
def test_how_many_normals_allow_which_rate_at_95_percent(alpha: float, needed: int):
    assert bounds.samples_needed(alpha) == needed
    assert bounds.allowed_exceedances(needed, alpha) == 0
    assert bounds.allowed_exceedances(needed - 1, alpha) == -1
    assert bounds.upper_rate(0, needed) <= alpha < bounds.upper_rate(0, needed - 1)


@example(253, 0.5, 0.5)
@example(61, 0.5, 0.5)
@given(st.integers(1, 3000), WRITTEN_LEVELS, CONFIDENCES)
def test_the_allowed_exceedances_are_the_most_that_keep_the_promise(n: int, alpha: float, confidence: float):
    allowed = bounds.allowed_exceedances(n, alpha, confidence)
    assert allowed == -1 or tail(allowed, n, alpha) <= 1 - confidence
    assert tail(allowed + 1, n, alpha) > 1 - confidence


@example(0.5, 0.5, 13)
@given(WRITTEN_LEVELS, CONFIDENCES, st.integers(0, 20))
def test_the_samples_needed_are_the_fewest(alpha: float, confidence: float, exceedances: int):
    needed = bounds.samples_needed(alpha, confidence, exceedances)
    assert tail(exceedances, needed, alpha) <= 1 - confidence
    assert needed == 1 or tail(exceedances, needed - 1, alpha) > 1 - confidence


@pytest.mark.parametrize("n", range(1, 400, 2))
def test_a_tail_that_equals_what_is_allowed_is_allowed(n: int):
    half = (n - 1) // 2  # P(Binomial(n, 1/2) <= half) is one half
    assert bounds.allowed_exceedances(n, 0.5, 0.5) == half
    assert bounds.samples_needed(0.5, 0.5, half) == n


def tail(exceedances: int, n: int, alpha: float) -> Decimal:
    """P(Binomial(n, alpha) <= exceedances) to 40 digits: floating point tips tails that equal what is allowed."""
    with localcontext(prec=60) as digits:
        p, total = Decimal(alpha), Decimal(0)
        term = (1 - p) ** n
        for k in range(min(exceedances, n) + 1):
            total += term
            term = term * (n - k) / (k + 1) * p / (1 - p)
        digits.prec = 40
        return +total


@given(SCORES, st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=9).map(np.array))
def test_a_p_value_counts_the_calibration_scores_at_least_as_high(calibration: np.ndarray, scores: np.ndarray):
    slow = [(1 + sum(value >= score for value in calibration)) / (len(calibration) + 1) for score in scores]
    assert conformal_p_values(calibration, scores) == pytest.approx(slow)


@given(SCORES, LEVELS)
def test_a_sample_above_the_conformal_threshold_has_a_p_value_of_at_most_alpha(calibration: np.ndarray, alpha: float):
    # Whole numbers survive rounding, so a rate a little below 1 / (n + 1) counts as it.
    if (len(calibration) + 1) * alpha * (1 + 1e-12) < 1:
        with pytest.raises(NotEnoughDataError):
            other_bounds.conformal_threshold(calibration, alpha)
        return
    threshold = other_bounds.conformal_threshold(calibration, alpha)
    assert conformal_p_values(calibration, np.array([threshold + 1e-9]))[0] <= alpha * (1 + 1e-9)
    assert conformal_p_values(calibration, np.array([threshold]))[0] > alpha


@pytest.mark.parametrize(("n", "alpha", "rank"), [(99, 0.01, 99), (100, 0.01, 100), (199, 0.01, 198), (9, 0.1, 9)])
def test_whole_numbers_survive_rounding(n: int, alpha: float, rank: int):
    assert other_bounds.conformal_threshold(np.arange(1.0, n + 1), alpha) == rank


def test_too_few_samples_are_refused_with_the_number_needed():
    with pytest.raises(NotEnoughDataError, match=r"98 samples are not enough .* at least 99") as caught:
        other_bounds.conformal_threshold(np.arange(98.0), 0.01)
    assert caught.value.needed == 99
    assert copy.copy(caught.value).needed == 99
    with pytest.raises(NotEnoughDataError, match="at least 299"):
        bounds.binomial_threshold(np.arange(298.0), 0.01)


@given(SCORES, st.floats(0.1, 0.5))
def test_no_more_than_the_allowed_lie_above_the_binomial_threshold(calibration: np.ndarray, alpha: float):
    allowed = bounds.allowed_exceedances(len(calibration), alpha)
    if allowed < 0:
        return
    threshold = bounds.binomial_threshold(calibration, alpha)
    assert (calibration > threshold).sum() <= allowed
    lower = calibration[calibration < threshold]
    assert not len(lower) or (calibration > lower.max()).sum() > allowed


DISTRIBUTIONS = {
    "continuous": lambda rng, shape: rng.normal(size=shape),
    "ties": lambda rng, shape: rng.integers(0, 40, size=shape).astype(float),
    "mostly one value": lambda rng, shape: np.where(rng.random(shape) < 0.9, 0.0, rng.random(shape)),
}


def rate_above(name: str, thresholds: np.ndarray) -> np.ndarray:
    """The true probability of an alarm."""
    if name == "continuous":
        return stats.norm.sf(thresholds)
    if name == "ties":
        return (39 - np.floor(thresholds)) / 40
    return np.where(thresholds >= 0, 0.1 * (1 - thresholds.clip(0, 1)), 1.0)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize(("n", "alpha", "confidence"), [(59, 0.05, 0.95), (100, 0.1, 0.9), (400, 0.02, 0.95)])
def test_the_binomial_promise_is_broken_no_more_often_than_stated(name: str, n: int, alpha: float, confidence: float):
    rng = np.random.default_rng(0)
    sets = DISTRIBUTIONS[name](rng, (4000, n))
    thresholds = np.array([bounds.binomial_threshold(scores, alpha, confidence) for scores in sets])
    broken = (rate_above(name, thresholds) > alpha + 1e-12).mean()
    delta = 1 - confidence
    assert broken <= delta + 3 * math.sqrt(delta * confidence / len(sets))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_marginal_promise_is_kept_on_average_and_not_by_much(name: str):
    rng = np.random.default_rng(1)
    sets = DISTRIBUTIONS[name](rng, (4000, 49))
    thresholds = np.array([other_bounds.conformal_threshold(scores, 0.1) for scores in sets])
    rates = rate_above(name, thresholds)
    assert rates.mean() <= 0.1 + 3 * rates.std() / math.sqrt(len(sets))
    if name == "continuous":
        assert rates.mean() == pytest.approx(0.1, abs=0.003)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), CONFIDENCES)
def test_the_interval_is_that_of_clopper_and_pearson(counts: tuple[int, int], confidence: float):
    interval = stats.binomtest(*counts).proportion_ci(2 * confidence - 1, "exact") if confidence > 0.5 else None
    if interval is not None:
        assert bounds.lower_rate(*counts, confidence) == pytest.approx(interval.low, abs=1e-9)
        assert bounds.upper_rate(*counts, confidence) == pytest.approx(interval.high, abs=1e-9)


def test_risk_control_takes_the_first_threshold_that_keeps_the_mean_loss():
    losses = np.zeros((99, 3))
    losses[:20, 0], losses[:9, 1] = 1, 1
    assert other_bounds.risk_threshold(losses, 0.1) == 1  # (9 + 1) / 100
    assert other_bounds.risk_threshold(losses, 0.0999) == 2
    with pytest.raises(NotEnoughDataError) as caught:
        other_bounds.risk_threshold(losses, 0.001)
    assert caught.value.needed == 999


def test_risk_control_refuses_losses_that_cannot_be_promised():
    with pytest.raises(ConfigError, match="cannot be guaranteed"):
        other_bounds.risk_threshold(np.ones((50, 2)), 0.1)
    with pytest.raises(DataError, match="must not rise"):
        other_bounds.risk_threshold(np.array([[0.0, 1.0]]), 0.1)
    with pytest.raises(DataError, match=r"0\.\.1"):
        other_bounds.risk_threshold(np.array([[2.0, 1.0]]), 0.1)


def test_a_sequence_of_tests_stops_at_the_first_failure():
    assert other_bounds.learn_then_test(np.array([0.01, 0.04, 0.2, 0.001])) == 2
    assert other_bounds.learn_then_test(np.array([0.9])) == 0
    assert other_bounds.learn_then_test(np.array([0.01, np.nan, 0.01])) == 1
    assert other_bounds.learn_then_test(np.array([0.01, 0.02])) == 2


def test_p_values_of_a_rate_are_valid():
    rng = np.random.default_rng(2)
    n, alpha = 200, 0.1
    counts = rng.binomial(n, alpha, size=5000)
    exact = bounds.binomial_p_values(counts, n, alpha)
    for level in (0.01, 0.05, 0.1):
        assert (exact <= level).mean() <= level + 3 * math.sqrt(level / len(counts))


@pytest.mark.parametrize(("exceedances", "n"), [(-1, 10), (11, 10), (0, 0)])
def test_counts_that_are_none_are_refused(exceedances: int, n: int):
    with pytest.raises(ConfigError, match="is no count"):
        bounds.upper_rate(exceedances, n)
    with pytest.raises(ConfigError, match="is no count"):
        bounds.binomial_p_values(np.array([0, exceedances]), n, 0.1)


def test_false_discoveries_are_those_of_benjamini_and_hochberg():
    # Benjamini and Hochberg 1995, table 1: four of fifteen at 5 %.
    p_values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    reported = bounds.false_discoveries(np.array([*p_values, 0.7590, 1.0]), 0.05)
    assert np.flatnonzero(reported).tolist() == [0, 1, 2, 3]
    assert bounds.false_discoveries(np.array([]), 0.05).shape == (0,)


@pytest.mark.parametrize("scores", [[], [1.0, math.nan], [math.inf]])
def test_scores_that_are_none_are_refused(scores: list[float]):
    for bound in (other_bounds.conformal_threshold, bounds.binomial_threshold):
        with pytest.raises(DataError, match="calibration scores"):
            bound(np.array(scores), 0.5)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, math.nan])
def test_levels_outside_0_to_1_are_refused(level: float):
    with pytest.raises(ConfigError, match="must lie between 0 and 1"):
        bounds.binomial_threshold(np.arange(1000.0), level)
    with pytest.raises(ConfigError, match="must lie between 0 and 1"):
        bounds.samples_needed(0.01, level)
