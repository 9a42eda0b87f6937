"""Columns that are no channels, and several series in one file: told apart, left out with a word, or asked about."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from small_series import built
from vssl.errors import ConfigError, DataError, TooManyBrokenError
from vssl.modalities import sensors

ROWS = range(60)
START = dt.datetime(2026, 1, 5, 8)
X = np.random.default_rng(0).normal(20, 1, 1000).round(3).tolist()


def at(row: float, seconds: int = 10) -> str:
    return str(START + dt.timedelta(seconds=row * seconds))


def written(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def spec(path: Path, **settings: object) -> sensors.Spec:
    return built(path, **settings).spec


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index", "row_id", "RECORD", "Nr", "anything"])
@pytest.mark.parametrize("first", [0, 1, 5001])
def test_a_column_that_counts_the_rows_is_no_channel(tmp_path: Path, name: str, first: int):
    path = written(tmp_path / "a.csv", f"{name},time,x", [f"{first + row},{at(row)},{X[row]}" for row in ROWS])
    modality = built(path)
    assert modality.spec.channels == ("x",)
    assert "counts the rows; --channels" in modality.spec.left_out[0]
    assert any("counts the rows" in note for note in modality.notes(path))
    assert spec(path, channels=(name,)).channels == (name, "x")


def test_the_index_of_a_sorted_or_filtered_frame_is_no_channel_either(tmp_path: Path):
    rows = [f"{3 * row},{at(row)},{X[row]}" for row in ROWS]
    assert spec(written(tmp_path / "a.csv", ",time,x", rows)).channels == ("x",)
    rows = [f"{row},{at(row)},{X[row]}" for row in np.random.default_rng(0).permutation(60).tolist()]
    assert spec(written(tmp_path / "b.csv", "anything,time,x", rows)).channels == ("x",)
    table = pa.table({"x": X[:60], "__index_level_0__": [2 * row for row in ROWS]})
    pq.write_table(table, tmp_path / "c.parquet")
    assert spec(tmp_path / "c.parquet").channels == ("x",)
    moments = pa.array([START + dt.timedelta(minutes=row) for row in ROWS])
    pq.write_table(table.set_column(1, "__index_level_0__", moments), tmp_path / "d.parquet")
    assert (spec(tmp_path / "d.parquet").time, spec(tmp_path / "d.parquet").step_s) == ("__index_level_0__", 60)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("valve", lambda row: row // 20 % 2),
        ("set_point", lambda row: 1500 if row < 30 else 1800),
        ("target", lambda row: 1500 if row < 30 else 1800),
        ("mode", lambda row: row // 15),
        ("parts", lambda row: row // 2),
        ("counter", lambda row: 10 * row),
        ("level", lambda row: 7),
        ("y", lambda row: row // 20 % 2),
        ("n", lambda row: 1500),
        ("unit_temperature", lambda row: row % 3),
        ("fault_current", lambda row: row / 7),
        ("pump", lambda row: row // 20 % 2),
        ("id_fan_speed", lambda row: row % 3),
        ("class", lambda row: X[row]),
    ],
)
def test_a_channel_of_few_or_rising_values_is_not_lost(tmp_path: Path, name: str, value: object):
    rows = [f"{at(row)},{value(row)},{X[row]}" for row in ROWS]  # type: ignore[operator]
    assert spec(written(tmp_path / "a.csv", f"time,{name},x", rows)).channels == (name, "x")


@pytest.mark.parametrize("name", ["class", "anomaly", "is_anomaly", "Label", "fault", "fault_type", "target"])
def test_a_column_that_looks_like_a_label_is_left_out_with_a_word_and_may_be_forced(tmp_path: Path, name: str):
    path = written(tmp_path / "a.csv", f"time,x,{name}", [f"{at(row)},{X[row]},{row // 30}" for row in ROWS])
    modality = built(path)
    assert modality.spec.channels == ("x",)
    assert any(f"--channels '{name}' makes it a channel" in note for note in modality.notes(path))
    assert spec(path, channels=(name,)).channels == ("x", name)
    assert built(path, labels=(name,)).load(path).metadata[name].to_pylist()[-1] == 1


def test_a_channel_that_is_none_or_text_cannot_be_forced(tmp_path: Path):
    path = written(tmp_path / "a.csv", "time,x,who", [f"{at(row)},{X[row]},kim" for row in ROWS])
    for name in ("nobody", "who"):
        with pytest.raises(ConfigError, match=rf"--channels {name}: a\.csv has no such column of numbers"):
            built(path, channels=(name,))


def hall(values: tuple[str, str], shift: float = 0.5) -> list[str]:
    pairs = [(f"{at(row)},{values[0]},{120 + X[row]}", f"{at(row + shift)},{values[1]},{X[row]}") for row in ROWS]
    return [line for pair in pairs for line in pair]


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("time,machine,x", hall(("A", "B"))),
        ("time,where,x", hall(("A", "B"))),
        ("time,where,x", hall(("A", "B"), 0)),
        ("time,machine_id,x", hall(("1", "2"))),
        ("time,number,x", hall(("1", "2"), 0)),
        ("time,number,x", sorted(hall(("1", "2"), 0), key=lambda line: line.split(",")[1])),
        ("machine_id,x", [f"{row // 10},{X[row]}" for row in ROWS]),
        ("unit,cycle,x", [f"{row // 20},{row % 20},{X[row]}" for row in ROWS]),
        ("run,step,x", [f"{row // 20},{row % 20},{X[row]}" for row in ROWS]),
    ],
    ids=[
        "text",
        "any name",
        "same times",
        "number",
        "number at same times",
        "one below the other",
        "no times",
        "cycles",
        "steps",
    ],
)
def test_several_series_in_one_file_are_refused_with_the_column(tmp_path: Path, header: str, rows: list[str]):
    column = next(name for name in header.split(",") if name != "time")
    path = written(tmp_path / "a.csv", header, rows)
    with pytest.raises(
        DataError, match=rf"a\.csv: the column '{column}' \(.*\) tells several .* --series-by {column}\."
    ):
        built(path)
    assert spec(path, series_by=column, window="2").channels == ("x",)


def test_a_column_of_texts_that_is_a_state_is_no_series(tmp_path: Path):
    rows = [f"{at(row)},{'idle' if row % 20 < 5 else 'run'},{X[row]}" for row in ROWS]
    assert spec(written(tmp_path / "a.csv", "time,state,x", rows)).channels == ("x",)
    rows = [f"{at(row)},{'ok' if X[row] > 20 else 'low'},{X[row]}" for row in ROWS]
    assert spec(written(tmp_path / "b.csv", "time,state,x", rows)).channels == ("x",)


@pytest.mark.parametrize("order", ["as written", "newest first", "in any order"])
def test_each_series_of_a_file_has_windows_of_its_own(tmp_path: Path, order: str):
    rows = hall(("press-A", "press-B"))
    rows = {"newest first": rows[::-1], "in any order": np.random.default_rng(0).permutation(rows).tolist()}.get(
        order, rows
    )
    path = written(tmp_path / "hall.csv", "time,machine,x", rows)
    modality = built(path, series_by="machine", stride="4")
    assert modality.spec.step_s == 10
    data = modality.load(path)
    assert len(data) == 30
    assert {
        f"hall.csv/press-A@{START.isoformat()}",
        f"hall.csv/press-B@{(START + dt.timedelta(seconds=5)).isoformat()}",
    } <= {*data.ids}
    assert sorted(set(data.metadata["series"].to_pylist())) == ["hall.csv/press-A", "hall.csv/press-B"]
    machines = data.metadata["machine"].to_pylist()
    raw = data.batch(np.arange(30))[:, 0]
    assert all((window > 100).all() == (machine == "press-A") for window, machine in zip(raw, machines, strict=True))
    streamed = np.concatenate([chunk.raw.numpy() for chunk in modality.stream(path, start=7, size=5)])
    np.testing.assert_array_equal(streamed, data.batch(np.arange(7, 30)))
    sample = modality.sample(path, 30, seed=0)
    np.testing.assert_array_equal(sample.raw, data.batch(np.arange(30)))
    assert None not in modality.pictures(path, list(data.ids[-2:]))


def test_a_series_that_is_broken_is_named_and_the_others_are_read(tmp_path: Path):
    rows = hall(("A", "B")) + [f"{at(row, 37)},C,1" for row in range(20)]
    path = written(tmp_path / "a.csv", "time,machine,x", rows)
    with pytest.raises(TooManyBrokenError, match=r"a\.csv/C: there is a row every 37 s, but one every 10 s"):
        built(path, series_by="machine").load(path)
    assert len(built(path, series_by="machine", stride="4", max_broken=0.5).load(path)) == 30


def test_a_row_without_a_series_or_a_file_without_the_column_is_named(tmp_path: Path):
    path = written(tmp_path / "a.csv", "time,machine,x", [*hall(("A", "B")), f"{at(99)},,1"])
    with pytest.raises(DataError, match=r"a\.csv: row 121 has no value in 'machine', the column of --series-by"):
        built(path, series_by="machine")
    with pytest.raises(ConfigError, match=r"--series-by press: a\.csv has no such column; it has: time, machine, x"):
        built(path, series_by="press")


def test_several_series_with_one_value_a_row_are_told_apart_too(tmp_path: Path):
    rows = [f"{at(row)},{machine},{name},{X[row]}" for row in ROWS for machine in "AB" for name in ("p", "q")]
    path = written(tmp_path / "a.csv", "time,machine,sensor,value", rows)
    modality = built(path, series_by="machine", long_format="sensor:value", stride="4")
    assert modality.spec.channels == ("p", "q")
    assert len(modality.load(path)) == 30


def test_a_file_with_two_machines_is_broken_where_the_training_had_one(tmp_path: Path):
    path = written(tmp_path / "a.csv", "time,machine,x", [line for line in hall(("A", "B")) if ",A," in line])
    modality = built(path)
    assert modality.spec.left_out == ("machine: not numeric (string)",)
    written(tmp_path / "b.csv", "time,machine,x", hall(("A", "B")))
    with pytest.raises(TooManyBrokenError, match=r"b\.csv: the column 'machine' \('A', 'B'\) tells several series"):
        modality.load(tmp_path)


def test_codes_of_lots_stay_texts(tmp_path: Path):
    lots = ["1E1", "10", "1E2", "007"]
    path = written(tmp_path / "a.csv", "time,x,lot", [f"{at(row)},{X[row]},{lots[row // 15]}" for row in ROWS])
    found = built(path, labels=("lot",), window="1", stride="15").load(path).metadata["lot"]
    assert found.to_pylist() == lots


def test_what_is_left_out_or_aside_is_told_for_other_data_too(tmp_path: Path):
    train, later = tmp_path / "train", tmp_path / "later"
    for folder in (train, later):
        folder.mkdir()
        written(folder / "a.csv", "time,x", [f"{at(row)},{X[row]}" for row in ROWS])
    modality = built(train)
    assert modality.notes(train) == []
    written(later / "b.csv", "time,x,more", [f"{at(row)},{X[row]},{X[row]}" for row in ROWS])
    (later / "c.xlsx").write_bytes(b"")
    (later / "d.XLSX").write_bytes(b"")
    assert modality.notes(later) == [
        "Columns that are not used as channels: 'more' (not in the training files).",
        "Files left aside, as they are no tables by their names: 2 .xlsx.",
    ]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            pa.array([2**53 + 2 * row + 1 for row in ROWS]),
            r"a\.parquet: the column 'big': Integer value .* --labels big",
        ),
        (
            pa.array([str(row / 4) if row != 20 else "bad" for row in ROWS]),
            r"the column 'big' holds numbers, but row 21",
        ),
    ],
)
def test_a_value_of_parquet_that_is_no_number_is_named_with_its_column(tmp_path: Path, column: pa.Array, message: str):
    pq.write_table(pa.table({"x": X[:60], "big": column}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=message):
        built(tmp_path)


def test_decimals_and_numbers_as_texts_in_parquet_are_read(tmp_path: Path):
    table = {"x": pa.array([row / 4 for row in ROWS]).cast(pa.decimal128(9, 2)), "y": [f"{row / 4}" for row in ROWS]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    modality = built(tmp_path, window="1", stride="1")
    raw = modality.load(tmp_path).batch(np.arange(60))[:, :, 0]
    assert raw.T.tolist() == [[row / 4 for row in ROWS]] * 2
