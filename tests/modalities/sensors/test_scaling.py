"""The scale of a channel: what it is, and that no glitch, stuck sensor or sentinel rules it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vssl.modalities.sensors.robust_scale import centre_and_scale, counter_steps, is_counter
from vssl.modalities.sensors.sentinels import find_sentinels, mask_sentinels

ROWS = 8000
FACTOR = 4.0
"""The one that `centre_and_scale` states."""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def bursts(share: float, rest: float, seed: int = 0) -> np.ndarray:
    """A channel that rests, but for bursts around 10."""
    noise = rng(seed).normal(size=(2, ROWS))
    return np.where(rng(seed + 1).random(ROWS) < share, 10 + noise[0], rest * noise[1])


def test_of_normal_values_it_is_the_standard_deviation():
    assert centre_and_scale(rng().normal(1e9, 3, ROWS)) == pytest.approx((1e9, 3), rel=0.05, abs=0.2)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3])
def test_of_a_channel_of_zeros_and_ones_it_is_near_the_standard_deviation(share: float):
    column = (rng().random(ROWS) < share).astype(float)
    assert 0.5 * column.std() < centre_and_scale(column)[1] < 2 * column.std()


@pytest.mark.parametrize("rest", [0.0, 0.01])
def test_of_a_channel_that_rests_most_of_the_time_it_is_that_of_its_movement(rest: float):
    column = bursts(0.1, rest)
    assert centre_and_scale(column)[1] == pytest.approx(column.std(), rel=0.2)


def test_a_channel_that_never_moves_has_one_unit_and_a_glitch_gives_it_no_other():
    column = np.full(ROWS, 5.0)
    assert centre_and_scale(column) == (5, 1)
    column[7] = 1e6
    assert centre_and_scale(column) == (5, 1)
    column[7] = 5.02
    assert centre_and_scale(column)[1] == pytest.approx(0.02)


def test_small_units_are_units_too():
    assert centre_and_scale(rng().normal(1e-12, 1e-14, ROWS))[1] == pytest.approx(1e-14, rel=0.05)


@pytest.mark.parametrize("share", [0.002, 0.02, 0.1])
def test_a_sensor_that_was_stuck_far_away_sets_no_scale(share: float):
    column = rng().normal(20, 1, ROWS)
    column[: int(share * ROWS)] = 5000
    assert centre_and_scale(column) == pytest.approx((20, 1), rel=0.05)


SERIES = {
    "normal": lambda seed: rng(seed).normal(20, 1, ROWS),
    "uniform": lambda seed: rng(seed).random(ROWS),
    "log-normal": lambda seed: np.exp(rng(seed).normal(0, 1.5, ROWS)),
    "Student, 2 degrees": lambda seed: rng(seed).standard_t(2, ROWS),
    "of few values": lambda seed: rng(seed).choice([0.0, 1, 5], ROWS, p=[0.8, 0.15, 0.05]),
    "alarms": lambda seed: (rng(seed).random(ROWS) < 0.012).astype(float),
    "bursts": lambda seed: bursts(0.1, 0.01, seed),
    "rare bursts": lambda seed: bursts(0.015, 0.01, seed),
    "bursts from rest": lambda seed: bursts(0.02, 0.0, seed),
    "half at rest": lambda seed: np.where(rng(seed).random(ROWS) < 0.5, 0, rng(seed).normal(3, 1, ROWS)),
    "sine": lambda seed: 1e9 + np.sin(np.arange(ROWS) / 9 + seed),
}


@given(
    kind=st.sampled_from(sorted(SERIES)),
    seed=st.integers(0, 100),
    glitches=st.lists(
        st.floats(-1e12, 1e12) | st.sampled_from([1e6, -1e6, 1e30, -1e30]),
        min_size=1,
        max_size=ROWS // 1000,
    ),
)
@settings(max_examples=150, deadline=None)
def test_one_glitch_in_a_thousand_rows_of_any_size_changes_the_scale_by_less_than_the_stated_factor(
    kind: str, seed: int, glitches: list[float]
):
    column = SERIES[kind](seed)
    _, before = centre_and_scale(column)
    column[rng(seed).choice(ROWS, len(glitches), replace=False)] = glitches
    _, after = centre_and_scale(column)
    assert before / FACTOR < after < before * FACTOR


CODES = [-9999, -999, 9999, -99.99, 65535, 32767, -32768, 6553.5, 1e6, 1e30, -1e30, 1.7976931348623157e308, -127]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("share", [0.0005, 0.02, 0.4])
def test_a_typical_number_that_is_repeated_far_outside_is_a_sentinel(code: float, share: float):
    column = rng().normal(20, 1, ROWS)
    column[rng().random(ROWS) < share] = code
    column[5] = 1e7
    assert find_sentinels(column) == (code,)
    clean = mask_sentinels(column[:, None], ((code,),))[:, 0]
    assert centre_and_scale(clean[np.isfinite(clean)])[1] == pytest.approx(1, rel=0.05)


def test_a_sentinel_of_32_bits_is_the_same_in_64():
    column = rng().normal(20, 1, ROWS).astype(np.float32)
    column[:9] = 1e30
    found = find_sentinels(column.astype(np.float64))
    assert np.isnan(mask_sentinels(np.array([[1e30], [float(np.float32(1e30))], [1e29]]), (found,)))[:, 0].tolist() == [
        True,
        True,
        False,
    ]


def test_two_sentinels_are_both_found_and_a_channel_without_other_values_has_none_left():
    column = rng().normal(20, 1, ROWS)
    column[:3000], column[3000:3100] = -9999, 65535
    assert find_sentinels(column) == (-9999, 65535)
    assert find_sentinels(np.full(100, -9999.0)) == (-9999,)


@pytest.mark.parametrize(
    "column",
    [
        rng().choice([0.0, 255.0], ROWS, p=[0.9, 0.1]),
        rng().choice([0.0, 100.0, 65535.0], ROWS, p=[0.9, 0.09, 0.01]),
        np.where(rng().random(ROWS) < 0.1, 0.0, rng().normal(230, 1, ROWS)),
        np.where(rng().random(ROWS) < 0.1, 500.0, rng().normal(3000, 2, ROWS)),
        np.exp(rng().normal(8, 2, ROWS)).round().clip(max=32767),
        rng().integers(0, 1024, ROWS).astype(float),
        rng().normal(999, 1, ROWS).round(),
    ],
    ids=["two states", "three states", "off", "idle", "saturated", "of ten bits", "near 999"],
)
def test_states_saturation_and_what_lies_among_other_values_are_no_sentinels(column: np.ndarray):
    assert find_sentinels(column) == ()


def meter(seed: int = 0) -> np.ndarray:
    return 1e6 + np.cumsum(rng(seed).gamma(2, 0.1, ROWS)).round(2)


def pieces() -> np.ndarray:
    """Counts a piece every ten rows, and begins again twice."""
    counted = np.cumsum(rng().random(ROWS) < 0.1).astype(float)
    return counted - np.repeat([0, counted[3000], counted[6000]], [3000, 3000, 2000])


def with_holes() -> np.ndarray:
    return np.where(np.arange(ROWS) % 10 == 3, meter(), np.nan)


def with_glitches() -> np.ndarray:
    column = meter()
    column[[70, 900]] = 0, 1e9
    return column


@pytest.mark.parametrize("column", [meter(), pieces(), with_holes(), with_glitches()])
def test_a_channel_that_only_rises_but_for_resets_is_a_counter(column: np.ndarray):
    assert is_counter([column])
    assert is_counter(np.array_split(column, 5))
    # Of a long file only each fourth row is looked at.
    assert is_counter([column[3::4] if not np.isnan(column).any() else column], every=4)


WARMING = np.linspace(20, 60, ROWS)


@pytest.mark.parametrize(
    "column",
    [
        WARMING + rng().normal(0, 0.05, ROWS),
        WARMING + rng().normal(0, 0.001, ROWS),
        (WARMING + rng().normal(0, 0.01, ROWS)).round(1),
        60 - 40 * np.exp(-np.arange(ROWS) / 900) + rng().normal(0, 0.02, ROWS),
        np.repeat([0.0, 1, 2, 3], ROWS // 4),
        np.arange(ROWS) % 100.0,
        np.full(ROWS, 7.0),
        rng().normal(size=ROWS).cumsum(),
        np.arange(30.0),
    ],
    ids=["warming", "quiet", "rounded", "settling", "setpoints", "saw", "still", "wandering", "short"],
)
def test_drifts_with_noise_setpoints_and_saw_teeth_are_no_counters(column: np.ndarray):
    assert not is_counter([column])


def test_steps_are_those_from_the_last_known_value_per_row_and_a_fall_is_none():
    column = np.array([[5.0], [7], [np.nan], [np.nan], [13], [2], [3]])
    found, _, _ = counter_steps(column, np.arange(7.0)[:, None])
    np.testing.assert_array_equal(found[:, 0], [np.nan, 2, np.nan, np.nan, 2, np.nan, 1])
