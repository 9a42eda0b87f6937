"""Whether calibration samples can stand for later ones."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from vssl.decisions.calibrate import calibrate
from vssl.decisions.config import CalibrationConfig
from vssl.decisions.copies import CalibrationSet
from vssl.decisions.core import worst_of_each
from vssl.decisions.exchangeability import differing_groups, serial_dependence, windows_overlap
from vssl.decisions.groupings import dependent_groupings


def test_dependence_on_time_is_found_and_chance_is_not():
    rng = np.random.default_rng(0)
    chance = [serial_dependence(rng.normal(size=300), np.arange(300)) for _ in range(200)]
    assert chance.count(None) == 200
    drift = rng.normal(size=300) + np.linspace(0, 2, 300)
    wandering = np.convolve(rng.normal(size=320), np.ones(20))[10:310]
    order = rng.permutation(300)
    for scores in (drift, wandering):
        # The order of the rows does not count, that of the times does.
        assert serial_dependence(scores[order], order) > 0.3


def test_a_group_that_raises_more_alarms_is_named(embeddings_from):
    camera = np.array(["a"] * 500 + ["b"] * 500)
    samples = embeddings_from("s", np.zeros((1000, 2)), camera=camera, serial=np.arange(1000).astype(str))
    alarm = np.arange(1000) % 100 == 0
    assert differing_groups(samples, alarm, 0.01) == []
    alarm[500:525] = True
    (found,) = differing_groups(samples, alarm, 0.01)
    assert (found[0], found[1], found[2].count) == ("camera", "b", 29)


def test_the_worst_of_each_block():
    blocks = np.array(["b", "a", "b", "c"])
    np.testing.assert_array_equal(worst_of_each(np.array([1.0, 5.0, 3.0, -2.0]), blocks), [5.0, 3.0, -2.0])


@pytest.mark.parametrize(("starts", "overlap"), [([0, 8, 16], False), ([0, 4, 16], True), ([16, 0, 4], True)])
def test_windows_that_share_rows_are_noticed(embeddings_from, starts: list[int], overlap: bool):
    ends = pa.array([start + 8 for start in starts])
    samples = embeddings_from("w", np.eye(3), series=pa.array(["a"] * 3), start=pa.array(starts), end=ends)
    assert windows_overlap(samples) == overlap
    apart = embeddings_from("w", np.eye(3), series=pa.array(list("abc")), start=pa.array(starts), end=ends)
    assert not windows_overlap(apart)
    assert not windows_overlap(embeddings_from("w", np.eye(3), start=pa.array(starts)))


def test_parts_whose_samples_score_alike_are_named_and_chance_is_not(embeddings_from):
    rng = np.random.default_rng(0)
    part = np.repeat(np.arange(60), 5)
    samples = embeddings_from(
        "s", np.zeros((300, 2)), part=part.astype(str), lot=rng.integers(30, size=300).astype(str)
    )
    alike = rng.normal(size=60)[part] + 0.45 * rng.normal(size=300)
    (found,) = dependent_groupings(samples, alike, np.arange(300), 21)
    assert (found.name, found.samples, found.groups) == ("part", 300, 60)
    assert found.correlation == pytest.approx(0.83, abs=0.08)
    assert 60 <= found.effective < 80
    chance = [dependent_groupings(samples, rng.normal(size=300), np.arange(300), 21) for _ in range(100)]
    assert sum(map(bool, chance)) <= 4


def test_many_columns_do_not_fool_the_test_of_dependence(embeddings_from):
    rng = np.random.default_rng(0)
    columns = {f"c{number}": rng.integers(40, size=200).astype(str) for number in range(40)}
    samples = embeddings_from("s", np.zeros((200, 2)), **columns)
    assert sum(bool(dependent_groupings(samples, rng.normal(size=200), np.arange(200), 21)) for _ in range(10)) <= 1


def test_copies_count_once_in_the_test_of_dependence(embeddings_from):
    rng = np.random.default_rng(0)
    part = np.repeat(np.arange(60), 5)
    samples = embeddings_from("s", np.zeros((300, 2)), part=part.astype(str))
    # All samples of a part are copies: each part is one sample, and nothing is left to depend.
    assert dependent_groupings(samples, rng.normal(size=60)[part], part, 21) == []


def test_file_names_tell_which_samples_are_of_one_part(embeddings_from):
    rng = np.random.default_rng(0)
    part = np.repeat(np.arange(40), 4)
    names = [f"good/part-{number:04d}_exp{row % 4}.png" for row, number in enumerate(part)]
    scores = rng.normal(size=40)[part] + 0.3 * rng.normal(size=160)
    (found,) = dependent_groupings(embeddings_from(names, np.zeros((160, 2))), scores, np.arange(160), 21)
    assert found.name == "start of the file name"
    assert "good/part-0000" in found.advice
    unclear = [f"good/{row:04d}.png" for row in range(160)]
    assert dependent_groupings(embeddings_from(unclear, np.zeros((160, 2))), scores, np.arange(160), 21) == []


def test_pictures_of_one_part_make_calibrate_propose_blocks_instead_of_a_guarantee(embeddings_from):
    rng = np.random.default_rng(0)
    part = np.repeat(np.arange(100), 4)
    names = [str(row) for row in range(400)]
    samples = embeddings_from(names, np.zeros((400, 2)), part=part.astype(str), content=pa.array(names))
    scores = rng.normal(size=100)[part] + 0.45 * rng.normal(size=400)
    policies = [
        calibrate(
            CalibrationConfig(0.05, block=block),
            samples,
            CalibrationSet(samples, np.arange(400)),
            None,
            [],
            date(2025, 1, 1),
            scorer=lambda _: scores,
        )[0]
        for block in (None, "part")
    ]
    assert [policy.guaranteed for policy in policies] == [False, True]
    assert "400 samples of 100 groups count about as much as" in policies[0].caveats[0]
    assert policies[0].caveats[0].endswith("calibrate with --block part.")
    assert policies[1].caveats == ()
