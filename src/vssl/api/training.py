"""The verbs that train: `train`, `resume`, `load`, and `views`, which shows what training will see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vssl.api.arguments import PathLike, as_run, shared_sentences
from vssl.config import encoder_of, member
from vssl.run import Run
from vssl.training.settings import Budget, Optimiser, Settings

if TYPE_CHECKING:
    from rich.console import Console

    from vssl.training.model import Model

__all__ = ["train", "resume", "load", "views"]  # noqa: RUF022 (in the order of their use)


@shared_sentences(Budget, Settings)
def train(
    data: PathLike,
    out: PathLike,
    *,
    modality: Any = "images",
    encoder: Any = "auto",
    objective: Any = "vssl",
    minutes: float | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    train: Literal["auto", "all", "adapt", "none"] = Settings.train,
    batch: int = Settings.batch,
    optimiser: Optimiser | None = None,
    seed: int = Settings.seed,
    device: str = Settings.device,
    precision: Literal["auto", "bf16", "float32"] = Settings.precision,
    overwrite: bool = False,
    command: str = "",
    terminal: Console | None = None,
) -> Run:
    """Train an encoder on unlabelled data and write a run folder. Labels are not read, and nothing leaves the computer.

    Examples:
        vssl train photos --out RUN --minutes 10
        # Parts in front of a camera
        vssl train parts.csv --out RUN --views inspection --encoder convnet/base
        # Sensor series
        vssl train january.csv --out RUN --modality sensors --window 10min
        # An event log
        vssl train app.log --out RUN --modality events --session "job-[0-9]+"
        # Pretrained weights as they are, or adapted to the data
        vssl train photos --out RUN --encoder timm/resnet18 --pretrained weights.safetensors
        vssl train photos --out RUN --encoder timm/resnet18 --pretrained weights.safetensors --train adapt
        # Another objective, with one of its settings
        vssl train photos --out RUN --objective simclr --simclr.temperature 0.2
        # Two processes
        torchrun --nproc-per-node 2 -m vssl train photos --out RUN --epochs 100

    The options of the modality, the encoder and the objective depend on the choice: vssl train --modality sensors
    --objective simclr --help.

    Args:
        data: The training data. Images are a folder (of any depth), a CSV or Parquet list with a column `path`, or a
            zip or tar archive; a folder inside an archive follows its name: images.tar.xz/train. Sensor series and
            event logs are a file or a folder, and need their modality.
        out: The run folder to write.
        modality: Kind of data: the name of a modality, or in Python its Config.
        encoder: Network: the name of an encoder, with its variant after a slash (convnet/base, timm/resnet50), or in
            Python its Config. "auto" takes the default encoder of the modality.
        objective: Training objective: its name, with a variant after a slash (vssl/paper), or in Python its Config.
        minutes: Minutes of training, reading the data not counted. If no length is given, 10.
        epochs, steps: As in `Budget`.
        train, batch, optimiser, seed, device, precision: As in `Settings`.
        overwrite: Replace an existing run folder.
        command: The command line to record in the run.
        terminal: A rich console that shows progress and notes; None shows nothing.

    Raises:
        VsslError: See `vssl.errors`.
    """
    if minutes is None and epochs is None and steps is None:
        minutes = 10.0
    config = member("modalities", modality)
    settings = Settings(
        budget=Budget(epochs, steps, minutes),
        modality=config,
        objective=member("objectives", objective),
        encoder=encoder_of(encoder, config),
        train=train,
        optimiser=optimiser or Optimiser(),
        batch=batch,
        seed=seed,
        device=device,
        precision=precision,
    )
    from vssl.training import loop  # with torch, which takes seconds to import: not for a wrong setting

    return loop.train(data, out, settings, overwrite=overwrite, command=command, terminal=terminal)


@shared_sentences(train)
def resume(run: Run | PathLike, *, terminal: Console | None = None) -> Run:
    """Continue an interrupted run from its last checkpoint, with its own data and settings.

    Examples:
        vssl resume RUN

    Args:
        run: The run folder.
        terminal: As in `train`.

    Raises:
        RunError: There is no run, or its data have changed.
    """
    from vssl.training import loop

    return loop.resume(run.path if isinstance(run, Run) else run, terminal=terminal)


@shared_sentences(Settings)
def load(run: Run | PathLike, device: str = Settings.device) -> Model:
    """A trained run as a model to call.

    Args:
        run: The run folder.
        device: As in `Settings`.

    Raises:
        RunError: There is no usable model in the run folder.
    """
    from vssl.training import model

    return model.load(as_run(run), device)


@shared_sentences(train)
def views(
    data: PathLike,
    out: PathLike = "views.png",
    *,
    modality: Any = "images",
    samples: int = 8,
    seed: int = 0,
    terminal: Console | None = None,
) -> Path:
    """Draw samples next to their augmented views, to see what training will see, and return the picture's path.

    Examples:
        vssl views photos --views inspection --out views.png

    Args:
        data: As in `train`.
        out: The PNG file to write; an existing one is replaced.
        modality: As in `train`.
        samples: Number of samples to draw.
        seed: Random seed of the choice of samples and of their views.
        terminal: As in `train`.

    Raises:
        VsslError: See `vssl.errors`.
    """
    from vssl.training import model
    from vssl.training.progress import print_notes

    config = member("modalities", modality)
    built = model.build_modality(config, model.measure_spec(data, config))
    print_notes(data, built.notes(data), (), terminal)
    return built.draw(data, Path(out), samples, seed)
