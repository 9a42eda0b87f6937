"""Logs as they should not be: named, counted, and never a crash."""

from __future__ import annotations

import json
import lzma
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vssl.errors import BrokenFileError, ConfigError, DataError, EmptyDataError, TooManyBrokenError
from vssl.modalities import events
from vssl.modalities.events.files import LONGEST_LINE
from vssl.modalities.events.modality import EventModality

CONFIG = events.Config()


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def modality(source: Path, config: events.Config = CONFIG) -> EventModality:
    return events.build(config, events.measure(source, config))


def log(lines: int = 100) -> str:
    return "".join(f"2024-01-01 10:00:{row % 60:02d} INFO job {row} done\n" for row in range(lines))


def test_an_empty_file_is_named(tmp_path: Path):
    with pytest.raises(EmptyDataError, match=r"no line in empty\.log"):
        events.measure(write(tmp_path / "empty.log", ""), CONFIG)


def test_a_folder_without_logs_says_what_it_holds(tmp_path: Path):
    for name in ("syslog", "picture.png"):
        write(tmp_path / name, "x")
    with pytest.raises(EmptyDataError, match=r"no log file .*other files: .*1 \.png"):
        events.measure(tmp_path, CONFIG)


def test_a_path_that_does_not_exist_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="nowhere does not exist"):
        events.measure(tmp_path / "nowhere", CONFIG)


def test_an_empty_session_and_a_ragged_line_are_broken_samples_with_their_row(tmp_path: Path):
    path = write(tmp_path / "s.txt", "".join(f"s{row},a b\n" for row in range(300)) + "s300,\nno comma here\n")
    dataset = modality(path).load(path)
    assert len(dataset) == 300
    assert [item.id for item in dataset.broken] == ["s.txt@301", "s.txt@302"]
    assert "'s300' has no event" in dataset.broken[0].reason
    assert "id,event event" in dataset.broken[1].reason


def test_too_many_broken_sessions_are_refused_and_the_first_are_named(tmp_path: Path):
    path = write(tmp_path / "s.txt", "a,x y\nb,x\nc,\nd,x\n")
    with pytest.raises(TooManyBrokenError, match=r"1 of 4 samples .*s\.txt@3"):
        modality(path).load(path)
    assert len(modality(path, replace(CONFIG, max_broken=0.5)).load(path)) == 3


def test_sessions_of_one_name_keep_both_and_get_names_of_their_own(tmp_path: Path):
    path = write(tmp_path / "s.txt", "a,x y\nb,x\na,y\n")
    dataset = modality(path).load(path)
    assert list(dataset.ids) == ["a", "b", "a@s.txt:3"]


def test_an_event_that_the_training_never_had_is_unknown_and_stays_visible(tmp_path: Path):
    trained = modality(write(tmp_path / "train.log", log()))
    path = write(tmp_path / "new.log", log(19) + "2024-01-01 10:00:30 FATAL disk on fire\n")
    dataset = trained.load(path)
    assert dataset.metadata["unknown"].to_pylist() == [1]
    assert dataset.metadata["unknown_text"].to_pylist() == ["FATAL disk on fire"]
    assert trained.eval_view(dataset.batch(np.arange(1))).tokens[0].tolist().count(1) == 1


def test_a_line_of_50_mb_is_cut_and_counted_in_little_memory(tmp_path: Path):
    path = tmp_path / "long.log"
    with path.open("wb") as file:
        file.write(b"INFO start\n")
        for _ in range(50):
            file.write(b"x" * 2**20)
        file.write(b"\nINFO stop\n")
    tracemalloc.start()
    spec = events.measure(path, CONFIG)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (spec.lines.read, spec.lines.cut) == (3, 1)
    assert max(len(template.text) for template in spec.templates) == LONGEST_LINE
    assert peak < 5 * 2**20
    assert modality(path).load(path).metadata["damaged"].to_pylist() == [1]


def test_bytes_that_are_no_utf_8_are_replaced_and_counted(tmp_path: Path):
    text = (log(30) + "INFO température haute\n").encode() * 10
    path = write(tmp_path / "a.log", text + b"INFO temp\xe9rature high\n")
    spec = events.measure(path, CONFIG)
    assert spec.lines.undecodable == 1
    assert any("temp\ufffdrature" in template.text for template in spec.templates)


def test_mixed_line_ends_and_empty_lines_change_nothing_but_the_count(tmp_path: Path):
    plain = events.measure(write(tmp_path / "a.log", "INFO start\nINFO work\nINFO stop\n"), CONFIG)
    mixed = events.measure(write(tmp_path / "b.log", "\ufeffINFO start\r\n\n  \r\nINFO work\rINFO stop"), CONFIG)
    assert mixed.templates == plain.templates
    assert (mixed.lines.read, mixed.lines.empty) == (5, 2)


