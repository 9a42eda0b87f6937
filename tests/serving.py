"""What the tests of the service share: a service of an export, and files to send."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

from vssl import runtime
from vssl.serving.app import build
from vssl.serving.limits import Limits
from vssl.serving.samples import Samples
from vssl.serving.service import Service
from vssl.serving.store import Store

HERE = "http://127.0.0.1"


def service_of(folder: Path, tmp_path: Path, **settings: Any) -> Service:
    decider = runtime.load(folder)
    return Service(decider, Store(f"sqlite:///{tmp_path / 'd.sqlite'}"), Samples(tmp_path / "samples"), **settings)


def pictures(line: Path, count: int) -> list[Path]:
    return sorted(line.parent.rglob("*.png"))[:count]


def files_of(paths: list[Path]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (path.name, path.read_bytes())) for path in paths]


@contextmanager
def running(service: Service) -> Iterator[str]:
    """The service in a thread, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(build(service, Limits()), port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


def log_lines(count: int, seed: int) -> list[str]:
    """Lines of a made-up log, a few seconds apart."""
    rng = np.random.default_rng(seed)
    times = np.datetime64("2026-03-01T08:00:00") + np.cumsum(rng.integers(1, 5, count)).astype("timedelta64[s]")
    kinds = (
        "door {} opened",
        "door {} closed",
        "motor {} started at speed {}",
        "motor {} stopped",
        "sensor {} read {}",
    )
    return [
        f"{time} INFO {kinds[kind].format(*rng.integers(1, 99, 2))}"
        for time, kind in zip(times, rng.integers(len(kinds), size=count), strict=True)
    ]
