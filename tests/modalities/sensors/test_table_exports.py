"""Tables as programs and devices export them: read to what was meant, or refused with what to do."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from small_series import built
from vssl.errors import DataError, TooManyBrokenError
from vssl.modalities.sensors.modality import SensorModality

ROWS = range(60)
START = dt.datetime(2026, 1, 5, 8)
X = np.random.default_rng(0).normal(20, 1, 1000).round(3).tolist()


def at(row: float, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    return (START + dt.timedelta(seconds=10 * row)).strftime(form)


def written(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def first(modality: SensorModality, source: Path) -> list[list[float]]:
    """The first two values of each channel."""
    return modality.load(source).batch(np.array([0]))[0, :, :2].tolist()


@pytest.mark.parametrize("unit", [" °C", "%", " m3/h", " W/m²", "K"])
def test_numbers_with_one_unit_behind_them_are_a_channel_and_the_unit_is_said(tmp_path: Path, unit: str):
    path = written(tmp_path / "a.csv", "time,x", [f"{at(row)},{X[row]}{unit}" for row in ROWS])
    modality = built(path)
    assert first(modality, path) == [X[:2]]
    assert modality.notes(path) == [f"Units behind the numbers are taken off: {unit.strip()} in 'x'."]


def test_decimal_commas_may_have_a_unit_behind_them(tmp_path: Path):
    path = written(tmp_path / "a.csv", "time;x", [f"{at(row)};{row + 0.25:.2f} %".replace(".", ",") for row in ROWS])
    assert first(built(path), path) == [[0.25, 1.25]]


@pytest.mark.parametrize("value", ["{} kB", "({})", "~{}", "{}\0"])
def test_a_column_of_numbers_among_other_things_is_asked_about_and_not_lost(tmp_path: Path, value: str):
    rows = [f"{at(row)},{value.format(X[row]) if row % 3 else f'{X[row]} B'},{X[row]}" for row in ROWS]
    path = written(tmp_path / "a.csv", "time,x,y", rows)
    with pytest.raises(DataError, match=r"a.csv: the column 'x' has values such as .* write the numbers alone"):
        built(path)
    assert built(path, labels=("x",)).spec.channels == ("y",)


def test_a_new_file_in_another_unit_is_refused(tmp_path: Path):
    path = written(tmp_path / "a.csv", "time,x", [f"{at(row)},{X[row]} bar" for row in ROWS])
    other = written(tmp_path / "b.csv", "time,x", [f"{at(row)},{X[row]} mbar" for row in ROWS])
    bare = written(tmp_path / "c.csv", "time,x", [f"{at(row)},{X[row]}" for row in ROWS])
    modality = built(path)
    with pytest.raises(TooManyBrokenError, match="'x' are in mbar, and in the training files in bar"):
        modality.load(other)
    assert first(modality, bare) == [X[:2]]


def test_the_times_of_numbers_with_a_unit_are_not_lost(tmp_path: Path):
    path = written(tmp_path / "a.csv", "Time,x", [f"{10 * row} sec,{X[row]}" for row in ROWS])
    with pytest.raises(DataError, match=r"the column 'Time' has values such as '0 sec'"):
        built(path)


def test_states_that_begin_with_a_number_stay_texts(tmp_path: Path):
    path = written(
        tmp_path / "a.csv", "time,s,x", [f"{at(row)},{row // 20} {'abc'[row // 20]}x,{X[row]}" for row in ROWS]
    )
    assert built(path).spec.left_out == ("s: not numeric (string)",)


def test_a_minus_may_stand_behind_its_number(tmp_path: Path):
    path = written(tmp_path / "a.csv", "time;x", [f"{at(row)};{row + 1},5{'-' * (row % 2)}" for row in ROWS])
    assert first(built(path), path) == [[1.5, -2.5]]


@pytest.mark.parametrize("name", ["machine_failure", "Anomalie", "changepoint", "alarm", "異常"])
def test_a_label_is_no_channel_also_by_these_names(tmp_path: Path, name: str):
    path = written(tmp_path / "a.csv", f"time,x,{name}", [f"{at(row)},{X[row]},{int(row > 50)}" for row in ROWS])
    assert built(path).spec.channels == ("x",)
    path = written(tmp_path / "b.csv", "time,machine_failure_current", [f"{at(row)},{row % 3}" for row in ROWS])
    assert built(path).spec.channels == ("machine_failure_current",)


@pytest.mark.parametrize("other", ["time,x", "time,x,class"])
def test_a_label_that_some_files_leave_empty_is_no_channel(tmp_path: Path, other: str):
    written(tmp_path / "a.csv", "time,x,class", [f"{at(row)},{X[row]},{int(row > 50)}" for row in ROWS])
    written(tmp_path / "b.csv", other, [f"{at(row)},{X[row]}" + "," * (other.count(",") - 1) for row in ROWS])
    modality = built(tmp_path)
    assert modality.spec.channels == ("x",)
    assert len(modality.load(tmp_path).metadata["series"].unique()) == 2


def test_lists_in_parquet_are_left_out_and_views_of_texts_read(tmp_path: Path):
    table = pa.table(
        {
            "time": pa.array([at(row) for row in ROWS], pa.string_view()),
            "x": pa.array([str(X[row]) for row in ROWS], pa.string_view()),
            "pairs": [[1, 2]] * len(ROWS),
            "both": [{"a": 1}] * len(ROWS),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    modality = built(tmp_path / "a.parquet")
    assert (modality.spec.time, modality.spec.step_s, modality.spec.channels) == ("time", 10, ("x",))
    assert first(modality, tmp_path / "a.parquet") == [X[:2]]
    assert any("'pairs' (not numeric" in note and "'both'" in note for note in modality.notes(tmp_path / "a.parquet"))


def test_a_date_that_one_file_leaves_open_is_read_as_another_one_tells(tmp_path: Path):
    form = "%d/%m/%Y %H:%M:%S"
    written(tmp_path / "a.csv", "time,x", [f"{at(row, form)},{X[row]}" for row in ROWS])
    written(tmp_path / "b.csv", "time,x", [f"{at(row + 200_000, form)},{X[row]}" for row in ROWS])
    modality = built(tmp_path)
    assert modality.spec.usual_order == "dmy"
    assert modality.load(tmp_path).metadata["start"][0].as_py() == "2026-01-05T08:00:00"


def test_a_column_without_a_name_that_only_new_files_have_is_said(tmp_path: Path):
    path = written(tmp_path / "a.csv", "time,x", [f"{at(row)},{X[row]}" for row in ROWS])
    new = written(tmp_path / "b.csv", ",time,x", [f"{row},{at(row)},{X[row]}" for row in ROWS])
    assert built(path).notes(new) == [
        "Columns that are not used as channels: a column without a name (not in the training files)."
    ]


def test_a_channel_that_is_empty_in_new_data_is_said(tmp_path: Path):
    path = written(tmp_path / "a.csv", "time,x,y,z", [f"{at(row)},{X[row]},{X[row]},{X[row]}" for row in ROWS])
    new = written(
        tmp_path / "b.csv", "time,x,y,z", [f"{at(row)},,{'' if row % 2 else X[row]},{X[row]}" for row in ROWS]
    )
    modality = built(path)
    assert modality.notes(path) == []
    empty, much = modality.notes(new)
    assert empty.endswith("of which nothing is known: x (in 1 of 1, the first b.csv).")
    assert much == "Much more is missing here than in the training data: y (50%, 0% in training)."


def test_labview_and_influx_mark_what_is_no_row(tmp_path: Path):
    above = [
        "LabVIEW Measurement\t",
        "Decimal_Separator\t.",
        "***End_of_Header***\t",
        "Samples\t60\t60\t",
        "X0\t0.0\t0.0\t",
    ]
    lines = [*above, "***End_of_Header***\t\t\t", "X_Value\tx\ty\tComment"]
    path = tmp_path / "a.txt"
    path.write_text("\r\n".join([*lines, *(f"{row / 10:.6f}\t{X[row]}\t{row * 0.5}" for row in ROWS)]) + "\r\n")
    modality = built(path)
    assert (modality.spec.time, modality.spec.step_s, modality.spec.channels) == ("X_Value", 0.1, ("x", "y"))
    assert first(modality, path) == [X[:2], [0, 0.5]]
    header = "#group,false,false\n#datatype,string,dateTime:RFC3339,double\n#default,_result,,\n,result,_time,_value"
    path = written(tmp_path / "b.csv", header, [f",,{at(row, '%Y-%m-%dT%H:%M:%SZ')},{X[row]}" for row in ROWS])
    assert first(built(path), path) == [X[:2]]


def test_a_row_in_the_place_of_the_names_is_refused(tmp_path: Path):
    rows = [f"{row * 0.1:.2f}\t{X[row]}" + "\tcalibrated" * (row == 0) for row in ROWS]
    with pytest.raises(DataError, match="line 2 stands where the names of columns do, and holds numbers"):
        built(written(tmp_path / "a.txt", "seconds\tx\tremark", rows))


@pytest.mark.parametrize("step", ["{}", "{:.1f}", "{:.6f}"])
def test_an_even_column_without_a_name_is_no_channel_and_may_be_the_time(tmp_path: Path, step: str):
    rows = [f"{step.format(row * (10 if step == '{}' else 0.1))} {X[row]}" for row in ROWS]
    path = written(tmp_path / "a.txt", rows[0], rows[1:])
    modality = built(path)
    assert modality.spec.channels == ("column_2",)
    assert any("goes on by the same in each row" in note for note in modality.notes(path))
    timed = built(path, time_column="column_1", date_format="s").spec
    assert (timed.channels, timed.step_s) == (("column_2",), 10 if step == "{}" else 0.1)


def test_the_unit_of_times_leaves_channels_channels(tmp_path: Path):
    path = written(tmp_path / "a.csv", "time,x", [f"{row * 100},{X[row]}" for row in ROWS])
    assert (built(path, date_format="ms").spec.step_s, built(path, date_format="ms").spec.channels) == (0.1, ("x",))
    path = written(tmp_path / "b.csv", "z,x", [f"{row * 100},{X[row]}" for row in ROWS])
    with pytest.raises(DataError, match="no column is recognised as the times of --date-format ms"):
        built(path, date_format="ms")


@pytest.mark.parametrize("words", [("ON", "OFF"), ("yes", "no"), ("WAHR", "FALSCH"), ("Ein", "Aus")])
def test_words_of_two_states_are_a_channel(tmp_path: Path, words: tuple[str, str]):
    path = written(tmp_path / "a.csv", "time,pump,x", [f"{at(row)},{words[row % 2]},{X[row]}" for row in ROWS])
    modality = built(path)
    assert first(modality, path) == [[1, 0], X[:2]]
    assert any(f"{words[0]} and {words[1]}".lower() in note for note in modality.notes(path))
    assert modality.load(path).metadata.column_names == ["series", "start", "end", "block"]
    labelled = built(path, labels=("pump",))
    assert labelled.load(path).metadata["pump"][0].as_py() == max(words)
    named = written(tmp_path / "b.csv", "time,failure,x", [f"{at(row)},{words[row // 50]},{X[row]}" for row in ROWS])
    assert built(named).spec.channels == ("x",)


def test_another_word_among_two_states_is_refused_also_far_down(tmp_path: Path):
    rows = [f"{at(row)},{'ON' if row < 250_000 else 'stuck'},{row % 9}" for row in range(250_010)]
    with pytest.raises(DataError, match="row 250001 has 'stuck' in the column 'pump', which is neither on nor off"):
        built(written(tmp_path / "a.csv", "time,pump,x", rows))


def test_values_of_several_channels_below_each_other_are_asked_about_with_the_way_to_read_them(tmp_path: Path):
    rows = [f"{at(row)},{name},{value}" for row in ROWS for name, value in (("x", X[row]), ("y", row))]
    path = written(tmp_path / "a.csv", "time,sensor,value", rows)
    with pytest.raises(DataError, match=r"If each is a channel of its own, --long-format sensor:value does so"):
        built(path)
    assert first(built(path, long_format="sensor:value"), path) == [X[:2], [0, 1]]


def test_a_date_in_several_columns_is_refused_with_what_to_do(tmp_path: Path):
    path = written(
        tmp_path / "a.csv", "year,month,day,hour,x", [f"2026,1,{row // 24 + 1},{row % 24},{X[row]}" for row in ROWS]
    )
    with pytest.raises(DataError, match=r"the date stands in several columns \(year, month, day\): write"):
        built(path)


def test_days_of_matlab_are_times(tmp_path: Path):
    days = [736330 + (START - dt.datetime(2016, 1, 1)) / dt.timedelta(days=1) + row / 8640 for row in ROWS]
    path = written(tmp_path / "a.csv", "t,x", [f"{days[row]:.9f},{X[row]}" for row in ROWS])
    assert built(path).load(path).metadata["start"][0].as_py() == "2026-01-05T08:00:00"


def test_times_with_dots_beside_a_date_and_empty_rows_at_the_end_are_read(tmp_path: Path):
    rows = [f"{at(row + 86_400, '%d/%m/%Y;%H.%M.%S')};{X[row]};" for row in range(0, 900, 15)]
    path = written(tmp_path / "a.csv", "Date;Time;x;", [*rows, *[";;;"] * 2000])
    modality = built(path)
    assert (modality.spec.step_s, modality.spec.channels) == (150, ("x",))
    assert modality.load(path).metadata["start"][0].as_py() == "2026-01-15T08:00:00"


def test_of_several_columns_with_times_one_that_stands_still_is_not_taken(tmp_path: Path):
    rows = [f"{at(0)},{at(row)},{X[row]}" for row in [*range(30, 60), *range(30)]]
    path = written(tmp_path / "a.csv", "start,time,x", rows)
    assert built(path).spec.time == "time"