def test_a_broken_json_line_is_named_by_file_and_row(tmp_path: Path):
    lines = [json.dumps({"message": f"job {row} done"}) for row in range(3000)]
    lines[41] = '{"message": "job 4'
    lines[42] = '{"text_of_it": 1}'
    lines[43] = '{"message": "job 43 done", "ts": ' + "9" * 5000 + "}"
    lines[44] = '{"message": "job 44 done", "ts": ' + "9" * 400 + "}"
    lines[45] = '{"message": "job 45 done", "ts": 1e999}'
    path = write(tmp_path / "app.jsonl", "\n".join(lines))
    dataset = modality(path, replace(CONFIG, max_broken=0.02)).load(path)
    assert [item.id for item in dataset.broken] == ["app.jsonl@42", "app.jsonl@43", "app.jsonl@44"]
    assert "no JSON" in dataset.broken[0].reason
    assert "no field message" in dataset.broken[1].reason


def test_half_a_character_of_json_is_replaced_and_counted(tmp_path: Path):
    row = {"msg": "bad \ud800 text", "job": "j\udfff", "level": "\ud83d", "host": {"na\ud800me": 1}}
    path = write(tmp_path / "a.jsonl", json.dumps(row) + "\n" + json.dumps({"msg": "good \U0001f600", "job": "k"}))
    config = replace(CONFIG, session="job", line_label="level", metadata_fields=("host",))
    data = modality(path, config).load(path)
    assert list(data.ids) == ["j\ufffd", "k"]
    assert data.metadata["damaged"].to_pylist() == [1, 0]
    assert data.metadata["label"].to_pylist() == ["\ufffd", None]
    assert data.metadata["host"].to_pylist() == ['{"na\ufffdme": 1}', None]
    assert [item.text for item in modality(path, config).spec.templates] == ["bad \ufffd text", "good \U0001f600"]


def test_a_file_name_that_is_not_text_is_refused_by_name(tmp_path: Path):
    with open(os.fsencode(tmp_path) + b"/bad\xff.log", "wb"):  # noqa: PTH123 - a path of bytes
        pass
    for source in (tmp_path, tmp_path / "bad\udcff.log"):
        with pytest.raises(DataError, match=r"bad\\udcff\.log"):
            events.measure(source, CONFIG)


def test_a_binary_file_is_refused_under_its_name(tmp_path: Path):
    with pytest.raises(BrokenFileError, match=r"picture\.log: it holds zero bytes"):
        events.measure(write(tmp_path / "picture.log", bytes(range(256)) * 100), CONFIG)


def test_a_compressed_file_that_is_cut_off_is_refused_with_the_last_line_read(tmp_path: Path):
    noise = np.random.default_rng(0).integers(10**9, size=20_000)
    data = lzma.compress("\n".join(f"job {number}" for number in noise).encode())
    with pytest.raises(BrokenFileError, match=r"cut\.log\.xz: it cannot be read behind line \d+"):
        events.measure(write(tmp_path / "cut.log.xz", data[: len(data) * 3 // 4]), CONFIG)
    with pytest.raises(BrokenFileError, match=r"fake\.log\.gz: it cannot be read at its start"):
        events.measure(write(tmp_path / "fake.log.gz", "no gzip at all"), CONFIG)


def test_a_link_that_points_nowhere_is_named(tmp_path: Path):
    trained = modality(write(tmp_path / "a.log", log()))
    (tmp_path / "b.log").symlink_to(tmp_path / "gone.log")
    with pytest.raises(BrokenFileError, match=r"b\.log: it cannot be read: No such file"):
        trained.contents(tmp_path)


def test_a_session_pattern_that_fits_no_line_is_named(tmp_path: Path):
    path = write(tmp_path / "a.log", log())
    with pytest.raises(EmptyDataError, match="--session blk_ fits no line"):
        events.measure(path, replace(CONFIG, session="blk_"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": "5 minutes"}, "--window '5 minutes' is neither"),
        ({"window": "0"}, "--window '0' is neither"),
        ({"window": "20", "stride": "5min"}, "must both be lines, or both time"),
        ({"window": "20", "stride": "40"}, "lines would be lost"),
        ({"session": "blk_("}, "--session 'blk_\\(' is no regular expression"),
        ({"line_label": "("}, "--line-label '\\(' is no regular expression"),
        ({"length": 4}, "events.length is 4"),
        ({"similarity": 1.5}, "events.similarity is 1.5"),
        ({"max_broken": 2.0}, "events.max_broken is 2.0"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_is_named(changes: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        replace(CONFIG, **changes)


def test_labels_from_two_places_are_refused(tmp_path: Path):
    path = write(tmp_path / "a.log", log())
    config = replace(CONFIG, line_label="(INFO)", label_from="file")
    with pytest.raises(DataError, match="both give labels"):
        modality(path, config).load(path)
