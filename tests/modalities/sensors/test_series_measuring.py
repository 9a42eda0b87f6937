"""What is measured on the training series: channels, times, middle and spread, whichever file has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from small_series import built, table


def test_a_column_that_is_empty_in_the_first_file_is_a_channel_and_one_that_is_not_there_is_named(tmp_path: Path):
    (tmp_path / "a.csv").write_text("x,y\n" + "1,\n" * 8)
    (tmp_path / "b.csv").write_text("x,y,z\n" + "1,2,3\n" * 8)
    spec = built(tmp_path).spec
    assert spec.channels == ("x", "y")
    assert spec.left_out == ("z: not in a.csv",)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_first_file_without_rows_says_nothing_about_the_columns(tmp_path: Path, name: str):
    rows = [f"2026-01-05T08:{minute:02d}:00,{2 * minute},ok" for minute in range(20)]
    (tmp_path / "b.csv").write_text("\n".join(["when,v,state", *rows]))
    full = built(tmp_path).spec
    assert (full.channels, full.time, full.step_s) == (("v",), "when", 60)
    (tmp_path / "a.csv").write_text("when,v,state\n")
    if name == "a.parquet":
        (tmp_path / "a.csv").unlink()
        empty = pa.schema([("when", pa.string()), ("v", pa.string()), ("state", pa.string())]).empty_table()
        pq.write_table(empty, tmp_path / name)
    assert built(tmp_path).spec == full


def test_a_time_column_that_is_empty_in_the_first_file_is_not_lost(tmp_path: Path):
    (tmp_path / "a.csv").write_text("when,v\n" + ",1\n" * 8)
    (tmp_path / "b.csv").write_text("when,v\n" + "".join(f"2026-01-05T08:0{minute}:00,1\n" for minute in range(8)))
    assert built(tmp_path).spec.time == "when"


def test_what_is_no_channel_is_named_with_the_reason(tmp_path: Path):
    whole = table().append_column("operator", pa.array(["kim"] * 12)).append_column("dead", pa.array([None] * 12))
    whole = whole.append_column("silent", pa.array([None] * 12, pa.float64()))
    pq.write_table(whole, tmp_path / "a.parquet")
    spec = built(tmp_path).spec
    assert spec.channels == ("speed", "heat")
    assert spec.left_out == ("operator: not numeric (string)", "dead: no value at all", "silent: no value at all")


def test_a_channel_that_never_moves_stays_for_it_may_move_later(tmp_path: Path):
    pq.write_table(table().append_column("valve", pa.array([3.0] * 12)), tmp_path / "a.parquet")
    modality = built(tmp_path)
    assert modality.spec.channels[-1] == "valve"
    raw = modality.load(tmp_path).batch(np.array([0]))
    assert modality.eval_view(raw).values[0, 2].tolist() == [0, 0, 0, 0]
    raw[0, 2] += 5
    assert modality.eval_view(raw).values[0, 2].min() > 4


def test_what_is_measured_does_not_hang_on_the_pieces_that_a_file_is_read_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rng = np.random.default_rng(0)
    (tmp_path / "a.csv").write_text("x\n" + "\n".join(f"{value:.4f}" for value in rng.normal(size=4000)))
    whole = built(tmp_path).spec
    monkeypatch.setattr("vssl.modalities.sensors.tables.BLOCK_BYTES", 1024)
    assert built(tmp_path).spec == whole
    monkeypatch.setattr("vssl.modalities.sensors.sampling.SAMPLED_ROWS", 500)
    assert built(tmp_path).spec.centre[0] == pytest.approx(whole.centre[0], abs=0.15)


def test_a_long_file_is_thinned_out_evenly_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, rows in (("a", 700), ("b", 9000)):
        tent = np.abs(2 * np.arange(rows) - rows)
        (tmp_path / f"{name}.csv").write_text("x\n" + "\n".join(map(str, tent)))
    whole = built(tmp_path).spec
    monkeypatch.setattr("vssl.modalities.sensors.tables.BLOCK_BYTES", 1024)
    monkeypatch.setattr("vssl.modalities.sensors.sampling.SAMPLED_ROWS", 500)
    thinned = built(tmp_path).spec
    assert (thinned.centre[0], thinned.scale[0]) == pytest.approx((whole.centre[0], whole.scale[0]), abs=16)
    assert (thinned.channel_stats[0].low, thinned.channel_stats[0].high) == (0, 9000)


def test_a_channel_with_a_value_in_few_rows_is_one_in_a_long_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tent = np.abs(2 * np.arange(9000) - 9000)
    rows = [f"{x},{x if row % 2 else ''},{x if row in (4001, 7003) else ''},," for row, x in enumerate(tent)]
    (tmp_path / "a.csv").write_text("x,odd,rare,none,\n" + "\n".join(rows))
    monkeypatch.setattr("vssl.modalities.sensors.tables.BLOCK_BYTES", 1024)
    monkeypatch.setattr("vssl.modalities.sensors.sampling.SAMPLED_ROWS", 500)
    spec = built(tmp_path).spec
    assert spec.channels == ("x", "odd", "rare")
    assert spec.centre == pytest.approx((4500, 4500, 3002), abs=16)
    assert spec.scale[1] == pytest.approx(spec.scale[0], abs=16)
    assert [channel.missing for channel in spec.channel_stats] == pytest.approx([0, 0.5, 8998 / 9000])


def test_an_infinite_value_does_not_set_the_scale_of_its_channel(tmp_path: Path):
    values = np.random.default_rng(0).normal(0, 1e4, 400)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": values, "b": values}), path)
    plain = built(path).spec.scale[0]
    pq.write_table(pa.table({"a": np.where(np.arange(400) == 7, np.inf, values), "b": values}), path)
    assert built(path).spec.scale[0] == pytest.approx(plain, rel=0.05)
