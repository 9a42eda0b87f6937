"""Twelve servers, 19 metrics each: are the marked stretches found, and is the guaranteed rate of false alarms kept?

    python benchmarks/server_metrics.py server-metrics-asd --seeds 0 1 2

For each server an encoder is trained on the first 60 % of its unlabelled series, which are also the bank; the other
40 % calibrate in blocks of 64 rows. 1 % of false alarms needs 299 blocks and there are 46 to 54, so the guarantee is
the lowest rate that these allow. How it is measured: `series.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import tyro

from series import WINDOW, Task, run_all
from vssl.modalities import sensors

CONFIG = sensors.Config(window=str(WINDOW), stride="8", block=str(WINDOW), labels=("anomaly",))


@dataclass(frozen=True)
class Options:
    """Sensor series of servers.

    Attributes:
        folder: With server-NN.train.parquet and server-NN.test.parquet.
        servers: Which; all by default.
        seeds: Of the trainings.
        objectives: Methods as `vssl bench` takes them; each is trained on every server.
        steps: Steps of 256 windows; 1 for encoders that have learned nothing.
        rivals: Whether the detectors that learn no encoder are measured too.
        out: Where the record goes.
    """

    folder: tyro.conf.Positional[Path]
    servers: tuple[str, ...] = tuple(f"{number:02d}" for number in range(1, 13))
    seeds: tuple[int, ...] = (0, 1, 2)
    objectives: tuple[str, ...] = ("vssl",)
    steps: tuple[int, ...] = (100,)
    rivals: bool = True
    out: Path = Path(__file__).parent / "results" / "server_metrics.json"


def main(options: Options) -> None:
    run_all(
        "server_metrics.py",
        _tasks(options),
        options.seeds,
        options.steps,
        options.out,
        options.objectives,
        options.rivals,
    )


def _tasks(options: Options) -> Iterator[Task]:
    for server in options.servers:
        unlabelled, judged = (
            pq.read_table(options.folder / f"server-{server}.{part}.parquet") for part in ("train", "test")
        )
        yield Task(server, unlabelled, judged, judged["anomaly"].to_numpy(), CONFIG)


if __name__ == "__main__":
    main(tyro.cli(Options))
