"""Series that cannot be used as they are: what is said, and where."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vssl.errors import ConfigError, DataError, TooManyBrokenError, VsslError
from vssl.modalities import sensors

GOOD = "time,x,y\n" + "\n".join(f"2026-01-05T08:{minute:02d}:00,{2 * minute},{minute % 7}" for minute in range(40))


def load(source: Path, **settings: object):
    config = sensors.Config(**({"window": "4", "stride": "4"} | settings))  # type: ignore[arg-type]
    return sensors.build(config, sensors.measure(source, config)).load(source)


def lines() -> list[str]:
    return GOOD.split("\n")


def replaced(row: int, text: str) -> str:
    rows = lines()
    rows[row] = text
    return "\n".join(rows)


def doubled() -> str:
    return replaced(21, lines()[20])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "\n".join(lines() + lines()[10:20]),
            r"a\.csv: row 41 has the same time as row 10 \(2026-01-05T08:09:00\): sort",
        ),
        (replaced(10, lines()[9]), r"row 10 has the same time as the one before it"),
        (replaced(15, "2026-01-05T08:14:00+02:00,1,2"), r"a\.csv.*(time|Row|timestamp)"),
        (replaced(12, "2026-01-05T08:11:00,1"), r"a\.csv: row 12 has 2 values, and the others have 3"),
        (replaced(30, "2026-01-05T08:29:00,bad,2"), r"a\.csv: the column 'x' holds numbers, but row 30 has 'bad'"),
        (replaced(12, ",1,2"), r"row 12 has no time"),
        ("time,x,y\n", r"there are no rows, only a header"),
        ("", r"Empty CSV file"),
    ],
    ids=["twice", "duplicated", "zones", "ragged", "text", "no time", "header", "empty"],
)
def test_a_file_that_cannot_be_used_is_named_with_its_row(tmp_path: Path, content: str, message: str):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(VsslError, match=message):
        load(tmp_path)


def test_a_text_among_numbers_is_named_where_the_first_file_has_no_values(tmp_path: Path):
    (tmp_path / "a.csv").write_text("x,y\n" + "1,\n" * 8)
    (tmp_path / "b.csv").write_text("x,y\n" + "1,2\n" * 8 + "1,bad\n")
    with pytest.raises(DataError, match=r"b\.csv: the column 'y' holds numbers, but row 9 has 'bad'"):
        load(tmp_path)


def test_invalid_utf8_in_a_value_is_named(tmp_path: Path):
    (tmp_path / "a.csv").write_bytes(
        replaced(9, "2026-01-05T08:08:00,1,2").encode().replace(b"08:08:00,1", b"08:08:00,\xff")
    )
    with pytest.raises(VsslError, match=r"a\.csv"):
        load(tmp_path)


def test_mixed_line_ends_are_read(tmp_path: Path):
    (tmp_path / "a.csv").write_bytes(GOOD.replace("\n", "\r\n", 20).encode())
    assert len(load(tmp_path)) == 10


@pytest.mark.parametrize("name", ["a.parquet", "a.csv.gz"])
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"this is neither")
    with pytest.raises(VsslError, match=name):
        load(tmp_path)


def test_one_broken_file_among_good_ones_is_left_out_and_named(tmp_path: Path):
    for number in range(9):
        (tmp_path / f"good-{number}.csv").write_text(GOOD)
    (tmp_path / "torn.csv").write_text(doubled())
    with pytest.raises(TooManyBrokenError, match=r"1 of 10 files .* torn\.csv: row 21"):
        load(tmp_path)
    dataset = load(tmp_path, max_broken=0.2)
    assert len(dataset) == 90
    assert [item.id for item in dataset.broken] == ["torn.csv"]


def test_a_link_to_itself_is_a_broken_file(tmp_path: Path):
    (tmp_path / "a.csv").write_text(GOOD)
    (tmp_path / "b.csv").symlink_to(tmp_path / "b.csv")
    (item,) = load(tmp_path, max_broken=0.5).broken
    assert item.id == "b.csv"
    assert "Too many levels of symbolic links" in item.reason


@pytest.mark.parametrize("name", ["", "bad\udcff.csv"], ids=["folder", "file"])
def test_a_file_name_that_is_not_text_is_refused_by_name(tmp_path: Path, name: str):
    (tmp_path / "bad\udcff.csv").write_text(GOOD)
    with pytest.raises(DataError, match=r"bad\\udcff\.csv'\. Rename the file"):
        load(tmp_path / name)


def test_in_a_stream_a_broken_file_stands_where_it_lies(tmp_path: Path):
    (tmp_path / "a.csv").write_text(GOOD)
    (tmp_path / "b.csv").write_text(doubled())
    (tmp_path / "c.csv").write_text(GOOD)
    config = sensors.Config(window="4", stride="4", max_broken=1)
    modality = sensors.build(config, sensors.measure(tmp_path, config))
    assert modality.contents(tmp_path).samples == 21
    chunks = list(modality.stream(tmp_path, start=8, size=6))
    assert [(len(chunk.ids), [item.id for item in chunk.broken]) for chunk in chunks] == [
        (5, ["b.csv"]),
        (6, []),
        (1, []),
    ]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"window": "100"}, DataError, r"no window of 100 rows without a gap: give a shorter --window"),
        ({"window": "10s"}, ConfigError, r"--window 10s is less than a row"),
        ({"resample": "2"}, ConfigError, r"--resample '2': add the unit of the time, such as 2s"),
        ({"time_column": "when"}, DataError, r"no column 'when'; it has: time, x, y"),
        ({"long_format": "sensor"}, ConfigError, r"name two columns"),
        ({"max_broken": 2.0}, ConfigError, r"0 to 1"),
    ],
    ids=["window", "row", "unit", "time", "long", "broken"],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, settings: dict, error: type, message: str):
    (tmp_path / "a.csv").write_text(GOOD)
    with pytest.raises(error, match=message):
        load(tmp_path, **settings)


def test_a_length_of_time_needs_times(tmp_path: Path):
    (tmp_path / "a.csv").write_text("x\n" + "\n".join(map(str, range(0, 100, 2))))
    with pytest.raises(ConfigError, match="the series have no times; give a number of rows"):
        load(tmp_path, window="10min")


def test_a_channel_that_is_missing_later_is_named(tmp_path: Path):
    (tmp_path / "a.csv").write_text(GOOD)
    (tmp_path / "b.csv").write_text(GOOD.replace("time,x,y", "time,x,z"))
    with pytest.raises(TooManyBrokenError, match=r"b\.csv: it has no channel 'y'"):
        load(tmp_path)


def test_labels_of_different_kinds_are_refused_with_both_files(tmp_path: Path):
    (tmp_path / "a.csv").write_text("x,fault\n" + "1,0\n" * 4)
    (tmp_path / "b.csv").write_text("x,fault\n" + "1,stuck\n" * 4)
    with pytest.raises(DataError, match=r"'fault' of --labels holds numbers in a\.csv and texts in b\.csv"):
        load(tmp_path, labels=("fault",))


def test_a_label_that_is_too_large_makes_a_broken_file(tmp_path: Path):
    values = pa.table({"x": [1] * 8, "fault": pa.array([2**63] * 8, pa.uint64())})
    pq.write_table(values, tmp_path / "a.parquet")
    with pytest.raises(
        DataError, match=r"a\.parquet: the column 'fault': Integer value 9223372036854775808 not in range"
    ):
        load(tmp_path, labels=("fault",))


def test_a_misspelt_label_is_refused_and_one_that_the_training_lacks_is_not(tmp_path: Path):
    (tmp_path / "a.csv").write_text(GOOD.replace("time,x,y", "time,x,Anomaly"))
    with pytest.raises(DataError, match=r"a\.csv has no column 'anomly' for --labels; it has: time, x, Anomaly\. If"):
        load(tmp_path, labels=("anomly",))
    config = sensors.Config(window="4", labels=("fault",))
    spec = sensors.measure(tmp_path, config)
    assert spec.left_out[-1] == "fault: named with --labels, not in these files, and not needed here"
    (tmp_path / "b.csv").write_text(GOOD.replace("time,x,y", "time,x,fault"))
    assert not any("fault" in note for note in sensors.build(config, spec).notes(tmp_path / "b.csv"))


@pytest.mark.parametrize(
    ("label", "column", "refused"),
    [
        ("is_fault", "Is Fault", True),
        ("on", "ON", True),
        ("lable", "label", True),
        ("faultt2", "fault-2", True),
        ("status", "status1", False),
        ("fault_1", "fault_2", False),
        ("temp_in", "temp_out", False),
        ("on", "oil", False),
    ],
)
def test_names_are_nearly_the_same_but_for_a_letter_and_not_for_a_digit(
    tmp_path: Path, label: str, column: str, refused: bool
):
    (tmp_path / "a.csv").write_text(GOOD.replace("time,x,y", f"time,x,{column}"))
    with pytest.raises(DataError, match="rename one of the two") if refused else nullcontext():
        load(tmp_path, labels=(label,))


@pytest.mark.parametrize("heading", ["time,x,x", "time,,"])
def test_two_columns_of_one_name_are_refused(tmp_path: Path, heading: str):
    (tmp_path / "a.csv").write_text(GOOD.replace("time,x,y", heading))
    with pytest.raises(
        DataError, match=r"a\.csv: 2 columns (are called 'x'|have no name): rename or remove all but one"
    ):
        load(tmp_path)


def test_empty_columns_without_a_name_do_no_harm(tmp_path: Path):
    (tmp_path / "a.csv").write_text("\n".join(f"{line},," for line in lines()))
    assert len(load(tmp_path)) == 10


@pytest.mark.parametrize("content", ["time,sensor,value,fault\n", "when,sensor,value\n2026-01-05T08:00:00,x,1\n"])
def test_a_file_with_one_value_a_row_and_no_rows_or_times_is_named(tmp_path: Path, content: str):
    rows = [f"2026-01-05T08:{minute:02d}:00,x,{minute}" for minute in range(40)]
    (tmp_path / "a.csv").write_text("\n".join(["time,sensor,value", *rows]))
    (tmp_path / "b.csv").write_text(content)
    with pytest.raises(TooManyBrokenError, match=r"b\.csv: (it has no column 'time'|it has no rows)"):
        load(tmp_path, long_format="sensor:value", labels=("fault",))


def every(seconds: int, rows: int = 40) -> str:
    times = np.datetime64("2026-01-05T08:00:00") + np.arange(rows) * np.timedelta64(seconds, "s")
    return "time,x,y\n" + "\n".join(f"{time},{2 * row},{row % 7}" for row, time in enumerate(times))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (every(60, rows=3), r"its rows \(3\) hold no window of 4 rows without a gap"),
        ("time,x,y\n", r"it has no rows"),
        (
            every(600),
            r"a row every 600 s, but one every 60 s in the series trained on: .* --resample of at least the longer one",
        ),
        (every(20), r"a row every 20 s, but one every 60 s"),
    ],
    ids=["short", "empty", "slower", "faster"],
)
def test_a_series_that_gives_no_window_or_other_ones_is_named(tmp_path: Path, content: str, reason: str):
    (tmp_path / "a.csv").write_text(GOOD)
    config = sensors.Config(window="4", stride="4")
    modality = sensors.build(config, sensors.measure(tmp_path, config))
    (tmp_path / "b.csv").write_text(content)
    with pytest.raises(TooManyBrokenError, match=rf"1 of 2 files .* b\.csv: .*{reason}"):
        modality.load(tmp_path)
    assert modality.contents(tmp_path).samples == 11
    (chunk,) = modality.stream(tmp_path)
    assert [(len(chunk.ids), [item.id for item in chunk.broken])] == [(10, ["b.csv"])]


def test_of_two_rates_in_as_many_files_one_is_the_usual_one(tmp_path: Path):
    (tmp_path / "a.csv").write_text(every(60))
    (tmp_path / "b.csv").write_text(every(10))
    (item,) = load(tmp_path, max_broken=0.5).broken
    assert item.id == "a.csv"
    assert "every 60 s, but one every 10 s" in item.reason
    assert not load(tmp_path, resample="60s", window="2").broken


def test_a_rate_that_only_trembles_is_the_same_rate(tmp_path: Path):
    (tmp_path / "a.csv").write_text(every(60))
    (tmp_path / "b.csv").write_text(every(66))
    assert len(load(tmp_path)) == 20


@pytest.mark.parametrize("window", ["4", "10min"])
def test_times_that_stand_still_are_named_and_no_step_of_zero(tmp_path: Path, window: str):
    (tmp_path / "a.csv").write_text(every(0))
    with pytest.raises(DataError, match=r"a\.csv: row 2 has the same time as the one before it"):
        load(tmp_path, window=window)


@pytest.mark.parametrize("name", ["nowhere", "notes.md"])
def test_no_series_at_all_is_said(tmp_path: Path, name: str):
    (tmp_path / "notes.md").write_text("no series")
    with pytest.raises(DataError, match=r"does not exist|no file of series"):
        load(tmp_path / name)
    with pytest.raises(DataError, match=r"no file of series in .*other files: 1 \.md"):
        load(tmp_path)


def test_no_numeric_column_is_said(tmp_path: Path):
    (tmp_path / "a.csv").write_text("who,what\nkim,press\nlee,lathe\n")
    with pytest.raises(DataError, match=r"no numeric column.*who: not numeric"):
        load(tmp_path)


def test_missing_values_are_missing_and_nothing_else(tmp_path: Path):
    (tmp_path / "a.csv").write_text(replaced(2, "2026-01-05T08:01:00,,1"))
    dataset = load(tmp_path)
    assert np.isnan(dataset.batch(np.array([0]))[0, 0]).tolist() == [False, True, False, False]
