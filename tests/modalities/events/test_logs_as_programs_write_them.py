"""Logs as programs and machines write them: their times, columns and bytes are read rightly, or it is said."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vssl.errors import BrokenFileError, DataError
from vssl.modalities import events
from vssl.modalities.events.modality import EventModality, Sessions
from vssl.modalities.events.tokenise import SessionTokeniser

TIMES = [datetime(2024, 5, 6, 8, tzinfo=UTC) + timedelta(seconds=10 * row) for row in range(600)]
PLAIN = [f"{time:%Y-%m-%d %H:%M:%S} pump {row} started" for row, time in enumerate(TIMES)]


def read(folder: Path, data: list[str] | bytes, name: str = "a.log", **settings: str) -> tuple[EventModality, Sessions]:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else ("\n".join(data) + "\n").encode())
    config = events.Config(**{"window": "10min", **settings})
    modality = events.build(config, events.measure(path, config))
    return modality, modality.load(path)


def texts(modality: EventModality) -> list[str]:
    return [item.text for item in modality.spec.templates]


def check(data: Sessions) -> None:
    assert data.metadata["events"].to_pylist() == [60] * 10
    assert data.metadata["time"].to_pylist() == TIMES[::60]


@pytest.mark.parametrize("form", ["%m/%d/%Y %I:%M:%S %p", "%m/%d/%y %I:%M:%S %p", "%m/%d/%Y, %I:%M:%S %p"])
@pytest.mark.parametrize("write", [str, str.lower, lambda text: text.replace("AM", "a.m.")])
def test_dates_with_am_and_pm_have_the_month_first_and_it_is_said(
    tmp_path: Path, form: str, write: Callable[[str], str]
):
    modality, data = read(tmp_path, [f"{write(f'{time:{form}}')} started" for time in TIMES])
    check(data)
    assert texts(modality) == ["started"]
    assert any("are read as month/day/year" in note for note in modality.notes(tmp_path / "a.log"))
    later = [time + timedelta(days=row / 30, hours=6) for row, time in enumerate(TIMES)]
    modality, data = read(tmp_path, [f"{time:%d/%m/%Y %I:%M:%S %p} started" for time in later], window="20")
    assert data.metadata["time"].to_pylist() == [time.replace(microsecond=0) for time in later[::20]]


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("GMT+2", 2), ("UTC+02:00", 2), ("GMT-0330", -3.5), ("MESZ", 2), ("MEZ", 1), ("UTC", 0), ("UTC+10", 10)],
)
def test_an_offset_behind_utc_or_gmt_is_part_of_the_zone(tmp_path: Path, zone: str, hours: float):
    lines = [f"{time + timedelta(hours=hours):%Y-%m-%d %H:%M:%S} {zone} started" for time in TIMES]
    modality, data = read(tmp_path, lines)
    check(data)
    assert texts(modality) == ["started"]


@pytest.mark.parametrize(
    ("names", "month"),
    [("Jan janv. gennaio enero", 1), ("Feb févr. fevereiro", 2), ("März mars Mrz mrt", 3), ("avril abr", 4),
     ("Mai mayo maggio mei", 5), ("Juni juin giugno", 6), ("Juli juil. luglio", 7), ("août agosto", 8),
     ("septembre set", 9), ("Okt. ottobre outubro", 10), ("Novembre", 11), ("Dez déc. dicembre", 12)],
)  # fmt: skip
def test_names_of_months_are_read_in_other_languages(tmp_path: Path, names: str, month: int):
    for name in names.split():
        for form in (f"%d. {name} %Y %H:%M:%S", f"%d-{name}-%Y %H:%M:%S"):
            moments = [time.replace(month=month) for time in TIMES]
            _, data = read(tmp_path, [f"{time:{form}} INFO started" for time in moments])
            assert data.metadata["time"].to_pylist() == moments[::60]


@pytest.mark.parametrize(
    ("time", "message"),
    [
        (lambda time: {"__REALTIME_TIMESTAMP": str(int(time.timestamp() * 1e6))}, lambda text: {"MESSAGE": text}),
        (lambda time: {"timeUnixNano": f"{int(time.timestamp())}000000000"},
         lambda text: {"body": {"stringValue": text}}),
        (lambda time: {"Timestamp": time.isoformat()}, lambda text: {"Message": text}),
        (lambda time: {"@t": f"{time:%Y-%m-%dT%H:%M:%S}.1234567Z"}, lambda text: {"@m": text}),
        (lambda time: {"timestamp": time.timestamp()}, lambda text: {"short_message": text}),
        (lambda time: {"timestamp": f"{time:%Y-%m-%dT%H:%M:%SZ}"}, lambda text: {"textPayload": text}),
    ],
)  # fmt: skip
def test_json_of_usual_programs_needs_no_names_of_fields(
    tmp_path: Path, time: Callable[[datetime], dict], message: Callable[[str], dict]
):
    lines = [json.dumps(time(moment) | message(f"pump {row} started")) for row, moment in enumerate(TIMES)]
    modality, data = read(tmp_path, lines, "a.jsonl")
    assert data.metadata["events"].to_pylist() == [60] * 10
    assert abs(data.metadata["time"].to_pylist()[-1] - TIMES[540]) < timedelta(seconds=1)
    assert texts(modality) == ["pump <number> started"]


def test_json_without_a_text_is_refused_with_the_fields_that_it_has(tmp_path: Path):
    lines = [json.dumps({"eventTime": f"{time:%Y-%m-%dT%H:%M:%SZ}", "eventName": "Run"}) for time in TIMES]
    with pytest.raises(DataError, match=r"its fields are eventTime, eventName: .*--message"):
        read(tmp_path, lines, "a.jsonl")
    check(read(tmp_path, lines, "a.jsonl", message="eventName")[1])


def test_audit_records_have_a_clock(tmp_path: Path):
    kinds = ("type=SYSCALL", "type=PATH", "type=CWD")
    lines = [f"{kinds[row % 3]} msg=audit({time.timestamp():.3f}:{row}): ok" for row, time in enumerate(TIMES)]
    check(read(tmp_path, lines)[1])


@pytest.mark.parametrize("header", ["Zeit;Stufe;Meldung", '"Datum";"Stufe";"Meldetext"'])
@pytest.mark.parametrize("form", ["%d.%m.%Y %H:%M:%S", '"%d.%m.%Y %H:%M:%S"', '"%d.%m.%Y";"%H:%M:%S"'])
def test_columns_hold_no_words_together_and_quotes_are_taken_off(tmp_path: Path, header: str, form: str):
    levels = ("INFO", "WARN")
    lines = [f'{time:{form}};{levels[row % 2]};"pump {row} on; ok"' for row, time in enumerate(TIMES)]
    modality, data = read(tmp_path, [header, *lines], "a.csv")
    check(data)
    assert sorted(texts(modality)) == ["INFO; pump <number> on; ok", "WARN; pump <number> on; ok"]
    # A service is sent the same lines, perhaps with the header.
    encoder = SessionTokeniser(modality.spec)
    assert (encoder([header, *lines[:60]], "x") == data.raw[0].numpy()).all()


def test_a_header_of_words_in_german_is_no_event(tmp_path: Path):
    lines = [f"{('INFO', 'WARN')[row % 2]};pump {row % 3} an" for row in range(100)]
    modality, data = read(tmp_path, ["Stufe;Meldung", *lines], "a.csv", window="20")
    assert data.metadata["first"].to_pylist()[0] == 2
    assert sorted(texts(modality)) == ["INFO; pump <number> an", "WARN; pump <number> an"]


def test_a_clock_that_is_set_ahead_by_years_is_named(tmp_path: Path):
    boot = [f"2000-01-01 00:00:{row:02d} boot {row}" for row in range(20)]
    modality, _ = read(tmp_path, [*boot, *PLAIN])
    note = next(text for text in modality.notes(tmp_path / "a.log") if "jumps ahead once" in text)
    assert "line 20 of a.log says 2000-01-01 00:00:19, line 21 2024-05-06 08:00:00" in note


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (lambda time: f"{int(time.timestamp())} units", "start of each line: '1714982400' is 2024-05-06 08:00:00 UTC."),
        (lambda time: f"INFO {time:%Y-%m-%d %H:%M:%S} x", "the first word of each line: '2024-05-06 08:00:00' is 2024"),
        (lambda time: f"a - - [{time:%d/%b/%Y:%H:%M:%S} +0000] x", "the first 3 words of each line: '06/May/2024"),
        (lambda time: f"I{time:%m%d %H:%M:%S.%f} x", "'0506 08:00:00.000000' is 05-06 08:00:00."),
    ],
)  # fmt: skip
def test_what_an_unusual_stamp_is_read_as_is_said_and_of_a_usual_one_nothing(
    tmp_path: Path, line: Callable[[datetime], str], said: str
):
    modality, _ = read(tmp_path, [line(time) for time in TIMES])
    assert any(said in note for note in modality.notes(tmp_path / "a.log"))
    modality, _ = read(tmp_path, PLAIN)
    assert modality.notes(tmp_path / "a.log") == []


@pytest.mark.parametrize("place", [0, 300, 600])
def test_zero_bytes_of_a_loss_of_power_are_taken_out_and_counted(tmp_path: Path, place: int):
    lines = [f"{line}\n".encode() for line in PLAIN]
    modality, data = read(tmp_path, b"".join([*lines[:place], b"\0" * 9000, *lines[place:]]))
    check(data)
    assert texts(modality) == ["pump <number> started"]
    assert sum(data.metadata["damaged"].to_pylist()) == (place < 600)
    assert any("hold zero bytes" in note for note in modality.notes(tmp_path / "a.log"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_the_mark_of_an_encoding_between_files_put_together_is_no_text(tmp_path: Path, encoding: str):
    halves = ["".join(f"{line}\n" for line in half).encode(encoding) for half in (PLAIN[:300], PLAIN[300:])]
    modality, data = read(tmp_path, b"".join(halves))
    check(data)
    assert texts(modality) == ["pump <number> started"]


def test_binary_rubbish_decides_no_encoding_and_is_refused_with_its_line(tmp_path: Path):
    rubbish = random.Random(0).randbytes(5000)
    data = "\n".join(PLAIN[:300]).encode() + b"\n" + rubbish + b"\n" + "\n".join(PLAIN[300:]).encode()
    with pytest.raises(BrokenFileError, match=r"the first of them line 301, .* as utf-8"):
        read(tmp_path, data)


@pytest.mark.parametrize("encoding", ["cp850", "cp1252", "utf-8"])
def test_german_and_french_of_dos_is_not_taken_for_japanese(tmp_path: Path, encoding: str):
    words = ("Förderband läuft", "Tür geöffnet", "Übertemperatur Öl", "Température élevée", "Gerät geändert")
    lines = [f"{time:%Y-%m-%d %H:%M:%S} {words[row % 5]} {row}" for row, time in enumerate(TIMES)]
    modality, _ = read(tmp_path, "\n".join(lines).encode(encoding))
    assert sorted(texts(modality)) == sorted(f"{word} <number>" for word in words)
