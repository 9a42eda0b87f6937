"""Volume under the surface, against a slow reference written from the paper, and known answers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from benchmarks.common.vus import rows_from_windows, softened, vus
from vssl.errors import DataError


def slow(scores: np.ndarray, truth: np.ndarray, buffer: int) -> tuple[float, float]:
    """Threshold by threshold, row by row, stretch by stretch."""
    areas = []
    for length in range(buffer + 1):
        labels = truth.astype(float)
        stretches = runs(truth)
        for first, last in stretches:
            for distance in range(1, length // 2 + 1):
                for row in (first - distance, last + distance):
                    if 0 <= row < len(labels):
                        labels[row] = min(1.0, labels[row] + np.sqrt(1 - distance / length))
        positives = (truth.sum() + labels.sum()) / 2
        roc, average, before = [(0.0, 0.0)], 0.0, 0.0
        ranked = np.sort(scores)[::-1]
        for limit in ranked[np.linspace(0, len(scores) - 1, 250).astype(int)]:
            alarm = scores >= limit
            hits = (labels * alarm).sum()
            existing = runs(labels > 0)
            seen = np.mean([any(alarm[row] for row in range(first, last + 1)) for first, last in existing])
            recall = min(hits / positives, 1) * seen
            roc.append(((alarm.sum() - hits) / (len(labels) - positives), recall))
            average += (recall - before) * hits / alarm.sum()
            before = recall
        areas.append((area([*roc, (1.0, 1.0)]), average))
    return tuple(np.mean(areas, axis=0))


def runs(marked: np.ndarray) -> list[tuple[int, int]]:
    found, first = [], None
    for row, on in enumerate([*marked, False]):
        if on and first is None:
            first = row
        if not on and first is not None:
            found.append((first, row - 1))
            first = None
    return found


def area(points: list[tuple[float, float]]) -> float:
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))


@pytest.fixture
def truth() -> np.ndarray:
    marked = np.zeros(600, bool)
    marked[100:120] = marked[300:330] = marked[590:] = True
    return marked


@pytest.mark.parametrize("buffer", [0, 1, 7, 20])
def test_it_is_the_papers_definition(truth: np.ndarray, buffer: int):
    rng = np.random.default_rng(0)
    for scores in (rng.normal(size=600) + truth, rng.integers(0, 5, 600) + 2.0 * truth):
        found = vus(scores, truth, buffer)
        assert (found.roc, found.pr) == pytest.approx(slow(scores, truth, buffer))


def test_without_a_buffer_and_with_single_rows_it_is_nearly_the_usual_area():
    rng = np.random.default_rng(1)
    truth = np.zeros(5000, bool)
    truth[50::100] = True
    scores = rng.normal(size=5000) + 1.5 * truth
    # A row counts as found by itself and by its stretch being found, which is the same here: recall squared.
    assert vus(scores, truth, 0).roc < roc_auc_score(truth, scores)
    assert vus(scores, truth, 0).roc > 0.7


def test_a_perfect_score_has_nearly_all_of_the_volume(truth: np.ndarray):
    found = vus(softened(truth, 20) + 1e-3 * np.random.default_rng(0).random(600), truth, 20)
    assert found.roc > 0.95
    assert found.pr > 0.9


def test_chance_finds_half_of_the_one_and_the_share_of_anomalies_of_the_other(truth: np.ndarray):
    found = [vus(np.random.default_rng(seed).random(600), truth, 10) for seed in range(20)]
    assert np.mean([each.roc for each in found]) == pytest.approx(0.5, abs=0.05)
    assert np.mean([each.pr for each in found]) == pytest.approx(truth.mean(), abs=0.05)


@pytest.mark.parametrize("levels", [1, 2, 5])
def test_ties_are_no_merit(truth: np.ndarray, levels: int):
    found = [vus(np.random.default_rng(seed).integers(0, levels, 600).astype(float), truth, 10) for seed in range(20)]
    assert np.mean([each.roc for each in found]) == pytest.approx(0.5, abs=0.05)
    assert np.mean([each.pr for each in found]) == pytest.approx(truth.mean(), abs=0.05)


@pytest.mark.parametrize("ties", [False, True])
def test_where_stretches_are_single_rows_and_all_are_seen_it_is_average_precision(ties: bool):
    rng = np.random.default_rng(3)
    truth = np.zeros(250, bool)
    truth[[60, 190]] = True
    scores = rng.integers(0, 9, 250).astype(float) if ties else rng.random(250)
    # Recall times the share of stretches that are found is the square of recall here.
    order = np.argsort(-scores, kind="stable")
    steps = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    recall, precision = truth[order].cumsum()[steps] / 2, truth[order].cumsum()[steps] / (steps + 1)
    assert vus(scores, truth, 0).pr == pytest.approx((np.diff(recall**2, prepend=0) * precision).sum())


@given(st.integers(0, 1000), st.floats(0.1, 5))
def test_only_the_order_of_scores_counts(seed: int, power: float):
    rng = np.random.default_rng(seed)
    truth = np.zeros(80, bool)
    truth[30:40] = True
    scores = rng.random(80) + truth
    first, second = vus(scores, truth, 4), vus(scores**power, truth, 4)
    assert (first.roc, first.pr) == pytest.approx((second.roc, second.pr))


def test_a_label_fades_out_over_half_of_the_buffer_on_either_side():
    labels = softened(np.array([0, 0, 0, 1, 1, 0, 0, 0], bool), 4)
    fading = np.sqrt([1 - 1 / 4, 1 - 2 / 4])
    np.testing.assert_allclose(labels, [0, fading[1], fading[0], 1, 1, fading[0], fading[1], 0])


def test_what_cannot_be_evaluated_is_refused(truth: np.ndarray):
    with pytest.raises(DataError, match="1 of the scores"):
        vus(np.append(np.zeros(599), np.nan), truth, 2)
    with pytest.raises(DataError, match="anomalous rows and others"):
        vus(np.zeros(600), np.zeros(600, bool), 2)


def test_a_row_has_the_mean_of_its_windows_and_beyond_them_that_of_the_nearest():
    found = rows_from_windows(np.array([1.0, 3.0]), np.array([1, 3]), 4, 9)
    np.testing.assert_allclose(found, [1, 1, 1, 2, 2, 3, 3, 3, 3])


@pytest.mark.parametrize(
    ("scores", "starts", "message"),
    [
        ([], [], "no window"),
        ([1.0, np.nan], [0, 2], "1 of 2 windows have a score that is not finite"),
        ([1.0], [6], "Windows reach from row 6 to 10, and there are 9 rows"),
        ([1.0], [-1], "from row -1"),
    ],
)
def test_windows_that_give_rows_no_score_are_refused(scores: list, starts: list, message: str):
    with pytest.raises(DataError, match=message):
        rows_from_windows(np.array(scores), np.array(starts, int), 4, 9)


def test_rows_far_from_any_window_are_found_without_comparing_all_with_all():
    found = rows_from_windows(np.array([1.0, 2.0]), np.array([0, 999_990]), 10, 1_000_000)
    assert found[499_999] == 1
    assert found[500_001] == 2
