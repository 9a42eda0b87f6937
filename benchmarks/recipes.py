"""Run a recipe over methods and seeds, and record what each run reached.

    python benchmarks/recipes.py cifar10_cpu10 --data DATA --objectives vssl simclr lightly --seeds 0 1 2

The same command goes on with a comparison that was stopped: what is recorded is not repeated, a run that was trained is
judged, and one that was begun goes on from its last checkpoint. `--steps` replaces the recipe's minutes by a number of
steps, for machines whose speed other work disturbs: take the steps that an undisturbed run makes in the recipe's
minutes; the record keeps both.
"""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch
import tyro

from vssl import api
from vssl.benchmarking.recipes import RECIPES, Recipe
from vssl.evaluation import EvalData, evaluate
from vssl.evaluation.knn import classify
from vssl.files import write_json
from vssl.modalities import images
from vssl.run import Run
from vssl.scores.neighbours import Neighbours
from vssl.training import loop
from vssl.training.describe import machine, versions
from vssl.training.progress import console
from vssl.training.settings import Budget
from vssl.types import Embeddings, to_arrow

HERE = Path(__file__).parent
JUDGES = ("knn", "linear", "retrieval", "selective", "rank")
# What lightly uses in its own CIFAR-10 benchmark, with the temperature that did best here.
LIGHTLY = (
    "--lr 0.12 --momentum 0.9 --weight-decay 5e-4 --schedule cosine --colour-strength 0.5 --temperature 0.1 --workers 0"
)


@dataclass(frozen=True)
class Options:
    """Run a recipe over methods and seeds.

    Attributes:
        recipe: One of `vssl.benchmarking.recipes.RECIPES`, for example cifar10_cpu10.
        data: Folder that holds the data sets' archives.
        objectives: Methods as `vssl bench` takes them; or lightly; or pixels, which learns nothing.
        seeds: Seeds.
        steps: Steps instead of the recipe's minutes.
        batch: Of our methods, instead of the recipe's.
        runs: Where the run folders go.
        out: Where the record goes; benchmarks/results/RECIPE.json by default.
    """

    recipe: tyro.conf.Positional[str]
    data: Path
    objectives: tuple[str, ...] = ("vssl", "simclr")
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int | None = None
    batch: int | None = None
    runs: Path = Path("runs")
    out: Path | None = None


def main(options: Options) -> None:
    if options.recipe not in RECIPES:
        sys.exit(f"There is no recipe {options.recipe!r}; there are: {', '.join(RECIPES)}.")
    out = options.out or HERE / "results" / f"{options.recipe}.json"
    record: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {"recipe": options.recipe, "runs": []}
    for seed in options.seeds:
        for objective in options.objectives:
            name = objective if options.batch is None or objective in RIVALS else f"{objective}, batch {options.batch}"
            done = [run for run in record["runs"] if (run["objective"], run["seed"]) == (name, seed)]
            if done:
                print(f"{name}, seed {seed}: recorded in {out}, of {done[0]['command']}")
                continue
            measured = RIVALS.get(objective, run_vssl)(options, objective, seed)
            run = {"objective": name, "seed": seed, "command": command_of(options, objective, seed), **measured}
            run |= {"versions": versions(), "machine": machine(torch.device("cpu"))}
            record["runs"].append(run)
            write_json(out, record)
    print(table(record["runs"]))


def command_of(options: Options, objective: str, seed: int) -> str:
    command = f"python benchmarks/recipes.py {options.recipe} --data DATA --objectives {objective} --seeds {seed}"
    given = {"steps": options.steps, "batch": options.batch}
    return command + "".join(f" --{name} {value}" for name, value in given.items() if value)


def run_vssl(options: Options, objective: str, seed: int) -> dict[str, Any]:
    """Train, embed and judge one run of ours."""
    recipe = RECIPES[options.recipe](seed=seed, objective=objective)
    settings = recipe.settings
    if options.steps:
        settings = dataclasses.replace(settings, budget=Budget(steps=options.steps))
    if options.batch:
        settings = dataclasses.replace(settings, batch=options.batch)
    folder = options.runs / options.recipe / f"{re.sub('[/:,]', '-', objective)}-{seed}"
    train = options.data / recipe.train
    run = loop.complete(train, folder, settings, command=" ".join(sys.argv), terminal=console())
    if run.info["status"] != "done":
        sys.exit(f"{folder} is {run.info['status']}: not recorded. The same command goes on with it.")
    measured = {"budget": dataclasses.asdict(settings.budget), **run.info["progress"]}
    return measured | judged(our_evidence(run, recipe, options.data))


def our_evidence(run: Run, recipe: Recipe, data: Path) -> EvalData:
    label_from: Literal["folder"] | None = "folder" if recipe.labels_from == "folder" else None
    return evidence_of(
        recipe,
        data,
        lambda source, name: api.embed(run, source, name=name, label_from=label_from, terminal=console()),
    )


def evidence_of(recipe: Recipe, data: Path, embed: Callable[[Path, str], Embeddings]) -> EvalData:
    """What the judges are given, made by `embed(source, name)`."""
    embedded = embed(data / recipe.train, "train")
    if recipe.test is not None:
        return EvalData(embed(data / recipe.test, "test"), reference=embedded, label="label")
    labels = infrared_labels(data / recipe.train, recipe.labels_from)
    classes = pa.array([labels[name] for name in embedded.ids])
    state = pa.array(["normal" if labels[name] == "No-Anomaly" else "defect" for name in embedded.ids])
    return EvalData(
        Embeddings(embedded.table.append_column("label", classes).append_column("state", state)), label="label"
    )


