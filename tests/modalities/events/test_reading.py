"""From files to samples: formats, time stamps, sessions and windows."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from vssl.decisions.episodes import SPAN
from vssl.decisions.exchangeability import windows_overlap
from vssl.modalities import events
from vssl.modalities.events.collector import CONTENT_HASH_COLUMNS, FIRST_TEMPLATE, TRUNCATED, log_code
from vssl.modalities.events.files import RawLine
from vssl.modalities.events.lines import JsonLineParser, TextLineParser
from vssl.modalities.events.modality import EventModality, Sessions
from vssl.types import Embeddings

CONFIG = events.Config()


def read(source: Path, config: events.Config = CONFIG) -> tuple[EventModality, Sessions]:
    modality = events.build(config, events.measure(source, config))
    return modality, modality.load(source)


def write(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def spans(data: Sessions) -> list[tuple[int, int]]:
    return list(zip(data.metadata["first"].to_pylist(), data.metadata["last"].to_pylist(), strict=True))


def test_the_format_is_recognised(tmp_path: Path):
    sessions = write(tmp_path / "s.csv", ["a,x y", "b,", "c,z"])
    objects = write(tmp_path / "o.log", ['{"msg": "a"}', '{"msg": "b"}'])
    # No blank before the comma, but no session either.
    lines = write(tmp_path / "l.log", ["2015-10-18T18:01:47,978 INFO x", "2015-10-18T18:01:48,000 INFO y"])
    found = {path: events.measure(path, replace(CONFIG, max_broken=1.0)).reading for path in (sessions, objects, lines)}
    assert [reading.format for reading in found.values()] == ["sessions", "jsonl", "lines"]


def test_the_time_leaves_the_message_and_becomes_a_gap(tmp_path: Path):
    path = write(tmp_path / "a.log", [f"2024-01-01 10:00:{row:02d} INFO tick" for row in (0, 1, 3, 11)])
    modality, data = read(path)
    assert [template.text for template in modality.spec.templates] == ["INFO tick"]
    assert data.raw[0, 1, CONTENT_HASH_COLUMNS : CONTENT_HASH_COLUMNS + 4].tolist() == [
        0,
        log_code(1000),
        log_code(2000),
        log_code(8000),
    ]
    assert modality.eval_view(data.raw).gaps[0, 1].item() == pytest.approx(1.0, abs=0.02)
    assert data.metadata["time"].to_pylist()[0].isoformat() == "2024-01-01T10:00:00+00:00"


def test_a_clock_without_a_year_passes_new_years_eve(tmp_path: Path):
    path = write(tmp_path / "a.log", ["Dec 31 23:59:59 host tick", "Jan  1 00:00:01 host tick"])
    _, data = read(path, replace(CONFIG, window="1h"))
    assert data.raw[0, 1, CONTENT_HASH_COLUMNS + 1].item() == log_code(2000)


@pytest.mark.parametrize("lines", [1, 7, 8, 9, 12, 13])
@pytest.mark.parametrize("stride", ["8", "4", "1"])
def test_windows_of_lines_hold_every_line_and_end_where_the_file_ends(tmp_path: Path, lines: int, stride: str):
    path = write(tmp_path / "a.log", [f"INFO line {row}" for row in range(lines)])
    _, data = read(path, replace(CONFIG, window="8", stride=stride))
    assert set().union(*(range(first, last + 1) for first, last in spans(data))) == set(range(1, lines + 1))
    assert {last - first + 1 for first, last in spans(data)} == {min(8, lines)}
    assert len(data) == 1 + -(-max(0, lines - 8) // int(stride)) == len(set(data.ids))


def test_windows_of_time_hold_the_lines_of_their_time_and_are_not_empty(tmp_path: Path):
    seconds = (0, 10, 59, 60, 61, 300)
    path = write(tmp_path / "a.log", [f"2024-01-01 10:{s // 60:02d}:{s % 60:02d} INFO tick" for s in seconds])
    _, apart = read(path, replace(CONFIG, window="1min"))
    assert spans(apart) == [(1, 3), (4, 5), (6, 6)]
    _, overlapping = read(path, replace(CONFIG, window="1min", stride="30s"))
    assert spans(overlapping) == [(1, 3), (3, 5), (4, 5), (6, 6)]
    assert list(overlapping.ids) == ["a.log@1-3", "a.log@3-5", "a.log@4-5", "a.log@6-6"]


def test_windows_that_overlap_say_so_as_those_of_series_do_and_have_blocks(tmp_path: Path):
    path = write(tmp_path / "a.log", [f"2024-01-01 00:{row:02d}:00 INFO tick" for row in range(40)])
    for window, stride in (("4", "2"), ("4min", "2min")):
        data = read(path, replace(CONFIG, window=window, stride=stride))[1].metadata
        assert set(SPAN) < set(data.column_names)
        assert data["series"].to_pylist() == data["source"].to_pylist()
        assert list(zip(data["start"].to_pylist(), data["end"].to_pylist(), strict=True))[:2] == [(1, 5), (3, 7)]
        assert windows_overlap(Embeddings(data))
        first = data.filter(pc.equal(data["block"], data["block"][0]))
        assert first["start"].to_pylist() == list(range(1, 8 * 4 + 1, 2))
    for config in (CONFIG, replace(CONFIG, stride="2", session="INFO (.*)")):
        assert not {*SPAN, "block"} & set(read(path, config)[1].metadata.column_names)


def test_no_window_crosses_the_border_of_two_files(tmp_path: Path):
    for name in ("app.log", "app.log.10", "app.log.2"):
        write(tmp_path / name, ["INFO a", "INFO b", "INFO c"])
    _, data = read(tmp_path, replace(CONFIG, window="2"))
    assert list(data.ids) == [f"app.log{age}@{span}" for age in (".10", ".2", "") for span in ("1-2", "2-3")]


def test_a_session_goes_on_in_the_younger_of_two_rotated_files(tmp_path: Path):
    dated = ("c.log.2025-01-30.gz", "c.log.2025-01-31", "c.log")
    for names in (("a.log.2.gz", "a.log.1", "a.log"), ("b.log-20250130", "b.log-20250131", "b.log"), dated):
        lines = [f"2024-01-01 10:00:0{row} blk_{names[2][0]} step {'abc'[row]}" for row in range(3)]
        for name, line in zip(names, lines, strict=True):
            data = f"{line}\n".encode()
            (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    _, found = read(tmp_path, replace(CONFIG, session="blk_[abc]"))
    assert found.metadata["source"].to_pylist() == ["a.log.2.gz", "b.log-20250130", dated[0]]
    assert (found.raw[:, 1, CONTENT_HASH_COLUMNS + 1 : CONTENT_HASH_COLUMNS + 3] == log_code(1000)).all()


def test_a_session_key_brings_lines_together_wherever_they_stand(tmp_path: Path):
    lines = ["open blk_1 now", "open blk_-2 now", "no key here", "close blk_1", "close blk_-2", "read blk_1"]
    write(tmp_path / "a.log.1", lines[:4])
    write(tmp_path / "a.log", lines[4:])
    modality, data = read(tmp_path, replace(CONFIG, session=r"blk_-?\d+"))
    assert list(data.ids) == ["blk_1", "blk_-2"]
    assert data.metadata["events"].to_pylist() == [3, 2]
    assert {template.text for template in modality.spec.templates} == {
        "open <session> now", "close <session>", "read <session>",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "left"),
    [
        ("1", "job 1 took 1.5 s, 11 at 10.1.2.1:80 (1)", "job <session> took 1.5 s, 11 at 10.1.2.1:80 (<session>)"),
        ("blk_-1", "blk_-1 blk_-12 /data/blk_-1 blk_-1_7", "<session> blk_-12 /data/<session> <session>_7"),
        ("ok", "ok: token ok, broken", "<session>: token <session>, broken"),
        ("a-a", "xa-a-a", "xa-<session>"),
        ("[7]", "x[7]y", "x<session>y"),
    ],
)  # fmt: skip
def test_a_sessions_name_is_no_part_of_other_words_and_numbers(name: str, text: str, left: str):
    reading = events.ParserSpec("jsonl", settings=events.Config(session="id"))
    line = JsonLineParser(reading)(RawLine(1, json.dumps({"id": name, "text": text}), False, False))
    assert (line.session, line.message) == (name, left)


def test_where_the_expression_found_the_session_its_name_may_be_part_of_a_word():
    reading = events.ParserSpec("lines", settings=events.Config(session=r"job(\w+)", message=r"INFO: (.*)"))
    line = TextLineParser(reading)(RawLine(1, "a INFO: jobab by abba", False, False))
    assert (line.session, line.message) == ("ab", "job<session> by abba")


def test_json_fields_give_message_session_time_label_and_metadata(tmp_path: Path):
    rows = [
        {"ts": "2015-10-18T18:01:47Z", "msg": "start", "job": {"id": 7}, "host": "a", "level": "ok"},
        {"ts": "2015-10-18T18:01:49Z", "msg": "stop", "job": {"id": 7}, "host": "b", "level": "ALARM"},
        {"ts": "2015-10-18T18:01:47Z", "msg": "start", "job": {"id": 8}, "host": "c", "level": "ok"},
    ]
    path = write(tmp_path / "a.jsonl", [json.dumps(row) for row in rows])
    _, data = read(path, replace(CONFIG, session="job.id", line_label="level", metadata_fields=("host",)))
    assert list(data.ids) == ["7", "8"]
    assert data.raw[0, 1, CONTENT_HASH_COLUMNS + 1].item() == log_code(2000)
    assert data.metadata["host"].to_pylist() == ["a", "c"]
    assert data.metadata["time"].to_pylist()[0].isoformat() == "2015-10-18T18:01:47+00:00"
    assert data.metadata["label"].to_pylist() == ["ALARM", "ok"]


def test_a_label_in_the_line_is_taken_out_of_it_and_the_worst_one_counts(tmp_path: Path):
    path = write(tmp_path / "a.log", ["- all is well", "KERNDTLB all is well", "- all is well", "- all is well"])
    modality, data = read(path, replace(CONFIG, window="2", line_label=r"^(\S+) "))
    assert data.metadata["label"].to_pylist() == ["KERNDTLB", "-"]
    assert [template.text for template in modality.spec.templates] == ["all is well"]


def test_labels_come_from_files_or_folders_only_when_asked(tmp_path: Path):
    write(tmp_path / "good" / "one.txt", ["a,x", "b,x"])
    write(tmp_path / "bad" / "two.txt", ["c,x"])
    assert "label" not in read(tmp_path)[1].metadata.column_names
    by = {kind: read(tmp_path, replace(CONFIG, label_from=kind))[1].metadata["label"] for kind in ("file", "folder")}
    assert by["file"].to_pylist() == ["two", "one", "one"]
    assert by["folder"].to_pylist() == ["bad", "good", "good"]


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [(".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)],
    ids=["gz", "xz", "bz2"],
)
def test_compressed_logs_are_read_as_plain_ones(tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]):
    text = "".join(f"INFO job {row}\n" for row in range(40)).encode()
    (tmp_path / "a.log").write_bytes(text)
    (tmp_path / f"b.log{suffix}").write_bytes(pack(text))
    plain, packed = (read(tmp_path / name)[1] for name in ("a.log", f"b.log{suffix}"))
    assert plain.raw.equal(packed.raw)


def test_of_a_session_that_is_too_long_the_head_the_tail_and_the_number_between_are_kept(tmp_path: Path):
    path = write(tmp_path / "s.txt", ["a,x x x", f"b,{' '.join(['x'] * 20 + ['y'] * 30)}"])
    _, data = read(path, replace(CONFIG, length=16))
    tokens, numbers = data.raw[1, :, CONTENT_HASH_COLUMNS:].tolist()
    assert tokens == [FIRST_TEMPLATE + 1] * 8 + [TRUNCATED] + [FIRST_TEMPLATE] * 7
    assert numbers[8] == log_code(50 - 15)
    assert data.metadata["events"].to_pylist() == [3, 50]


def test_the_same_session_elsewhere_is_the_same_sample_and_one_of_the_same_events_is_not(tmp_path: Path):
    _, first = read(write(tmp_path / "s.txt", ["a,x y", "b,x y"]))
    _, again = read(write(tmp_path / "t.txt", ["c,y", "a,x y"]))
    assert not first.raw[0].equal(first.raw[1])
    assert first.raw[0, :, CONTENT_HASH_COLUMNS:].equal(first.raw[1, :, CONTENT_HASH_COLUMNS:])
    assert first.raw[0, :, :CONTENT_HASH_COLUMNS].equal(again.raw[1, :, :CONTENT_HASH_COLUMNS])


def test_a_stream_of_many_lines_holds_only_a_chunk_of_them(tmp_path: Path):
    path = write(tmp_path / "a.log", [f"INFO job {row}" for row in range(2000)])
    modality, data = read(path)
    chunks = list(modality.stream(path, start=3, size=10))
    assert {len(chunk.ids) for chunk in chunks} == {10, 7}
    assert [name for chunk in chunks for name in chunk.ids] == list(data.ids)[3:]
    assert np.concatenate([chunk.raw for chunk in chunks]).tolist() == data.raw[3:].tolist()


def test_a_log_four_times_as_long_needs_no_more_memory(tmp_path: Path):
    def peak(lines: int) -> int:
        texts = [f"2024-01-01 10:00:00 INFO job {row} on /a/b{row}" for row in range(lines)]
        path = write(tmp_path / f"{lines}.log", texts)
        modality = events.build(CONFIG, events.measure(path, CONFIG))
        tracemalloc.start()
        assert sum(len(chunk.ids) for chunk in modality.stream(path, size=16)) == lines // 20
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(1000)  # what is imported and remembered once
    assert peak(8000) < 1.2 * peak(2000)


def test_a_long_word_between_commas_is_looked_at_once(tmp_path: Path):
    write(tmp_path / "a.log", [f"INFO,request={'0123456789abcdef' * 8},done {row}" for row in range(40)])
    _, found = read(tmp_path, replace(CONFIG, window="10", format="auto"))
    assert len(found) > 0
