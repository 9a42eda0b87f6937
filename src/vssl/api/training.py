"""The verbs that train, and that show what training sees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from vssl.api.names import Name
from vssl.benchmarking.sources import Sources
from vssl.config import encoder_of, member
from vssl.run import Run
from vssl.training import loop
from vssl.training import model as trained
from vssl.training.model import Model
from vssl.training.progress import print_notes
from vssl.training.settings import Budget, Optimiser, Settings


def train(
    data: Name,
    out: Name,
    *,
    objective: Any = "vssl",
    encoder: Any = "auto",
    modality: Any = "images",
    minutes: float | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    optimiser: Optimiser | None = None,
    batch: int = Settings.batch,
    seed: int = 0,
    device: str = "auto",
    precision: Literal["auto", "bf16", "float32"] = "auto",
    overwrite: bool = False,
    command: str = "",
    terminal: Console | None = None,
) -> Run:
    """Train an encoder on unlabelled data.

    Args:
        data: A folder, a CSV or Parquet list with a `path` column, or a zip or tar archive; a folder inside an archive
            is named behind it: images.tar.xz/train.
        out: The run folder to make.
        objective, encoder, modality: A name such as "simclr", "convnet/base", "images", or a member's Config;
            as encoder, "auto" takes the one that suits the modality.
        minutes, epochs, steps: How long to train: at most one of them; 10 minutes if none is given.
        optimiser: How to step.
        batch: Pairs of views a step: as many samples, or half as many where a method takes four views of each.
        seed: Of everything random.
        device: auto, cpu, cuda or one GPU such as cuda:1.
        precision: auto takes bfloat16 where the hardware is fast at it.
        overwrite: Start again if `out` is a run folder already.
        command: What to note in the run as the command.
        terminal: A rich console to show progress on; None is quiet.

    Raises:
        VsslError: See `vssl.errors`.
    """
    if minutes is None and epochs is None and steps is None:
        minutes = 10.0
    kind = member("modalities", modality)
    settings = Settings(
        modality=kind,
        encoder=encoder_of(encoder, kind),
        objective=member("objectives", objective),
        budget=Budget(epochs, steps, minutes),
        optimiser=optimiser or Optimiser(),
        batch=batch,
        seed=seed,
        device=device,
        precision=precision,
    )
    return loop.train(data, out, settings, overwrite=overwrite, command=command, terminal=terminal)


def resume(run: Run | Name, *, terminal: Console | None = None) -> Run:
    """Go on with an interrupted run, with its own data and settings.

    Raises:
        RunError: There is no run, or its data have changed.
    """
    return loop.resume(run.path if isinstance(run, Run) else run, terminal=terminal)


def load(run: Run | Name, device: str = "auto") -> Model:
    """A trained run as a model to call.

    Raises:
        RunError: There is no usable model in the run folder.
    """
    return trained.load(run if isinstance(run, Run) else Run(run), device)


def views(
    data: Name,
    out: Name,
    *,
    modality: Any = "images",
    samples: int = 8,
    seed: int = 0,
    terminal: Console | None = None,
) -> Path:
    """Draw originals beside their views, and return the picture's path.

    Args:
        out: The PNG file to write.
        modality: As in `train`; its settings choose the views.
        samples: How many samples to draw.
        terminal: Where to say how the data are read; None is quiet.

    Raises:
        VsslError: See `vssl.errors`.
    """
    config = member("modalities", modality)
    kind = trained.build_modality(config, trained.measure_spec(data, config))
    print_notes(data, kind.notes(data), (), terminal)
    return kind.draw(data, Path(out), samples, seed)


def bench(
    data: Name,
    out: Name,
    *,
    test: Name | None = None,
    other: Name | None = None,
    methods: Sequence[str] = ("vssl", "simclr"),
    seeds: Sequence[int] = (0, 1, 2),
    label: str = "label",
    encoder: Any = "auto",
    modality: Any = "images",
    minutes: float | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    learning_rates: Sequence[float] = (2e-3,),
    batches: Sequence[int] = (Settings.batch,),
    device: str = "auto",
    command: str = "",
    terminal: Console | None = None,
) -> Path:
    """Compare methods under equal conditions: train, embed and judge each with each seed.

    Whatever is recorded in `out` is not repeated, so a stopped comparison goes on, and further data, budgets, methods
    and seeds add to it.

    Args:
        data: What is trained on, as in `train`; its labels are read by classifiers and judges only.
        out: The folder of the comparison: results/*.json, runs/, report.html.
        test: What is judged; without it the training data are, each sample among the others.
        other: Another data set: outliers, and where the encoders are transferred to if it has labels.
        methods: Objectives as in `train`, with changed settings behind a colon: "simclr:temperature=0.05".
        seeds: Each method is trained once with each.
        label: Metadata column with the labels.
        encoder, modality, device, terminal: As in `train`.
        minutes, epochs, steps: Of each run: at most one of them; 5 minutes if none is given.
        learning_rates, batches: Each method is tried with each pair of them.
        command: What to note in the results as the command.

    Returns:
        The page with the comparison, out/report.html.

    Raises:
        VsslError: See `vssl.errors`.
    """
    # Imported late, as the report is: plots take long to import.
    from vssl.benchmarking import page, suite

    if minutes is None and epochs is None and steps is None:
        minutes = 5.0
    kind = member("modalities", modality)
    asked = suite.Suite(
        sources=Sources(str(data), None if test is None else str(test), None if other is None else str(other), label),
        methods=tuple(methods),
        budget=Budget(epochs, steps, minutes),
        modality=kind,
        encoder=encoder_of(encoder, kind),
        seeds=tuple(seeds),
        learning_rates=tuple(learning_rates),
        batches=tuple(batches),
        device=device,
    )
    return page.build(suite.run(asked, Path(out), command, terminal), Path(out))
