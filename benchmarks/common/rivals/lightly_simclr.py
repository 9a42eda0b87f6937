"""The rival: SimCLR as the library `lightly` publishes it, training vssl's network, timed, its features saved.

Follows lightly's PyTorch example (docs.lightly.ai/examples/simclr.html): its transforms, dataset, projection head and
loss, a torch DataLoader, SGD at 0.06. The defaults are the example's; momentum, weight decay, cosine and temperature
exist so that the baseline can be tuned. One "image" is one sample of the data set in one step (two views each).

    python benchmarks/lightly_simclr.py --data cifar10/ --minutes 10 --out lightly.json --save-features lightly.npz
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import multiprocessing
import os
import platform
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import torch
import tyro
from lightly.data import LightlyDataset
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from lightly.transforms import SimCLRTransform
from lightly.transforms.utils import IMAGENET_NORMALIZE
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms

from vssl.config import find, from_dict
from vssl.errors import ConfigError, DataError, DivergedError, VsslError
from vssl.types import Images

WARM_UP_STEPS = 5
SIDE = 32  # pixels of a view, as in lightly's example for CIFAR-10


@dataclass(frozen=True)
class Settings:
    """SimCLR of the library lightly, timed.

    Attributes:
        data: Folder of images, or a tar archive of one. Where there is a folder train/, only it is trained on.
        out: Where the measurements go (JSON).
        save_features: Where the features, labels and ids of train/ and test/ go (.npz), from un-augmented images.
        minutes: Budget in minutes of training. Give one of minutes, epochs and steps.
        epochs: Budget in passes over the data.
        steps: Budget in optimiser steps.
        encoder: The network: FAMILY/VARIANT of vssl.encoders.
        batch: Images a step.
        workers: Processes of the DataLoader.
        seed: Of the weights, the order and the views.
        temperature: Of the contrastive loss; lightly's default is 0.5.
        colour_strength: Of the colour jitter; lightly recommends 0.5 for small images and defaults to 1.
        optimizer: sgd (the example) or adamw.
        lr: Peak learning rate.
        momentum: Of sgd; lightly's example 0, its CIFAR-10 benchmark 0.9.
        weight_decay: lightly's example 0, its CIFAR-10 benchmark 5e-4.
        warmup: Share of the budget in which the learning rate rises from 0.
        schedule: constant (the example) or cosine over the budget (its CIFAR-10 benchmark).
        bf16: Train in bfloat16 autocast and channels_last, as vssl does; lightly's example is float32.
    """

    data: Path
    out: Path
    save_features: Path | None = None
    minutes: float | None = None
    epochs: int | None = None
    steps: int | None = None
    encoder: str = "convnet/small"
    batch: int = 256
    workers: int = 2
    seed: int = 0
    temperature: float = 0.5
    colour_strength: float = 1.0
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.06
    momentum: float = 0.0
    weight_decay: float = 0.0
    warmup: float = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    bf16: bool = False

    def __post_init__(self) -> None:
        budgets = [budget for budget in (self.minutes, self.epochs, self.steps) if budget is not None]
        if len(budgets) != 1 or budgets[0] <= 0:
            raise ConfigError("Give one budget above zero: --minutes, --epochs or --steps.")


@dataclass(frozen=True)
class Step:
    """One optimiser step on the clock: seconds waited for data, seconds in all, and the loss in nats."""

    waited_s: float
    seconds: float
    loss: float


class SimCLR(nn.Module):
    """A backbone with lightly's projection head, as in its example."""

    def __init__(self, backbone: nn.Module, features: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.projection_head = SimCLRProjectionHead(features, features, 128)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.projection_head(self.features(pixels))

    def features(self, pixels: Tensor) -> Tensor:
        return self.backbone(Images(pixels))


def model_for(settings: Settings) -> SimCLR:
    """The same network that vssl trains, under lightly's head."""
    family, _, variant = settings.encoder.partition("/")
    module = find("encoders", family)
    config = from_dict(module.Config, {"variant": variant}, "--encoder")
    backbone = module.build(config, (3, SIDE, SIDE))
    model = SimCLR(backbone, backbone.features)
    return model.to(memory_format=torch.channels_last) if settings.bf16 else model


def training_loader(settings: Settings, root: Path) -> DataLoader:
    """Shuffled batches of two views, by lightly's transforms without blur, as in its example for CIFAR-10."""
    views = SimCLRTransform(input_size=SIDE, gaussian_blur=0.0, cj_strength=settings.colour_strength)
    dataset = LightlyDataset(str(root / "train" if (root / "train").is_dir() else root), transform=views)
    if len(dataset) < settings.batch:
        raise DataError(f"{settings.data}: {len(dataset)} images are not one batch of {settings.batch}; lower --batch.")
    return DataLoader(
        dataset,
        batch_size=settings.batch,
        shuffle=True,
        drop_last=True,
        num_workers=settings.workers,
        persistent_workers=settings.workers > 0,
        generator=torch.Generator().manual_seed(settings.seed),
    )


def train(model: SimCLR, loader: DataLoader, settings: Settings) -> list[Step]:
    """Run the budget; every step's wait, duration and loss."""
    criterion = NTXentLoss(temperature=settings.temperature, memory_bank_size=0)
    optimizer = optimizer_for(model, settings)
    batches, steps, started = endless(loader), list[Step](), time.perf_counter()
    while (done := share_done(settings, len(steps), len(loader), time.perf_counter() - started)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = settings.lr * rate_factor(settings, done)
        asked = time.perf_counter()
        (view0, view1), _, _ = next(batches)
        received = time.perf_counter()
        loss = update(model, criterion, optimizer, view0, view1, settings.bf16)
        steps.append(Step(received - asked, time.perf_counter() - asked, loss))
        if not math.isfinite(loss):
            raise DivergedError(f"The loss is {loss} at step {len(steps)}; lower --lr or raise --temperature.")
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
    loss = criterion(latent0.float(), latent1.float())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def optimizer_for(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    return torch.optim.SGD(
        model.parameters(), lr=settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay
    )


def endless(loader: DataLoader) -> Iterator[Any]:
    while True:
        yield from loader


def share_done(settings: Settings, steps: int, steps_an_epoch: int, elapsed_s: float) -> float:
    """How much of the budget is spent, from 0 to 1."""
    if settings.minutes is not None:
        return elapsed_s / (60 * settings.minutes)
    return steps / (settings.steps or (settings.epochs or 0) * steps_an_epoch)


def rate_factor(settings: Settings, done: float) -> float:
    if done < settings.warmup:
        return done / settings.warmup
    if settings.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (done - settings.warmup) / (1 - settings.warmup)))


def measurements(steps: list[Step], settings: Settings) -> dict[str, Any]:
    """What the steps add up to; rates leave out the first steps, in which workers start and caches fill."""
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
    """Memory of this process and its living workers in MB, read from Linux's /proc.

    `peak_rss_mb` adds up every process's peak and counts pages shared by several processes each time;
    `pss_mb`, as of now, counts each page once.
    """
    pids = [os.getpid(), *(child.pid for child in multiprocessing.active_children() if child.pid)]
    return {
        "peak_rss_mb": sum(_proc_kb(pid, "status", "VmHWM:") for pid in pids) / 1000,
        "pss_mb": sum(_proc_kb(pid, "smaps_rollup", "Pss:") for pid in pids) / 1000,
    }


def _proc_kb(pid: int, file: str, key: str) -> int:
    lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def embed(model: SimCLR, root: Path, settings: Settings) -> dict[str, np.ndarray]:
    """Features [N, F], labels [N] (by folder) and ids [N] of each split, from plain normalised images."""
    plain = transforms.Compose([transforms.ToTensor(), transforms.Normalize(**IMAGENET_NORMALIZE)])
    splits = [name for name in ("train", "test") if (root / name).is_dir()]
    arrays: dict[str, np.ndarray] = {}
    for name, folder in [(split, root / split) for split in splits] or [("train", root)]:
        loader = DataLoader(LightlyDataset(str(folder), plain), settings.batch, num_workers=settings.workers)
        features, labels, ids = _embed_split(model.eval(), loader)
        arrays |= {f"{name}_features": features, f"{name}_labels": labels, f"{name}_ids": ids}
    return arrays


@torch.no_grad()
def _embed_split(model: SimCLR, loader: DataLoader) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    parts = [(model.features(pixels), labels, ids) for pixels, labels, ids in loader]
    features, labels, ids = zip(*parts, strict=True)
    return torch.cat(features).numpy(), torch.cat(labels).numpy(), np.concatenate(ids)


def unpacked(data: Path, scratch: Path) -> Path:
    """The folder of images: `data` itself, or what the archive holds, unpacked into `scratch`."""
    if data.is_dir():
        return data
    if not (data.is_file() and tarfile.is_tarfile(data)):
        raise DataError(f"{data}: neither a folder nor a tar archive; give one of them.")
    with tarfile.open(data) as archive:
        archive.extractall(scratch, filter="data")
    return scratch


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file so that a kill at any point leaves the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def run(settings: Settings, root: Path) -> dict[str, Any]:
    """Train, measure, and save the features if they are asked for."""
    torch.manual_seed(settings.seed)
    model = model_for(settings)
    loader = training_loader(settings, root)
    result = measurements(train(model, loader, settings), settings) | memory_mb()
    del loader  # ends its workers, so that they do not share the cores with the embedding
    if settings.save_features:
        started = time.perf_counter()
        arrays = embed(model, root, settings)
        embedded = sum(len(values) for name, values in arrays.items() if name.endswith("ids"))
        result["embed_images_per_s"] = embedded / (time.perf_counter() - started)
        write_atomically(settings.save_features, lambda file: np.savez(file, allow_pickle=False, **arrays))
    return result


def context(settings: Settings) -> dict[str, Any]:
    """What somebody needs to repeat the run."""
    packages = ("lightly", "torch", "torchvision", "numpy", "pillow")
    return {
        "command": " ".join(["python", *sys.argv]),
        "settings": asdict(settings),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "cpus": len(os.sched_getaffinity(0)),
        "torch_threads": torch.get_num_threads(),
    }


def main(settings: Settings) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        result = run(settings, unpacked(settings.data, Path(scratch)))
    report = json.dumps(result | context(settings), indent=2, default=str)
    write_atomically(settings.out, lambda file: file.write(report.encode()))
    print(report)


if __name__ == "__main__":
    try:
        main(tyro.cli(Settings))
    except VsslError as error:
        sys.exit(f"error: {error}")
