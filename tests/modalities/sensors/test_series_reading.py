"""Reading series: CSV, compressed or not, Parquet, wide or long, with times or without."""

from __future__ import annotations

import bz2
import gzip
import lzma
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from small_series import built, table
from vssl.modalities.sensors import index as module
from vssl.modalities.sensors import profiles, tables
from vssl.modalities.sensors.rows import read_rows
from vssl.modalities.sensors.times import iso_text
from vssl.types import Series


def csv(table: pa.Table) -> str:
    rows = ["\t".join(table.column_names).replace("\t", ",")]
    return "\n".join([*rows, *(",".join(map(str, row.values())) for row in table.to_pylist())]) + "\n"


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a.csv", bytes), ("a.csv.gz", gzip.compress), ("a.csv.xz", lzma.compress), ("a.csv.bz2", bz2.compress)],
    ids=["plain", "gz", "xz", "bz2"],
)
def test_csv_is_read_as_parquet_is(tmp_path: Path, name: str, pack: Callable[[bytes], bytes]):
    (tmp_path / name).write_bytes(pack(csv(table()).encode()))
    pq.write_table(table(), tmp_path / "b.parquet")
    one, other = built(tmp_path / name), built(tmp_path / "b.parquet")
    assert one.spec == other.spec
    first, second = one.load(tmp_path / name), other.load(tmp_path / "b.parquet")
    np.testing.assert_allclose(first.batch(np.arange(5)), second.batch(np.arange(5)), rtol=1e-5)


def test_linked_folders_are_read_and_hidden_ones_are_not(tmp_path: Path):
    source, elsewhere = tmp_path / ".data", tmp_path / "elsewhere"
    for folder in (source, source / ".old", elsewhere):
        folder.mkdir()
        pq.write_table(table(), folder / "a.parquet")
    (source / ".b.parquet").write_bytes(b"half written")
    (source / "linked").symlink_to(elsewhere)
    (elsewhere / "circle").symlink_to(source)
    found = built(source, max_broken=0.5).load(source).metadata["series"].unique().to_pylist()
    assert found == ["a.parquet", "linked/a.parquet"]
    (source / "gone.parquet").symlink_to(tmp_path / "nowhere")
    assert [item.id for item in built(source, max_broken=0.5).load(source).broken] == ["gone.parquet"]


def test_windows_have_names_spans_and_blocks(tmp_path: Path):
    pq.write_table(table(), tmp_path / "line.parquet")
    dataset = built(tmp_path, block="8").load(tmp_path)
    assert list(dataset.ids)[:2] == ["line.parquet@2026-01-05T08:00:00", "line.parquet@2026-01-05T08:02:00"]
    assert dataset.metadata.column_names == ["series", "start", "end", "block"]
    last = dataset.metadata.to_pylist()[-1]
    assert last == {
        "series": "line.parquet",
        "start": "2026-01-05T08:08:00",
        "end": "2026-01-05T08:12:00",
        "block": "line.parquet#1",
    }


def test_without_times_rows_are_counted(tmp_path: Path):
    (tmp_path / "a.csv").write_text("x\n" + "\n".join(map(str, range(10))))
    modality = built(tmp_path)
    dataset = modality.load(tmp_path)
    assert list(dataset.ids) == ["a.csv@0", "a.csv@2", "a.csv@4", "a.csv@6"]
    assert dataset.metadata["end"].to_pylist() == [4, 6, 8, 10]
    assert dataset.batch(np.array([1])).tolist() == [[[2, 3, 4, 5]]]
    assert modality.spec.step_s is None


@pytest.mark.parametrize("kind", ["iso", "epoch", "zone"])
def test_times_may_be_texts_seconds_or_have_a_zone(tmp_path: Path, kind: str):
    whole = table()
    if kind == "epoch":
        whole = whole.set_column(0, "ts", whole["time"].cast(pa.timestamp("s")).cast(pa.int64()))
    if kind == "zone":
        whole = whole.set_column(0, "time", pa.array([f"{time}Z" for time in whole["time"].to_pylist()]))
    (tmp_path / "a.csv").write_text(csv(whole))
    modality = built(tmp_path, window="4min", stride="2min")
    assert (modality.spec.step_s, modality.spec.window, modality.spec.stride) == (60, 4, 2)
    assert modality.load(tmp_path).ids[0] == "a.csv@2026-01-05T08:00:00"


def test_no_window_crosses_a_gap_or_the_end_of_a_file(tmp_path: Path):
    pq.write_table(pa.concat_tables([table(6), table(6, "2026-01-05T09:00:00")]), tmp_path / "a.parquet")
    pq.write_table(table(5, "2026-01-05T09:06:00"), tmp_path / "b.parquet")
    ids = list(built(tmp_path).load(tmp_path).ids)
    assert [name.partition("T")[2] for name in ids] == ["08:00:00", "08:02:00", "09:00:00", "09:02:00", "09:06:00"]


