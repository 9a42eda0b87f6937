"""Decisions on inspection images: is the guaranteed false-alarm rate kept, and how many defects are missed?

    python -m benchmarks.data.infrared infrared-solar-modules.tar.xz infrared
    python -m benchmarks.quality.infrared_decide infrared --seeds 0 1 2 --ood cifar10-jpeg.tar.xz/test

Trains encoders without labels on 16,000 infrared images, on the mixture as it comes (half of them defects) and on its
normal images alone. The reference set are the normal training images. Of the 4,000 other images half of the normal ones
calibrate; the other half and all defects are decided on, in 20 random divisions. Comparison methods see the same
reference, calibration and test samples. Corrupted images are decided on as well.
"""

from __future__ import annotations

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

from benchmarks import tables
from benchmarks.common.record import RESULTS, Record
from benchmarks.common.scores import SCORES, fit
from benchmarks.common.training import UNTRAINED, settings_of, train_once
from benchmarks.data.infrared import normals_of
from benchmarks.quality.corruptions import rejected
from vssl import Embeddings, api
from vssl.decisions import bounds
from vssl.encoders.base import Decoder
from vssl.modalities import images
from vssl.scores import disagreement
from vssl.training.model import Model

RATES = (0.01, 0.05)
DIVISIONS = 20
PAIRS = disagreement.Config().pairs


@dataclass(frozen=True)
class Options:
    """Decisions on infrared modules.

    Attributes:
        folder: The folder that `benchmarks.data.infrared` made.
        runs: Folder of the runs; a run that is done is not trained again.
        seeds: Random seeds of the trainings.
        ood: Images of another data set (out of distribution), to see whether they are rejected.
        steps: Optimiser steps of 256 view pairs; 1,050 is what five quiet minutes on two cores make.
        objective: Training method, named as in `vssl bench`, for example vssl:views=2.
        out: File of the record.
    """

    folder: tyro.conf.Positional[Path]
    runs: Path = Path("runs")
    seeds: tuple[int, ...] = (0, 1, 2)
    ood: Path | None = None
    steps: int = 1050
    objective: str = "vssl"
    out: Path = RESULTS / "infrared_decide.json"


def main(options: Options) -> None:
    record = Record.create(
        options.out, seeds=options.seeds, steps=options.steps, divisions=DIVISIONS, objective=options.objective
    )
    normals, test_list = normals_of(options.folder), options.folder / "infrared-test.csv"
    for name, seed, model in _models(options, normals):
        head = {"trained_on": name, "seed": seed}
        reference = api.embed(model.run, normals, name="bank", view_pairs=PAIRS)
        test = api.embed(model.run, test_list, name="test", view_pairs=PAIRS)
        labels = np.where(test.numpy("state") == "normal", "normal", test.numpy("label"))
        for score_name, scores in _scores(name, model, reference, test, options.folder):
            record.add({"kind": "decisions", **head, "score": score_name, **_figures(scores, labels)})
        if name in ("mixture", "normals"):
            score = fit("novelty", reference)
            threshold = bounds.binomial_threshold(score(test)[labels == "normal"], 0.01)
            shares = rejected(model, score, threshold, test_list, options.ood)
            record.add({"kind": "corruptions", **head, "rejected": shares})
    tables.show("infrared_decide", record)


def _models(options: Options, normals: Path) -> Iterator[tuple[str, int, Model]]:
    """Encoders by what they learned from; the comparison methods have one seed each."""
    mixture = options.folder / "infrared-train.csv"
    for seed in options.seeds:
        yield "mixture", seed, _trained(options, "mixture", mixture, seed, options.objective)
        yield "normals", seed, _trained(options, "normals", normals, seed, options.objective)
    yield "VAE, mixture", 0, _trained(options, "vae", mixture, 0, "vae")
    yield "nothing", 0, _trained(options, UNTRAINED, mixture, 0, UNTRAINED)


