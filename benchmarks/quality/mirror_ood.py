"""Whether a mirrored picture is found: the views decide, since what a view may change the encoder ignores.

    python benchmarks/mirrored.py digits

`digits` is what `digits.py` writes. A run learns from seven tenths of them; of the others, those whose mirror image is
another figure (all but 0, 1 and 8) are scored as they are and mirrored left to right: AUROC of the mirrored ones.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from PIL import Image, ImageOps
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from training import learner, trained
from vssl import Embeddings, api
from vssl.files import write_json
from vssl.modalities import images
from vssl.scores import knn, novelty
from vssl.training.describe import machine, versions

OUT = Path(__file__).parent / "results" / "mirrored.json"
OWN_MIRROR = ("0", "1", "8")
SCORES = {"novelty": (novelty, novelty.Config()), "5-NN, whitened features": (knn, knn.Config())}


@dataclass(frozen=True)
class Options:
    """Whether a mirrored picture is found.

    Attributes:
        digits: Folder with a folder for each class.
        seeds: Of the trainings.
        steps: Of 128 pairs of views.
        objective: As `vssl bench` takes methods.
        out: Where the record goes.
    """

    digits: tyro.conf.Positional[Path]
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 400
    objective: str = "vssl"
    out: Path = OUT


def main(options: Options) -> None:
    paths = sorted(options.digits.glob("*/*.png"))
    known, others = train_test_split(
        paths, test_size=0.3, random_state=0, stratify=[path.parent.name for path in paths]
    )
    others = [path for path in others if path.parent.name not in OWN_MIRROR]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folders = {name: Path(scratch, name) for name in ("known", "as-they-are", "mirrored")}
        copy(known, folders["known"], mirror=False)
        copy(others, folders["as-they-are"], mirror=False)
        copy(others, folders["mirrored"], mirror=True)
        for seed in options.seeds:
            for views in ("inspection", "upright"):
                path = Path(scratch, f"{views}-{seed}")
                config = {"modality": images.Config(views=views), "encoder": "convnet/tiny", "batch": 128}
                config |= learner(options.objective)
                trained(folders["known"], path, steps=options.steps, seed=seed, device="cpu", **config)
                embedded = {name: api.embed(path, folder, device="cpu") for name, folder in folders.items()}
                rows.append({"views": views, "seed": seed, "tested": len(others), **aurocs(embedded)})
                print(rows[-1], flush=True)
    command = " ".join(["python benchmarks/mirrored.py", *sys.argv[1:]])
    about = {"command": command, "versions": versions(), "machine": machine(torch.device("cpu"))}
    write_json(options.out, about | {"steps": options.steps, "rows": rows})


def copy(paths: Sequence[Path], folder: Path, *, mirror: bool) -> None:
    folder.mkdir()
    for path in paths:
        with Image.open(path) as picture:
            (ImageOps.mirror(picture) if mirror else picture).save(folder / path.name)


def aurocs(embedded: dict[str, Embeddings]) -> dict[str, float]:
    """Of the mirrored pictures among those as they are, by each score."""
    found = {}
    for name, (module, config) in SCORES.items():
        score = module.fit(config, embedded["known"])
        good, bad = score(embedded["as-they-are"]), score(embedded["mirrored"])
        found[name] = float(roc_auc_score(np.repeat([0, 1], [len(good), len(bad)]), np.concatenate([good, bad])))
    return found


if __name__ == "__main__":
    main(tyro.cli(Options))
