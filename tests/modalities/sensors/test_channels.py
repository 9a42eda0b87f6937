"""Channels as they are read and scaled: large offsets, sentinels and counters, alike in files and single windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from small_series import built
from vssl.modalities import sensors
from vssl.modalities.sensors import channel_notes
from vssl.modalities.sensors.modality import SensorModality
from vssl.modalities.sensors.plots import scaled_window

ROWS = 2000


def written(path: Path, **columns: np.ndarray) -> Path:
    rows = len(next(iter(columns.values())))
    times = np.datetime64("2026-01-05T08:00:00", "s") + np.arange(rows) * np.timedelta64(1, "s")
    pq.write_table(pa.table({"time": times} | columns), path)
    return path


def wave(seed: int = 0, rows: int = ROWS) -> np.ndarray:
    return np.sin(np.arange(rows) / 9) + 0.1 * np.random.default_rng(seed).normal(size=rows)


def plain(modality: SensorModality, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    view = modality.eval_view(torch.from_numpy(windows))
    return view.values.numpy(), view.known.numpy()


@pytest.mark.parametrize("offset", [1e9, -3e12])
@pytest.mark.parametrize("resample", ["", "4s"])
def test_a_movement_of_one_is_the_same_at_any_offset(tmp_path: Path, offset: float, resample: str):
    low = written(tmp_path / "low.parquet", a=wave())
    high = written(tmp_path / "high.parquet", a=wave() + offset)
    near, far = (built(path, window="8", resample=resample) for path in (low, high))
    assert far.spec.scale == pytest.approx(near.spec.scale, rel=1e-3)
    rows = np.arange(9)
    expected = near.eval_view(near.load(low).batch(rows)).values
    torch.testing.assert_close(far.eval_view(far.load(high).batch(rows)).values, expected, atol=2e-3, rtol=0)
    chunk = next(iter(far.stream(high)))
    torch.testing.assert_close(far.eval_view(chunk.raw[:9]).values, expected, atol=2e-3, rtol=0)


def test_a_value_of_any_size_is_far_away_and_none_is_lost(tmp_path: Path):
    modality = built(written(tmp_path / "a.parquet", a=1e-6 * wave()))
    windows = np.array([[[1e308, -1e308, 1e30, 0.0]], [[np.inf, -np.inf, np.nan, 0.0]]])
    values, known = plain(modality, windows)
    assert np.isfinite(values).all()
    assert values[0, 0, 0] > 60
    assert values[0, 0, 1] < -60
    assert known[:, 0].tolist() == [[1, 1, 1, 1], [0, 0, 0, 1]]


def test_sentinels_are_missing_in_later_data_too_and_in_the_means_of_bins(tmp_path: Path):
    column = 20 + wave()
    column[::50] = -9999
    train = written(tmp_path / "a.parquet", a=column, b=wave(1))
    later = 20 + wave(2)
    later[1:3] = -9999
    path = written(tmp_path / "b.parquet", a=later, b=wave(3))
    modality = built(train, window="4")
    assert modality.spec.sentinels == ((-9999.0,), ())
    assert modality.eval_view(modality.load(path).batch(np.array([0]))).known[0].tolist() == [[1, 0, 0, 1], [1] * 4]
    binned = built(train, window="4", resample="2s")
    assert binned.spec.sentinels == ((-9999.0,), ())
    found = binned.load(path).batch(np.array([0]))[0, 0]
    assert found[0] == pytest.approx(later[0])
    assert found[1] == pytest.approx(later[3])


def test_of_a_window_that_is_sent_sentinels_are_missing_as_in_a_file(tmp_path: Path):
    column = wave()
    column[::50] = 65535
    modality = built(written(tmp_path / "a.parquet", a=column))
    assert plain(modality, np.array([[[0.5, 65535, 65534, 0]]]))[1][0, 0].tolist() == [1, 0, 1, 1]


def meter(rows: int = ROWS, seed: int = 0) -> np.ndarray:
    return 4e9 + np.cumsum(np.random.default_rng(seed).gamma(4, 0.25, rows))


def test_a_counter_is_scaled_by_its_steps_in_files_and_in_windows_that_are_sent(tmp_path: Path):
    train = written(tmp_path / "a.parquet", energy=meter(), heat=wave())
    modality = built(train, window="16", stride="16")
    assert modality.spec.counters == ("energy",)
    assert modality.spec.centre[0] == pytest.approx(0.9, abs=0.1)
    assert modality.spec.scale[0] == pytest.approx(0.5, abs=0.1)
    later = meter(seed=3) + 1e8
    later[20:] -= later[20]
    later[40] = np.nan
    path = written(tmp_path / "b.parquet", energy=later, heat=wave(4))
    batch = modality.load(path).batch(np.arange(4))
    values, known = (part.numpy() for part in (modality.eval_view(batch).values, modality.eval_view(batch).known))
    steps = np.diff(later[:16])
    expected = (np.concatenate([steps[:1], steps]) - modality.spec.centre[0]) / modality.spec.scale[0]
    np.testing.assert_allclose(values[0, 0].clip(-4, 4), expected.clip(-4, 4), atol=1e-4)
    assert np.flatnonzero(known[1, 0] == 0).tolist() == [4]
    assert np.flatnonzero(known[2, 0] == 0).tolist() == [8]
    sent = plain(modality, np.stack([later[:64].reshape(4, 16), wave(4)[:64].reshape(4, 16)], 1))
    np.testing.assert_array_equal(sent[0], values)
    np.testing.assert_array_equal(sent[1], known)


def test_a_picture_of_a_window_shows_what_the_model_sees(tmp_path: Path):
    column = wave()
    column[::50] = -9999
    modality = built(written(tmp_path / "a.parquet", energy=meter(), heat=column), window="16")
    window = np.stack([meter()[:16], column[:16]])
    window[0, 9] = np.nan
    values, known = plain(modality, window[None])
    drawn = scaled_window(window, modality.spec)
    np.testing.assert_array_equal(np.isfinite(drawn), known[0] > 0)
    seen = (known[0] > 0) & (np.abs(values[0]) < 4)
    np.testing.assert_allclose(drawn[seen], values[0][seen], atol=1e-5)


def test_a_counter_with_a_value_in_few_rows_has_the_same_steps(tmp_path: Path):
    dense, sparse = meter(), np.where(np.arange(ROWS) % 4 == 1, meter(), np.nan)
    modality = built(written(tmp_path / "a.parquet", dense=dense, sparse=sparse), window="16")
    assert modality.spec.counters == ("dense", "sparse")
    assert modality.spec.centre[1] == pytest.approx(modality.spec.centre[0], rel=0.15)


def test_steps_of_a_long_counter_are_those_from_row_to_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = written(tmp_path / "a.parquet", energy=meter(9000))
    whole = built(path).spec
    monkeypatch.setattr("vssl.modalities.sensors.sampling.SAMPLED_ROWS", 500)
    thinned = built(path).spec
    assert (whole.subsampled, thinned.subsampled) == (False, True)
    assert thinned.counters == ("energy",)
    assert thinned.centre == pytest.approx(whole.centre, rel=0.1)
    assert thinned.scale == pytest.approx(whole.scale, rel=0.15)


def notes(modality: SensorModality) -> str:
    return "\n".join(channel_notes.training_notes(modality.spec))


def test_tidy_channels_need_no_words(tmp_path: Path):
    assert notes(built(written(tmp_path / "a.parquet", a=wave(), b=20 + wave(1), c=np.round(wave(2))))) == ""


def test_what_looks_wrong_is_named_with_numbers(tmp_path: Path):
    glitch, code, gone, stuck = wave(), 20 + wave(1), wave(2), wave(3)
    glitch[700], code[:40], gone[:900], stuck[500:1100] = 1e6, -999, np.nan, 0.4
    path = written(
        tmp_path / "a.parquet", glitch=glitch, code=code, gone=gone, stuck=stuck, dead=np.full(ROWS, 3.0), meter=meter()
    )
    said = notes(built(path))
    assert "-999 in code (40 rows)" in said
    assert "glitch (1, the farthest 1e+06)" in said
    assert "gone (45%)" in said
    assert "stuck (30% of the rows)" in said
    assert "dead (3)" in said
    assert "meter (4e+09 to 4e+09)" in said
    assert len(said.splitlines()) == 6


def test_a_channel_that_moves_seldom_is_not_said_to_be_stuck(tmp_path: Path):
    seldom = np.zeros(ROWS)
    seldom[100:120] = np.arange(20)
    assert "stuck" not in notes(built(written(tmp_path / "a.parquet", a=wave(), seldom=seldom)))


def test_files_in_which_a_channel_is_missing_or_stands_still_are_counted(tmp_path: Path):
    written(tmp_path / "a.parquet", x=wave(), y=wave(1))
    written(tmp_path / "b.parquet", x=np.full(ROWS, 2.0), y=np.full(ROWS, np.nan))
    said = notes(built(tmp_path))
    assert "stand still in some files of the training data and move in others: x (1)." in said
    assert "no value at all: y (1)." in said


def test_of_many_channels_five_are_named(tmp_path: Path):
    dead = {f"d{number}": np.full(ROWS, 1.0) for number in range(9)}
    assert notes(built(written(tmp_path / "a.parquet", a=wave(), **dead))).endswith("d4 (1), and 4 more.")


def test_the_report_shows_range_missing_and_far_values_of_each_channel(tmp_path: Path):
    glitch = wave()
    glitch[700], glitch[:20] = 1e6, np.nan
    table = sensors.describe(built(written(tmp_path / "a.parquet", glitch=glitch, meter=meter())).spec)
    assert table.columns == ("Channel", "Range", "Median", "Scale", "Missing", "Beyond 20 scales")
    assert table.rows[0][1].endswith("to 1e+06")
    assert table.rows[0][4:] == ("1.0%", "1")
    assert table.rows[1][0] == "meter (steps of a counter)"
