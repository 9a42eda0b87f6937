"""Anomaly maps drawn over pictures."""

from __future__ import annotations

import numpy as np
from PIL import Image

from vssl.reporting.anomaly_map import AnomalyMaps

GREY = Image.new("RGB", (80, 40), (100, 100, 100))


def test_only_unusual_patches_are_coloured_and_where_they_are():
    distances = np.full((8, 8), 0.1)
    distances[1, 6] = 0.9
    shown = np.asarray(AnomalyMaps({"a": distances}, low=0.2, high=0.5).draw("a", GREY)).astype(int)
    changed = np.abs(shown - 100).sum(2)
    rows, columns = np.nonzero(changed > 60)
    assert rows.max() < 15
    assert columns.min() > 45
    assert changed[20:].max() == 0


def test_a_normal_sample_is_not_coloured():
    shown = AnomalyMaps({"a": np.full((8, 8), 0.1)}, low=0.2, high=0.5).draw("a", GREY)
    assert np.array_equal(np.asarray(shown), np.asarray(GREY))


def test_without_a_map_or_a_picture_there_is_nothing_to_colour():
    maps = AnomalyMaps({}, 0.2, 0.5)
    assert maps.draw("a", GREY) is GREY
    assert maps.draw("a", None) is None
