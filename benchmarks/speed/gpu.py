"""GPU speed and time to accuracy, in eight minutes: views, teacher and training step in bfloat16, then short trainings.

    python -m benchmarks.speed.gpu --data cifar10.tar

The rows of the record are empty until this script has run on a machine with a GPU; so far none was available. Each row
is written when it is measured, and the same command continues with the rows that are missing. Every row has a budget
of wall-clock time, compilation included, and a row that exceeds it is recorded as such.

- `views`, `teacher`, `step`: images per second, with and without torch.compile, and the peak memory. An image is one
  view; the teacher is the momentum teacher of `vssl/paper`, without gradients.
- `training`: accuracy of a linear probe after a whole training of so many seconds, with the schedule ending in them.
  The probe learns from the labels of four fifths of the images and is tested on the others; the encoder is trained on
  all images without labels.
- `time_to_accuracy`: the shortest of these trainings that reaches 80 and 90 %; null where none does.
"""

from __future__ import annotations

import resource
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from PIL import Image
from torch import Tensor

from benchmarks.common.record import RESULTS, Record
from vssl.config import member
from vssl.modalities import images
from vssl.modalities.base import Dataset, Modality
from vssl.objectives.base import Objective
from vssl.training import devices, loop, model, optim
from vssl.training.settings import Budget, Optimiser, Settings

TARGETS = (0.8, 0.9)


@dataclass(frozen=True)
class Options:
    """Throughput and time to accuracy on one device.

    Attributes:
        data: Images with one folder per class; without it, synthetic images of ten classes are drawn.
        encoder: Network, as in `vssl train`.
        batch: View pairs per training step.
        device: auto, cpu or cuda.
        seconds: Length of the measurement of a rate, in seconds, after warm-up and compilation.
        row_budget_s: Upper limit of a row of rates, in seconds of wall-clock time.
        trainings_s: Lengths of the trainings, in seconds.
        total_s: Upper limit of one call, in seconds; a row that does not fit in the rest is left to the next call.
        tiny: Check the path on a CPU: tiny sizes, without a compiler back end.
        out: File of the record.
    """

    data: Path | None = None
    encoder: str = "convnet/small"
    batch: int = 512
    device: str = "auto"
    seconds: float = 5.0
    row_budget_s: float = 60.0
    trainings_s: tuple[float, ...] = (15.0, 30.0, 60.0, 90.0)
    total_s: float = 480.0
    tiny: bool = False
    out: Path = field(default=RESULTS / "speed_gpu.json")


TINY: dict[str, Any] = {
    "encoder": "convnet/tiny",
    "batch": 16,
    "device": "cpu",
    "seconds": 0.1,
    "trainings_s": (0.5, 1.0),
}


def main(options: Options) -> None:
    options = replace(options, **TINY) if options.tiny else options
    deadline, device = time.monotonic() + options.total_s, devices.choose(options.device)
    record = Record.resume(options.out, seeds=(0,), device=str(device), precision="bf16", encoder=options.encoder)
    with tempfile.TemporaryDirectory() as scratch:
        data = options.data or draw_images(Path(scratch) / "images", 10 if options.tiny else 1_000)
        setup = Setup(options, data, device)
        for stage in ("views", "teacher", "step"):
            for compiled in (False, True):
                row: dict[str, Any] = {"stage": stage, "compiled": compiled}
                measure(record, row, options.row_budget_s, deadline, getattr(setup, stage), compiled)
        for seconds in options.trainings_s:
            row, out = {"stage": "training", "seconds": seconds}, Path(scratch) / f"run-{seconds:g}"
            measure(record, row, seconds + options.row_budget_s, deadline, setup.training, seconds, out)
    add_times_to_accuracy(record, options.trainings_s)


