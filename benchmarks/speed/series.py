"""Speed and memory of reading sensor series as windows, and of embedding them.

    python -m benchmarks.speed.series --rows 100000 1000000 10000000

The series is that of the demo's spindle (`vssl.modalities.sensors.demo`): one row per second, five channels, repeated
with later times. Windows have 64 rows, one every 16. Every measurement has a process of its own.
"""

from __future__ import annotations

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

from benchmarks import tables
from benchmarks.common.process import in_own_process, peak_mib
from benchmarks.common.record import RESULTS, Record
from vssl.encoders import temporal
from vssl.modalities import sensors
from vssl.modalities.sensors.demo import CHANNELS, START, series

CONFIG = sensors.Config(window="64", stride="16")
PIECE = 100_000
BATCHES = 20


@dataclass(frozen=True)
class Options:
    """Speed and memory of reading series.

    Attributes:
        rows: Lengths of the series, multiples of 100,000.
        out: File of the record.
    """

    rows: tuple[int, ...] = (100_000, 1_000_000)
    out: Path = RESULTS / "speed_series.json"


def main(options: Options) -> None:
    record = Record.create(options.out)
    for count in options.rows:
        for suffix in ("parquet", "csv"):
            with tempfile.TemporaryDirectory() as folder:
                path, short = (_written(Path(folder) / f"{rows}.{suffix}", rows) for rows in (count, PIECE))
                record.add({"rows": count, "format": suffix, **in_own_process(_figures, path, short)})
    tables.show("speed_series", record)


def _written(path: Path, count: int) -> Path:
    values, _ = series(PIECE)
    channels = {name: values[:, column].round(4) for column, name in enumerate(CHANNELS)}
    schema = pa.schema([("time", pa.timestamp("s")), *((name, pa.float64()) for name in CHANNELS)])
    writer = pq.ParquetWriter if path.suffix == ".parquet" else pyarrow.csv.CSVWriter
    with writer(str(path), schema) as file:
        for first in range(0, count, PIECE):
            seconds = pa.array(range(first, first + PIECE), pa.duration("s"))
            times = pa.compute.add(pa.scalar(START.astype("datetime64[s]").item(), pa.timestamp("s")), seconds)
            file.write_table(pa.table({"time": times, **channels}, schema=schema))
    return path


def _figures(path: Path, short: Path) -> dict[str, float]:
    # A short series loads all libraries first, so that the memory is that of reading.
    list(sensors.build(CONFIG, sensors.measure(short, CONFIG)).stream(short))
    before_mib = peak_mib()
    start = time.perf_counter()
    modality = sensors.build(CONFIG, sensors.measure(path, CONFIG))
    measured_s = time.perf_counter() - start
    start = time.perf_counter()
    windows = sum(len(chunk.ids) for chunk in modality.stream(path))
    read_s = time.perf_counter() - start
    memory_mib = peak_mib() - before_mib
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
    """The default encoder on one thread in float32, untrained."""
    torch.set_num_threads(1)
    encoder = temporal.build(temporal.Config(), modality.shape).eval()
    chunks = [chunk.raw for chunk in islice(modality.stream(path, size=256), BATCHES)]
    start = time.perf_counter()
    for raw in chunks:
        encoder.forward_with_patches(modality.eval_view(raw))
    return sum(map(len, chunks)) / (time.perf_counter() - start)


if __name__ == "__main__":
    main(tyro.cli(Options))
