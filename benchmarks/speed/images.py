"""Speed and memory of training and embedding images, beside lightly: the same network, batch and cores, in turns.

    pip install --no-deps -r benchmarks/requirements.txt
    python -m benchmarks.speed.images cifar10-jpeg.tar.xz

Every measurement has a process of its own, and methods take turns, so that a machine whose speed drifts slows all of
them; the ratio of each turn is what counts. lightly gets the fastest number of DataLoader processes.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from benchmarks import tables
from benchmarks.common.archive import unpacked
from benchmarks.common.process import in_own_process, peak_mib
from benchmarks.common.record import RESULTS, Record
from benchmarks.common.rivals import lightly_simclr
from benchmarks.common.training import BATCH
from vssl import api
from vssl.benchmarking.methods import method
from vssl.config import find, member
from vssl.modalities import images
from vssl.modalities.images.index import open_index
from vssl.training import devices, model
from vssl.training.settings import Budget, Settings
from vssl.types import Images

TWO_VIEWS = "vssl:views=2"
Figures = dict[str, float]


@dataclass(frozen=True)
class Options:
    """Speed and memory beside lightly.

    Attributes:
        data: Folder with train/ and test/ below, or a tar archive of it.
        out: File of the record.
        encoders: Networks to train.
        steps: Optimiser steps per measurement, for each network.
        repeats: Turns of measurements, for each network.
        workers: Numbers of DataLoader processes to try for lightly.
        names: Numbers of files for the start-up time.
    """

    data: tyro.conf.Positional[Path]
    out: Path = RESULTS / "speed_images.json"
    encoders: tuple[str, ...] = ("convnet/small", "convnet/resnet18")
    steps: tuple[int, ...] = (20, 8)
    repeats: tuple[int, ...] = (3, 1)
    workers: tuple[int, ...] = (0, 1, 2)
    names: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)


def main(options: Options) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        data, small = unpacked(options.data, Path(scratch) / "data"), options.encoders[0]
        workers = {bf16: _best_workers(options, data, bf16) for bf16 in (False, True)}
        best = {"lightly": workers[False], "lightly bf16": workers[True]}
        versions = lightly_simclr.package_versions()
        record = Record.create(options.out, other_versions=versions, rival_workers=best)
        for encoder, steps, repeats in zip(options.encoders, options.steps, options.repeats, strict=True):
            settings = lightly_simclr.Settings(steps=steps, encoder=encoder)
            trainings: dict[str, Callable[[], Figures]] = {"vssl": partial(_train, data, encoder, 3 * steps)}
            for name, count in best.items():
                own = dataclasses.replace(settings, workers=count, bf16="bf16" in name)
                trainings[name] = partial(_lightly, data, own)
            _in_turns(record, "training", encoder, repeats, trainings)
        for encoder in options.encoders:
            record.add({"kind": "views", "encoder": encoder, **in_own_process(views, data, encoder)})
        embeddings: dict[str, Callable[[], Figures]] = {
            "vssl": partial(in_own_process, embed, data, small),
            "loader": partial(in_own_process, embed_with_loader, data, small, max(options.workers)),
        }
        _in_turns(record, "embedding", None, options.repeats[0], embeddings)
        for count in options.names:
            record.add({"kind": "start_up", "files": count, **start_up(count, Path(scratch))})
    tables.show("speed_images", record)


def _in_turns(
    record: Record, kind: str, encoder: str | None, repeats: int, measurements: Mapping[str, Callable[[], Figures]]
) -> None:
    """All measurements in turns, and the ratio of the first one's rate to that of each other, turn by turn."""
    head = {"kind": kind, "encoder": encoder}
    turns = []
    for turn in range(repeats):
        turns.append({name: run() for name, run in measurements.items()})
        record.add(*({**head, "turn": turn, "method": name, **figures} for name, figures in turns[-1].items()))
    ours, *rivals = measurements
    for rival in rivals:
        ratios = [turn[ours]["images_per_s"] / turn[rival]["images_per_s"] for turn in turns]
        about = {"kind": f"{kind}_ratio", "encoder": encoder, "methods": f"{ours} / {rival}"}
        record.add({**about, "ratios": ratios, "median": float(np.median(ratios))})


