"""Speed and memory beside lightly: the same network, batch and cores, in turn, in one run.

    python benchmarks/speed_images.py --data CIFAR10_FOLDER_OR_TAR

Every measurement is a process of its own, ours and the rival's in turn, so that a machine whose speed drifts slows
both; the ratio of each pair is what counts. Writes benchmarks/results/speed_images.json and prints a table.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from training import BATCH
from vssl.files import write_json
from vssl.training.describe import machine, versions

HERE = Path(__file__).parent
TWO_VIEWS = "vssl:views=2"


@dataclass(frozen=True)
class Options:
    """Speed and memory beside lightly.

    Attributes:
        data: Folder with train/ and test/ below, or a tar archive of it.
        out: Where the record goes.
        encoders: Networks to train.
        steps: Steps a measurement, for each network; the rival leaves out its first five.
        repeats: Turns of measurements, for each network.
        workers: Numbers of DataLoader processes to try for the rival; it gets the fastest.
        names: Numbers of file names for the start-up time.
    """

    data: Path
    out: Path = HERE / "results" / "speed_images.json"
    encoders: tuple[str, ...] = ("convnet/small", "convnet/resnet18")
    steps: tuple[int, ...] = (20, 8)
    repeats: tuple[int, ...] = (3, 1)
    workers: tuple[int, ...] = (0, 1, 2)
    names: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)


def main(options: Options) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        data = unpacked(options.data, Path(scratch))
        record: dict[str, Any] = {"command": "python benchmarks/speed_images.py --data DATA", "versions": versions()}
        record["machine"] = machine(torch.device("cpu"))
        record["rival_workers"] = workers = {flag: best_workers(options, data, flag) for flag in ("", "--bf16")}
        record["training"] = {
            encoder: training(data, encoder, steps, repeats, workers)
            for encoder, steps, repeats in zip(options.encoders, options.steps, options.repeats, strict=True)
        }
        record["views_share"] = {encoder: measure("views", data, encoder) for encoder in options.encoders}
        record["embedding"] = pairs(
            options.repeats[0],
            {
                "vssl": lambda: measure("embed", data, options.encoders[0]),
                "loader": lambda: measure("embed_loader", data, options.encoders[0], max(options.workers)),
            },
        )
        record["start_up_seconds"] = {str(count): start_up(count, Path(scratch)) for count in options.names}
    write_json(options.out, record)
    print(json.dumps(record, indent=2))


def best_workers(options: Options, data: Path, flag: str) -> int:
    """The number of DataLoader processes with which the rival is fastest on this machine."""
    rates = {count: lightly(data, options.encoders[0], 10, count, flag)["images_per_s"] for count in options.workers}
    return max(rates, key=lambda count: rates[count])


def training(data: Path, encoder: str, steps: int, repeats: int, workers: dict[str, int]) -> dict[str, Any]:
    """Our training and lightly's, as its example stands and with bfloat16, in turn."""
    return pairs(
        repeats,
        {
            "vssl": lambda: measure("train", data, encoder, 3 * steps),
            "lightly": lambda: lightly(data, encoder, steps, workers[""], ""),
            "lightly bf16": lambda: lightly(data, encoder, steps, workers["--bf16"], "--bf16"),
        },
    )


def pairs(repeats: int, measurements: dict[str, Callable[[], dict[str, float]]]) -> dict[str, Any]:
    """All measurements in turn, `repeats` times; the ratio of our rate to each rival's, turn by turn."""
    turns = [{name: run() for name, run in measurements.items()} for _ in range(repeats)]
    ours, *rivals = measurements
    ratios = {
        f"{ours} / {rival}": [turn[ours]["images_per_s"] / turn[rival]["images_per_s"] for turn in turns]
        for rival in rivals
    }
    return {"turns": turns, "ratios": ratios, "median_ratios": {k: float(np.median(v)) for k, v in ratios.items()}}


