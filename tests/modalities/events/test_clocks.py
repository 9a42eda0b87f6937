"""Windows of time: a stamp that strays, a clock that is set back, and logs without a clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vssl.errors import DataError
from vssl.modalities import events
from vssl.modalities.events.modality import EventModality, Sessions

START = datetime(2024, 5, 6, 8, tzinfo=UTC)
CONFIG = events.Config(window="10min")


def at(row: int, step: int = 10) -> datetime:
    return START + timedelta(seconds=step * row)


def log(count: int, first: int = 0, form: str = "%Y-%m-%d %H:%M:%S") -> list[str]:
    return [f"{at(row):{form}} INFO cycle {row} done" for row in range(first, first + count)]


def write(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def read(source: Path, config: events.Config = CONFIG) -> tuple[EventModality, Sessions]:
    modality = events.build(config, events.measure(source, config))
    return modality, modality.load(source)


def begins(data: Sessions) -> list[datetime]:
    return data.metadata["time"].to_pylist()


def sizes(data: Sessions) -> list[int]:
    return data.metadata["events"].to_pylist()


def test_a_date_within_a_message_or_a_trace_moves_no_clock(tmp_path: Path):
    lines = log(600)
    lines.insert(100, "    valid until: 2039-02-01 00:00:00 UTC, licence of press-3")
    lines[300] += " until 2039-02-01 00:00:00"
    _, data = read(write(tmp_path / "a.log", lines))
    assert sizes(data) == [60, 61, *[60] * 8]
    assert begins(data)[-1] == at(540)


@pytest.mark.parametrize("year", ["2039", "1970"])
def test_a_line_with_a_stray_stamp_is_as_late_as_the_one_before_and_is_named(tmp_path: Path, year: str):
    lines = log(600)
    lines[100] = lines[100].replace("2024", year)
    modality, data = read(write(tmp_path / "a.log", lines))
    assert sizes(data) == [60] * 10
    assert begins(data) == [at(60 * row) for row in range(10)]
    note = next(text for text in modality.notes(tmp_path / "a.log") if "falls back once" in text)
    assert "line 10" in note
    assert year in note


def test_a_clock_that_starts_anew_until_it_is_set_gets_windows_of_its_own(tmp_path: Path):
    boot = [f"2000-01-01 00:{row // 60:02d}:{row % 60:02d} INFO boot {row}" for row in range(600)]
    modality, data = read(write(tmp_path / "a.log", [*log(120), *boot, *log(120, 240)]))
    assert sizes(data) == [60, 60, 600, 60, 60]
    assert [time.year for time in begins(data)] == [2024, 2024, 2000, 2024, 2024]
    assert begins(data)[-1] == at(300)
    lines = events.build(events.Config(), modality.spec).load(tmp_path / "a.log")
    assert begins(lines)[-1].year == 2024  # no year is added to stamps that name theirs


@pytest.mark.parametrize("zones", [("", ""), ("+02", "+01"), ("+0200", "+0100"), (" CEST", " CET")], ids=str)
def test_the_hour_after_summer_time_is_no_window_of_two_hours(tmp_path: Path, zones: tuple[str, str]):
    local = [at(row, 60) - timedelta(hours=8) - timedelta(hours=row >= 180) for row in range(360)]
    lines = [f"{time:%Y-%m-%d %H:%M:%S}{zones[row >= 180]} LOG: checkpoint {row}" for row, time in enumerate(local)]
    _, data = read(write(tmp_path / "a.log", lines))
    assert sizes(data) == [10] * 36
    if zones[0]:
        assert begins(data) == [at(10 * row, 60) - timedelta(hours=10) for row in range(36)]


@pytest.mark.parametrize("step", [-10, 3347])
def test_lines_in_no_order_of_time_have_no_windows_of_time(tmp_path: Path, step: int):
    lines = [log(1, row * step % 6000)[0] for row in range(600)]
    path = write(tmp_path / "a.log", lines)
    with pytest.raises(DataError, match=r"a\.log.* oldest to the newest"):
        read(path)
    assert len(read(path, events.Config())[1]) == 30


@pytest.mark.parametrize(
    "line",
    [
        lambda row: f"INFO cycle {row}",
        lambda row: f"{at(row):%H:%M} cycle {row}",
        lambda row: f"{3_600_000 + 10_000 * row} INFO cycle {row}",
        lambda row: f"door {row % 4} opened by card {1_500_000_000 + 7919 * row}",
        lambda row: f"{at(row):%d}. toukokuuta 2024 {at(row):%H:%M:%S} cycle {row}",
    ],
)
def test_windows_of_time_without_a_clock_are_refused_with_the_lines_that_were_tried(
    tmp_path: Path, line: Callable[[int], str]
):
    path = write(tmp_path / "a.log", [line(row) for row in range(300)])
    with pytest.raises(DataError) as caught:
        read(path)
    assert "a.log: --window 10min needs the time" in str(caught.value)
    assert repr(line(0)[:80]) in str(caught.value)
    assert "--window 20" in str(caught.value)
    modality, _ = read(path, events.Config())
    assert any("No time stamp is recognised" in note for note in modality.notes(path))


def test_new_data_with_stamps_of_another_form_are_refused_or_said(tmp_path: Path):
    trained = write(tmp_path / "a.log", log(600))
    other = write(tmp_path / "b.log", log(600, form="%d.%m.%Y %H:%M:%S"))
    half = write(tmp_path / "c.log", [*log(300), *log(300, 300, "%d.%m.%Y %H:%M:%S")])
    modality, _ = read(trained)
    for path, first in ((other, 1), (half, 301)):
        with pytest.raises(DataError, match=rf"{path.name}: from line {first} on .* no time stamp"):
            modality.load(path)
    by_lines, _ = read(trained, events.Config())
    assert any("Not one line has such a time stamp" in note for note in by_lines.notes(other))
    assert any("300 of 600 lines have no time stamp" in note for note in by_lines.notes(half))


@pytest.mark.parametrize(
    ("scale", "clock"), [(1, "epoch"), (10**3, "epoch ms"), (10**6, "epoch us"), (10**9, "epoch ns")]
)
@pytest.mark.parametrize("kind", [int, str])
def test_the_unit_of_epochs_in_json_is_decided_once(tmp_path: Path, scale: int, clock: str, kind: type):
    objects = [{"ts": kind(int(at(row).timestamp()) * scale), "msg": f"job {row}"} for row in range(600)]
    objects[70]["ts"] = kind(int(at(70).timestamp()) * scale * 1000)
    modality, data = read(write(tmp_path / "a.jsonl", [json.dumps(item) for item in objects]))
    assert modality.spec.reading.timestamp_format == clock
    assert sizes(data) == [60] * 10
    assert begins(data) == [at(60 * row) for row in range(10)]


def test_milliseconds_since_a_start_are_no_time_since_1970(tmp_path: Path):
    path = write(tmp_path / "a.jsonl", [json.dumps({"ts": 3_600_000 + row, "msg": f"job {row}"}) for row in range(60)])
    with pytest.raises(DataError, match=r"a\.jsonl: .*any of the fields .*'\{\"ts\": 3600000"):
        read(path)
    with pytest.raises(DataError, match="--time-field"):
        read(path, events.Config(time_field="ts"))
    assert "time" not in read(path, events.Config())[1].metadata.column_names


def test_an_uptime_gives_gaps_and_windows_but_no_date(tmp_path: Path):
    lines = [f"[{row * 10:12.6f}] usb 1-{row % 4}: new device" for row in range(600)]
    _, data = read(write(tmp_path / "a.log", lines))
    assert sizes(data) == [60] * 10
    assert "time" not in data.metadata.column_names


def test_a_rotated_log_goes_on_over_new_year(tmp_path: Path):
    write(tmp_path / "app.log.1", [f"Dec 31 23:{row:02d}:00 host app: tick" for row in range(60)])
    write(tmp_path / "app.log", [f"Jan  1 00:{row:02d}:00 host app: tick" for row in range(60)])
    modality, data = read(tmp_path, replace(CONFIG, window="1h"))
    assert begins(data)[1] - begins(data)[0] == timedelta(hours=1)
    assert any("name no year" in note for note in modality.notes(tmp_path))


def test_the_clock_is_sought_in_all_files_and_the_first_lines_may_be_others(tmp_path: Path):
    write(tmp_path / "a.log", ["=== started ===", "version 3", *["banner"] * 300, *log(2000)])
    for number in range(10):
        write(tmp_path / f"b{number}.log", log(60, 60 * number))
    modality, _ = read(tmp_path, events.Config())
    assert modality.spec.reading.timestamp_format == "iso"


def test_the_day_of_the_week_and_the_month_are_in_no_template(tmp_path: Path):
    def apache(day: int) -> list[str]:
        start = datetime(2024, 5, day, tzinfo=UTC)
        times = [start + timedelta(seconds=7 * row) for row in range(200)]
        return [f"[{time:%a %b %d %H:%M:%S %Y}] [notice] child {row} found" for row, time in enumerate(times)]

    modality, _ = read(write(tmp_path / "monday.log", apache(27)))
    assert [item.text for item in modality.spec.templates] == ["[notice] child <number> found"]
    later = modality.load(write(tmp_path / "saturday.log", [line.replace("May", "Jun") for line in apache(18)]))
    assert set(later.metadata["unknown"].to_pylist()) == {0}
