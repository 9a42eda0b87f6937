"""Whether mirrored pictures are found among others: an encoder ignores what its views change.

    python -m benchmarks.data.digits digits
    python -m benchmarks.quality.mirror_ood digits

A run learns from seven tenths of the digits. Of the others, those whose mirror image is another figure (all but 0, 1
and 8) are scored as they are and mirrored left to right. Figure: AUROC of the mirrored ones, with views that mirror
(`inspection`) and views that do not (`upright`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from PIL import Image, ImageOps
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from benchmarks import tables
from benchmarks.common.record import RESULTS, Record
from benchmarks.common.scores import fit
from benchmarks.common.training import settings_of, train
from vssl import Embeddings, api
from vssl.modalities import images

SYMMETRIC = ("0", "1", "8")


@dataclass(frozen=True)
class Options:
    """Mirrored pictures as outliers.

    Attributes:
        digits: Folder with a folder per class.
        seeds: Random seeds of the trainings.
        steps: Optimiser steps of 128 view pairs.
        objective: Training method, named as in `vssl bench`.
        out: File of the record.
    """

    digits: tyro.conf.Positional[Path]
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 400
    objective: str = "vssl"
    out: Path = RESULTS / "mirror_ood.json"


def main(options: Options) -> None:
    record = Record.create(options.out, seeds=options.seeds, steps=options.steps, objective=options.objective)
    paths = sorted(options.digits.glob("*/*.png"))
    classes = [path.parent.name for path in paths]
    training, others = train_test_split(paths, test_size=0.3, random_state=0, stratify=classes)
    tested = [path for path in others if path.parent.name not in SYMMETRIC]
    with tempfile.TemporaryDirectory() as scratch:
        folders = {
            "training": _copy(training, Path(scratch, "training"), mirror=False),
            "unchanged": _copy(tested, Path(scratch, "unchanged"), mirror=False),
            "mirrored": _copy(tested, Path(scratch, "mirrored"), mirror=True),
        }
        for seed in options.seeds:
            for views in ("inspection", "upright"):
                run = Path(scratch, f"{views}-{seed}")
                config: dict[str, Any] = {"modality": images.Config(views=views), "encoder": "convnet/tiny"}
                config |= {"batch": 128, "steps": options.steps, "seed": seed, "device": "cpu"}
                train(folders["training"], run, **config, **settings_of(options.objective))
                embedded = {name: api.embed(run, folder, device="cpu") for name, folder in folders.items()}
                record.add({"views": views, "seed": seed, "tested": len(tested), **_aurocs(embedded)})
    tables.show("mirror_ood", record)


def _copy(paths: Sequence[Path], folder: Path, *, mirror: bool) -> Path:
    folder.mkdir()
    for path in paths:
        with Image.open(path) as picture:
            (ImageOps.mirror(picture) if mirror else picture).save(folder / path.name)
    return folder


def _aurocs(embedded: Mapping[str, Embeddings]) -> dict[str, float]:
    found = {}
    for name in ("novelty", "5-NN, whitened features"):
        score = fit(name, embedded["training"])
        normal, mirrored = score(embedded["unchanged"]), score(embedded["mirrored"])
        truth = np.repeat([0, 1], [len(normal), len(mirrored)])
        found[name] = float(roc_auc_score(truth, np.concatenate([normal, mirrored])))
    return found


if __name__ == "__main__":
    main(tyro.cli(Options))
