"""One trial: trains one method with one seed, evaluates the model, and measures its cost."""

import hashlib
import json
import re
import resource
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode

from vssl.benchmarking.evaluate_model import evaluate_model
from vssl.benchmarking.sources import Sources
from vssl.errors import DivergedError
from vssl.run import Run
from vssl.training import devices, loop
from vssl.training.environment import machine, versions
from vssl.training.model import Model, load
from vssl.training.settings import Settings

FLOPS_BATCH = 32


@dataclass(frozen=True)
class Trial:
    """One run of a comparison: the data, the method as it was written, and all settings."""

    sources: Sources
    method: str
    settings: Settings

    @property
    def budget(self) -> str:
        """For example "5 minutes"."""
        ((unit, amount),) = [(unit, amount) for unit, amount in asdict(self.settings.budget).items() if amount]
        return f"{amount:g} {unit.removesuffix('s') if amount == 1 else unit}"

    @property
    def name(self) -> str:
        """A unique file name: the varied settings in words, and a hash of all settings."""
        rate, batch = self.settings.optimiser.learning_rate, self.settings.batch
        parts = (self.sources.name, self.budget, self.method, f"lr {rate:g}", f"batch {batch}")
        readable = re.sub(r"[^\w.=-]+", "-", "_".join((*parts, f"seed {self.settings.seed}")))
        everything = json.dumps([asdict(self.sources), self.settings.to_dict()], sort_keys=True)
        return f"{readable}_{hashlib.sha256(everything.encode()).hexdigest()[:8]}"


def run(trial: Trial, folder: Path, talk: bool) -> dict[str, Any] | None:
    """Train and evaluate; None if it was interrupted, to be continued."""
    head = {
        "data": trial.sources.name,
        "sources": asdict(trial.sources),
        "method": trial.method,
        "budget": trial.budget,
        "seed": trial.settings.seed,
        "learning_rate": trial.settings.optimiser.learning_rate,
        "batch": trial.settings.batch,
        "settings": trial.settings.to_dict(),
        "versions": versions(),
        "machine": machine(devices.choose(trial.settings.device)),
    }
    terminal = Console(stderr=True, highlight=False, quiet=not talk)
    try:
        trained = loop.train_or_resume(trial.sources.train, folder, trial.settings, terminal=terminal)
    except DivergedError as error:
        return head | {"outcome": "diverged", "health": str(error), "values": {}, "cost": {}}
    if trained.info["status"] != "done":
        return None
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        peak_mb = torch.cuda.max_memory_allocated() / 2**20
    model = load(trained, trial.settings.device)
    started = time.monotonic()
    values = evaluate_model(model, trial.sources, trial.settings.seed, terminal)
    shutil.rmtree(folder / "embeddings")
    cost = _cost(model, trial) | {"peak_mb": peak_mb, "evaluation_seconds": time.monotonic() - started}
    stability = {"health": trained.info["health"], "loss_spikes": loss_spikes(trained)}
    return head | {"outcome": "done", **stability, "values": values, "cost": cost}


def _cost(model: Model, trial: Trial) -> dict[str, float]:
    progress = model.run.info["progress"]
    trained = [parameter for parameter in model.objective.parameters() if parameter.requires_grad]
    return {
        "steps": progress["step"],
        "samples": progress["samples"],
        "seconds": progress["seconds"],
        "samples_per_s": progress["samples"] / progress["seconds"],
        "gflops_per_sample": gflops_per_sample(model, trial.sources.train),
        "parameters": sum(parameter.numel() for parameter in trained),
    }


def gflops_per_sample(model: Model, source: str) -> float:
    """10^9 floating-point operations per sample of a training step (forward, teacher, backward), counted by torch."""
    chunk = model.modality.sample(source, FLOPS_BATCH, seed=0)
    generator = torch.Generator(model.device).manual_seed(0)
    views = model.modality.many_views(model.objective.views, chunk.raw.to(model.device), generator)
    model.objective.train()
    with FlopCounterMode(display=False) as counter:
        model.objective(views, generator).total.backward()
    model.objective.eval()
    return float(counter.get_total_flops()) / len(chunk.ids) / 1e9


def loss_spikes(run: Run) -> int:
    """The number of logged losses that exceed the one before by more than ten times the median change."""
    changes = np.diff([line["loss"] for line in run.metrics()])
    return int((changes > 10 * np.median(np.abs(changes))).sum()) if len(changes) else 0
