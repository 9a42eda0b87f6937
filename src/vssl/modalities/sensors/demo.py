"""The demo with sensors: a machine tool's spindle, sampled slowly, with rare faults whose truth is known.

Vibration is what a condition monitor gives every second: the effective value in two directions and the share of the
spindle's own frequency. All of it follows the load of the jobs, so no plain limit on one sensor finds the faults.
"""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float

from vssl.files import atomic
from vssl.modalities.demo import Demo, HoldOut
from vssl.modalities.sensors import Config

FAULTS = ("wear", "unbalance", "sensor")
"""A bearing that grows rough and warm; a tool that sits askew; a sensor that repeats itself."""

FAULTS_HELD_OUT = 36
"""Stretches with a fault in the hold-out."""
CHANNELS = ("load", "vibration_x", "vibration_y", "first_order", "temperature")
START = np.datetime64("2026-01-12T06:00:00", "s")
ROWS = 40_000
WINDOW, STRIDE = "64s", "16s"
STEPS = 300


def demo(scale: float = 1.0) -> Demo:
    """The demo; `scale` multiplies the number of rows."""
    rows, faults = round(scale * ROWS), max(1, round(scale * FAULTS_HELD_OUT))
    return Demo(
        data=f"{rows:,} seconds of a spindle's vibration and temperature, and as many again with {faults} faults",
        write=lambda folder: write(folder / "data", rows=rows, known=rows, holdout=rows, faults=faults),
        config=Config(window=WINDOW, stride=STRIDE, block=WINDOW, labels=("label",)),
        training="data/learn",
        normal="data/known",
        hold_outs=(HoldOut("hold-out", "On data with faults", "data/hold-out"),),
        steps=STEPS,
        bank="train",
        block="block",
    )


def series(rows: int, seed: int = 0, faults: int = 0) -> tuple[Float[np.ndarray, "n 5"], np.ndarray]:
    """One row per second: the channels in the order of `CHANNELS`, and for each row ok or one of `FAULTS`.

    Args:
        faults: Number of stretches with a fault, distributed over the series; their kinds alternate.
    """
    rng = np.random.default_rng([7, seed])
    load = _load(rng, rows)
    noise = rng.normal(size=(rows, 3))
    vibration_x = 0.6 + 1.2 * load + 0.08 * noise[:, 0]
    vibration_y = 0.5 + 0.9 * load + 0.07 * noise[:, 1]
    first_order = 0.3 + 0.35 * load + 0.04 * noise[:, 2]
    temperature = 32 + 14 * _slow(load, 240) + 0.1 * rng.normal(size=rows)
    values = np.stack([load, vibration_x, vibration_y, first_order, temperature], axis=1)
    truth = np.full(rows, "ok", dtype=object)
    for number in range(faults):
        length = int(rng.integers(120, 300))
        middle = rows * (number + 0.5) / faults
        first = int(middle + rng.integers(-length // 2, length // 2 + 1)) - length // 2
        stretch = slice(max(0, first), min(rows, first + length))
        fault = FAULTS[number % len(FAULTS)]
        _disturb(values[stretch], fault, rng)
        truth[stretch] = fault
    return values, truth


def write(
    folder: Path, seed: int = 0, rows: int = ROWS, known: int = ROWS, holdout: int = ROWS, faults: int = FAULTS_HELD_OUT
) -> Path:
    """Write `learn/`, `known/` and `hold-out/`, each with series of a day's shift as Parquet.

    `learn` has no labels, `known` is normal throughout, `hold-out` has faults and a column `label`.

    Raises:
        StorageError: The folder cannot be written.
    """
    parts = {"learn": (rows, 0), "known": (known, 0), "hold-out": (holdout, faults)}
    for number, (name, (count, faulty)) in enumerate(parts.items()):
        shutil.rmtree(folder / name, ignore_errors=True)
        values, truth = series(count, 3 * seed + number, faulty)
        times = START + np.arange(count) * np.timedelta64(1, "s")
        columns = {"time": pa.array(times), **dict(zip(CHANNELS, values.round(4).T, strict=True))}
        if name == "hold-out":
            columns["label"] = pa.array(truth.tolist())
        with atomic(folder / name / "spindle.parquet") as file:
            pq.write_table(pa.table(columns), file)
    return folder


def _load(rng: np.random.Generator, rows: int) -> Float[np.ndarray, " n"]:
    """Jobs of a few kinds one after the other: idle, roughing, finishing, each with its own rise and ripple."""
    jobs: list[np.ndarray] = []
    while sum(map(len, jobs)) < rows:
        length = int(rng.integers(40, 140))
        level = rng.choice([0.05, 0.35, 0.6, 0.85]) * rng.uniform(0.92, 1.08)
        ripple = 0.04 * level * np.sin(np.arange(length) / rng.uniform(2, 6))
        jobs.append(level + ripple)
    load = np.concatenate(jobs)[:rows]
    return np.clip(_slow(load, 4) + 0.01 * rng.normal(size=rows), 0, 1.2)


def _slow(values: Float[np.ndarray, " n"], seconds: float) -> Float[np.ndarray, " n"]:
    """What follows the values with this time constant."""
    share, followed = 1 / seconds, np.empty_like(values)
    level = values[0]
    for row, value in enumerate(values):
        level += share * (value - level)
        followed[row] = level
    return followed


def _disturb(values: Float[np.ndarray, "n 5"], fault: str, rng: np.random.Generator) -> None:
    """Change the channels in place as the fault does."""
    length = len(values)
    rise = np.minimum(1, np.arange(length) / (0.3 * length))
    if fault == "wear":
        values[:, 1] += rise * (0.25 + 0.25 * np.abs(rng.normal(size=length)))
        values[:, 2] += rise * (0.2 + 0.2 * np.abs(rng.normal(size=length)))
        values[:, 4] += 3 * rise
    elif fault == "unbalance":
        values[:, 3] += 0.3 * rise
        values[:, 1] += 0.1 * rise
    else:
        values[:, 2] = values[0, 2]
