"""What a log is taken for: text, JSON lines or ready sessions; one log or two; and that it is said."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from vssl.errors import BrokenFileError, DataError
from vssl.modalities import events
from vssl.modalities.events.grouping import is_globally_unique
from vssl.modalities.events.modality import EventModality, Sessions


def write(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def read(source: Path, **settings: str) -> tuple[EventModality, Sessions]:
    config = events.Config(**settings)
    modality = events.build(config, events.measure(source, config))
    return modality, modality.load(source)


def sessions(names: list[str]) -> list[str]:
    generator = random.Random(0)
    return [f"{name},{' '.join(generator.choices('abcdef', k=9))}" for name in names]


@pytest.mark.parametrize("header", ["Severity,Text", "id,message", "Nummer,Stufe,Meldung"])
def test_a_table_of_levels_and_messages_is_text_without_its_header(tmp_path: Path, header: str):
    texts = [f"valve {row} moved to {row * 7 % 100} percent" for row in range(100)]
    levels = [("INFO", "WARN")[row % 2] for row in range(100)]
    columns = {"Severity": levels, "id": range(100), "Nummer": [f"{row},{level}" for row, level in enumerate(levels)]}
    first = columns[header.partition(",")[0]]
    path = write(tmp_path / "plc.csv", [header, *(f"{a},{b}" for a, b in zip(first, texts, strict=True))])
    modality, data = read(path)
    assert modality.spec.reading.format == "lines"
    assert list(data.ids) == [f"plc.csv@{row}-{row + 19}" for row in range(2, 102, 20)]
    assert any(repr(header) in note for note in modality.notes(path))


def test_levels_before_a_comma_are_no_sessions_and_the_likeness_is_said(tmp_path: Path):
    path = write(tmp_path / "plc.csv", [f"{('INFO', 'WARN')[row % 2]},valve {row % 5} moved" for row in range(100)])
    modality, data = read(path)
    assert (modality.spec.reading.format, len(data)) == ("lines", 5)
    assert any("--format sessions" in note for note in modality.notes(path))


def test_sessions_have_distinct_ids_and_few_kinds_of_events_and_may_have_a_header(tmp_path: Path):
    path = write(tmp_path / "s.csv", ["BlockId,EventSequence", *sessions([f"blk_{row}" for row in range(100)])])
    modality, data = read(path)
    assert (modality.spec.reading.format, len(data)) == ("sessions", 100)
    assert len(modality.spec.templates) == 6
    assert any("read as a session" in note for note in modality.notes(path))
    values = [f"{row},sensor {row * 17} reads {row * 31}" for row in range(100)]
    assert read(write(tmp_path / "v.csv", values))[0].spec.reading.format == "lines"


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("many", [True, False])
def test_json_that_is_not_an_object_per_line_is_refused_with_advice(tmp_path: Path, indent: int | None, many: bool):
    item = {"ts": "2024-05-06T08:00:00Z", "msg": "job done", "of": {"a": [1, 2]}}
    if not many and indent is None:
        return  # this is one JSON line
    text = json.dumps([item] * 40 if many else item, indent=indent)
    (tmp_path / "log.json").write_text(text)
    with pytest.raises(BrokenFileError, match=r"log\.json: .*jq -c"):
        read(tmp_path)


def test_files_of_two_formats_are_named(tmp_path: Path):
    write(tmp_path / "a.jsonl", [json.dumps({"msg": "done"})] * 40)
    write(tmp_path / "b.log", ["INFO done"] * 40)
    with pytest.raises(DataError, match=r"a\.jsonl holds JSON lines and b\.log does not"):
        read(tmp_path)


def test_sessions_of_equal_names_in_two_logs_are_two_and_it_is_said(tmp_path: Path):
    for host in ("left", "right"):
        write(tmp_path / f"{host}.log", [f"lot-{row // 3} step {'abc'[row % 3]}" for row in range(60)])
    modality, data = read(tmp_path, session=r"lot-\d+")
    assert len(data) == 40
    assert set(data.metadata["events"].to_pylist()) == {3}
    assert {"lot-0", "lot-0@right.log"} <= set(data.ids)
    assert any("20 names of sessions occur in several logs" in note for note in modality.notes(tmp_path))


@pytest.mark.parametrize(
    "names", [("app.log.1", "app.log"), ("app-2024-05-06.log", "app-2024-05-07.log"), ("app.log-20240506", "app.log")]
)
def test_the_parts_of_a_rotated_log_share_their_sessions(tmp_path: Path, names: tuple[str, str]):
    for part, name in enumerate(names):
        write(tmp_path / name, [f"lot-{row} step {part}" for row in range(20)])
    modality, data = read(tmp_path, session=r"lot-\d+")
    assert data.metadata["events"].to_pylist() == [2] * 20
    assert not any("several logs" in note for note in modality.notes(tmp_path))


def test_names_that_no_two_machines_give_bring_lines_of_several_logs_together(tmp_path: Path):
    for host in ("left", "right"):
        write(tmp_path / f"{host}.log", [f"blk_-16089996879{row:08d} step" for row in range(20)])
    assert read(tmp_path, session=r"blk_-?\d+")[1].metadata["events"].to_pylist() == [2] * 20


def test_which_names_are_unique():
    unique = ("blk_-1608999687919862906", "8a6e0804-2bd0-4672-b79d-d97027f9071a", "application_1445144423722_0021")
    assert all(map(is_globally_unique, unique))
    assert not any(
        map(is_globally_unique, ("job-1", "20240506", "lot-20240506080000-0001", "deadbeef", "session-of-machine"))
    )


def test_files_that_are_left_aside_are_counted(tmp_path: Path):
    write(tmp_path / "a.log", ["INFO done"] * 40)
    for name in ("syslog", "b.evtx", "c.evtx", ".hidden"):
        write(tmp_path / name, ["x"])
    modality, _ = read(tmp_path)
    assert any("2 .evtx" in note and "1 without a suffix" in note for note in modality.notes(tmp_path))


def test_a_tidy_log_has_no_note(tmp_path: Path):
    path = write(tmp_path / "a.log", [f"2024-05-06 08:00:{row:02d} INFO done" for row in range(60)])
    modality, _ = read(path)
    assert modality.notes(path) == []
