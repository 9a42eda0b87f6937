"""One-class CIFAR-10: each class in turn is normal, and the other nine are to be detected.

    python -m benchmarks.quality.cifar_one_class cifar10 --seeds 0

One encoder is trained on all 50,000 training images without labels. The reference set of a class are its 5,000 training
images. Figure: AUROC of its 1,000 test images against the other 9,000, for each score and class. `cifar10` holds the
folders train/CLASS and test/CLASS.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from sklearn.metrics import roc_auc_score

from benchmarks import tables
from benchmarks.common.record import RESULTS, Record
from benchmarks.common.scores import fit
from benchmarks.common.training import settings_of, train_once
from vssl import Embeddings, api
from vssl.modalities import images

NAMES = (
    *("novelty", "patches", "5-NN, whitened features", "5-NN, features", "5-NN, latent means"),
    *("Mahalanobis, features", "Mahalanobis, raw_descriptor"),
)


@dataclass(frozen=True)
class Options:
    """One-class CIFAR-10.

    Attributes:
        folder: Folder with train/CLASS/*.jpg and test/CLASS/*.jpg.
        runs: Folder of the runs; a run that is done is not trained again.
        seeds: Random seeds of the trainings.
        steps: Optimiser steps of 256 view pairs; 1,130 is what five quiet minutes on two cores make.
        objective: Training method, named as in `vssl bench`, for example vssl:views=2.
        out: File of the record.
    """

    folder: tyro.conf.Positional[Path]
    runs: Path = Path("runs")
    seeds: tuple[int, ...] = (0,)
    steps: int = 1130
    objective: str = "vssl"
    out: Path = RESULTS / "cifar_one_class.json"


def main(options: Options) -> None:
    record = Record.create(options.out, seeds=options.seeds, steps=options.steps, objective=options.objective)
    for seed in options.seeds:
        path = options.runs / f"cifar-{seed}"
        settings = {"modality": images.Config(label_from="folder"), "steps": options.steps, "seed": seed}
        train_once(options.folder / "train", path, **settings, **settings_of(options.objective))
        train, test = (
            api.embed(path, options.folder / part, label_from="folder", device="cpu") for part in ("train", "test")
        )
        for name in NAMES:
            by_class = _auroc_by_class(name, train, test)
            record.add({"score": name, "seed": seed, "auroc": float(np.mean(list(by_class.values()))), **by_class})
    tables.show("cifar_one_class", record)


def _auroc_by_class(name: str, train: Embeddings, test: Embeddings) -> dict[str, float]:
    train_labels, test_labels = train.numpy("label"), test.numpy("label")
    return {
        label: float(roc_auc_score(test_labels != label, fit(name, train.where(train_labels == label))(test)))
        for label in sorted(set(train_labels))
    }


if __name__ == "__main__":
    main(tyro.cli(Options))
