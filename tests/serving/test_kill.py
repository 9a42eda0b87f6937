"""The service as a process: killed under load, told to stop under load, and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, select

from vssl.serving.tables import DECISIONS

pytest_plugins = ["fixtures_runs", "fixtures_decisions", "fixtures_exports"]
pytestmark = pytest.mark.slow

CLIENTS = 6


class Process:
    """`vssl serve` with a database of its own."""

    def __init__(self, export: Path, database: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "vssl", "serve", str(export), "--port", str(port), "--threads", "1"]
        self.process = subprocess.Popen([*command, "--database", f"sqlite:///{database}"], stderr=subprocess.PIPE)
        self.url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                httpx.get(f"{self.url}/v1/health").raise_for_status()
                return
            except httpx.HTTPError:
                assert self.process.poll() is None, self.process.stderr.read() if self.process.stderr else ""
                time.sleep(0.1)
        raise TimeoutError

    def end(self, number: int) -> int:
        os.kill(self.process.pid, number)
        return self.process.wait(60)


@pytest.fixture
def started(exported: Path, tmp_path: Path) -> Iterator[Callable[[], Process]]:
    processes: list[Process] = []

    def start() -> Process:
        processes.append(Process(exported, tmp_path / "d.sqlite"))
        return processes[-1]

    yield start
    for process in processes:
        process.process.kill()
        process.process.wait()


class Load:
    """Clients that ask on and on, and keep the numbers they were answered with; `failed` are other answers."""

    def __init__(self, process: Process, picture: Path) -> None:
        self.numbers: list[int] = []
        self.failed: list[str] = []
        self._url, self._data = f"{process.url}/v1/decide", picture.read_bytes()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _ask(self, client: int) -> None:
        with httpx.Client() as session:
            for turn in range(100_000):
                try:
                    answer = session.post(self._url, files={"files": (f"{client}-{turn}.png", self._data)})
                except httpx.HTTPError:
                    return
                if answer.status_code != 200:
                    self.failed.append(answer.text)
                    return
                self.numbers.append(answer.json()["decisions"][0]["number"])

    def wait(self) -> None:
        for thread in self._threads:
            thread.join(60)


def stored(path: Path) -> set[int]:
    with create_engine(f"sqlite:///{path}").connect() as connection:
        return set(connection.scalars(select(DECISIONS.c.number)))


def test_killed_under_load_it_has_lost_no_decision_it_answered_with_and_goes_on(
    started: Callable[[], Process], line: Path, tmp_path: Path
):
    picture = next(line.parent.rglob("*.png"))
    first = started()
    load = Load(first, picture)
    time.sleep(2)
    first.end(signal.SIGKILL)
    load.wait()
    assert len(load.numbers) > 20
    assert set(load.numbers) <= stored(tmp_path / "d.sqlite")
    second = started()
    answer = httpx.post(f"{second.url}/v1/decide", files={"files": picture.read_bytes()}).json()
    assert answer["decisions"][0]["number"] > max(load.numbers)


def test_told_to_stop_under_load_it_answers_all_it_has_taken(
    started: Callable[[], Process], line: Path, tmp_path: Path
):
    process = started()
    load = Load(process, next(line.parent.rglob("*.png")))
    time.sleep(1)
    process.end(signal.SIGTERM)
    load.wait()
    assert len(load.numbers) > 10
    assert load.failed == []
    assert set(load.numbers) == stored(tmp_path / "d.sqlite")
