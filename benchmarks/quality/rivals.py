"""What `vssl bench` cannot train: SimCLR of the library lightly, and raw pixels, evaluated as `vssl bench` evaluates.

    pip install --no-deps -r benchmarks/requirements.txt
    python -m benchmarks.quality.rivals lightly cifar10 --steps 907 --seeds 0 1 2
    python -m benchmarks.quality.rivals pixels infrared/infrared.csv

lightly trains vssl's network on cifar10/train and is evaluated on cifar10/test, with the settings of its own CIFAR-10
benchmark (`--lightly.NAME` changes them). Pixels are evaluated as they are on the canvas that a network gets, each
sample among the others. Budgets in steps are fair on machines that other work disturbs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import tyro

from benchmarks.common.process import in_own_process
from benchmarks.common.record import RESULTS, Record
from benchmarks.common.rivals import lightly_simclr
from vssl.evaluation import EvalData, evaluate
from vssl.modalities import images
from vssl.types import Embeddings

EVALUATORS = ("knn", "linear", "retrieval", "selective", "rank")
"""The evaluators of `vssl bench`."""


@dataclass(frozen=True)
class Options:
    """Comparison methods that learn nothing, or are trained by another library.

    Attributes:
        method: lightly or pixels.
        data: Folder with train/CLASS and test/CLASS for lightly; pictures with labels for pixels.
        seeds: Random seeds of the trainings.
        minutes: Minutes of training; 10 if steps are not given.
        steps: Optimiser steps, instead of minutes.
        lightly: Settings of lightly's SimCLR.
        modality: How pictures are read for pixels.
        out: File of the record.
    """

    method: tyro.conf.Positional[Literal["lightly", "pixels"]]
    data: tyro.conf.Positional[Path]
    seeds: tuple[int, ...] = (0, 1, 2)
    minutes: float = 10
    steps: int | None = None
    lightly: lightly_simclr.Settings = lightly_simclr.TUNED
    modality: images.Config = dataclasses.field(default_factory=images.Config)
    out: Path = RESULTS / "rivals.json"


def main(options: Options) -> None:
    versions = lightly_simclr.package_versions() if options.method == "lightly" else {}
    record = Record.resume(
        options.out, seeds=options.seeds, other_versions=versions, data=options.data, lightly=vars(options.lightly)
    )
    for seed in options.seeds if options.method == "lightly" else options.seeds[:1]:
        if not record.holds(objective=options.method, seed=seed, steps=options.steps):
            cost, evidence = _lightly(options, seed) if options.method == "lightly" else ({}, _pixels(options))
            values = evaluate(evidence, EVALUATORS).values
            record.add(
                {"objective": options.method, "seed": seed, "steps": options.steps, "cost": cost, "values": values}
            )


def _lightly(options: Options, seed: int) -> tuple[dict[str, Any], EvalData]:
    """Train in a process of its own, and what is evaluated."""
    budget = {"steps": options.steps} if options.steps else {"minutes": options.minutes}
    settings = dataclasses.replace(options.lightly, seed=seed, **budget)
    cost, arrays = in_own_process(lightly_simclr.run, options.data, settings, with_features=True)
    train, test = (_table(arrays, split) for split in ("train", "test"))
    return cost, EvalData(test, reference=train, label="label")


def _table(arrays: Mapping[str, np.ndarray], split: str) -> Embeddings:
    columns = {"features": arrays[f"{split}_features"], "label": pa.array(arrays[f"{split}_labels"])}
    return Embeddings.from_columns([f"{split}/{name}" for name in arrays[f"{split}_ids"]], columns)


def _pixels(options: Options) -> EvalData:
    modality = images.build(options.modality, images.measure(options.data, options.modality))
    tables = []
    for chunk in modality.stream(options.data):
        pixels = chunk.raw.flatten(1).numpy() / np.float32(255)
        columns = {name: chunk.metadata[name] for name in chunk.metadata.column_names}
        tables.append(Embeddings.from_columns(list(chunk.ids), {"features": pixels} | columns).table)
    return EvalData(Embeddings(pa.concat_tables(tables)), label="label")


if __name__ == "__main__":
    main(tyro.cli(Options))
