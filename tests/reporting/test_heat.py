"""The colour over a picture where its sample is unlike the known ones."""

from __future__ import annotations

import numpy as np
from PIL import Image

from vssl.reporting.heat import Heat

GREY = Image.new("RGB", (80, 40), (100, 100, 100))


def test_only_unusual_places_are_coloured_and_where_they_are():
    heat = np.full((8, 8), 0.1)
    heat[1, 6] = 0.9
    shown = np.asarray(Heat({"a": heat}, low=0.2, high=0.5).over("a", GREY)).astype(int)
    changed = np.abs(shown - 100).sum(2)
    rows, columns = np.nonzero(changed > 60)
    assert rows.max() < 15
    assert columns.min() > 45
    assert changed[20:].max() == 0


def test_a_usual_sample_stays_as_it_is():
    shown = Heat({"a": np.full((8, 8), 0.1)}, low=0.2, high=0.5).over("a", GREY)
    assert np.array_equal(np.asarray(shown), np.asarray(GREY))


def test_without_a_map_or_a_picture_there_is_nothing_to_colour():
    heat = Heat({}, 0.2, 0.5)
    assert heat.over("a", GREY) is GREY
    assert heat.over("a", None) is None
