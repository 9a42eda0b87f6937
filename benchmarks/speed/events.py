"""Speed and memory of reading event logs: finding templates, making windows and sessions.

    python -m benchmarks.speed.events --lines 100000 1000000

The log is that of the demo's controller (`vssl.modalities.events.demo`). Every measurement has a process of its own.
Windows need the same memory for logs of any length; sessions by a key are open until the last line, so their memory
grows.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import tyro

from benchmarks import tables
from benchmarks.common.process import in_own_process, peak_mib
from benchmarks.common.record import RESULTS, Record
from vssl.modalities import events
from vssl.modalities.events.demo import SESSION, jobs

MODES = {"windows": events.Config(), "sessions": events.Config(session=SESSION)}
WARM_UP = 2_000


@dataclass(frozen=True)
class Options:
    """Speed and memory of reading logs.

    Attributes:
        lines: Lengths of the logs.
        out: File of the record.
    """

    lines: tuple[int, ...] = (100_000, 1_000_000)
    out: Path = RESULTS / "speed_events.json"


def main(options: Options) -> None:
    record = Record.create(options.out)
    for lines in options.lines:
        with tempfile.TemporaryDirectory() as folder:
            path, short = (_written(Path(folder) / f"{count}.log", count) for count in (lines, WARM_UP))
            for mode, config in MODES.items():
                record.add({"lines": lines, "mode": mode, **in_own_process(_figures, path, short, config)})
    tables.show("speed_events", record)


def _written(path: Path, lines: int) -> Path:
    """A log of that many lines, job after job."""
    made = (line for job in jobs(0, lines) for line in job.lines)
    with path.open("w") as file:
        file.writelines(f"{moment:%Y-%m-%d %H:%M:%S} {text}\n" for moment, text in islice(made, lines))
    return path


def _figures(path: Path, short: Path, config: events.Config) -> dict[str, float]:
    # A short log loads all libraries first, so that the memory is that of reading.
    list(events.build(config, events.measure(short, config)).stream(short))
    before_mib = peak_mib()
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
        "memory_mib": round(peak_mib() - before_mib, 1),
    }


if __name__ == "__main__":
    main(tyro.cli(Options))