def measure(what: str, data: Path, encoder: str, number: int = 0) -> dict[str, float]:
    """Run a function of this file's table in a process of its own; adds the peak memory of the whole process."""
    command = [sys.executable, __file__, what, str(data), encoder, str(number)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def lightly(data: Path, encoder: str, steps: int, workers: int, flag: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = f"{HERE}/lightly_simclr.py --data {data} --out {out} --steps {steps} --encoder {encoder}"
        command += f" --workers {workers} {flag}"
        subprocess.run([sys.executable, *command.split()], check=True, capture_output=True)
        result = json.loads(out.read_text())
    return {key: result[key] for key in ("images_per_s", "data_wait_share", "peak_rss_mb")}


def train(data: Path, encoder: str, steps: int) -> dict[str, float]:
    """Training as `vssl train` does it, with two views of each image, as lightly; the first ten steps are left out."""
    from vssl import api
    from vssl.benchmarking.methods import method

    objective = method(TWO_VIEWS)
    with tempfile.TemporaryDirectory() as folder:
        run = api.train(
            data / "train", Path(folder) / "run", objective=objective, encoder=encoder, steps=steps, batch=BATCH
        )
        lines = run.metrics()
    # The first line is that of the first step, in which everything is set up.
    first, last = lines[1], lines[-1]
    rate = (last["step"] - first["step"]) * BATCH / (last["seconds"] - first["seconds"])
    return {"images_per_s": rate, "data_wait_share": float(np.mean([line["data_wait"] for line in lines[1:]]))}


def views(data: Path, encoder: str, _: int) -> dict[str, float]:
    """The views' share of a training step: the median time of two views of a batch against that of the whole step."""
    from vssl.benchmarking.recipes import cifar10_cpu10
    from vssl.config import member
    from vssl.modalities import images
    from vssl.training import devices, model

    settings = dataclasses.replace(cifar10_cpu10(objective=TWO_VIEWS).settings, encoder=member("encoders", encoder))
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
    return {"views_ms": 1000 * views_s, "step_ms": 1000 * step_s, "share": views_s / step_s}


def embed(data: Path, encoder: str, _: int) -> dict[str, float]:
    """`vssl embed` from JPEG files to the Parquet table, loading the model not counted."""
    from vssl import api

    with tempfile.TemporaryDirectory() as folder:
        run = api.train(data / "test", Path(folder) / "run", encoder=encoder, steps=1)
        api.load(run)
        start = time.perf_counter()
        count = len(api.embed(run, data / "test"))
        return {"images_per_s": count / (time.perf_counter() - start)}


def embed_loader(data: Path, encoder: str, workers: int) -> dict[str, float]:
    """The usual way: a torch DataLoader over an image folder and a float32 network."""
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    from vssl.config import find, member
    from vssl.types import Images

    family, config = encoder.partition("/")[0], member("encoders", encoder)
    network = find("encoders", family).build(config, (3, 32, 32)).eval()
    start = time.perf_counter()
    loader = DataLoader(datasets.ImageFolder(data / "test", transforms.ToTensor()), 256, num_workers=workers)
    with torch.no_grad():
        count = sum(len(network(Images(pixels))) for pixels, _ in loader)
    return {"images_per_s": count / (time.perf_counter() - start)}


def start_up(count: int, scratch: Path) -> dict[str, float]:
    """Seconds until a folder of so many (empty) image files is known, the first time and the second."""
    from vssl.modalities.images.index import open_index

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


def unpacked(data: Path, scratch: Path) -> Path:
    if data.is_dir():
        return data
    with tarfile.open(data) as archive:
        archive.extractall(scratch / "data", filter="data")
    return scratch / "data"


def peak_mb() -> float:
    """Peak memory of this process, in MB."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in status if line.startswith("VmHWM:"))


WORKERS = {"train": train, "views": views, "embed": embed, "embed_loader": embed_loader}

if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in WORKERS:
        name, folder, network_name, number_of = sys.argv[1:]
        measured = WORKERS[name](Path(folder), network_name, int(number_of))
        print(json.dumps({**measured, "peak_rss_mb": peak_mb()}))
    else:
        main(tyro.cli(Options))
