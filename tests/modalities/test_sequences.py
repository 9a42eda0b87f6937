"""Rows and lines that are known again at any offset; what stands still or repeats by itself is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vssl.modalities.copies import Marks
from vssl.modalities.sensors import copies as rows
from vssl.modalities.sequences import SequenceCopies, disjoint, remember

WINDOW = 32


def windows(values: np.ndarray, series: str, stride: int = WINDOW) -> Marks:
    """Windows of [rows, C] as marks."""
    starts = range(0, len(values) - WINDOW + 1, stride)
    raw = np.stack([values[start : start + WINDOW].T for start in starts]).astype(np.float32)
    traces = [hashes.tobytes() for hashes in rows.rows(raw, np.ones(values.shape[1]))]
    contents = [trace.hex()[:64].ljust(64, "0") for trace in traces]
    return Marks(contents, traces, [(series, start, start + WINDOW) for start in starts])


def finder(marks: Marks) -> SequenceCopies:
    contents = np.array([int(content[:16], 16) for content in marks.contents], np.uint64)
    return SequenceCopies({"contents": contents, **remember(marks.traces, marks.spans, rows.SHORTEST)})


def noise(seed: int, count: int = 2000) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 2))


@settings(max_examples=30, deadline=None)
@given(offset=st.integers(1, 200), stride=st.sampled_from([8, 16, 32]), trained=st.sampled_from([8, 32]))
def test_rows_of_the_training_are_known_at_any_offset(offset: int, stride: int, trained: int):
    values = noise(0)
    found = finder(windows(values, "a", trained)).seen(windows(values[offset:], "b", stride))
    # At the end of the training some rows are in no window.
    assert (found.exact | found.near)[:-4].all()


def test_new_rows_are_not_known():
    found = finder(windows(noise(0), "a")).seen(windows(noise(1), "a"))
    assert not (found.exact | found.near).any()


def test_a_window_counts_as_known_from_six_tenths_of_its_rows_on():
    values, new = noise(0), noise(1)
    for known, expected in ((10, False), (16, False), (22, True), (30, True)):
        mixed = np.concatenate([values[5 : 5 + known], new[: WINDOW - known]])
        assert finder(windows(values, "a")).seen(windows(mixed, "b")).near[0] == expected, known


def test_what_stands_still_is_not_known_again_and_not_counted_as_copies():
    values = noise(0)
    values[500:1500] = 0.0
    copies = finder(windows(values, "a"))
    idle = windows(np.zeros((640, 2)), "b")
    found = copies.seen(idle)
    assert not (found.exact | found.near).any()
    assert len(set(copies.first(idle).tolist())) == len(idle)


def test_cycles_that_repeat_by_themselves_are_new_each_time():
    rng = np.random.default_rng(0)
    pattern = rng.integers(0, 2, (64, 2)).astype(float)
    values = np.concatenate([np.tile(pattern, (20, 1)), noise(0, 3000)])
    copies = finder(windows(values, "a"))
    found = copies.seen(windows(np.concatenate([np.tile(pattern[11:], (4, 1)), noise(1)]), "b"))
    assert not found.near.any()
    # But the training itself is not taken for new data.
    assert copies.seen(windows(values, "b")).exact.mean() > 0.5


def test_other_bits_of_the_same_numbers_and_missing_values_are_the_same_rows():
    values = 10 + noise(0)
    values[::7, 1] = np.nan
    again = values.astype(np.float32).astype(float)
    again[5] += 1e-7
    assert finder(windows(values - 10, "a")).seen(windows(again[3:] - 10, "b")).near.mean() > 0.95


@pytest.mark.parametrize("stride", [8, 32])
def test_a_stretch_that_was_written_twice_counts_once_and_windows_that_overlap_do_not(stride: int):
    values = noise(1)
    once, again = windows(values, "a", stride), windows(values[5:], "b", stride)
    both = Marks([*once.contents, *again.contents], [*once.traces, *again.traces], [*once.spans, *again.spans])
    first = finder(windows(noise(0), "t")).first(both)
    np.testing.assert_array_equal(first[: len(once)], np.arange(len(once)))
    # The last ones may hold rows of which no window but overlapping ones is there.
    assert (first[len(once) : -4] < len(once)).all()


def test_a_training_file_that_is_there_twice_is_known_all_the_same():
    values = noise(0)
    once, twice = windows(values, "a"), windows(values[3:], "b")
    both = Marks([*once.contents, *twice.contents], [*once.traces, *twice.traces], [*once.spans, *twice.spans])
    assert finder(both).seen(windows(values[17:], "c")).near[:-1].all()


def test_of_windows_that_overlap_those_are_taken_that_do_not():
    spans = [("a", 0, 8), ("a", 4, 12), ("a", 8, 16), ("b", 4, 12)]
    np.testing.assert_array_equal(disjoint(spans, 4), [True, False, True, True])
