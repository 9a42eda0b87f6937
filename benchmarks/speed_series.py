"""How fast series are measured, read as windows and embedded, and in how much memory.

    python benchmarks/speed_series.py --rows 100000 1000000 10000000

The series is that of the made-up spindle (`vssl.modalities.sensors.demo`): a row a second, five channels, written again and
again with later times. Windows of 64 rows, one every 16. Every measurement is a process of its own.
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

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import torch
import tyro

from vssl.encoders import temporal
from vssl.files import write_json
from vssl.modalities import sensors
from vssl.modalities.sensors.demo import CHANNELS, START, Spindle, series
from vssl.training.describe import machine, versions

OUT = Path(__file__).parent / "results" / "speed_series.json"
CONFIG = sensors.Config(window="64", stride="16")
PIECE = 100_000
BATCHES = 20


@dataclass(frozen=True)
class Options:
    """Speed and memory of reading series.

    Attributes:
        rows: Lengths of the series; multiples of 100,000.
        out: Where the record goes.
        file: Set by this program itself: the series that one process reads.
    """

    rows: tuple[int, ...] = (100_000, 1_000_000)
    out: Path = OUT
    file: Path | None = None


def main(options: Options) -> None:
    if options.file is not None:
        print(json.dumps(_measured(options.file)))
        return
    rows: list[dict[str, Any]] = []
    for count in options.rows:
        for name in ("made.parquet", "made.csv"):
            with tempfile.TemporaryDirectory() as folder:
                path = _written(Path(folder) / name, count)
                command = [sys.executable, __file__, "--file", str(path)]
                found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                rows.append({"rows": count, "format": path.suffix[1:], **found})
                print(" ".join(f"{key}={value}" for key, value in rows[-1].items()), flush=True)
    about = {
        "command": " ".join(["python benchmarks/speed_series.py", *sys.argv[1:]]),
        "versions": versions(),
        "machine": machine(torch.device("cpu")),
    }
    write_json(options.out, about | {"rows": rows})


def _written(path: Path, count: int) -> Path:
    values, _ = series(Spindle(), PIECE)
    channels = {name: values[:, column].round(4) for column, name in enumerate(CHANNELS)}
    schema = pa.schema([("time", pa.timestamp("s")), *((name, pa.float64()) for name in CHANNELS)])
    writer = pq.ParquetWriter if path.suffix == ".parquet" else pyarrow.csv.CSVWriter
    with writer(str(path), schema) as file:
        for first in range(0, count, PIECE):
            seconds = pa.array(range(first, first + PIECE), pa.duration("s"))
            times = pa.compute.add(pa.scalar(START.astype("datetime64[s]").item(), pa.timestamp("s")), seconds)
            file.write_table(pa.table({"time": times, **channels}, schema=schema))
    return path


def _measured(path: Path) -> dict[str, float]:
    before_mib = _peak_mib()
    start = time.perf_counter()
    modality = sensors.build(CONFIG, sensors.measure(path, CONFIG))
    measured_s = time.perf_counter() - start
    start = time.perf_counter()
    windows = sum(len(chunk.ids) for chunk in modality.stream(path))
    read_s = time.perf_counter() - start
    memory_mib = _peak_mib() - before_mib
    rows = windows * 16 + 48
    return {
        "measured_rows_per_s": round(rows / measured_s),
        "read_rows_per_s": round(rows / read_s),
        "windows_per_s": round(windows / read_s),
        "embedded_windows_per_s": round(_embedded_per_s(modality, path)),
        "memory_mib": round(memory_mib, 1),
    }


@torch.inference_mode()
def _embedded_per_s(modality: Any, path: Path) -> float:
    """The default encoder on one thread, in float32; it need not have learned anything."""
    torch.set_num_threads(1)
    encoder = temporal.build(temporal.Config(), modality.shape).eval()
    chunks = [chunk.raw for chunk in islice(modality.stream(path, size=256), BATCHES)]
    start = time.perf_counter()
    for raw in chunks:
        encoder.forward_with_patches(modality.eval_view(raw))
    return sum(map(len, chunks)) / (time.perf_counter() - start)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(tyro.cli(Options))
