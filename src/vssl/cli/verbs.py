"""All verbs in one table, and those that train, embed, judge, compare and show."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.text import Text
from tyro.conf import OmitArgPrefixes

from vssl import api
from vssl.cli.decisions import Calibrate, decide, probe
from vssl.cli.exports import export
from vssl.cli.members import configurations, with_members
from vssl.cli.service import serve
from vssl.cli.terminal import Data, RunFolder, say, terminal
from vssl.errors import VsslError
from vssl.run import Run
from vssl.training.settings import Optimiser, Settings
from vssl.training.training_gain import describe_gain, describe_progress

DESCRIPTION = """Representations with usable uncertainty from unlabelled data. Nothing leaves this computer.

A first result: vssl demo

Your own images, one after the other:

vssl train IMAGES --out RUN --minutes 10

vssl embed RUN IMAGES

vssl evaluate RUN

vssl report RUN

Decisions with a guarantee, from samples that are known to be good:

vssl calibrate RUN --normal GOOD --false-alarm 0.01

vssl decide RUN NEW

For a computer without torch:

vssl export RUN

Over HTTP:

vssl serve RUN

Which version this is: vssl --version"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; user errors end with status 2 and one clear message on standard error."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments == ["--version"]:
        print(f"vssl {importlib.metadata.version('vssl')}")
        return
    try:
        verbs: dict[str, Callable[..., Any]] = {
            "train": with_members(Train, arguments, ("modality", "encoder", "objective")),
            "resume": resume,
            "embed": embed,
            "evaluate": evaluate,
            "calibrate": with_members(Calibrate, arguments, ("score",)),
            "decide": decide,
            "probe": probe,
            "export": export,
            "serve": serve,
            "report": report,
            "views": with_members(Views, arguments, ("modality",)),
            "bench": with_members(Bench, arguments, ("modality", "encoder")),
            "demo": demo,
        }
        asked: Train | Calibrate | Views | Bench | None = tyro.extras.subcommand_cli_from_dict(
            verbs, prog="vssl", description=DESCRIPTION, args=arguments
        )
        if asked is not None:
            asked.carry_out(arguments)
    except VsslError as error:
        terminal().print(Text(f"{type(error).__name__}: ", style="bold red"), Text(str(error)), sep="", soft_wrap=True)
        sys.exit(2)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt:
        sys.exit(130)


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train an encoder on unlabelled data: no labels are read, nothing leaves this computer.

    Of pictures, DATA is a folder (any depth), a CSV or Parquet list with a column `path`, or a zip or tar archive (also
    .tar.xz); a folder inside an archive is named behind it: images.tar.xz/train. Of series and logs it is a file or a
    folder, and --modality sensors or --modality events is needed.

    Example: vssl train photos --out RUN --minutes 10

    Parts before a camera: vssl train parts.csv --out RUN --views inspection --encoder convnet/base

    Sensor series: vssl train january.csv --out RUN --modality sensors --window 10min

    A log: vssl train app.log --out RUN --modality events --session "job-[0-9]+"

    Another method: vssl train photos --out RUN --objective simclr --simclr.temperature 0.2

    Two processes: torchrun --nproc-per-node 2 -m vssl train photos --out RUN --epochs 100

    Attributes:
        data: The data to learn from.
        out: The run folder to make.
        minutes: Minutes of training; 10 if neither epochs nor steps are given.
        epochs: Passes over the data.
        steps: Steps of the optimiser.
        modality: Kind of data: images, sensors or events. Name it to see its options below:
            vssl train --modality sensors --help.
        encoder: Network; auto takes the one that suits the kind of data. Its variant follows a slash:
            convnet/tiny, convnet/small, convnet/base, convnet/resnet18 or any of timm, such as timm/resnet50.
        objective: Method: vssl, vssl/contrast (the default before 0.7), vssl/paper (the paper's own form), or one to
            compare with: barlow, byol, dino, lejepa, mcinfonce, mocov3, simclr, simsiam, supcon (reads labels), vae,
            vicreg. Its settings are listed below.
        batch: Global batch size, counted in pairs of views per optimiser step; an objective with four views per
            sample, as vssl, uses batch / 2 samples.
        seed: Random seed.
        device: auto, cpu, cuda or one GPU such as cuda:1.
        precision: auto takes bfloat16 where the hardware is fast at it.
        overwrite: Start again if the run folder exists.
    """

    data: Data
    out: Path
    minutes: float | None = None
    epochs: float | None = None
    steps: int | None = None
    modality: str = "images"
    encoder: str = "auto"
    objective: str = "vssl"
    batch: int = Settings.batch
    seed: int = 0
    device: str = "auto"
    precision: Literal["auto", "bf16", "float32"] = "auto"
    overwrite: bool = False
    optimiser: OmitArgPrefixes[Optimiser] = field(default_factory=Optimiser)

    def carry_out(self, arguments: Sequence[str]) -> None:
        settings = {item.name: getattr(self, item.name) for item in dataclasses.fields(Train)}
        command = shlex.join(["vssl", *arguments])
        _after_training(api.train(**(settings | configurations(self)), command=command, terminal=terminal()))


@dataclass(frozen=True, kw_only=True)
class Views:
    """Draw a picture of originals beside their augmented views, to see what training will see.

    Example: vssl views photos --views inspection --out views.png

    Attributes:
        data: The data, as in train.
        out: The PNG file to write.
        samples: How many samples to draw.
        seed: Which samples and which views.
        modality: Kind of data: images, sensors or events.
    """

    data: Data
    out: Path = Path("views.png")
    samples: int = 8
    seed: int = 0
    modality: str = "images"

    def carry_out(self, arguments: Sequence[str]) -> None:
        settings = {item.name: getattr(self, item.name) for item in dataclasses.fields(Views)}
        say(f"Look at {api.views(**(settings | configurations(self)), terminal=terminal())}")


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Compare methods under equal conditions: same data, views, encoder, optimiser and budget, several seeds.

    Whatever is recorded in the folder is not repeated: a stopped comparison goes on with the same command, and further
    methods, data, budgets and seeds add to its tables. Prints the tables as Markdown on standard output, and writes
    OUT/report.html.

    Example: vssl bench photos --out BENCH --label-from folder --methods vssl simclr byol --minutes 5

    A test set, another data set: vssl bench c.tar.xz/train --test c.tar.xz/test --other photos --out BENCH

    How much the settings matter: vssl bench photos --out BENCH --learning-rates 1e-3 2e-3 --batches 128 256

    A method with other settings: vssl bench photos --out BENCH --methods vssl:prior=paired simclr:temperature=0.05

    Attributes:
        data: What is trained on, as in train. Its labels, if there are any, are read by classifiers and judges only.
        out: The folder of the comparison.
        test: What is judged; without it the training data are, each sample among the others.
        other: Another data set: outliers, and where the encoders are transferred to if it has labels.
        methods: Objectives, as in train; supcon reads the labels and is the upper bound.
        seeds: Each method is trained once with each.
        label: Metadata column with the labels.
        minutes: Minutes of training of each run; 5 if neither epochs nor steps are given.
        epochs: Passes over the data.
        steps: Steps of the optimiser.
        learning_rates: Each method is tried with each of them.
        batches: Each method is tried with each of them.
        modality: Kind of data: images, sensors or events. Its settings are listed below.
        encoder: Network, as in train.
        device: auto, cpu, cuda or one GPU such as cuda:1.
    """

    data: Data
    out: Path
    test: Path | None = None
    other: Path | None = None
    methods: tuple[str, ...] = ("vssl", "simclr")
    seeds: tuple[int, ...] = (0, 1, 2)
    label: str = "label"
    minutes: float | None = None
    epochs: float | None = None
    steps: int | None = None
    learning_rates: tuple[float, ...] = (Optimiser().learning_rate,)
    batches: tuple[int, ...] = (Settings.batch,)
    modality: str = "images"
    encoder: str = "auto"
    device: str = "auto"

    def carry_out(self, arguments: Sequence[str]) -> None:
        from vssl.benchmarking import suite, summary

        settings = {item.name: getattr(self, item.name) for item in dataclasses.fields(Bench)}
        command = shlex.join(["vssl", *arguments])
        page = api.bench(**(settings | configurations(self)), command=command, terminal=terminal())
        print("\n\n".join(summary.text(table) for table in summary.tables(suite.results(self.out))))
        say(f"Look at {page.resolve()}")


def resume(run: RunFolder) -> None:
    """Go on with a run that was interrupted, from its last checkpoint.

    Example: vssl resume RUN

    Args:
        run: The run folder.
    """
    _after_training(api.resume(run, terminal=terminal()))


def embed(
    run: RunFolder,
    data: Data,
    name: str | None = None,
    label_from: Literal["none", "file", "folder"] | None = None,
    pairs: int = 0,
    device: str = "auto",
) -> None:
    """Embed data: writes RUN/embeddings/NAME.parquet with id, features, mean, log_variance, ambiguity and metadata.

    Example: vssl embed RUN new-photos --name new

    Args:
        run: The run folder.
        data: A folder, list or archive, as in train.
        name: Name of the table; by default that of the data, or "train" for the data of the training.
        label_from: folder: keep the name of each file's folder as its label; file: that of each log file.
        pairs: Compare so many pairs of views of each sample, for the columns disagreement and elbo_gap; each pair
            takes as long as two embeddings.
        device: auto, cpu, cuda or one GPU such as cuda:1.
    """
    table = api.embed(run, data, name=name, label_from=label_from, pairs=pairs, device=device, terminal=terminal())
    say(f"{len(table)} samples embedded. Judge them: vssl evaluate {run}  See them: vssl report {run}")


def evaluate(
    run: RunFolder,
    on: str = "train",
    reference: str | None = None,
    outliers: str | None = None,
    label: str | None = None,
    twin: Path | None = None,
    only: tuple[str, ...] = (),
) -> None:
    """Judge stored embeddings: with labels if there are any, and without.

    Prints the figures as JSON on standard output and keeps them in RUN/evaluation.json.

    Example: vssl evaluate RUN --on test --reference train --label label

    Args:
        run: The run folder.
        on: Name of the embeddings to judge.
        reference: Embeddings that classifiers learn from; without them the judged ones are divided.
        outliers: Embeddings of other data, which the scores should tell from the judged ones.
        label: Metadata column with the labels; "label" is used if it is there.
        twin: A run with another seed that embedded the same data under the same name, to judge stability.
        only: Names of judges; all by default.
    """
    verdict = api.evaluate(run, on, reference=reference, outliers=outliers, label=label, twin=twin, only=only or None)
    print(json.dumps(verdict.to_dict(), indent=2))
    info = Run(run).info
    health, gain = info.get("health", "not judged"), describe_gain(info)
    say(f"The encoder was trained on {describe_progress(info)}, {health}. {gain}".rstrip())


def report(run: RunFolder, on: str = "train") -> None:
    """Write RUN/report.html: one self-contained page with curves, map, galleries, neighbours and figures.

    Example: vssl report RUN --on test

    Args:
        run: The run folder.
        on: Name of the embeddings to show.
    """
    say(f"Open it in a browser: {api.report(run, on=on).resolve()}")


def demo(
    out: Path = Path("vssl-demo"),
    modality: Literal["images", "sensors", "events"] = "images",
    minutes: float = 2.0,
    overwrite: bool = False,
) -> None:
    """A first result in minutes, on made-up data: make them, train, embed, calibrate, decide, report.

    Example: vssl demo --out vssl-demo

    A spindle's sensors: vssl demo --modality sensors --out spindle

    A controller's log: vssl demo --modality events --out controller

    Args:
        out: Folder for the data and the run.
        modality: Pictures of an inspection line, sensors of a spindle, or the log of a controller.
        minutes: Minutes of training.
        overwrite: Start again if the folder holds a demo already.
    """
    from vssl.demo import tour

    tour.demo(modality, out, minutes, overwrite, terminal())


def _after_training(run: Run) -> None:
    minutes, health, gain = run.info["progress"]["seconds"] / 60, run.info["health"], describe_gain(run.info)
    say(f"{run.info['status']}: {describe_progress(run.info)} in {minutes:.1f} minutes, {health}. {gain}".rstrip())
    follow = f"vssl resume {run.path}" if run.info["status"] == "interrupted" else f"vssl embed {run.path} DATA"
    say(f"Next: {follow}")
