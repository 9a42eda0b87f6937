"""Localisation against known answers."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.common.aupro import aupro
from vssl.errors import DataError

MASK = np.zeros((1, 20, 20), bool)
MASK[0, 2:12, 2:12] = True
MASK[0, 15, 15] = True


def test_a_perfect_map_has_one_and_an_inverted_one_none():
    assert aupro(MASK.astype(float), MASK) == pytest.approx(1)
    assert aupro(-MASK.astype(float), MASK) == pytest.approx(0)


def test_a_map_that_says_nothing_has_half_of_the_limit():
    assert aupro(np.zeros(MASK.shape), MASK, 0.3) == pytest.approx(0.15)
    assert aupro(np.zeros(MASK.shape), MASK, 0.05) == pytest.approx(0.025)


def test_a_small_region_counts_like_a_large_one():
    only_small = np.zeros(MASK.shape)
    only_small[0, 15, 15] = 2
    # Half of the overlap at no false positive, the rest by chance.
    assert aupro(only_small, MASK, 0.3) == pytest.approx(0.5 + 0.5 * 0.15)


def test_the_area_is_that_of_a_slow_reference():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(3, 20, 20)) + 1.5 * np.repeat(MASK, 3, axis=0)
    masks = np.repeat(MASK, 3, axis=0)
    points = [(0.0, 0.0)]
    for threshold in sorted(set(maps.ravel()), reverse=True):
        hit = maps >= threshold
        overlaps = [hit[n][2:12, 2:12].mean() for n in range(3)] + [float(hit[n][15, 15]) for n in range(3)]
        points.append((float(hit[~masks].mean()), float(np.mean(overlaps))))
    false, overlap = map(np.array, zip(*points, strict=True))
    grid = np.linspace(0, 0.3, 20_001)
    expected = np.trapezoid(np.interp(grid, false, overlap), grid) / 0.3
    assert aupro(maps, masks, 0.3) == pytest.approx(expected, abs=2e-3)


def test_maps_without_anything_to_find_are_refused():
    with pytest.raises(DataError, match="pixels with a defect"):
        aupro(np.zeros((1, 4, 4)), np.zeros((1, 4, 4), bool))
    with pytest.raises(DataError, match="the same"):
        aupro(np.zeros((1, 4, 4)), np.zeros((1, 4, 5), bool))
