"""Requirements of a computer without torch: installed size, start-up, memory and time per decision on one core.

    make demo && vssl export vssl-demo/run
    python -m benchmarks.speed.small_computer vssl-demo/run/export vssl-demo/hold-out

Two fresh environments with the packages that the docs name, installed with pip: one for `vssl.runtime`, one for the
service. The service runs on the first core; its client, which sends one picture after the other, on the second.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
import tyro

from benchmarks import tables
from benchmarks.common.process import peak_mib, peak_mib_of
from benchmarks.common.record import RESULTS, Record

REPOSITORY = Path(__file__).parents[2]
RUNTIME = ("numpy", "onnxruntime", "pillow")
WEB = ("fastapi", "jaxtyping", "jinja2", "prometheus-client", "python-multipart", "scipy", "sqlalchemy", "uvicorn")
PAGES = ("/queue/review", "/history", "/figures", "/thresholds", "/map", "/changes")
STARTS = 5
DECIDE = """
import sys
from vssl.runtime.__main__ import main
main(sys.argv[1:])
print(open("/proc/self/status").read())
"""


@dataclass(frozen=True)
class Options:
    """An export on a small computer.

    Attributes:
        export: An export folder with a policy.
        pictures: A folder of pictures to decide on.
        requests: Number of decisions that are timed.
        out: File of the record.
    """

    export: tyro.conf.Positional[Path]
    pictures: tyro.conf.Positional[Path]
    requests: int = 300
    out: Path = RESULTS / "small_computer.json"


def main(options: Options) -> None:
    record = Record.create(options.out)
    pictures = sorted(options.pictures.rglob("*.png"))[: options.requests]
    os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory() as folder:
        record.add({"part": "runtime", **_runtime(Path(folder) / "runtime", options.export, pictures[0])})
        record.add({"part": "service", **_service(Path(folder) / "service", options.export, pictures)})
    tables.show("small_computer", record)


def _runtime(place: Path, export: Path, picture: Path) -> dict[str, float]:
    """Figures of `python -m vssl.runtime EXPORT PICTURE` on the first core."""
    python = _environment(place, RUNTIME)
    seconds, memory = [], []
    for _ in range(STARTS):
        started = time.perf_counter()
        ended = subprocess.run(
            ["taskset", "-c", "0", python, "-c", DECIDE, export, picture], capture_output=True, text=True, check=True
        )
        seconds.append(time.perf_counter() - started)
        memory.append(peak_mib_of(ended.stdout))
    return {"packages_mb": _packages_mb(place), "first_decision_s": median(seconds), "process_mb": median(memory)}


def _service(place: Path, export: Path, pictures: Sequence[Path]) -> dict[str, Any]:
    """Figures of `python -m vssl.serving EXPORT` on the first core: decisions over HTTP, first views of pages."""
    python = _environment(place, (*RUNTIME, *WEB))
    figures: dict[str, Any] = {"packages_mb": _packages_mb(place)}
    own = Path(shutil.copytree(export, place / "export", ignore=shutil.ignore_patterns("decisions*", "samples")))
    with _started(python, own) as (url, process, seconds), httpx.Client(base_url=url, timeout=60) as client:
        figures["start_s"] = seconds
        waits = []
        for path in pictures:
            begin = time.perf_counter()
            client.post("/v1/decide", files={"files": (path.name, path.read_bytes())}).raise_for_status()
            waits.append(1e3 * (time.perf_counter() - begin))
        figures |= {"decision_p50_ms": median(waits), "decision_p99_ms": float(np.quantile(waits, 0.99))}
        figures["process_mb"] = peak_mib(process.pid)
    with _started(python, own) as (url, process, _), httpx.Client(base_url=url, timeout=60) as client:
        figures["first_view_s"] = {}
        for page in PAGES:
            begin = time.perf_counter()
            client.get(page).raise_for_status()
            figures["first_view_s"][page] = time.perf_counter() - begin
        figures["process_mb_after_all_pages"] = peak_mib(process.pid)
    return figures


def _environment(place: Path, packages: Sequence[str]) -> Path:
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    python = place / "bin" / "python"
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *packages], check=True)
    subprocess.run([*pip, "--no-deps", REPOSITORY], check=True)
    return python


def _packages_mb(place: Path) -> float:
    """Size on the disk with compiled files, without pip itself."""
    packages = next(place.glob("lib/python3*/site-packages"))
    sizes = subprocess.run(["du", "-sk", *packages.iterdir()], capture_output=True, text=True, check=True).stdout
    rows = [line.split("\t") for line in sizes.splitlines()]
    own = ("pip", "setuptools", "pkg_resources")
    return round(sum(int(size) for size, path in rows if not Path(path).name.startswith(own)) / 1024, 1)


@contextmanager
def _started(python: Path, export: Path) -> Iterator[tuple[str, subprocess.Popen[bytes], float]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.perf_counter()
    process = subprocess.Popen(["taskset", "-c", "0", python, "-m", "vssl.serving", export, "--port", str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        while time.perf_counter() < started + 60:
            try:
                httpx.get(f"{url}/v1/health").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield url, process, time.perf_counter() - started
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main(tyro.cli(Options))
