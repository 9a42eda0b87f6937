"""The cost of a training step of each method, in turns, so that a machine whose speed drifts slows all of them.

    python -m benchmarks.speed.objectives cifar10/test

A step makes the views and runs forward and backward pass, optimiser and teacher; the images are in memory.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro

from benchmarks import tables
from benchmarks.common.record import RESULTS, Record
from benchmarks.common.training import BATCH
from vssl.benchmarking.methods import method
from vssl.config import member
from vssl.modalities import images
from vssl.training import devices, model, optim
from vssl.training.settings import Budget, Optimiser, Settings


@dataclass(frozen=True)
class Options:
    """Steps of training methods in turns; ratios are to the first method.

    Attributes:
        data: Images.
        methods: Training methods, named as in `vssl bench`.
        encoder: Network, as in `vssl train`.
        turns: Number of steps per method; the first two are left out.
        out: File of the record.
    """

    data: tyro.conf.Positional[Path]
    methods: tuple[str, ...] = ("vssl", "vssl/contrast", "vssl:views=2", "vssl/paper", "simclr", "byol", "vae")
    encoder: Literal["convnet/tiny", "convnet/small"] = "convnet/tiny"
    turns: int = 22
    out: Path = RESULTS / "speed_objectives.json"


def main(options: Options) -> None:
    steps = {name: Step(name, options) for name in options.methods}
    seconds = np.array([[step() for step in steps.values()] for _ in range(options.turns)])[2:]
    ratios = seconds / seconds[:, :1]
    record = Record.create(options.out, seeds=(0,), encoder=options.encoder, turns=len(seconds))
    record.add(
        *(
            {"method": name, "seconds": float(np.median(own)), "ratio": np.quantile(ratio, [0.5, 0.25, 0.75]).tolist()}
            for name, own, ratio in zip(steps, seconds.T, ratios.T, strict=True)
        )
    )
    tables.show("speed_objectives", record)


class Step:
    """One step of the training loop of a method."""

    def __init__(self, name: str, options: Options) -> None:
        encoder = member("encoders", options.encoder)
        self.settings = Settings(images.Config(), encoder, method(name), Budget(steps=1), batch=BATCH, device="cpu")
        spec = images.measure(options.data, self.settings.modality)
        self.modality = model.build_modality(self.settings.modality, spec)
        self.objective = model.build_objective(self.settings, self.modality).train()
        self.objective.to(memory_format=torch.channels_last)
        self.optimiser = optim.build(Optimiser(), self.objective)
        samples = self.settings.batch * 2 // self.objective.views
        self.generator = torch.Generator().manual_seed(0)
        self.raw = self.modality.sample(options.data, samples, seed=0).raw

    def __call__(self) -> float:
        start = time.perf_counter()
        views = self.modality.many_views(self.objective.views, self.raw, self.generator)
        with devices.autocast(torch.device("cpu"), self.settings.precision):
            loss = self.objective(views, self.generator)
        self.optimiser.zero_grad(set_to_none=True)
        loss.total.backward()
        self.optimiser.step()
        self.objective.update(1e-3, 0.5)
        return time.perf_counter() - start


if __name__ == "__main__":
    main(tyro.cli(Options))
