"""The demo with a machine's data: a spindle's sensors, or a controller's log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape

from vssl import api
from vssl.decisions.describe import words
from vssl.decisions.summary import sentences
from vssl.demo import controller, spindle
from vssl.demo.folder import make_way
from vssl.modalities import events, sensors

Kind = Literal["sensors", "events"]

WINDOW, STRIDE = "64s", "16s"
JOBS = 1_000
"""Jobs that are known to have gone well, and as many to judge by."""


@dataclass(frozen=True)
class Tour:
    """What the demo does with one kind of data.

    Attributes:
        what: The data, in words.
        modality: The settings to read them by.
        write: Makes them in a folder.
        learn, known, judged: Where in it they lie.
        block: The column of what belongs together, or None.
    """

    what: str
    modality: Any
    write: Callable[[Path], Path]
    learn: str
    known: str
    judged: str
    block: str | None


TOURS: dict[Kind, Callable[[], Tour]] = {
    "sensors": lambda: Tour(
        what="eleven hours of a spindle's vibration and temperature, and as many again with 36 faults to judge by",
        modality=sensors.Config(window=WINDOW, stride=STRIDE, block=WINDOW, labels=("label",)),
        write=spindle.write,
        learn="learn",
        known="known",
        judged="hold-out",
        block="block",
    ),
    "events": lambda: Tour(
        what=f"the log of 1,500 jobs of a controller, and of {JOBS:,} others, a fifth with faults, to judge by",
        modality=events.Config(session=controller.SESSION, label_from="file"),
        write=lambda folder: controller.write(folder, known=JOBS, holdout=JOBS),
        learn="training.log",
        known="known",
        judged="holdout",
        block=None,
    ),
}


def demo(
    kind: Kind, out: Path, minutes: float = 1.0, overwrite: bool = False, terminal: Console | None = None
) -> list[str]:
    """Run the demo in the folder `out`; returns what was found, in sentences.

    Raises:
        RunExistsError: There is something at `out` already, and `overwrite` is not given.
    """
    out = Path(out)
    make_way(out, overwrite)
    tour = TOURS[kind]()
    say = terminal.print if terminal else lambda *_: None
    say(f"[bold]1[/bold] Making {tour.what}.")
    data = tour.write(out / "data")
    say(f"[bold]2[/bold] Training for {minutes:g} minutes, without labels.")
    command = f"vssl demo --modality {kind} --out {out} --minutes {minutes:g}"
    run = api.train(
        data / tour.learn,
        out / "run",
        modality=tour.modality,
        minutes=minutes,
        command=command,
        terminal=terminal,
    )
    say("[bold]3[/bold] Calibrating on what is known to be normal; the training data are what scores compare with.")
    policy = api.calibrate(run, data / tour.known, bank="train", block=tour.block, terminal=terminal)
    say("[bold]4[/bold] Deciding on data with faults.")
    decisions = api.decide(run, data / tour.judged, normal="label=ok", terminal=terminal)
    page = api.report(run, table=decisions.path.stem)
    found = [words(policy)[0], *sentences(decisions), f"Look at it: {page.resolve()}"]
    for sentence in found:
        say(f"  {escape(sentence)}")
    return found
