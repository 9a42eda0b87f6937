"""Times as people write them: which column they are in, in which form, and in which order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from small_series import built
from vssl.errors import DataError, TooManyBrokenError, VsslError

START = dt.datetime(2026, 1, 5, 8)
ROWS = range(40)
EPOCH = dt.datetime(1970, 1, 1)


def at(row: int, seconds: int = 60) -> dt.datetime:
    return START + dt.timedelta(seconds=row * seconds)


def written(path: Path, name: str, times: list[str], delimiter: str = ",") -> Path:
    rows = [f"{time}{delimiter}{row % 9}" for row, time in enumerate(times)]
    path.write_text("\n".join([f"{name}{delimiter}x", *rows]) + "\n")
    return path


def begins(path: Path, **settings: object) -> list[str]:
    modality = built(path, **({"window": "1", "stride": "1"} | settings))
    return [name.partition("@")[2] for name in modality.load(path).ids]


def epoch(unit: int) -> Callable[[dt.datetime], str]:
    return lambda time: str(int((time - EPOCH).total_seconds()) * unit)


def excel(time: dt.datetime) -> str:
    return f"{25569 + (time - EPOCH).total_seconds() / 86400:.9f}"


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("Zeitstempel", "%d.%m.%Y %H:%M:%S"),
        ("Zeitstempel", "%d.%m.%y %H:%M"),
        ("日時", "%Y/%m/%d %H:%M:%S"),
        ("日時", "%Y年%m月%d日 %H時%M分%S秒"),
        ("Date/Time", "%d-%b-%Y %H:%M:%S"),
        ("anything", "%a %d %B %Y %I:%M:%S %p"),
        ("anything", "%B %d, %Y %H:%M"),
        ("t", "%Y-%m-%dT%H:%M:%S.500"),
        ("t", "%Y-%m-%d %H:%M:%S,500"),
        ("t", "%Y-%m-%dT%H:%M:%SZ"),
        ("t", "%Y-%m-%d %H:%M:%S+0000"),
        ("time", "%Y%m%d%H%M%S"),
        ("time", epoch(1)),
        ("timestamp", epoch(10**3)),
        ("ts", epoch(10**6)),
        ("x1", epoch(10**9)),
        ("Datum", excel),
    ],
)
def test_times_are_read_in_the_form_that_all_of_them_have(
    tmp_path: Path, name: str, form: str | Callable[[dt.datetime], str]
):
    times = [form(at(row)) if callable(form) else at(row).strftime(form) for row in ROWS]
    path = written(tmp_path / "a.csv", name, times, ";")
    half = ".5" if "500" in str(form) else ""
    assert begins(path) == [at(row).isoformat() + half for row in ROWS]


@pytest.mark.parametrize(
    ("form", "seconds"), [("%d/%m/%Y %H:%M:%S", 60), ("%m/%d/%Y %I:%M:%S %p", 60), ("%d-%m-%y %H:%M", 60)]
)
def test_a_day_that_may_be_a_month_is_refused_until_somebody_says(tmp_path: Path, form: str, seconds: int):
    path = written(tmp_path / "a.csv", "time", [at(row, seconds).strftime(form) for row in ROWS])
    with pytest.raises(DataError, match=r"a\.csv: the dates in the column 'time' .* may be .* --date-format"):
        built(path)
    assert begins(path, date_format=form)[-1] == at(39).isoformat()


@pytest.mark.parametrize("form", ["%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p"])
@pytest.mark.parametrize("seconds", [6 * 3600, 3600])
def test_all_values_together_tell_the_day_from_the_month(tmp_path: Path, form: str, seconds: int):
    path = written(tmp_path / "a.csv", "time", [at(row, seconds).strftime(form) for row in ROWS])
    assert begins(path) == [at(row, seconds).isoformat() for row in ROWS]


def test_the_training_tells_the_day_from_the_month_of_a_file_that_does_not(tmp_path: Path):
    form = "%m/%d/%Y %H:%M"
    path = written(tmp_path / "a.csv", "time", [at(row, 6 * 3600).strftime(form) for row in ROWS])
    modality = built(path, window="1")
    late = written(tmp_path / "b.csv", "time", [at(4 * row, 5400).strftime(form) for row in range(3)])
    assert modality.load(late).ids[-1] == "b.csv@" + at(8, 5400).isoformat()


@pytest.mark.parametrize("form", ["%Y-%m-%d;%H:%M:%S", "%d.%m.%Y;%H:%M", "%Y-%m-%d;%I:%M:%S %p"])
def test_a_date_and_a_time_of_day_in_two_columns_are_joined(tmp_path: Path, form: str):
    path = written(tmp_path / "a.csv", "Datum;Uhrzeit", [at(row, 3600).strftime(form) for row in ROWS], ";")
    assert begins(path) == [at(row, 3600).isoformat() for row in ROWS]
    modality = built(path)
    assert (modality.spec.time, modality.spec.channels) == ("Datum Uhrzeit", ("x",))
    assert any("two columns" in note for note in modality.notes(path))


@pytest.mark.parametrize("name", ["time", "uptime", "elapsed_s", "t"])
def test_seconds_from_a_start_are_no_day_of_1970_without_a_word(tmp_path: Path, name: str):
    path = written(tmp_path / "a.csv", name, [str(row / 2) for row in ROWS])
    modality = built(path)
    assert modality.spec.step_s == 0.5
    assert any("since a start that the file does not name" in note for note in modality.notes(path))
    path = written(tmp_path / "b.csv", "uptime_ms", [str(500 * row) for row in ROWS])
    assert built(path).spec.step_s == 0.5


@pytest.mark.parametrize("name", ["T", "h", "s1", "cycle_time", "date_code"])
def test_a_channel_that_is_called_a_little_like_a_time_stays_a_channel(tmp_path: Path, name: str):
    values = np.random.default_rng(0).normal(20, 1, 40)
    path = written(tmp_path / "a.csv", name, [f"{value:.2f}" for value in values])
    assert built(path).spec.channels == (name, "x")


@pytest.mark.parametrize(
    ("name", "times", "message"),
    [
        ("timestamp", [f"{1_714_982_400 * 10**12 + row}000" for row in ROWS], r"none of the years 1990 to 2100"),
        ("time", [str(row * 37 % 11) for row in ROWS], r"its numbers do not rise"),
        ("Zeitstempel", [f"Tag {row:05d} X" for row in ROWS], r"'Tag 00000 X' is none that is known: .* --date-format"),
        (
            "Zeit",
            [str(at(row)) if row != 30 else "gestern" for row in ROWS],
            r"row 31 has 'gestern' in the column 'Zeit'",
        ),
        (
            "Zeit",
            [*(f"{at(row):%d.%m.%Y %H:%M}" for row in range(39)), "31.02.2026 08:00"],
            r"row 40 has '31\.02\.2026",
        ),
    ],
)
def test_times_that_are_none_are_named(tmp_path: Path, name: str, times: list[str], message: str):
    with pytest.raises(VsslError, match=rf"a\.csv: .*{message}"):
        built(written(tmp_path / "a.csv", name, times))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("order", ["newest first", "in any order", "a late row", "two parts"])
def test_rows_out_of_order_are_put_in_order_and_it_is_said(tmp_path: Path, suffix: str, order: str):
    orders = {
        "newest first": [*ROWS][::-1],
        "in any order": np.random.default_rng(0).permutation(40).tolist(),
        "a late row": [*range(20), 21, 20, *range(22, 40)],
        "two parts": [*range(20, 40), *range(20)],
    }
    rows = orders[order]
    path = tmp_path / f"a.{suffix}"
    table = pa.table({"time": [at(row) for row in rows], "x": [row % 9 + 0.5 for row in rows]})
    if suffix == "parquet":
        pq.write_table(table, path)
    else:
        path.write_text("time,x\n" + "".join(f"{at(row)},{row % 9 + 0.5}\n" for row in rows))
    modality = built(path, window="1", stride="1")
    data = modality.load(path)
    assert [name.partition("@")[2] for name in data.ids] == [at(row).isoformat() for row in ROWS]
    assert data.batch(np.arange(40)).flatten().tolist() == [row % 9 + 0.5 for row in ROWS]
    streamed = np.concatenate([chunk.raw.numpy() for chunk in modality.stream(path)])
    np.testing.assert_array_equal(streamed, data.batch(np.arange(40)))
    said = "newest rows stand first" if order == "newest first" else "not in the order of time"
    assert any(said in note for note in modality.notes(path))


def test_a_long_file_is_sorted_as_a_short_one_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vssl.modalities.sensors.tables.BLOCK_BYTES", 4096)
    rows = [*range(3000), *range(3001, 4000), 3000]
    path = written(tmp_path / "a.csv", "time", [str(at(row)) for row in rows])
    assert begins(path) == [at(row).isoformat() for row in range(4000)]
    monkeypatch.setattr("vssl.modalities.sensors.rows.MAX_SORTED_ROWS", 3000)
    with pytest.raises(DataError, match=r"a\.csv: .* too many to sort here \(3,000\)"):
        begins(path, window="2")


@pytest.mark.parametrize(
    ("shift", "message"),
    [
        (60 * 60, r"row 91 has the same time as row 31 .* end of summer time, write times with their zone"),
        (60 * 60 - 30, r"row 91 has an earlier time .* the clock was set back, or the file holds several series"),
    ],
)
def test_the_hour_that_comes_twice_is_refused_with_advice(tmp_path: Path, shift: int, message: str):
    times = [at(row) - dt.timedelta(seconds=shift if row >= 90 else 0) for row in range(200)]
    with pytest.raises(DataError, match=message):
        built(written(tmp_path / "a.csv", "time", [str(time) for time in times]))


def test_a_clock_without_a_date_that_begins_again_is_refused(tmp_path: Path):
    times = [f"{(START + dt.timedelta(hours=row)):%H:%M:%S}" for row in range(30)]
    with pytest.raises(DataError, match=r"row 17 has an earlier time .* no date and begin again"):
        built(written(tmp_path / "a.csv", "clock", times))


def test_of_several_columns_with_times_the_first_that_rises_is_taken_and_the_others_are_named(tmp_path: Path):
    rows = [f"{at(row * 7 % 40)},{at(row)},{int((at(row, 1) - EPOCH).total_seconds())},{row % 9}" for row in ROWS]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["received,measured,timestamp,x", *rows]) + "\n")
    modality = built(path)
    assert (modality.spec.time, modality.spec.channels) == ("measured", ("x",))
    said = " ".join(modality.notes(path))
    assert "'received' (another column with times; --time-column 'received' takes it)" in said
    assert "'timestamp' (another column" in said
    assert built(path, time_column="timestamp").spec.step_s == 1


def test_a_column_that_is_named_is_taken_or_its_absence_is_said(tmp_path: Path):
    path = written(tmp_path / "a.csv", "when", [str(at(row)) for row in ROWS])
    modality = built(path, time_column="when")
    other = written(tmp_path / "b.csv", "then", [str(at(row)) for row in ROWS])
    with pytest.raises(TooManyBrokenError, match=r"b\.csv: it has no column 'when' with the times"):
        modality.load(other)


def test_whole_seconds_and_parts_of_them_in_one_column_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vssl.modalities.sensors.tables.BLOCK_BYTES", 512)
    times = [str(at(row)) + (".25" if row > 70 else "") for row in range(90)]
    assert begins(written(tmp_path / "a.csv", "time", times))[-1] == at(89).isoformat() + ".25"


def test_times_as_texts_in_parquet_are_read(tmp_path: Path):
    path = tmp_path / "a.parquet"
    texts = pa.array([f"{at(row):%d.%m.%Y %H:%M:%S}" for row in ROWS]).dictionary_encode()
    pq.write_table(pa.table({"Zeit": texts, "x": [row % 9 for row in ROWS]}), path)
    assert begins(path) == [at(row).isoformat() for row in ROWS]
