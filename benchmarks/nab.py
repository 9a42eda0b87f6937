"""Seven series of one sensor each, from NAB's realKnownCause: are the marked windows found?

    tar -xJf nab.tar.xz
    python benchmarks/nab.py nab --seeds 0 1 2

The first 30 % of each series count as unlabelled, marked windows among them or not: 60 % of these rows train an encoder
and are the bank, the others calibrate; the other 70 % of the series are judged. How it is measured: `series.py`.
NAB (Lavin and Ahmad 2015, numenta/NAB, MIT) scores early detection by a rule of its own, which is not used here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import tyro

from series import WINDOW, Task, run_all
from vssl.modalities import sensors

UNLABELLED = 0.3
CONFIG = sensors.Config(window=str(WINDOW), stride="4", block=str(WINDOW), labels=("anomaly",))


@dataclass(frozen=True)
class Options:
    """Series of NAB.

    Attributes:
        folder: With data/realKnownCause/*.csv and labels/combined_windows.json.
        seeds: Of the trainings.
        steps: Steps of the training; 1 for encoders that have learned nothing.
        objectives: Methods as `vssl bench` takes them.
        out: Where the record goes.
    """

    folder: tyro.conf.Positional[Path]
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: tuple[int, ...] = (100,)
    objectives: tuple[str, ...] = ("vssl",)
    out: Path = Path(__file__).parent / "results" / "nab.json"


def main(options: Options) -> None:
    run_all("nab.py", _tasks(options.folder), options.seeds, options.steps, options.out, options.objectives)


def _tasks(folder: Path) -> Iterator[Task]:
    marked = json.loads((folder / "labels" / "combined_windows.json").read_text())
    for file in sorted((folder / "data" / "realKnownCause").glob("*.csv")):
        table = pyarrow.csv.read_csv(file)
        times = table["timestamp"].to_numpy().astype("datetime64[ns]")
        truth = np.zeros(len(times), np.int64)
        for first, last in marked[f"realKnownCause/{file.name}"]:
            truth |= (times >= np.datetime64(first)) & (times <= np.datetime64(last))
        # Rows are counted: some clocks were set back or stood still, and no rival looks at them.
        series = pa.table({"value": table["value"], "anomaly": truth})
        cut = int(UNLABELLED * len(series))
        yield Task(file.stem, series.slice(0, cut), series.slice(cut), truth[cut:], CONFIG)


if __name__ == "__main__":
    main(tyro.cli(Options))