def _best_workers(options: Options, data: Path, bf16: bool) -> int:
    """The number of DataLoader processes with which lightly is fastest on this machine."""
    settings = lightly_simclr.Settings(steps=10, encoder=options.encoders[0], bf16=bf16)
    rates = {n: _lightly(data, dataclasses.replace(settings, workers=n))["images_per_s"] for n in options.workers}
    return max(rates, key=lambda count: rates[count])


def _lightly(data: Path, settings: lightly_simclr.Settings) -> Figures:
    figures, _ = in_own_process(lightly_simclr.run, data, settings)
    return {name: figures[name] for name in ("images_per_s", "data_wait_share", "peak_rss_mb")}


def _train(data: Path, encoder: str, steps: int) -> Figures:
    return in_own_process(train, data, encoder, steps)


def train(data: Path, encoder: str, steps: int) -> Figures:
    """Training as `vssl train` does it, with two views per image as lightly has; set-up steps are left out."""
    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, Any] = {"objective": method(TWO_VIEWS), "encoder": encoder, "steps": steps, "batch": BATCH}
        lines = api.train(data / "train", Path(folder) / "run", **settings).metrics()
    # The first line is that of the first step, in which everything is set up.
    first, last = lines[1], lines[-1]
    rate = (last["step"] - first["step"]) * BATCH / (last["seconds"] - first["seconds"])
    return _with_memory({"images_per_s": rate, "data_wait_share": np.mean([line["data_wait"] for line in lines[1:]])})


def views(data: Path, encoder: str) -> Figures:
    """The share of a training step that making views takes: median times of two views per image and of a step."""
    settings = Settings(
        modality=images.Config(views="natural"),
        encoder=member("encoders", encoder),
        objective=method(TWO_VIEWS),
        budget=Budget(minutes=10),
        batch=BATCH,
    )
    modality = model.build_modality(settings.modality, images.measure(data / "test", settings.modality))
    raw = modality.sample(data / "test", settings.batch, seed=0).raw
    objective = model.build_objective(settings, modality)
    objective.to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(0)
    times: list[tuple[float, float]] = []
    for _step in range(12):
        start = time.perf_counter()
        both = modality.views(raw, generator)
        middle = time.perf_counter()
        with devices.autocast(torch.device("cpu"), "auto"):
            loss = objective(both, generator)
        loss.total.backward()
        times.append((middle - start, time.perf_counter() - start))
    views_s, step_s = np.median(times[2:], axis=0)
    return _with_memory({"views_ms": 1000 * views_s, "step_ms": 1000 * step_s, "share": views_s / step_s})


def embed(data: Path, encoder: str) -> Figures:
    """`vssl embed` from JPEG files to the Parquet table, without loading the model."""
    with tempfile.TemporaryDirectory() as folder:
        run = api.train(data / "test", Path(folder) / "run", encoder=encoder, steps=1)
        api.load(run)
        start = time.perf_counter()
        count = len(api.embed(run, data / "test"))
        return _with_memory({"images_per_s": count / (time.perf_counter() - start)})


def embed_with_loader(data: Path, encoder: str, workers: int) -> Figures:
    """A torch DataLoader over an image folder, and a float32 network."""
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    family, config = encoder.partition("/")[0], member("encoders", encoder)
    network = find("encoders", family).build(config, (3, 32, 32)).eval()
    start = time.perf_counter()
    loader = DataLoader(datasets.ImageFolder(data / "test", transforms.ToTensor()), 256, num_workers=workers)
    with torch.no_grad():
        count = sum(len(network(Images(pixels))) for pixels, _ in loader)
    return _with_memory({"images_per_s": count / (time.perf_counter() - start)})


def start_up(count: int, scratch: Path) -> Figures:
    """Seconds until a folder of that many (empty) image files is listed, the first time and the second."""
    folder = scratch / f"names-{count}"
    for start in range(0, count, 1_000):
        part = folder / f"{start // 1_000:04d}"
        part.mkdir(parents=True)
        for number in range(start, min(start + 1_000, count)):
            os.close(os.open(part / f"part-{number:07d}.png", os.O_CREAT | os.O_WRONLY))
    seconds = []
    for _ in range(2):
        begin = time.perf_counter()
        assert len(open_index(folder)) == count
        seconds.append(time.perf_counter() - begin)
    return {"first": seconds[0], "second": seconds[1]}


def _with_memory(figures: Mapping[str, Any]) -> Figures:
    return {name: float(value) for name, value in figures.items()} | {"peak_rss_mb": peak_mib() * 1.024}


if __name__ == "__main__":
    main(tyro.cli(Options))
