"""How fast logs are read, and in how much memory: templates found, windows and sessions made.

    python benchmarks/speed_events.py --lines 100000 1000000

The log is that of the made-up controller (`vssl.modalities.events.demo`). Every measurement is a process of its own.
Windows are to need the same memory however long the log is; sessions by a key are open until the last line, so they do not.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import tyro

from vssl.files import write_json
from vssl.modalities import events
from vssl.modalities.events.demo import SESSION, Controller, jobs
from vssl.training.describe import machine, versions

OUT = Path(__file__).parent / "results" / "speed_events.json"
MODES = {"windows": events.Config(), "sessions": events.Config(session=SESSION)}


@dataclass(frozen=True)
class Options:
    """Speed and memory of reading logs.

    Attributes:
        lines: Lengths of the logs.
        out: Where the record goes.
        file: Set by this program itself: the log that one process reads.
        mode: Set by this program itself: windows or sessions.
    """

    lines: tuple[int, ...] = (100_000, 1_000_000)
    out: Path = OUT
    file: Path | None = None
    mode: str = "windows"


def main(options: Options) -> None:
    if options.file is not None:
        print(json.dumps(_measured(options.file, MODES[options.mode])))
        return
    rows: list[dict[str, Any]] = []
    for lines in options.lines:
        with tempfile.TemporaryDirectory() as folder:
            path = _written(Path(folder) / "made.log", lines)
            for mode in MODES:
                command = [sys.executable, __file__, "--file", str(path), "--mode", mode]
                found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                rows.append({"lines": lines, "mode": mode, **found})
                print(" ".join(f"{key}={value}" for key, value in rows[-1].items()), flush=True)
    about = {
        "command": " ".join(["python benchmarks/speed_events.py", *sys.argv[1:]]),
        "versions": versions(),
        "machine": machine(torch.device("cpu")),
    }
    write_json(options.out, about | {"rows": rows})


def _written(path: Path, lines: int) -> Path:
    """A log of so many lines, job after job."""
    made = (line for job in jobs(Controller(), 0, lines) for line in job.lines)
    with path.open("w") as file:
        file.writelines(f"{moment:%Y-%m-%d %H:%M:%S} {text}\n" for moment, text in islice(made, lines))
    return path


def _measured(path: Path, config: events.Config) -> dict[str, float]:
    before_mib = _peak_mib()
    start = time.perf_counter()
    spec = events.measure(path, config)
    mined_s = time.perf_counter() - start
    modality = events.build(config, spec)
    start = time.perf_counter()
    samples = sum(len(chunk.ids) for chunk in modality.stream(path))
    read_s = time.perf_counter() - start
    return {
        "mined_lines_per_s": round(spec.lines.read / mined_s),
        "read_lines_per_s": round(spec.lines.read / read_s),
        "samples_per_s": round(samples / read_s),
        "templates": len(spec.templates),
        "memory_mib": round(_peak_mib() - before_mib, 1),
    }


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(tyro.cli(Options))
