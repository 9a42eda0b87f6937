"""SimCLR as the library lightly publishes it, training vssl's network, timed.

Follows lightly's PyTorch example (docs.lightly.ai/examples/simclr.html): its transforms, data set, projection head and
loss, a torch DataLoader, SGD at 0.06. The defaults are the example's; `TUNED` is what lightly uses in its own CIFAR-10
benchmark, with the temperature that did best here. One image is one sample of the data set in one step, two views each.
`benchmarks.quality.rivals` and `benchmarks.speed.images` run it. lightly 1.6 opens no network connection; earlier
releases ask for a newer version when imported.
"""

from __future__ import annotations

import importlib.metadata
import math
import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.common.process import peak_mib
from vssl.config import find, from_dict
from vssl.errors import ConfigError, DataError, DivergedError
from vssl.types import Images

WARM_UP_STEPS = 5
SIDE = 32
"""Pixels of a view, as in lightly's example for CIFAR-10."""
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Settings:
    """SimCLR of the library lightly.

    Attributes:
        minutes: Budget in minutes of training. Give one of minutes, epochs and steps.
        epochs: Budget in passes over the data.
        steps: Budget in optimiser steps.
        encoder: Network, FAMILY/VARIANT of vssl.encoders.
        batch: Images per step.
        workers: Processes of the DataLoader. The fastest number on the machine is fair: try 0, 1 and 2.
        seed: Random seed of the weights, the order and the views.
        temperature: Temperature of the contrastive loss; lightly's default is 0.5.
        colour_strength: Strength of the colour jitter; lightly recommends 0.5 for small images and defaults to 1.
        lr: Peak learning rate of SGD.
        momentum: Momentum of SGD; lightly's example has 0, its CIFAR-10 benchmark 0.9.
        weight_decay: lightly's example has 0, its CIFAR-10 benchmark 5e-4.
        schedule: constant (the example) or cosine over the budget (its CIFAR-10 benchmark).
        bf16: Whether to train in bfloat16 autocast and channels_last, as vssl does; lightly's example is float32.
    """

    minutes: float | None = None
    epochs: int | None = None
    steps: int | None = None
    encoder: str = "convnet/small"
    batch: int = 256
    workers: int = 2
    seed: int = 0
    temperature: float = 0.5
    colour_strength: float = 1.0
    lr: float = 0.06
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    bf16: bool = False


TUNED = Settings(
    lr=0.12, momentum=0.9, weight_decay=5e-4, schedule="cosine", colour_strength=0.5, temperature=0.1, workers=0
)


def run(data: Path, settings: Settings, with_features: bool = False) -> tuple[dict[str, Any], Arrays]:
    """Train on `data`, or on its folder train/ where there is one.

    Returns:
        Measurements, and with `with_features` the features [N, F], labels [N] and ids [N] of train/ and test/ as
        arrays SPLIT_features and so on, from plain normalised images in float32; else no arrays.

    Raises:
        ConfigError: Not exactly one budget above zero.
        DataError: There are fewer images than one batch.
        DivergedError: The loss is not finite.
    """
    budgets = [budget for budget in (settings.minutes, settings.epochs, settings.steps) if budget is not None]
    if len(budgets) != 1 or budgets[0] <= 0:
        raise ConfigError("Give one budget above zero: minutes, epochs or steps.")
    torch.manual_seed(settings.seed)
    model = model_for(settings)
    loader = training_loader(settings, data)
    result = measurements(train(model, loader, settings), settings) | memory_mb()
    del loader  # ends its workers, so that they do not share the cores with the embedding
    return result, embed(model, data, settings) if with_features else {}


def package_versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in ("lightly", "torchvision")}


@dataclass(frozen=True)
class Step:
    """One optimiser step on the clock: seconds waited for data, seconds in all, and the loss in nats."""

    waited_s: float
    seconds: float
    loss: float


