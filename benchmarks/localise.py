"""Does the heat map say where the defect is? The demo's parts have masks.

    vssl demo --out vssl-demo
    python benchmarks/localise.py vssl-demo

Makes 1,000 parts that the demo has not seen, and judges the maps of those with a defect of severity 0.5 and more: AUPRO
up to false-positive rates of 0.3 and 0.05, and the AUROC of pixels. The bank are the demo's training pictures, defects
among them, as they come. Prints a line, and the image AUROC of the scores beside it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import tyro
from PIL import Image
from sklearn.metrics import roc_auc_score

from vssl import api
from vssl.config import find
from vssl.evaluation.localise import aupro
from vssl.modalities.images.demo.inspection import Line, write
from vssl.scores import patches

SEVERE = 0.5


def main(demo: tyro.conf.Positional[Path], seed: int = 4) -> None:
    """Localisation on the demo.

    Args:
        demo: The folder of the demo.
        seed: Of the new parts.
    """
    folder = demo / f"localise-{seed}"
    parts = folder / "parts.csv" if folder.exists() else write(Line(seed=seed), folder, 1_000, labelled=True)
    model = api.load(demo / "run", "cpu")
    bank, samples = api.embed(model.run, demo / "parts" / "parts.csv"), api.embed(model.run, parts, name=folder.name)
    severe = (samples.numpy("severity") >= SEVERE) & (samples.numpy("defect") != "none")
    maps = patches.fit(patches.Config(), bank).heat(samples.where(severe))
    masks = [_mask(folder / name) for name in np.array(samples.ids)[severe]]
    wide = torch.from_numpy(maps)[:, None]
    size = masks[0].shape
    heat = torch.nn.functional.interpolate(wide, size, mode="bicubic", align_corners=False)[:, 0].numpy()
    truth = np.stack(masks)
    print(
        f"{severe.sum()} defects: AUPRO to 0.3 {aupro(heat, truth, 0.3):.3f}, to 0.05 {aupro(heat, truth, 0.05):.3f}, "
        f"AUROC of pixels {roc_auc_score(truth.ravel(), heat.ravel()):.3f}"
    )
    bad = samples.numpy("label") == "defect"
    for name in ("novelty", "patches", "knn", "mahalanobis"):
        module = find("scores", name)
        print(f"image AUROC of {name}: {roc_auc_score(bad, module.fit(module.Config(), bank)(samples)):.3f}")


def _mask(picture: Path) -> np.ndarray:
    return np.asarray(Image.open(picture.parents[1] / "masks" / picture.name).convert("L")) > 127


if __name__ == "__main__":
    tyro.cli(main)
