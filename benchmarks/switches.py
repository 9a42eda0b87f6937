"""What each switch of a method does, and how much learning rate and batch matter: short runs, judged by neighbours.

    python benchmarks/switches.py infrared/infrared-train.csv --test infrared/infrared-test.csv --views inspection \\
        --epochs 2 --methods vssl vssl:form=euclidean vssl:latent=32 --out benchmarks/results/infrared_switches.json
    python benchmarks/switches.py digits --label-from folder --views inspection --epochs 10 --methods vssl simclr \\
        --learning-rates 1e-3 2e-3 4e-3 --batches 128 256 512 --out benchmarks/results/digits_settings.json

It does less than `vssl bench`, which fine-tunes and corrupts too, and takes longer over that than over so short a
training. Runs that are recorded already are not repeated.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import tyro

from training import BATCH, learner, trained
from vssl import api
from vssl.benchmarking.summary import TOLERANCE, Row, SeedRange
from vssl.errors import DivergedError
from vssl.evaluation import EvalData, evaluate
from vssl.files import write_json
from vssl.modalities import images
from vssl.training.describe import machine, versions
from vssl.training.settings import Optimiser

HEADER = (
    *("Method", "Data, passes", "Rate, batch", "20-NN", "20-NN, whitened", "Linear", "Linear, 10 %"),
    *("Ambiguity", "With distances", "Best stand-in", "Within 2 points"),
)
SHOWN = ("knn/accuracy", "knn/whitened_accuracy", "linear/accuracy_100", "linear/accuracy_10")
PREDICTORS = "retrieval/r_auroc/"
OWN = ("ambiguity", "posterior_distance")


@dataclass(frozen=True)
class Options:
    """Train and judge every method with every setting.

    Attributes:
        data: Images to train on.
        out: Where the record goes.
        epochs: Passes over the data, whatever the batch is.
        test: Images to judge; without it the training images, each among the others.
        methods: As `vssl bench` takes them; or untrained, an encoder that has learned nothing.
        seeds: Of the trainings.
        learning_rates: Each method is tried with each.
        batches: Each method is tried with each.
        views: Preset of views.
        label_from: Whether names of folders are the labels; else the lists have a column `label`.
    """

    data: tyro.conf.Positional[Path]
    out: Path
    epochs: float
    test: Path | None = None
    methods: tuple[str, ...] = ("vssl", "simclr")
    seeds: tuple[int, ...] = (0,)
    learning_rates: tuple[float, ...] = (Optimiser().learning_rate,)
    batches: tuple[int, ...] = (BATCH,)
    views: Literal["natural", "inspection", "upright", "texture"] = "natural"
    label_from: Literal["none", "folder"] = "none"


def main(options: Options) -> None:
    record: dict[str, Any] = json.loads(options.out.read_text()) if options.out.exists() else {"runs": []}
    command = " ".join(["python benchmarks/switches.py", *sys.argv[1:]])
    about = {"versions": versions(), "machine": machine(torch.device("cpu")), "threads": torch.get_num_threads()}
    grid = product(options.seeds, options.methods, options.learning_rates, options.batches)
    for seed, name, learning_rate, batch in grid:
        setting: dict[str, Any] = {"method": name, "seed": seed, "learning_rate": learning_rate, "batch": batch}
        setting |= {"epochs": options.epochs, "data": options.data.as_posix(), "views": options.views}
        setting |= {"test": None if options.test is None else options.test.as_posix(), "label_from": options.label_from}
        if not any(setting.items() <= run.items() for run in record["runs"]):
            run = setting | trained_and_judged(options, name, seed, learning_rate, batch) | {"command": command} | about
            record["runs"].append(run)
            write_json(options.out, record)
            print(name, seed, learning_rate, batch, *(f"{run['values'].get(key, 0):.3f}" for key in SHOWN), flush=True)
    print(table(record["runs"]))


def trained_and_judged(options: Options, name: str, seed: int, learning_rate: float, batch: int) -> dict[str, Any]:
    settings = {"epochs": options.epochs, "optimiser": Optimiser(learning_rate=learning_rate)} | learner(name)
    with tempfile.TemporaryDirectory() as folder:
        try:
            run = trained(
                options.data,
                Path(folder) / "run",
                encoder="convnet/tiny",
                modality=images.Config(views=options.views, label_from=options.label_from),
                batch=batch,
                seed=seed,
                device="cpu",
                **settings,
            )
        except DivergedError as error:
            return {"health": str(error), "values": {}}
        train = api.embed(run, options.data, name="train", device="cpu")
        test = None if options.test is None else api.embed(run, options.test, name="test", device="cpu")
    evidence = EvalData(train if test is None else test, None if test is None else train, "label", seed=seed)
    values = evaluate(evidence, ("knn", "linear", "retrieval")).values
    return {"health": run.info["health"], "progress": run.info["progress"], "values": values}


def table(runs: list[dict[str, Any]]) -> str:
    """Each method at the learning rate and batch that are best for its neighbours: mean and range over the seeds.

    `Within 2 points`: the share of its settings whose 20-NN accuracy is that near to its best.
    """
    lines = [f"| {' | '.join(HEADER)} |", "|---" * len(HEADER) + "|"]
    grouped: dict[tuple[str, str, float], list[dict[str, Any]]] = {}
    for run in runs:
        grouped.setdefault((run["data"], run["method"], run["epochs"]), []).append(run)
    for (data, name, epochs), members in grouped.items():
        of: dict[tuple[float, int], list[dict[str, Any]]] = {}
        for run in members:
            of.setdefault((run["learning_rate"], run["batch"]), []).append(run)
        means = {at: np.mean([run["values"].get(SHOWN[0], 0) for run in some]) for at, some in of.items()}
        best = max(means, key=lambda at: means[at])
        near = np.mean([mean >= means[best] - TOLERANCE for mean in means.values()])
        found = [run["values"] for run in of[best] if run["values"]]
        names = (*SHOWN, *(PREDICTORS + own for own in OWN))
        cells = [str(SeedRange(tuple(values[key] for values in found if key in values))) for key in names]
        cells.append(str(Row(name, tuple({"values": values} for values in found)).metric(PREDICTORS + "best_baseline")))
        setting = f"{data}, {epochs:g} | {best[0]:g}, {best[1]}"
        lines.append(f"| `{name}` | {setting} | {' | '.join(cells)} | {near:.0%} of {len(means)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(tyro.cli(Options))
