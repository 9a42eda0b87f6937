"""The made-up spindle: its truth, that faults are where it says, and that a plain limit does not find them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from vssl.modalities.sensors.demo import CHANNELS, FAULTS, series, write

ROWS = 6_000


@pytest.fixture(scope="module")
def faulty() -> tuple[np.ndarray, np.ndarray]:
    return series(ROWS, seed=4, faults=6)


def test_the_seed_decides_everything():
    first, again, other = (series(500, seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_kinds_of_faults_take_turns(faulty: tuple[np.ndarray, np.ndarray]):
    _, truth = faulty
    changes = [kind for kind, before in zip(truth[1:], truth[:-1], strict=True) if kind not in ("ok", before)]
    assert changes == [*FAULTS, *FAULTS]
    assert 0.1 < np.mean(truth != "ok") < 0.35


def test_outside_of_the_faults_it_is_the_same_spindle_without_any(faulty: tuple[np.ndarray, np.ndarray]):
    values, truth = faulty
    sound, none = series(ROWS, seed=4)
    assert set(none) == {"ok"}
    assert np.array_equal(values[truth == "ok"], sound[truth == "ok"])


@pytest.mark.parametrize(
    ("fault", "channel"), [("wear", "temperature"), ("unbalance", "first_order"), ("sensor", "vibration_y")]
)
def test_each_fault_shows_in_its_channel(faulty: tuple[np.ndarray, np.ndarray], fault: str, channel: str):
    values, truth = faulty
    sound, _ = series(ROWS, seed=4)
    moved = np.abs(values - sound)[truth == fault].mean(0)
    assert moved[CHANNELS.index(channel)] > 0.1
    assert moved[CHANNELS.index("load")] == 0


def test_no_plain_limit_on_a_sensor_finds_half_of_the_faulty_rows(faulty: tuple[np.ndarray, np.ndarray]):
    values, truth = faulty
    for channel in values.T:
        limit = np.quantile(channel[truth == "ok"], 0.99)
        assert (channel[truth != "ok"] > limit).mean() < 0.5


def test_the_files_are_written_whole_and_only_the_hold_out_has_the_truth(tmp_path: Path):
    write(tmp_path, rows=700, known=600, holdout=2_000)
    tables = {name: pq.read_table(tmp_path / name / "spindle.parquet") for name in ("learn", "known", "hold-out")}
    assert [len(table) for table in tables.values()] == [700, 600, 2_000]
    assert tables["learn"].column_names == tables["known"].column_names == ["time", *CHANNELS]
    assert tables["hold-out"].column_names == ["time", *CHANNELS, "label"]
    assert set(tables["hold-out"]["label"].to_pylist()) == {"ok", *FAULTS}
