"""The lines that stay, and what is said aloud."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from vssl.errors import StorageError
from vssl.training.health import LatentStatistics
from vssl.training.progress import MetricLogger, progress_bar

HEALTHY = LatentStatistics(9.0, 0.9, -1.5, "healthy")
COLLAPSED = LatentStatistics(1.0, 0.01, None, "complete collapse: all samples have nearly the same latent")
RATES = {"samples_per_s": 100.0, "data_wait": 0.1}


def log(logger: MetricLogger, step: int, latents: LatentStatistics = HEALTHY) -> None:
    logger.log(step, 1.0, step / 100, 0.5, latents, RATES, {"prior_nats": 0.25})


def steps(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_line_holds_all_that_was_measured(tmp_path: Path):
    with MetricLogger(tmp_path, None) as logger:
        log(logger, 10)
        log(logger, 20, COLLAPSED)
    first, second = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    assert first == {
        "step": 10,
        "seconds": 1.0,
        "progress": 0.1,
        "loss": 0.5,
        "samples_per_s": 100.0,
        "data_wait": 0.1,
        "effective_rank": 9.0,
        "total_std": 0.9,
        "health": "healthy",
        "log_variance": -1.5,
        "parts": {"prior_nats": 0.25},
    }
    assert "log_variance" not in second


def test_resuming_drops_later_lines_and_one_that_a_kill_cut_short(tmp_path: Path):
    with MetricLogger(tmp_path, None) as logger:
        for step in (10, 20, 30):
            log(logger, step)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "lo')
    with MetricLogger(tmp_path, None, after=20) as logger:
        log(logger, 30)
    assert steps(tmp_path) == [10, 20, 30]


def test_a_collapse_is_said_aloud_once(tmp_path: Path):
    terminal = Console(file=io.StringIO(), width=200)
    with MetricLogger(None, terminal) as logger:
        for step, health in ((10, HEALTHY), (20, COLLAPSED), (30, COLLAPSED)):
            log(logger, step, health)
    assert terminal.file.getvalue().count("complete collapse") == 1
    assert "step 20: complete collapse" in terminal.file.getvalue()
    assert logger.health == COLLAPSED.health


def test_other_processes_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with MetricLogger(None, None) as logger:
        log(logger, 10)
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_cannot_be_written_is_a_storage_error(tmp_path: Path):
    with MetricLogger(tmp_path, None) as logger:
        (tmp_path / "metrics.jsonl").unlink()
        (tmp_path / "metrics.jsonl").mkdir()
        with pytest.raises(StorageError, match=r"metrics\.jsonl cannot be written: .*vssl resume"):
            log(logger, 10)


def test_a_logger_that_cannot_be_started_is_a_storage_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        MetricLogger(tmp_path / "file" / "run", None)


def test_a_progress_bar_shows_the_work_to_be_done():
    terminal = Console(file=io.StringIO(), width=100, force_terminal=True)
    with progress_bar("reading", terminal) as on_progress:
        on_progress(3, 8)
    assert "3/8" in terminal.file.getvalue()
