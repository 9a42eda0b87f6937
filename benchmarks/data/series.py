"""Sensor series with labelled anomalies: InterFusion's twelve servers, and NAB's realKnownCause.

Servers: zhhlee/InterFusion (MIT), 19 metrics each, as server-NN.train.parquet (unlabelled) and server-NN.test.parquet.
NAB: Lavin and Ahmad 2015, numenta/NAB (MIT), seven series of one sensor; `tar -xJf nab.tar.xz` unpacks it. The first
30 % of each series count as unlabelled, anomalies among them or not; the other 70 % are tested. Rows are counted and
time stamps ignored, because some clocks were set back or stood still and no comparison method looks at them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from vssl.modalities import sensors

WINDOW = 64
"""Rows per window."""
NAB_UNLABELLED = 0.3


@dataclass(frozen=True)
class Task:
    """One series to learn, and a later part of it to test.

    Attributes:
        name: Name of the series.
        unlabelled: Rows without labels, the oldest first.
        test: Rows to score.
        truth: For each test row 1 where it is marked as anomalous, else 0.
        config: How the series are read, in windows of `WINDOW` rows.
    """

    name: str
    unlabelled: pa.Table
    test: pa.Table
    truth: np.ndarray
    config: sensors.Config


def servers(folder: Path) -> Iterator[Task]:
    config = sensors.Config(window=str(WINDOW), stride="8", block=str(WINDOW), labels=("anomaly",))
    for path in sorted(folder.glob("server-*.train.parquet")):
        number = path.name.removeprefix("server-").removesuffix(".train.parquet")
        test = pq.read_table(folder / f"server-{number}.test.parquet")
        yield Task(number, pq.read_table(path), test, test["anomaly"].to_numpy(), config)


def nab(folder: Path) -> Iterator[Task]:
    config = sensors.Config(window=str(WINDOW), stride="4", block=str(WINDOW), labels=("anomaly",))
    intervals = json.loads((folder / "labels" / "combined_windows.json").read_text())
    for path in sorted((folder / "data" / "realKnownCause").glob("*.csv")):
        table = pyarrow.csv.read_csv(path)
        times = table["timestamp"].to_numpy().astype("datetime64[ns]")
        truth = np.zeros(len(times), np.int64)
        for first, last in intervals[f"realKnownCause/{path.name}"]:
            truth |= (times >= np.datetime64(first)) & (times <= np.datetime64(last))
        series = pa.table({"value": table["value"], "anomaly": truth})
        cut = int(NAB_UNLABELLED * len(series))
        yield Task(path.stem, series.slice(0, cut), series.slice(cut), truth[cut:], config)


TASKS = {"servers": servers, "nab": nab}