def infrared_labels(archive: Path, member: str) -> dict[str, str]:
    """The class of each image, from the metadata that the data set brings."""
    with tarfile.open(archive) as tar:
        (found,) = [item for item in tar if item.name.removeprefix("./") == member]
        file = tar.extractfile(found)
        assert file is not None
        entries = json.load(file)
    folder = Path(member).parent
    return {f"{folder}/{entry['image_filepath']}": entry["anomaly_class"] for entry in entries.values()}


def run_pixels(options: Options, _objective: str, seed: int) -> dict[str, Any]:
    """Judge the pixels as they are, on the canvas that the networks get."""
    recipe = RECIPES[options.recipe](seed=seed)
    config = dataclasses.replace(recipe.settings.modality, label_from="folder" if recipe.test else "none")
    modality = images.build(config, images.measure(options.data / recipe.train, config))

    def pixels(source: Path, _name: str) -> Embeddings:
        tables = []
        for chunk in modality.stream(source):
            columns = {"id": pa.array(chunk.ids), "features": to_arrow(chunk.raw.flatten(1).numpy() / np.float32(255))}
            columns |= {name: chunk.metadata[name] for name in chunk.metadata.column_names}
            tables.append(pa.table(columns))
        return Embeddings(pa.concat_tables(tables))

    return {"images": 0, "seconds": 1} | judged(evidence_of(recipe, options.data, pixels))


def run_lightly(options: Options, _objective: str, seed: int) -> dict[str, Any]:
    """Train lightly's SimCLR in a process of its own, with the same network, and judge its features alike."""
    recipe = RECIPES[options.recipe](seed=seed)
    assert recipe.test is not None, "lightly is compared where there is a test set"
    folder = options.runs / options.recipe / f"lightly-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    unpacked = options.runs / "unpacked" / Path(recipe.train).parent.name
    if not unpacked.exists():
        # Under another name first: what a kill leaves behind must not be taken for the data.
        partly = unpacked.with_suffix(".partly")
        with tarfile.open(options.data / Path(recipe.train).parent) as tar:
            tar.extractall(partly, filter="data")
        partly.rename(unpacked)
    budget = f"--steps {options.steps}" if options.steps else f"--minutes {recipe.settings.budget.minutes}"
    files = f"--out {folder}/speed.json --save-features {folder}/features.npz"
    command = f"{HERE}/lightly_simclr.py --data {unpacked} {files} {budget} --seed {seed} {LIGHTLY}"
    subprocess.run([sys.executable, *command.split()], check=True)
    speed = json.loads((folder / "speed.json").read_text())
    arrays = np.load(folder / "features.npz")
    test, train = (table_of(arrays, split) for split in ("test", "train"))
    kept = {key: speed[key] for key in ("steps", "seconds", "images", "images_per_s")} | {"options": LIGHTLY}
    return kept | judged(EvalData(test, reference=train, label="label"))


def table_of(arrays: Any, split: str) -> Embeddings:
    columns = {"id": pa.array([f"{split}/{name}" for name in arrays[f"{split}_ids"]])}
    columns |= {"features": to_arrow(arrays[f"{split}_features"]), "label": pa.array(arrays[f"{split}_labels"])}
    return Embeddings(pa.table(columns))


def judged(evidence: EvalData) -> dict[str, Any]:
    started = time.monotonic()
    values = evaluate(evidence, JUDGES).values | {"knn5/accuracy": accuracy_of_five(evidence)}
    if "state" in evidence.query:
        states = evaluate(dataclasses.replace(evidence, label="state"), ("knn", "linear")).values
        values |= {f"normal or defect/{name}": value for name, value in states.items()}
    return {"values": values, "judging_seconds": time.monotonic() - started}


def accuracy_of_five(evidence: EvalData) -> float:
    """Accuracy of the vote of five neighbours: some classes of the infrared modules are small."""
    near = evidence.knn_reference()
    five = Neighbours(near.rows[:, :5], near.similarity[:, :5])
    return float(np.mean(classify(five, evidence.examples.classes) == evidence.labelled.classes))


def table(runs: list[dict[str, Any]]) -> str:
    """Mean and spread (largest less smallest) over the seeds."""
    shown: tuple[str, ...]
    shown = ("knn/accuracy", "knn5/accuracy", "linear/accuracy_100", "linear/accuracy_10", "linear/accuracy_1")
    shown += ("retrieval/r_auroc/ambiguity", "retrieval/r_auroc/nn_distance")
    lines = ["| method | seeds | images/s | " + " | ".join(shown) + " |", "|" + "---|" * (len(shown) + 3)]
    for objective in dict.fromkeys(run["objective"] for run in runs):
        rows = [run for run in runs if run["objective"] == objective]
        rate = np.mean([run["images"] / run["seconds"] for run in rows])
        cells = [spread([run["values"][name] for run in rows if name in run["values"]]) for name in shown]
        lines.append(f"| {objective} | {len(rows)} | {rate:.0f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ({np.ptp(values):.3f})" if values else "-"


RIVALS: dict[str, Callable[[Options, str, int], dict[str, Any]]] = {"lightly": run_lightly, "pixels": run_pixels}

if __name__ == "__main__":
    main(tyro.cli(Options))
