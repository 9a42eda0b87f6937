"""Encodings of logs: recognised once per file, said, or refused; never two events made one."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from vssl.errors import BrokenFileError, ConfigError
from vssl.modalities import events
from vssl.modalities.events import file_encodings

JAPANESE = ("装置の温度が高い", "ポンプを停止しました", "認証に失敗しました", "認証に成功しました")
CHINESE = ("认证 失败", "认证 成功", "温度过高 停止")
LATIN = ("Température élevée", "Gerät läuft", "Öffnung geschlossen")


def log(texts: tuple[str, ...], count: int = 300) -> str:
    return "".join(
        f"2024-05-06 08:{row // 60 % 60:02d}:{row % 60:02d} gate {texts[row % len(texts)]}\n" for row in range(count)
    )


def read(source: Path, **settings: str) -> tuple[events.EventModality, list[str]]:
    config = events.Config(**settings)
    spec = events.measure(source, config)
    return events.build(config, spec), sorted(item.text for item in spec.templates)


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        *[(name, JAPANESE) for name in ("euc_jp", "cp932", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")],
        ("gb18030", CHINESE),
        ("cp1252", LATIN),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_encodings_are_recognised_and_those_that_are_not_utf_8_are_said(
    tmp_path: Path, name: str, texts: tuple[str, ...], packed: bool
):
    path = tmp_path / ("a.log.gz" if packed else "a.log")
    data = log(texts).encode(name)
    path.write_bytes(gzip.compress(data) if packed else data)
    modality, templates = read(path)
    assert templates == sorted(f"gate {text}" for text in texts)
    assert modality.load(path).metadata["damaged"].to_pylist() == [0] * 15
    said = [note for note in modality.notes(path) if "Read as" in note]
    assert len(said) == (not name.startswith("utf-8"))
    assert all(name in note and path.name in note for note in said)


def test_two_kanji_words_alone_stay_two_events_in_euc_jp(tmp_path: Path):
    (tmp_path / "a.log").write_bytes(log(("認証 失敗", "認証 成功")).encode("euc_jp"))
    assert read(tmp_path)[1] == ["gate 認証 失敗", "gate 認証 成功"]


def test_a_log_that_is_ascii_for_long_is_decided_by_its_other_lines(tmp_path: Path):
    (tmp_path / "a.log").write_bytes((log(("opened",), 50_000) + log(JAPANESE)).encode("cp932"))
    assert set(read(tmp_path)[1]) == {"gate opened", *(f"gate {text}" for text in JAPANESE)}


def test_later_files_with_little_evidence_are_read_as_the_training_was(tmp_path: Path):
    (tmp_path / "a.log").write_bytes(log(JAPANESE).encode("euc_jp"))
    (tmp_path / "b.log").write_bytes(log(("認証に失敗しました",), 2).encode("euc_jp"))
    modality, _ = read(tmp_path / "a.log")
    assert modality.spec.reading.encodings == ("euc_jp",)
    assert modality.load(tmp_path / "b.log").metadata["unknown"].to_pylist() == [0]
    assert file_encodings.file_encoding(tmp_path / "b.log", "", ("euc_jp",)) == "euc_jp"


def test_lines_that_cannot_be_decoded_are_refused_by_file_and_line(tmp_path: Path):
    good, bad = log(JAPANESE).encode(), log(JAPANESE, 4).encode("cp932")
    path = tmp_path / "a.log"
    path.write_bytes(good + bad)
    with pytest.raises(BrokenFileError, match=r"a\.log: 4 of 304 lines, the first of them line 301, .*--encoding"):
        read(path)
    path.write_bytes(good + bad[: bad.index(b"\n") + 1])
    modality, _ = read(path)
    assert any("1 of 301 lines hold undecodable bytes" in note for note in modality.notes(path))


def test_a_log_that_was_spoilt_by_an_earlier_conversion_is_refused(tmp_path: Path):
    (tmp_path / "a.log").write_text(log(JAPANESE).encode("euc_jp").decode(errors="replace"))
    with pytest.raises(BrokenFileError, match="earlier conversion"):
        read(tmp_path)


def test_an_encoding_can_be_forced_and_a_wrong_one_is_refused(tmp_path: Path):
    path = tmp_path / "a.log"
    path.write_bytes(log(JAPANESE).encode("cp932"))
    assert read(path, encoding="cp932")[1] == sorted(f"gate {text}" for text in JAPANESE)
    (tmp_path / "sent.log").write_text(log(JAPANESE))  # as samples are kept that a service was sent
    assert read(path, encoding="cp932")[0].load(tmp_path / "sent.log").metadata["unknown"].to_pylist() == [0] * 15
    with pytest.raises(BrokenFileError, match="decoded as utf-8"):
        read(path, encoding="utf-8")
    for name in ("klingon", "base64"):
        with pytest.raises(ConfigError, match=f"--encoding '{name}'"):
            read(path, encoding=name)
