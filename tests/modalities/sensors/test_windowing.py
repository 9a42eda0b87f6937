"""Windows of rows that come in pieces, beside the same cut from whole series by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vssl.errors import BrokenFileError
from vssl.modalities.sensors.rows import Rows, segment_max
from vssl.modalities.sensors.windowing import Windower, WindowIndex, WindowSpec

STEP = 1_000_000_000


def windows_in_pieces(
    times: np.ndarray | None, labels: dict[str, np.ndarray], rows: int, size: int, spec: WindowSpec
) -> WindowIndex:
    windower = Windower("a.csv", spec)
    for first in range(0, rows, size):
        part = slice(first, first + size)
        own = {name: values[part] for name, values in labels.items()}
        values = np.zeros((len(range(rows)[part]), 1), np.float32)
        windower.add(Rows(None if times is None else times[part], values, own))
    return windower.index()


def slowly(times: np.ndarray | None, labels: dict[str, np.ndarray], rows: int, spec: WindowSpec) -> list[tuple]:
    """Every window by its definition: no gap inside, a multiple of the stride after the gap."""
    found, first = [], 0
    for row in range(rows):
        if times is not None and row and times[row] - times[row - 1] > 1.5 * STEP:
            first = row
        begin = row - spec.window + 1
        if begin < first or (begin - first) % spec.stride:
            continue
        most = tuple(max(values[begin : row + 1].tolist()) for values in labels.values())
        span = (begin, row + 1) if times is None else (int(times[begin]), int(times[row]) + STEP)
        found.append((begin, *span, *most))
    return found


@pytest.mark.parametrize("size", [1, 3, 7, 50, 200])
@pytest.mark.parametrize(("window", "stride"), [(1, 1), (4, 2), (8, 8), (5, 9)])
@pytest.mark.parametrize("timed", [True, False])
def test_windows_do_not_hang_on_the_pieces(size: int, window: int, stride: int, timed: bool):
    rng = np.random.default_rng(window)
    times = np.cumsum(np.where(rng.random(200) < 0.06, 5, 1)) * STEP if timed else None
    labels = {"fault": rng.integers(0, 9, 200), "state": rng.choice(["a", "b", "c"], 200)}
    spec = WindowSpec(window, stride, 8 * window, STEP if timed else None)
    found = windows_in_pieces(times, labels, 200, size, spec)
    columns = (found.starts, found.begins, found.ends, *found.labels.values())
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == slowly(times, labels, 200, spec)
    assert found.timed == timed


def test_a_time_that_is_wrong_at_the_border_of_two_pieces_is_named():
    times = np.arange(20) * STEP
    times[10] = times[9]
    with pytest.raises(BrokenFileError, match=r"row 11 has the same time as the one before it \(1970-01-01T00:00:09\)"):
        windows_in_pieces(times, {}, 20, 10, WindowSpec(4, 2, 8, STEP))


def test_no_rows_have_no_windows():
    assert windows_in_pieces(None, {}, 0, 10, WindowSpec(4, 2, 8, None)).starts.tolist() == []


def test_a_label_that_is_missing_in_a_row_does_not_hide_that_of_another():
    values = np.array([0.0, np.nan, 1.0, np.nan, np.nan, 0.0])
    found = segment_max(values, np.array([0, 3]), 6)
    assert found.tolist() == [1.0, 0.0]
    assert np.isnan(segment_max(np.array([np.nan, np.nan]), np.array([0]), 2)).all()
    index = windows_in_pieces(None, {"fault": values}, 6, 6, WindowSpec(3, 3, 3, None))
    assert index.labels["fault"].tolist() == [1.0, 0.0]