def _trained(options: Options, name: str, data: Path, seed: int, objective: str) -> Model:
    path = options.runs / f"{name}-{seed}"
    settings = {"modality": images.Config(views="inspection"), "steps": options.steps, "seed": seed}
    return api.load(train_once(data, path, **(settings | settings_of(objective))), "cpu")


def _scores(
    name: str, model: Model, reference: Embeddings, test: Embeddings, folder: Path
) -> Iterator[tuple[str, np.ndarray]]:
    for score in SCORES:
        if not (score == "ELBO gap" and name.startswith("VAE")):
            yield score, fit(score, reference)(test)
    yield "Isolation Forest, features", _isolation(reference.features, test.features)
    if name.startswith("VAE"):
        yield "VAE: reconstruction error", _reconstruction_error(model, folder / "infrared-test.csv")
    if name == "nothing":
        pixels, new = (_pixels(model, folder / f"infrared-{part}.csv") for part in ("train-normal", "test"))
        yield "pixels: 5-NN", NearestNeighbors(n_neighbors=5).fit(pixels).kneighbors(new)[0].mean(1)
        yield "pixels: PCA reconstruction (30)", _pca_error(pixels, new)
        yield "pixels: Isolation Forest", _isolation(pixels, new)


def _isolation(reference: np.ndarray, new: np.ndarray) -> np.ndarray:
    forest = IsolationForest(n_estimators=200, random_state=0).fit(reference)
    return np.asarray(-forest.score_samples(new))


def _pca_error(reference: np.ndarray, new: np.ndarray) -> np.ndarray:
    pca = PCA(30, random_state=0).fit(reference)
    return np.asarray(np.square(new - pca.inverse_transform(pca.transform(new))).mean(1))


def _pixels(model: Model, data: Path) -> np.ndarray:
    return np.concatenate([chunk.raw.flatten(1).numpy() / 255 for chunk in model.modality.stream(data)])


@torch.inference_mode()
def _reconstruction_error(model: Model, data: Path) -> np.ndarray:
    decoder, errors = cast(Decoder, model.objective.decoder), []
    for chunk in model.modality.stream(data):
        view = model.modality.eval_view(chunk.raw)
        errors.append(-decoder.log_likelihood(model(view)[1].mean, view))
    return torch.cat(errors).double().numpy()


def _figures(scores: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """AUROC over all and by class; false alarms and misses over the divisions, at each guaranteed rate."""
    normal = scores[labels == "normal"]
    classes = sorted(set(labels) - {"normal"})
    figures: dict[str, Any] = {"auroc": _auroc(normal, scores[labels != "normal"])}
    figures["auroc_by_class"] = {name: _auroc(normal, scores[labels == name]) for name in classes}
    for rate in RATES:
        alarms: list[float] = []
        misses: list[float] = []
        by_class: dict[str, list[float]] = {name: [] for name in classes}
        for seed in range(DIVISIONS):
            order = np.random.default_rng(seed).permutation(len(normal))
            threshold = bounds.binomial_threshold(normal[order[::2]], rate)
            alarms.append(float((normal[order[1::2]] > threshold).mean()))
            misses.append(float((scores[labels != "normal"] <= threshold).mean()))
            for name in classes:
                by_class[name].append(float((scores[labels == name] <= threshold).mean()))
        figures[f"at_{rate:g}"] = {
            "false_alarms": float(np.mean(alarms)),
            "max_false_alarms": max(alarms),
            "divisions_above_guarantee": sum(alarm > rate for alarm in alarms),
            "misses": float(np.mean(misses)),
            "misses_by_class": {name: float(np.mean(values)) for name, values in by_class.items()},
        }
    return figures


def _auroc(normal: np.ndarray, defects: np.ndarray) -> float:
    return float(roc_auc_score(np.arange(len(normal) + len(defects)) >= len(normal), np.append(normal, defects)))


if __name__ == "__main__":
    main(tyro.cli(Options))