def measure(
    record: Record,
    row: dict[str, Any],
    budget_s: float,
    deadline: float,
    function: Callable[..., dict[str, Any]],
    *arguments: Any,
) -> None:
    """Add the row, with the figures of the function or with the reason why there are none."""
    if record.holds(**row) or time.monotonic() + budget_s > deadline:
        return
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    started = time.monotonic()
    try:
        with time_limit(budget_s):
            figures = {"outcome": "done", **function(*arguments)}
    except TimeoutError:
        figures = {"outcome": f"over the budget of {budget_s:g} s"}
    except RuntimeError as error:  # compilers fail in many ways, and out of memory is one of these errors too
        figures = {"outcome": f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"}
    record.add(row | figures | {"peak_mib": peak_mib(), "wall_s": time.monotonic() - started})


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in this block when the time is over."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    handler = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


class Setup:
    """The images on the device, and what is measured with them."""

    def __init__(self, options: Options, data: Path, device: torch.device) -> None:
        self.options, self.data, self.device = options, data, device
        self.settings = Settings(
            modality=images.Config(label_from="folder"),
            encoder=member("encoders", options.encoder),
            objective=member("objectives", "vssl"),
            budget=Budget(steps=1),
            batch=options.batch,
            device=str(device),
            precision="bf16",
        )
        spec = model.measure_spec(data, self.settings.modality)
        self.modality: Modality = model.build_modality(self.settings.modality, spec)
        self.dataset: Dataset = self.modality.load(data).to(device)
        self.generator = torch.Generator(device).manual_seed(0)

    def views(self, compiled: bool) -> dict[str, Any]:
        return self._rate(self._compiled(self._two_views, compiled), images_per_call=2 * len(self._raw()))

    def teacher(self, compiled: bool) -> dict[str, Any]:
        objective = self._objective("vssl/paper")
        assert objective.teacher is not None
        forward, view = self._compiled(objective.teacher, compiled), self.modality.eval_view(self._raw())
        return self._rate(lambda: forward(view), images_per_call=len(view))

    def step(self, compiled: bool) -> dict[str, Any]:
        """Views, forward and backward pass, optimiser, teacher: what the training loop repeats."""
        objective = self._objective("vssl")
        module, optimiser = self._compiled(objective, compiled), optim.build(Optimiser(), objective)
        raw = self._raw()[: self.options.batch * 2 // objective.views]

        def step() -> None:
            loss = module(self.modality.many_views(objective.views, raw, self.generator), self.generator)
            optimiser.zero_grad(set_to_none=True)
            loss.total.backward()
            optimiser.step()
            objective.update(1e-4, 0.5)

        return self._rate(step, images_per_call=objective.views * len(raw))

    def training(self, seconds: float, out: Path) -> dict[str, Any]:
        """Train for so many seconds; the accuracy of a linear probe on held-out images."""
        run = loop.train(self.data, out, replace(self.settings, budget=Budget(minutes=seconds / 60)))
        trained = model.load(run, str(self.device))
        rows = np.array_split(np.arange(len(self.dataset)), -(-len(self.dataset) // 1024))
        features = torch.cat([trained(self.modality.eval_view(self.dataset.batch(part)))[0] for part in rows])
        labels = np.unique(self.dataset.metadata["label"].to_pylist(), return_inverse=True)[1]
        progress = run.info["progress"]
        return {
            "linear_accuracy": linear_accuracy(features, torch.from_numpy(labels).to(self.device)),
            "images": len(self.dataset),
            "steps": progress["step"],
            "samples_per_s": progress["samples"] / progress["seconds"],
        }

    def _raw(self) -> Tensor:
        return self.dataset.batch(np.arange(min(self.options.batch, len(self.dataset)))).to(self.device)

    def _two_views(self) -> Any:
        return self.modality.views(self._raw(), self.generator)

    def _objective(self, name: str) -> Objective:
        settings = replace(self.settings, objective=member("objectives", name))
        return devices.to_device(model.build_objective(settings, self.modality), self.device).train()

    def _compiled(self, function: Callable[..., Any], compiled: bool) -> Callable[..., Any]:
        torch.compiler.reset()
        return torch.compile(function, backend="eager" if self.options.tiny else "inductor") if compiled else function

    def _rate(self, function: Callable[[], Any], images_per_call: int) -> dict[str, Any]:
        """Images per second after three calls of warm-up, which compile."""
        calls, start = -3, time.monotonic()
        with devices.autocast(self.device, "bf16"):
            while calls < 2 or time.monotonic() - start < self.options.seconds:
                function()
                calls += 1
                if self.device.type == "cuda" and calls % 10 == 0:
                    torch.cuda.synchronize()
                if calls == 0:
                    start = time.monotonic()
            if self.device.type == "cuda":
                torch.cuda.synchronize()
        return {"images_per_s": calls * images_per_call / (time.monotonic() - start), "batch": images_per_call}


def linear_accuracy(features: Tensor, labels: Tensor) -> float:
    """Accuracy of logistic regression on a random fifth, trained on the others with full-batch L-BFGS, 0..1."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    test = (order < len(labels) // 5).to(labels.device)
    normalised = (features - features[~test].mean(0)) / features[~test].std(0).clamp(min=1e-6)
    weights = torch.zeros(features.shape[1] + 1, int(labels.max()) + 1, device=features.device, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=200, history_size=10, line_search_fn="strong_wolfe")

    def logits(rows: Tensor) -> Tensor:
        return normalised[rows] @ weights[1:] + weights[0]

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss: Tensor = F.cross_entropy(logits(~test), labels[~test]) + 1e-4 * weights[1:].square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    with torch.no_grad():
        return float((logits(test).argmax(1) == labels[test]).float().mean())


def add_times_to_accuracy(record: Record, trainings_s: tuple[float, ...]) -> None:
    """The shortest training that reached each target, once all trainings are recorded."""
    done = [row for row in record.rows if row["stage"] == "training" and row["seconds"] in trainings_s]
    if len(done) < len(trainings_s) or record.holds(stage="time_to_accuracy"):
        return
    for target in TARGETS:
        reached = [row["seconds"] for row in done if row.get("linear_accuracy", 0.0) >= target]
        record.add({"stage": "time_to_accuracy", "accuracy": target, "seconds": min(reached, default=None)})


def draw_images(folder: Path, per_class: int) -> Path:
    """PNG images of 32 x 32 pixels: stripes of ten directions with random phase, tint and noise, a folder per class."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32] / 32
    for kind in range(10):
        (folder / f"class-{kind}").mkdir(parents=True)
        for number in range(per_class):
            wave = x * np.cos(kind * np.pi / 10) + y * np.sin(kind * np.pi / 10)
            stripes = 0.5 + 0.3 * np.sin(2 * np.pi * (4 * wave + rng.random()))[..., None] * rng.uniform(0.3, 1, 3)
            pixels = (stripes + 0.1 * rng.normal(size=(32, 32, 3))).clip(0, 1)
            Image.fromarray((255 * pixels).astype(np.uint8)).save(folder / f"class-{kind}" / f"{number}.png")
    return folder


def peak_mib() -> float:
    """Peak memory in MiB: of the GPU in this row, or of this process where there is none."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(tyro.cli(Options))