class SimCLR(nn.Module):
    """A backbone with lightly's projection head, as in its example."""

    def __init__(self, backbone: nn.Module, features: int) -> None:
        from lightly.models.modules import SimCLRProjectionHead

        super().__init__()
        self.backbone = backbone
        self.projection_head = SimCLRProjectionHead(features, features, 128)

    def forward(self, pixels: Tensor) -> Tensor:
        projected: Tensor = self.projection_head(self.features(pixels))
        return projected

    def features(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.backbone(Images(pixels))
        return features


def model_for(settings: Settings) -> SimCLR:
    """The same network that vssl trains, under lightly's head."""
    family, _, variant = settings.encoder.partition("/")
    module = find("encoders", family)
    config = from_dict(module.Config, {"variant": variant}, "--encoder")
    backbone = module.build(config, (3, SIDE, SIDE))
    model = SimCLR(backbone, backbone.features)
    return model.to(memory_format=torch.channels_last) if settings.bf16 else model


def training_loader(settings: Settings, root: Path) -> DataLoader[Any]:
    """Shuffled batches of two views, by lightly's transforms without blur, as in its example for CIFAR-10."""
    from lightly.data import LightlyDataset
    from lightly.transforms import SimCLRTransform

    views = SimCLRTransform(input_size=SIDE, gaussian_blur=0.0, cj_strength=settings.colour_strength)
    dataset = LightlyDataset(str(root / "train" if (root / "train").is_dir() else root), transform=views)
    if len(dataset) < settings.batch:
        raise DataError(f"{root}: {len(dataset)} images are not one batch of {settings.batch}; choose a smaller batch.")
    return DataLoader(
        dataset,
        batch_size=settings.batch,
        shuffle=True,
        drop_last=True,
        num_workers=settings.workers,
        persistent_workers=settings.workers > 0,
        generator=torch.Generator().manual_seed(settings.seed),
    )


def train(model: SimCLR, loader: DataLoader[Any], settings: Settings) -> list[Step]:
    """Run the budget; every step's wait, duration and loss."""
    from lightly.loss import NTXentLoss

    criterion = NTXentLoss(temperature=settings.temperature, memory_bank_size=0)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay
    )
    batches, steps, started = endless(loader), list[Step](), time.perf_counter()
    while (done := share_done(settings, len(steps), len(loader), time.perf_counter() - started)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = settings.lr * rate_factor(settings, done)
        begin = time.perf_counter()
        (view0, view1), _, _ = next(batches)
        received = time.perf_counter()
        loss = update(model, criterion, optimizer, view0, view1, settings.bf16)
        steps.append(Step(received - begin, time.perf_counter() - begin, loss))
        if not math.isfinite(loss):
            raise DivergedError(
                f"The loss is {loss} at step {len(steps)}; choose a smaller lr or a higher temperature."
            )
        if len(steps) % 20 == 0:
            print(f"{100 * done:4.0f} %  step {len(steps)}  loss {loss:.3f}", flush=True)
    return steps


def update(
    model: SimCLR, criterion: nn.Module, optimizer: torch.optim.Optimizer, view0: Tensor, view1: Tensor, bf16: bool
) -> float:
    """One step of the example: each view through the model, the loss, the optimiser."""
    if bf16:
        view0, view1 = (view.contiguous(memory_format=torch.channels_last) for view in (view0, view1))
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        latent0, latent1 = model(view0), model(view1)
    loss: Tensor = criterion(latent0.float(), latent1.float())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def endless(loader: DataLoader[Any]) -> Iterator[Any]:
    while True:
        yield from loader


def share_done(settings: Settings, steps: int, steps_per_epoch: int, elapsed_s: float) -> float:
    """The share of the budget that is spent, 0..1."""
    if settings.minutes is not None:
        return elapsed_s / (60 * settings.minutes)
    return steps / (settings.steps or (settings.epochs or 0) * steps_per_epoch)


def rate_factor(settings: Settings, done: float) -> float:
    return 1.0 if settings.schedule == "constant" else 0.5 * (1 + math.cos(math.pi * done))


def measurements(steps: list[Step], settings: Settings) -> dict[str, Any]:
    """Totals and rates of the steps; rates leave out the first steps, in which workers start and caches fill."""
    steady = steps[WARM_UP_STEPS:] or steps
    steady_s = sum(step.seconds for step in steady)
    return {
        "images_per_s": settings.batch * len(steady) / steady_s,
        "data_wait_share": sum(step.waited_s for step in steady) / steady_s,
        "images": settings.batch * len(steps),
        "steps": len(steps),
        "seconds": sum(step.seconds for step in steps),
        "loss_nats": sum(step.loss for step in steps[-20:]) / len(steps[-20:]),
    }


def memory_mb() -> dict[str, float]:
    """The peak memory of this process and its workers; pages that several processes share count once for each."""
    pids = [os.getpid(), *(child.pid for child in multiprocessing.active_children() if child.pid)]
    return {"peak_rss_mb": sum(map(peak_mib, pids)) * 1.024}


def embed(model: SimCLR, root: Path, settings: Settings) -> Arrays:
    """Features [N, F], labels [N] (by folder) and ids [N] of each split, from plain normalised images."""
    from lightly.data import LightlyDataset
    from lightly.transforms.utils import IMAGENET_NORMALIZE
    from torchvision import transforms

    plain = transforms.Compose([transforms.ToTensor(), transforms.Normalize(**IMAGENET_NORMALIZE)])
    splits = [name for name in ("train", "test") if (root / name).is_dir()]
    arrays: Arrays = {}
    for name, folder in [(split, root / split) for split in splits] or [("train", root)]:
        loader = DataLoader(LightlyDataset(str(folder), plain), settings.batch, num_workers=settings.workers)
        features, labels, ids = _embed_split(model.eval(), loader)
        arrays |= {f"{name}_features": features, f"{name}_labels": labels, f"{name}_ids": ids}
    return arrays


@torch.no_grad()
def _embed_split(model: SimCLR, loader: DataLoader[Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    parts = [(model.features(pixels), labels, ids) for pixels, labels, ids in loader]
    features, labels, ids = zip(*parts, strict=True)
    return torch.cat(features).numpy(), torch.cat(labels).numpy(), np.concatenate(ids)
