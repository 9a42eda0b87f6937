"""The lines that stay, and what is said aloud."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from vssl.errors import StorageError
from vssl.training.health import Health
from vssl.training.progress import Journal, counting

HEALTHY = Health(9.0, 0.9, -1.5, "healthy")
COLLAPSED = Health(1.0, 0.01, None, "complete collapse: all samples have nearly the same latent")
RATES = {"images_per_s": 100.0, "data_wait": 0.1}


def log(journal: Journal, step: int, health: Health = HEALTHY) -> None:
    journal.log(step, 1.0, step / 100, 0.5, health, RATES, {"prior_nats": 0.25})


def steps(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_line_holds_all_that_was_measured(tmp_path: Path):
    with Journal(tmp_path, None) as journal:
        log(journal, 10)
        log(journal, 20, COLLAPSED)
    first, second = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    assert first == {
        "step": 10,
        "seconds": 1.0,
        "share": 0.1,
        "loss": 0.5,
        "images_per_s": 100.0,
        "data_wait": 0.1,
        "effective_rank": 9.0,
        "spread": 0.9,
        "health": "healthy",
        "log_variance": -1.5,
        "parts": {"prior_nats": 0.25},
    }
    assert "log_variance" not in second


def test_resuming_drops_later_lines_and_one_that_a_kill_cut_short(tmp_path: Path):
    with Journal(tmp_path, None) as journal:
        for step in (10, 20, 30):
            log(journal, step)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "lo')
    with Journal(tmp_path, None, after=20) as journal:
        log(journal, 30)
    assert steps(tmp_path) == [10, 20, 30]


def test_a_collapse_is_said_aloud_once(tmp_path: Path):
    terminal = Console(file=io.StringIO(), width=200)
    with Journal(None, terminal) as journal:
        for step, health in ((10, HEALTHY), (20, COLLAPSED), (30, COLLAPSED)):
            log(journal, step, health)
    assert terminal.file.getvalue().count("complete collapse") == 1
    assert "step 20: complete collapse" in terminal.file.getvalue()
    assert journal.verdict == COLLAPSED.verdict


def test_other_processes_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with Journal(None, None) as journal:
        log(journal, 10)
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_cannot_be_written_is_a_storage_error(tmp_path: Path):
    with Journal(tmp_path, None) as journal:
        (tmp_path / "metrics.jsonl").unlink()
        (tmp_path / "metrics.jsonl").mkdir()
        with pytest.raises(StorageError, match=r"metrics\.jsonl cannot be written: .*vssl resume"):
            log(journal, 10)


def test_a_journal_that_cannot_be_started_is_a_storage_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        Journal(tmp_path / "file" / "run", None)


def test_a_count_shows_the_work_to_be_done():
    terminal = Console(file=io.StringIO(), width=100, force_terminal=True)
    with counting("reading", terminal) as on_progress:
        on_progress(3, 8)
    assert "3/8" in terminal.file.getvalue()
