"""One-class CIFAR-10: each class in turn is normal, and all others are to be told from it.

    python benchmarks/cifar_one_class.py cifar10 --seeds 0

One shared encoder, trained on all 50,000 training images without labels; the bank of a class are its 5,000 training
images, which takes labels of that class alone. AUROC of its 1,000 test images against the other 9,000, for each class.
`cifar10` holds the folders train/CLASS and test/CLASS.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from sklearn.metrics import roc_auc_score

from training import learner, trained
from vssl import Embeddings, Run, api
from vssl.files import write_json
from vssl.modalities import images
from vssl.scores import knn, mahalanobis, novelty, patches
from vssl.training.describe import machine, versions

OUT = Path(__file__).parent / "results" / "cifar_one_class.json"
SCORES = {
    "novelty": (novelty, novelty.Config()),
    "patches": (patches, patches.Config()),
    "5-NN, whitened features": (knn, knn.Config()),
    "5-NN, features": (knn, knn.Config(space="features")),
    "5-NN, latent means": (knn, knn.Config(space="mean")),
    "Mahalanobis, features": (mahalanobis, mahalanobis.Config()),
    "Mahalanobis, raw_descriptor": (mahalanobis, mahalanobis.Config("raw_descriptor")),
}


@dataclass(frozen=True)
class Options:
    """One-class CIFAR-10.

    Attributes:
        folder: With train/CLASS/*.jpg and test/CLASS/*.jpg.
        runs: Where the runs are kept; those that are done are not trained again.
        seeds: Of the trainings.
        steps: Steps of 256 images: 1,130 is what five quiet minutes on two cores make.
        objective: As `vssl bench` takes methods, for example vssl:views=2.
        out: Where the record goes.
    """

    folder: tyro.conf.Positional[Path]
    runs: Path = Path("runs")
    seeds: tuple[int, ...] = (0,)
    steps: int = 1130
    objective: str = "vssl"
    out: Path = OUT


def main(options: Options) -> None:
    rows: list[dict[str, Any]] = []
    for seed in options.seeds:
        path = options.runs / f"cifar-{seed}"
        if not (path.is_dir() and Run(path).info["status"] == "done"):
            settings = {"modality": images.Config(label_from="folder"), "steps": options.steps, "seed": seed}
            trained(options.folder / "train", path, overwrite=True, **settings, **learner(options.objective))
        train = api.embed(path, options.folder / "train", label_from="folder", device="cpu")
        test = api.embed(path, options.folder / "test", label_from="folder", device="cpu")
        for name in SCORES:
            by_class = _by_class(name, train, test)
            rows.append({"score": name, "seed": seed, "auroc": float(np.mean(list(by_class.values()))), **by_class})
            print(
                name,
                seed,
                " ".join(f"{key} {value:.3f}" for key, value in rows[-1].items() if key not in ("score", "seed")),
            )
    command = " ".join(["python benchmarks/cifar_one_class.py", *sys.argv[1:]])
    about = {
        "command": command,
        "versions": versions(),
        "machine": machine(torch.device("cpu")),
        "steps": options.steps,
    }
    write_json(options.out, about | {"rows": rows})


def _by_class(name: str, train: Embeddings, test: Embeddings) -> dict[str, float]:
    module, config = SCORES[name]
    known, truth = train.numpy("label"), test.numpy("label")
    return {
        label: float(roc_auc_score(truth != label, module.fit(config, train.where(known == label))(test)))
        for label in sorted(set(known))
    }


if __name__ == "__main__":
    main(tyro.cli(Options))