def test_a_column_about_the_samples_becomes_metadata_and_no_channel(tmp_path: Path):
    whole = table().append_column("fault", pa.array([0] * 5 + [2] + [1] * 6))
    whole = whole.append_column("state", pa.array(["ok"] * 9 + ["stuck"] * 3))
    pq.write_table(whole, tmp_path / "a.parquet")
    modality = built(tmp_path, labels=("fault", "state"))
    assert modality.spec.channels == ("speed", "heat")
    metadata = modality.load(tmp_path).metadata
    assert metadata["fault"].to_pylist() == [0, 2, 2, 1, 1]
    assert metadata["state"].to_pylist() == ["ok", "ok", "ok", "stuck", "stuck"]


def test_one_value_a_row_is_brought_to_one_row_a_time(tmp_path: Path):
    wide = table()
    rows = [
        f"{time.isoformat()},{name},{value}"
        for time, speed, heat in zip(*(wide[c].to_pylist() for c in wide.column_names), strict=True)
        for name, value in (("heat", heat), ("speed", speed))
    ]
    del rows[3]
    (tmp_path / "long.csv").write_text("time,sensor,value\n" + "\n".join(rows))
    modality = built(tmp_path, long_format="sensor:value")
    assert modality.spec.channels == ("heat", "speed")
    first = modality.load(tmp_path).batch(np.array([0]))[0]
    np.testing.assert_allclose(first[0], wide["heat"].to_numpy()[:4], rtol=1e-5)
    assert np.isnan(first[1]).tolist() == [False, True, False, False]


def long(rows: int, *sensors: str, fault: int) -> str:
    times = [f"2026-01-05T08:{minute:02d}:00" for minute in range(rows)]
    values = [f"{time},{name},{minute},{fault * minute}" for minute, time in enumerate(times) for name in sensors]
    return "time,sensor,value,fault\n" + "\n".join(values)


def test_one_value_a_row_may_have_labels_and_a_channel_only_in_a_later_file(tmp_path: Path):
    (tmp_path / "a.csv").write_text(long(8, "heat", fault=0))
    (tmp_path / "b.csv").write_text(long(8, "speed", "heat", fault=1))
    modality = built(tmp_path, long_format="sensor:value", labels=("fault",), stride="4")
    assert modality.spec.channels == ("heat", "speed")
    dataset = modality.load(tmp_path)
    assert dataset.metadata["fault"].to_pylist() == [0, 0, 3, 7]
    assert dataset.batch(np.array([1, 3]))[:, 1, 3].tolist() == pytest.approx([np.nan, 7], nan_ok=True)


def test_a_column_that_is_empty_at_first_is_a_channel_or_a_label_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("vssl.modalities.sensors.tables.BLOCK_BYTES", 64)
    late = [",,," if row < 20 else f"{row / 2},{row // 30},true,kim" for row in range(40)]
    rows = [f"{2 * row},{more}" for row, more in enumerate(late)]
    (tmp_path / "a.csv").write_text("x,y,fault,on,who\n" + "\n".join(rows))
    modality = built(tmp_path, labels=("fault",), stride="4")
    assert modality.spec.channels == ("x", "y", "on")
    assert modality.spec.left_out == ("who: not numeric (string)",)
    dataset = modality.load(tmp_path)
    assert dataset.metadata["fault"].to_pylist() == [None] * 5 + [0, 0, 1, 1, 1]
    assert dataset.batch(np.array([9]))[0].tolist() == [[72, 74, 76, 78], [18, 18.5, 19, 19.5], [1, 1, 1, 1]]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_true_and_false_are_the_channels_1_and_0(tmp_path: Path, name: str):
    on = [True, False, None, True]
    (tmp_path / "a.csv").write_text("x,on\n1,true\n2,false\n3,\n4,true\n")
    pq.write_table(pa.table({"x": [1, 2, 3, 4], "on": on}), tmp_path / "a.parquet")
    modality = built(tmp_path / name)
    assert modality.spec.channels == ("x", "on")
    values = modality.load(tmp_path / name).batch(np.array([0]))[0, 1]
    assert values.tolist() == pytest.approx([1, 0, np.nan, 1], nan_ok=True)


def test_labels_of_files_are_brought_together_and_whole_numbers_stay_whole(tmp_path: Path):
    for name, fault in {"a": "0", "b": "", "c": "1", "d": None}.items():
        header, field = ("x", "") if fault is None else ("x,fault", f",{fault}")
        (tmp_path / f"{name}.csv").write_text(f"{header}\n" + "".join(f"{row}{field}\n" for row in range(4)))
    (tmp_path / "c.csv").write_text("x,fault\n1,\n2,1\n3,0\n4,\n")
    modality = built(tmp_path, labels=("fault",))
    for metadata in (modality.load(tmp_path).metadata, next(modality.stream(tmp_path)).metadata):
        assert metadata["fault"].to_pylist() == [0, None, 1, None]
        assert metadata["fault"].type == pa.int64()


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_true_or_false_that_is_missing_is_not_false(tmp_path: Path, name: str):
    bad = [None] * 4 + [None, False, None, None] + [False, True, None, None]
    texts = ["" if value is None else str(value).lower() for value in bad]
    (tmp_path / "a.csv").write_text("x,bad\n" + "".join(f"1,{value}\n" for value in texts))
    pq.write_table(pa.table({"x": [1] * 12, "bad": bad}), tmp_path / "a.parquet")
    metadata = built(tmp_path / name, labels=("bad",), stride="4").load(tmp_path / name).metadata
    assert metadata["bad"].to_pylist() == [None, False, True]


