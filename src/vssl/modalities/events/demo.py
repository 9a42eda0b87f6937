"""The demo with logs: a machine controller's lines of jobs on two cells, with rare faults whose truth is known.

A fault is seldom a message of its own. It is a step that is missing, comes too early, is repeated or takes too long.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from vssl.modalities.demo import Demo, HoldOut, new_folder
from vssl.modalities.events import Config

FAULTS = ("missing", "order", "repeated", "slow", "alarm")
"""No clamping; the spindle starts before the clamp; a pass again and again; a slow spindle; a message never seen."""

SESSION = r"job-\d+"
"""What `--session` takes to bring the lines of a job together."""

TRAINING, JOBS = 1_500, 1_000
"""Jobs without labels; jobs that went well, and as many with labels."""
CELLS = 2
START = datetime(2025, 3, 3, 6, 0, 0, tzinfo=UTC)
TAKT_S = 60.0

Step = tuple[str, float]  # message, seconds since the step before

STEPS = 300


def demo(scale: float = 1.0) -> Demo:
    """The demo; `scale` multiplies the number of jobs."""
    training, known = (round(scale * count) for count in (TRAINING, JOBS))
    return Demo(
        data=f"the log of {training:,} jobs of a controller, and of {known:,} others, a fifth of them with faults",
        write=lambda folder: write(folder / "data", training=training, known=known, holdout=known),
        config=Config(session=SESSION, label_from="file"),
        training="data/training.log",
        normal="data/known",
        hold_outs=(HoldOut("holdout", "On data with faults", "data/holdout"),),
        steps=STEPS,
        bank="train",
    )


@dataclass(frozen=True)
class Job:
    """One part that was machined.

    Attributes:
        name: Name in each of its lines.
        fault: none, or one of `FAULTS`.
        lines: Time and text of each line.
    """

    name: str
    fault: str
    lines: tuple[tuple[datetime, str], ...]


def jobs(first: int, count: int, seed: int = 0, fault_rate: float = 0.0) -> Iterator[Job]:
    """Jobs `first` to `first + count - 1`. Job i depends on the seed, the share of faults (0..1) and i only."""
    return (_job(number, seed, fault_rate) for number in range(first, first + count))


def _job(number: int, seed: int, fault_rate: float) -> Job:
    fate, working = (np.random.default_rng(s) for s in np.random.SeedSequence([seed, number]).spawn(2))
    fault = str(fate.choice(FAULTS)) if fate.random() < fault_rate else "none"
    name = f"job-{number:06d}"
    now = START + timedelta(seconds=number // CELLS * TAKT_S + number % CELLS * 17.0 + float(working.uniform(0, 5)))
    lines = []
    for text, seconds in _faulty(_steps(working), fault, working):
        now += timedelta(seconds=seconds * float(working.uniform(0.8, 1.25)))
        lines.append((now, f"cell{1 + number % CELLS} {name} {text}"))
    return Job(name, fault, tuple(lines))


def _steps(rng: np.random.Generator) -> list[Step]:
    """The steps of a job that goes well: from 3 to 6 passes, a tool change in one of five, coolant in one of ten."""
    steps = [(f"INFO job: start program P{rng.integers(10, 99)} part {rng.integers(10**5)}", 0.0)]
    steps += [(f"INFO axis: {axis} homed at {rng.uniform(0, 0.01):.3f} mm", 1.0) for axis in "XYZ"]
    if rng.random() < 0.2:
        steps.append((f"INFO tool: T{rng.integers(1, 30)} changed", 4.0))
    steps.append((f"INFO clamp: closed at {rng.uniform(55, 65):.1f} bar", 0.8))
    steps.append((f"INFO spindle: start to {500 * rng.integers(8, 24)} rpm", 0.3))
    steps.append(("INFO spindle: at speed", 1.5))
    for number in range(1, 1 + rng.integers(3, 7)):
        steps.append((f"INFO pass: {number} begins with feed {50 * rng.integers(4, 12)} mm/min", 0.2))
        steps.append((f"INFO pass: {number} done at load {rng.integers(20, 70)} %", 3.0))
    if rng.random() < 0.1:
        steps.append((f"WARN coolant: level {rng.integers(20, 40)} %", 0.1))
    steps += [("INFO spindle: stop", 0.3), ("INFO clamp: opened", 2.0)]
    steps.append((f"INFO gauge: part measures {rng.normal(12, 0.004):.3f} mm", 1.0))
    return [*steps, (f"INFO job: end after {sum(seconds for _, seconds in steps):.1f} s", 0.2)]


def _faulty(steps: list[Step], fault: str, rng: np.random.Generator) -> list[Step]:
    words = ("closed", "start to", "speed")
    closed, started, running = (next(row for row, (text, _) in enumerate(steps) if word in text) for word in words)
    if fault == "missing":
        return steps[:closed] + steps[started:]
    if fault == "order":
        return [*steps[:closed], steps[started], steps[running], steps[closed], *steps[running + 1 :]]
    if fault == "repeated":
        again = steps[running + 1 : running + 3] * int(rng.integers(6, 12))
        return [*steps[: running + 1], *again, *steps[running + 1 :]]
    if fault == "slow":
        text, seconds = steps[running]
        return [*steps[:running], (text, seconds * float(rng.uniform(8, 16))), *steps[running + 1 :]]
    if fault == "alarm":
        alarm = (f"ERROR servo: {rng.choice(list('XYZ'))} following error {rng.uniform(0.2, 0.6):.2f} mm", 0.1)
        return [*steps[: running + 2], alarm, *steps[running + 2 :]]
    return steps


def write(folder: Path, seed: int = 0, training: int = 1500, known: int = 500, holdout: int = 500) -> Path:
    """Write a controller's logs: lines of all jobs in the order of their times, as two cells work at once.

    `training.log` holds jobs without labels, one in a hundred faulty; `known/ok.log` jobs that are known to have gone
    well; `holdout/ok.log` and `holdout/fault.log` further jobs, a fifth of them faulty, by their truth; `truth.csv` the
    fault of each of these.

    Args:
        folder: Made by this call; it appears complete or not at all.
        training, known, holdout: How many jobs.

    Returns:
        The folder.

    Raises:
        ConfigError: The folder is there already.
        StorageError: The folder cannot be written.
    """
    held_out = list(jobs(training + known, holdout, seed, 0.2))
    files = {
        "training.log": jobs(0, training, seed, 0.01),
        "known/ok.log": jobs(training, known, seed),
        "holdout/ok.log": (job for job in held_out if job.fault == "none"),
        "holdout/fault.log": (job for job in held_out if job.fault != "none"),
    }
    with new_folder(folder) as unfinished:
        for name, made in files.items():
            lines = sorted(line for job in made for line in job.lines)
            texts = (f"{time:%Y-%m-%d %H:%M:%S},{time.microsecond // 1000:03d} {text}\n" for time, text in lines)
            (unfinished / name).parent.mkdir(parents=True, exist_ok=True)
            (unfinished / name).write_text("".join(texts))
        with (unfinished / "truth.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("job", "fault"), *((job.name, job.fault) for job in held_out)])
    return folder
