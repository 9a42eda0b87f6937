"""What the tests of the service share: a service of an export, and files to send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vssl import runtime
from vssl.serve.samples import Samples
from vssl.serve.service import Service
from vssl.serve.store import Store

HERE = "http://127.0.0.1"


def service_of(folder: Path, tmp_path: Path, **settings: Any) -> Service:
    decider = runtime.load(folder)
    return Service(decider, Store(f"sqlite:///{tmp_path / 'd.sqlite'}"), Samples(tmp_path / "samples"), **settings)


def pictures(line: Path, count: int) -> list[Path]:
    return sorted(line.parent.rglob("*.png"))[:count]


def files_of(paths: list[Path]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (path.name, path.read_bytes())) for path in paths]
