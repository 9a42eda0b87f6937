"""Inspection images: is the guaranteed false-alarm rate kept, and how many defects slip by, beside simple rivals?

    python benchmarks/infrared_list.py infrared-solar-modules.tar.xz infrared
    python benchmarks/infrared_decide.py infrared --seeds 0 1 2 --other cifar10-jpeg.tar.xz/test

Trains encoders without labels on 16,000 images, on the mixture as it comes (half of them defects) and on its normals
alone. The bank are the normals of the training list; of the 4,000 other images half of the normals calibrate; the other
half and all defects are decided on, in 20 random divisions. Rivals see the same bank, calibration and test samples.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import tyro
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from spoilt import rejected
from training import UNTRAINED, learner, trained
from vssl import Embeddings, Run, api
from vssl.decisions import bounds
from vssl.encoders.base import Decoder
from vssl.files import write_json
from vssl.modalities import images
from vssl.scores import ambiguity, disagreement, elbo_gap, knn, mahalanobis, mixture, novelty, patches
from vssl.training.describe import machine, versions
from vssl.training.model import Model

OUT = Path(__file__).parent / "results" / "infrared_decide.json"
RATES = (0.01, 0.05)
DIVISIONS = 20
PAIRS = disagreement.Config().pairs
FITTED = {
    "novelty": (novelty, novelty.Config()),
    "patches": (patches, patches.Config()),
    "5-NN, whitened features": (knn, knn.Config()),
    "5-NN, features": (knn, knn.Config(space="features")),
    "5-NN, latent means": (knn, knn.Config(space="mean")),
    "Mahalanobis, features": (mahalanobis, mahalanobis.Config()),
    "Mahalanobis, raw_descriptor": (mahalanobis, mahalanobis.Config("raw_descriptor")),
    "mixture of 8 Gaussians": (mixture, mixture.Config()),
    "ambiguity": (ambiguity, ambiguity.Config()),
    "disagreement": (disagreement, disagreement.Config()),
}


@dataclass(frozen=True)
class Options:
    """Decisions on infrared modules.

    Attributes:
        folder: The folder that infrared_list.py made.
        runs: Where the runs are kept; those that are done are not trained again.
        seeds: Of the trainings.
        other: Images of another kind, to see whether they are rejected.
        steps: Steps of 256 images: 1,050 is what five quiet minutes on two cores make.
        objective: As `vssl bench` takes methods, for example vssl:views=2.
        out: Where the record goes.
    """

    folder: tyro.conf.Positional[Path]
    runs: Path = Path("runs")
    seeds: tuple[int, ...] = (0, 1, 2)
    other: Path | None = None
    steps: int = 1050
    objective: str = "vssl"
    out: Path = OUT


def main(options: Options) -> None:
    normals = _normals_of(options.folder)
    rows: list[dict[str, Any]] = []
    spoilt: list[dict[str, Any]] = []
    for name, seed, model in _models(options, normals):
        bank = api.embed(model.run, normals, name="bank", view_pairs=PAIRS)
        judged = api.embed(model.run, options.folder / "infrared-test.csv", name="test", view_pairs=PAIRS)
        for named, scores in _scores(name, model, bank, judged, options):
            rows.append({"trained on": name, "score": named, "seed": seed, **_measured(scores, _labels(judged))})
            print(_line(rows[-1]), flush=True)
        if name in ("mixture", "normals"):
            score = novelty.fit(novelty.Config(), bank)
            limit = bounds.binomial_threshold(score(judged)[_labels(judged) == "normal"], 0.01)
            found = rejected(model, score, limit, options.folder / "infrared-test.csv", options.other)
            spoilt.append({"trained on": name, "seed": seed, **found})
            print(" ".join(f"{kind} {share:.2f}" for kind, share in found.items()), flush=True)
    command = " ".join(["python benchmarks/infrared_decide.py", *sys.argv[1:]])
    about = {
        "command": command,
        "versions": versions(),
        "machine": machine(torch.device("cpu")),
        "steps": options.steps,
    }
    write_json(options.out, about | {"divisions": DIVISIONS, "rows": rows, "spoilt": spoilt})


def _normals_of(folder: Path) -> Path:
    """The list of the normals among the training images."""
    with (folder / "infrared-train.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["state"] == "normal"]
    path = folder / "infrared-train-normal.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _models(options: Options, normals: Path) -> Iterator[tuple[str, int, Model]]:
    """Encoders by what they learned from; the rivals of one seed each."""
    mixed = options.folder / "infrared-train.csv"
    for seed in options.seeds:
        yield "mixture", seed, _trained(options, "mixture", mixed, seed, options.objective)
        yield "normals", seed, _trained(options, "normals", normals, seed, options.objective)
    yield "VAE, mixture", 0, _trained(options, "vae", mixed, 0, "vae")
    yield "nothing", 0, _trained(options, UNTRAINED, mixed, 0, UNTRAINED)


def _trained(options: Options, name: str, data: Path, seed: int, objective: str) -> Model:
    path = options.runs / f"{name}-{seed}"
    if not (path.is_dir() and Run(path).info["status"] == "done"):
        views = images.Config(views="inspection")
        settings = {"steps": options.steps} | learner(objective)
        trained(data, path, modality=views, seed=seed, overwrite=True, **settings)
    return api.load(path, "cpu")


def _scores(
    name: str, model: Model, bank: Embeddings, judged: Embeddings, options: Options
) -> Iterator[tuple[str, np.ndarray]]:
    for score, (module, config) in FITTED.items():
        yield score, module.fit(config, bank)(judged)
    if not name.startswith("VAE"):
        yield "ELBO gap", elbo_gap.fit(elbo_gap.Config(), bank)(judged)
    yield "Isolation Forest, features", _isolation(bank.features, judged.features)
    if name.startswith("VAE"):
        yield "VAE: reconstruction error", _reconstruction_error(model, options.folder / "infrared-test.csv")
    if name == "nothing":
        known, new = (_pixels(model, options.folder / f"infrared-{part}.csv") for part in ("train-normal", "test"))
        yield "pixels: 5-NN", NearestNeighbors(n_neighbors=5).fit(known).kneighbors(new)[0].mean(1)
        yield "pixels: PCA reconstruction (30)", _pca_error(known, new)
        yield "pixels: Isolation Forest", _isolation(known, new)


def _isolation(known: np.ndarray, new: np.ndarray) -> np.ndarray:
    return -IsolationForest(n_estimators=200, random_state=0).fit(known).score_samples(new)


def _pca_error(known: np.ndarray, new: np.ndarray) -> np.ndarray:
    pca = PCA(30, random_state=0).fit(known)
    return np.square(new - pca.inverse_transform(pca.transform(new))).mean(1)


def _pixels(model: Model, data: Path) -> np.ndarray:
    return np.concatenate([chunk.raw.flatten(1).numpy() / 255 for chunk in model.modality.stream(data)])


@torch.inference_mode()
def _reconstruction_error(model: Model, data: Path) -> np.ndarray:
    decoder, found = cast(Decoder, model.objective.decoder), []
    for chunk in model.modality.stream(data):
        view = model.modality.eval_view(chunk.raw)
        found.append(-decoder.log_likelihood(model(view)[1].mean, view))
    return torch.cat(found).double().numpy()


def _labels(judged: Embeddings) -> np.ndarray:
    return np.where(judged.numpy("state") == "normal", "normal", judged.numpy("label"))


def _measured(scores: np.ndarray, label: np.ndarray) -> dict[str, Any]:
    """AUROC over all and by class; false alarms and misses over the divisions, at each guaranteed rate."""
    normal = scores[label == "normal"]
    classes = sorted(set(label) - {"normal"})
    found: dict[str, Any] = {"auroc": _auroc(normal, scores[label != "normal"])}
    found["auroc by class"] = {name: _auroc(normal, scores[label == name]) for name in classes}
    for rate in RATES:
        alarms: list[float] = []
        misses: list[float] = []
        by_class: dict[str, list[float]] = {name: [] for name in classes}
        for seed in range(DIVISIONS):
            order = np.random.default_rng(seed).permutation(len(normal))
            limit = bounds.binomial_threshold(normal[order[::2]], rate)
            alarms.append(float((normal[order[1::2]] > limit).mean()))
            misses.append(float((scores[label != "normal"] <= limit).mean()))
            for name in classes:
                by_class[name].append(float((scores[label == name] <= limit).mean()))
        found[f"at {rate:g}"] = {
            "false alarms": float(np.mean(alarms)),
            "most false alarms": max(alarms),
            "divisions above the guarantee": sum(alarm > rate for alarm in alarms),
            "misses": float(np.mean(misses)),
            "misses by class": {name: float(np.mean(values)) for name, values in by_class.items()},
        }
    return found


def _auroc(normal: np.ndarray, defects: np.ndarray) -> float:
    return float(roc_auc_score(np.arange(len(normal) + len(defects)) >= len(normal), np.append(normal, defects)))


def _line(row: dict[str, Any]) -> str:
    at = "; ".join(
        f"{100 * rate:g} %: alarms {row[f'at {rate:g}']['false alarms']:.2%} (most "
        f"{row[f'at {rate:g}']['most false alarms']:.2%}), misses {row[f'at {rate:g}']['misses']:.1%}"
        for rate in RATES
    )
    return f"{row['trained on']} {row['seed']} | {row['score']} | AUROC {row['auroc']:.3f} | {at}"


if __name__ == "__main__":
    main(tyro.cli(Options))