def test_rows_are_averaged_in_bins_only_when_asked(tmp_path: Path):
    whole = table(24, step=10).append_column("fault", pa.array([False] * 23 + [True]))
    pq.write_table(whole, tmp_path / "a.parquet")
    assert built(tmp_path).spec.step_s == 10
    modality = built(tmp_path, resample="1min", window="2", stride="2", labels=("fault",))
    assert modality.spec.step_s == 60
    dataset = modality.load(tmp_path)
    expected = whole["speed"].to_numpy().reshape(4, 6).mean(1)
    np.testing.assert_allclose(dataset.batch(np.array([0, 1]))[:, 0].flatten(), expected, rtol=1e-5)
    assert dataset.metadata["fault"].to_pylist() == [False, True]


def test_a_long_file_is_streamed_as_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vssl.modalities.sensors.tables.BLOCK_BYTES", 4096)
    rng = np.random.default_rng(0)
    rows = "\n".join(f"{a:.3f},{b:.3f}" for a, b in rng.normal(size=(5000, 2)))
    (tmp_path / "a.csv").write_text("x,y\n" + rows)
    modality = built(tmp_path, window="64", stride="10")
    dataset = modality.load(tmp_path)
    streamed = [chunk.raw.numpy() for chunk in modality.stream(tmp_path, start=37, size=100)]
    np.testing.assert_array_equal(np.concatenate(streamed), dataset.batch(np.arange(37, len(dataset))))


def test_a_sample_is_taken_in_one_pass_over_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for number in range(3):
        pq.write_table(table(60, step=60 + number), tmp_path / f"{number}.parquet")
    modality = built(tmp_path)
    dataset, reads = modality.load(tmp_path), []
    monkeypatch.setattr(module, "read_rows", lambda *given: reads.append(given) or read_rows(*given))
    chunk = modality.sample(tmp_path, 40, seed=0)
    place = {name: row for row, name in enumerate(dataset.ids)}
    np.testing.assert_array_equal(chunk.raw, dataset.batch(np.array([place[name] for name in chunk.ids])))
    assert [chunk.metadata["series"][0].as_py(), len(chunk.ids), len(reads)] == ["0.parquet", 40, 3]
    assert None not in modality.pictures(tmp_path, list(chunk.ids))
    assert len(reads) == 6


def test_a_column_that_stays_empty_is_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a.csv").write_text("x,y\n" + "1,\n" * 8)
    opened = []
    monkeypatch.setattr(tables, "opened", lambda file: opened.append(file) or file.open("rb"))
    for _ in range(3):
        assert profiles.profile(tmp_path / "a.csv", "a.csv").schema.names == ["x", "y"]
    assert len(opened) == 3
    (tmp_path / "a.csv").write_text("x,z,\n")
    assert profiles.profile(tmp_path / "a.csv", "a.csv").schema.names == ["x", "z", ""]


def test_times_are_written_without_what_says_nothing():
    assert iso_text(0) == "1970-01-01T00:00:00"
    assert iso_text(1_500_000_000) == "1970-01-01T00:00:01.5"


def test_the_outline_of_a_window_are_its_values_and_a_channel_that_stands_still_has_no_spread(tmp_path: Path):
    (tmp_path / "a.csv").write_text(csv(table(200)))
    modality = built(tmp_path, window="16")
    view = modality.eval_view(modality.load(tmp_path).batch(np.arange(3)))
    still = Series(view.values.clone(), view.known)
    still.values[:, 1] = 2.0
    raw_descriptor, other = modality.raw_descriptor(view), modality.raw_descriptor(still)
    torch.testing.assert_close(raw_descriptor[:, :32], view.values.flatten(1))
    assert (other[:, 33] < raw_descriptor[:, 33] - 5).all()
    torch.testing.assert_close(other[:, 32], raw_descriptor[:, 32])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert modality.raw_descriptor(Series(view.values[:0], view.known[:0])).shape == (0, 34)


def test_a_long_window_of_many_channels_has_an_outline_of_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vssl.modalities.sensors.modality.OUTLINE", 16)
    (tmp_path / "a.csv").write_text(csv(table(200)))
    modality = built(tmp_path, window="32")
    view = modality.eval_view(modality.load(tmp_path).batch(np.arange(3)))
    assert modality.raw_descriptor(view).shape == (3, 2 * 8 + 2)
    torch.testing.assert_close(modality.raw_descriptor(view)[:, :8], view.values[:, 0].unflatten(1, (8, 4)).mean(2))
