"""Rows and lines that are known again at any offset; what stands still or repeats by itself is not."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vssl.modalities.copies import SampleMarks
from vssl.modalities.sensors import row_hashes as rows
from vssl.modalities.sequences import SequenceCopyDetector, non_overlapping, remember

WINDOW = 32


def windows(values: np.ndarray, series: str, stride: int = WINDOW) -> SampleMarks:
    """Windows of [rows, C] as marks."""
    starts = range(0, len(values) - WINDOW + 1, stride)
    raw = np.stack([values[start : start + WINDOW].T for start in starts]).astype(np.float32)
    signatures = [hashes.tobytes() for hashes in rows.hash_rows(raw, np.ones(values.shape[1]))]
    contents = [blake2b(signature).hexdigest() for signature in signatures]
    return SampleMarks(contents, signatures, [(series, start, start + WINDOW) for start in starts])


def finder(marks: SampleMarks) -> SequenceCopyDetector:
    contents = np.array([int(content[:16], 16) for content in marks.contents], np.uint64)
    return SequenceCopyDetector({"contents": contents, **remember(marks.signatures, marks.spans, rows.MIN_RUN_ROWS)})


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
    both = SampleMarks(
        [*once.contents, *again.contents], [*once.signatures, *again.signatures], [*once.spans, *again.spans]
    )
    first = finder(windows(noise(0), "t")).first(both)
    np.testing.assert_array_equal(first[: len(once)], np.arange(len(once)))
    # The last ones may hold rows of which no window but overlapping ones is there.
    assert (first[len(once) : -4] < len(once)).all()


def test_a_training_file_that_is_there_twice_is_known_all_the_same():
    values = noise(0)
    once, twice = windows(values, "a"), windows(values[3:], "b")
    both = SampleMarks(
        [*once.contents, *twice.contents], [*once.signatures, *twice.signatures], [*once.spans, *twice.spans]
    )
    assert finder(both).seen(windows(values[17:], "c")).near[:-1].all()


def steps(seed: int, values: int = 300, held: int = 5) -> np.ndarray:
    """Rows of two signals of a controller, each held for some rows."""
    return np.repeat(np.random.default_rng(seed).integers(0, 2, (values, 2)), held, 0).astype(float)


def test_signals_that_are_held_for_some_rows_are_known_again():
    found = finder(windows(steps(0), "a", 8)).seen(windows(steps(0), "b", 8))
    assert (found.exact | found.near).all()
    assert not finder(windows(steps(0), "a", 8)).seen(windows(steps(1), "b", 8)).exact.any()


@pytest.mark.parametrize("rows_of_training", [600, 20_000])
def test_a_bit_that_is_set_now_and_then_is_not_known_again_by_chance(rows_of_training: int):
    bits = (np.random.default_rng(0).random((rows_of_training + 10_000, 1)) < 0.1).astype(float)
    copies, new = finder(windows(bits[:rows_of_training], "a", 8)), windows(bits[rows_of_training:], "b", 8)
    found = copies.seen(new)
    assert (found.exact | found.near).mean() < 0.01
    assert np.mean(copies.first(new) != np.arange(len(new))) < 0.01
    assert copies.doubts
    # But the same windows again are.
    assert copies.seen(windows(bits[:rows_of_training], "c", 8)).exact.mean() > 0.9


@pytest.mark.parametrize("stride", [8, 12, 32])
def test_a_machine_that_repeats_one_program_exactly_is_not_refused(stride: int):
    program = steps(0, 60)
    copies = finder(windows(np.tile(program, (30, 1)), "a", stride))
    later = windows(np.tile(program, (20, 1))[7:], "b", stride)
    found = copies.seen(later)
    assert not (found.exact | found.near).any()
    np.testing.assert_array_equal(copies.first(later), np.arange(len(later)))


def test_a_file_of_slow_signals_that_is_there_twice_counts_once():
    rng = np.random.default_rng(0)
    slow = np.repeat(rng.integers(20, 30, 300), 40)[:, None].astype(float)
    once, again = windows(slow, "a", 8), windows(slow, "b", 8)
    both = SampleMarks(
        [*once.contents, *again.contents], [*once.signatures, *again.signatures], [*once.spans, *again.spans]
    )
    copies = finder(windows(np.repeat(rng.integers(20, 30, 300), 40)[:, None].astype(float), "t", 8))
    changes = np.array(
        [len(set(signature[at : at + 8] for at in range(0, len(signature), 8))) > 1 for signature in once.signatures]
    )
    assert (copies.first(both)[len(once) :][changes] < len(once)).all()
    np.testing.assert_array_equal(copies.first(once), np.arange(len(once)))


def test_of_windows_that_overlap_those_are_taken_that_do_not():
    spans = [("a", 0, 8), ("a", 4, 12), ("a", 8, 16), ("b", 4, 12)]
    np.testing.assert_array_equal(non_overlapping(spans, 4), [True, False, True, True])
