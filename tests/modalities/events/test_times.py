"""Time stamps: every format that is recognised, where in a line it may stand, and what is no clock."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from stamped_lines import WRITTEN, written
from vssl.modalities.events import ParserSpec, TimestampPosition
from vssl.modalities.events.files import RawLine
from vssl.modalities.events.lines import TextLineParser
from vssl.modalities.events.timestamp_formats import FORMATS, YearRollover
from vssl.modalities.events.timestamps import TimestampReader, detect

START = datetime(2024, 5, 30, 22, 58, 0, 125_000, tzinfo=UTC)
MOMENTS = [START + timedelta(seconds=47 * row) for row in range(200)]


@pytest.mark.parametrize(("name", "form"), [(name, form) for name, forms in WRITTEN.items() for form in forms])
def test_every_format_is_recognised_read_and_taken_out_of_the_message(name: str, form: str):
    lines = [
        f"{written(form, moment)} INFO job {row} on 2019-01-{row % 28 + 1:02d} 03:04:05 done"
        for row, moment in enumerate(MOMENTS)
    ]
    clock = detect([[line.replace("\x1b[32m", "").replace("\x1b[0m", "") for line in lines]])
    assert clock.format == name
    reading = ParserSpec("lines", clock.format, positions=clock.positions, tail=clock.tail)
    read = TextLineParser(reading)
    found = [read(RawLine(row, line, False, False)) for row, line in enumerate(lines, 1)]
    fraction = any(mark in form for mark in ("%f", "{ms}", "125"))
    for line, moment in zip(found, MOMENTS, strict=True):
        true = moment if fraction else moment.replace(microsecond=0)
        true = true if FORMATS[name].named else true.replace(year=2000)
        assert line.time_s == pytest.approx(true.timestamp(), abs=1e-3)
    # What is left does not change with the day, the month or the weekday.
    left = {line.message.partition("job ")[0] for line in found}
    assert len(left) == 1
    assert not any(word in " ".join(left) for word in ("May", "Thu", "2024", ":58"))


def test_the_table_has_an_example_of_every_format():
    assert {*WRITTEN, "md yy", "uptime"} == set(FORMATS)


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("Z", 0), ("+02", 2), ("+0200", 2), ("-03:30", -3.5), (" +0900", 9), (" UTC", 0), (" CEST", 2), (" GMT", 0)],
)
def test_zones_are_read(zone: str, hours: float):
    clock = detect([[f"{moment:%Y-%m-%d %H:%M:%S}{zone} up" for moment in MOMENTS]])
    read = TimestampReader(clock.format, clock.positions, clock.tail)
    found = read(f"2024-05-30 22:58:00{zone} up")
    assert found is not None
    assert found[0] == START.replace(microsecond=0).timestamp() - 3600 * hours
    assert found[2] == len(f"2024-05-30 22:58:00{zone}")


def test_a_value_behind_the_stamp_is_neither_a_zone_nor_a_fraction():
    lines = [
        f"{moment:%Y-%m-%d %H:%M:%S} {'+' if row % 3 else '-'}0{row % 900:03d} rpm"
        for row, moment in enumerate(MOMENTS)
    ]
    lines = [line if row % 4 else f"{line[:19]} steady" for row, line in enumerate(lines)]
    columns = [f"{moment:%Y-%m-%d %H:%M:%S},{row},INFO" for row, moment in enumerate(MOMENTS)]
    for texts in (lines, columns):
        clock = detect([texts])
        read = TimestampReader(clock.format, clock.positions, clock.tail)
        for text, moment in zip(texts, MOMENTS, strict=True):
            found = read(text)
            assert found is not None
            assert found[0] == moment.replace(microsecond=0).timestamp()


@pytest.mark.parametrize("order", ["dmy", "mdy"])
@pytest.mark.parametrize("days", [1, 9, 20])
def test_day_and_month_are_told_apart_by_the_values_of_many_lines_or_it_is_said(order: str, days: int):
    form = "%d/%m/%Y %H:%M:%S" if order == "dmy" else "%m/%d/%Y %H:%M:%S"
    start = datetime(2024, 5, 2, tzinfo=UTC)
    lines = [f"{start + timedelta(days=days) * row / 400:{form}} INFO tick" for row in range(400)]
    clock = detect([lines])
    assert (clock.format, clock.alternative) == (("dmy", "mdy") if days == 1 else (order, ""))
    assert detect([lines], order).format == order
    assert not detect([lines], order).alternative


@pytest.mark.parametrize("step", [7919, -7919, 97_001_833])
def test_a_number_that_a_word_names_or_that_is_in_no_order_is_no_clock(step: int):
    cards = [1_500_000_000 + (row * step) % 99_999_999 for row in range(400)]
    assert not detect([[f"door {row % 4} opened by card {card}" for row, card in enumerate(cards)]]).format
    assert not detect([[f"card={card} opened door {row % 4}" for row, card in enumerate(cards)]]).format
    if step > 10**6:
        assert not detect([[f"{card} opened door {row % 4}" for row, card in enumerate(cards)]]).format


def test_dates_of_something_else_within_the_messages_are_no_clock():
    generator = random.Random(0)
    dates = [datetime(2024, 1, 1) + timedelta(days=generator.randrange(200)) for _ in range(400)]
    assert not detect([[f"snapshot of {date:%Y-%m-%d %H:%M:%S} verified" for date in dates]]).format
    own = [
        f"{moment:%b %d %H:%M:%S} nas backupd[7]: of {date:%Y-%m-%d} 02:00:00"
        for moment, date in zip(MOMENTS, dates[:200], strict=True)
    ]
    assert detect([own]).format == "syslog"


def test_a_word_that_begins_like_a_month_is_none():
    for word in ("generator", "output", "Sets", "maintenance", "decoder"):
        assert not detect([[f"{word} 12 {moment:%H:%M:%S} on" for moment in MOMENTS]]).format


def test_a_stamp_at_another_place_is_not_read():
    clock = detect([[f"{moment:%Y-%m-%d %H:%M:%S} INFO tick" for moment in MOMENTS]])
    read = TimestampReader(clock.format, clock.positions, clock.tail)
    for text in ("    notAfter: 2038-01-19 03:14:07 GMT", "until 2038-01-19 03:14:07", "\t2038-01-19 03:14:07"):
        assert read(text) is None
    assert read("2015-02-31 18:01:47 no such day") is None
    assert read("2015-02-21 24:01:47 no such hour") is None


def test_levels_of_one_or_two_words_before_the_stamp_give_two_places():
    levels = ("[ERROR]", "[ INFO]", "[ WARN]")
    lines = [f"{levels[row % 3]} {moment:%Y-%m-%d %H:%M:%S} tick" for row, moment in enumerate(MOMENTS)]
    clock = detect([lines])
    read = TimestampReader(clock.format, clock.positions, clock.tail)
    assert {place.word for place in clock.positions} == {1, 2}
    assert all(read(line) is not None for line in lines)


def test_a_log_of_mostly_stack_traces_has_a_clock():
    lines = []
    for moment in MOMENTS:
        lines += [f"{moment:%Y-%m-%d %H:%M:%S} ERROR failed", "Traceback (most recent call last):", *["  at line"] * 30]
    assert detect([lines]).format == "iso"


def test_the_uptime_of_a_kernel_is_no_date_but_has_gaps():
    lines = [f"[{row * 1.7:12.6f}] usb 1-{row % 4}: new device" for row in range(20_000, 20_200)]
    clock = detect([lines])
    assert clock.format == "uptime"
    found = TimestampReader(clock.format, clock.positions, clock.tail)(lines[3])
    assert found is not None
    assert found[0] == pytest.approx(20_003 * 1.7)
    assert not FORMATS["uptime"].since_1970


def test_a_clock_without_a_year_goes_on_over_new_year_and_comes_back_from_a_stray_date():
    def day(month: int, number: int) -> float:
        return datetime(2000, month, number, tzinfo=UTC).timestamp()

    years = YearRollover()
    found = [
        years(time_s)
        for time_s in (day(12, 30), day(12, 31), day(1, 1), day(1, 2), day(7, 1), day(1, 3), day(12, 25), day(1, 4))
    ]
    assert found[3] - found[0] == 4 * 86400 - 86400  # 30 December to 2 January
    assert found[5] - found[3] == 86400
    assert found[7] - found[3] == 2 * 86400


def test_a_place_is_found_again_with_its_prefix():
    read = TimestampReader("iso", (TimestampPosition(1, "["), TimestampPosition(0, "")), "")
    assert read("INFO [2024-05-06 08:00:00] x") == (datetime(2024, 5, 6, 8, tzinfo=UTC).timestamp(), 5, 26)
    assert read("INFO 2024-05-06 08:00:00 x") is None
