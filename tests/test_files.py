import errno
import json
import os
from pathlib import Path

import pytest

from vssl.errors import StorageError
from vssl.files import atomic, write_json


def test_a_file_appears_with_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "figures.json"
    write_json(path, {"name": "Yanıkoğlu", "figures": [1, 2.5]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "Yanıkoğlu", "figures": [1, 2.5]}
    assert [item.name for item in path.parent.iterdir()] == ["figures.json"]


def test_a_file_is_not_there_before_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    with atomic(path) as file:
        file.write(b"half")
        assert not path.exists()
    assert path.read_bytes() == b"half"


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt()])
def test_whatever_ends_the_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "run.json"
    path.write_text("old")

    def write() -> None:
        with atomic(path) as file:
            file.write(b"new")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["run.json"]


def test_a_full_disk_leaves_the_old_file_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "run.json"
    path.write_text("old")
    monkeypatch.setattr("vssl.files.os.fsync", full)
    with pytest.raises(StorageError, match=r"run\.json cannot be written: No space left on device"):
        write_json(path, {})
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["run.json"]


def test_data_that_are_no_json_leave_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        write_json(path, {"settings": object()})
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["run.json"]


def test_a_folder_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/run\.json cannot be written"):
        write_json(tmp_path / "file" / "run.json", {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_a_storage_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="Permission denied"):
            write_json(tmp_path / "run.json", {})
    finally:
        tmp_path.chmod(0o700)


def test_others_may_read_what_was_written(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {})
    assert (tmp_path / "run.json").stat().st_mode & 0o777 == 0o644
