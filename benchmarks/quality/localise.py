"""Whether the anomaly map shows where a defect is, on the demo's parts, which have masks.

    make demo
    python -m benchmarks.quality.localise vssl-demo

Makes 1,000 parts that the demo has not seen, and evaluates the anomaly maps of those with a defect of severity 0.5 and
more: AUPRO up to false-positive rates of 0.3 and 0.05, and the AUROC of pixels. The reference set are the demo's
training pictures as they come, defects among them. The AUROC of whole pictures is recorded for each score as well.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import tyro
from PIL import Image
from sklearn.metrics import roc_auc_score

from benchmarks.common.aupro import aupro
from benchmarks.common.record import RESULTS, Record
from benchmarks.common.scores import fit
from vssl import api
from vssl.modalities.images.demo.inspection import Line, write
from vssl.scores import patches

SEVERE = 0.5


NAMES = ("novelty", "patches", "5-NN, whitened features", "Mahalanobis, features")


def main(
    demo: tyro.conf.Positional[Path], parts: int = 1_000, seed: int = 4, out: Path = RESULTS / "localise.json"
) -> None:
    """Localisation on the demo.

    Args:
        demo: The folder of the demo.
        parts: Number of new parts.
        seed: Random seed of the new parts.
        out: File of the record.
    """
    record = Record.create(out, seeds=(seed,), parts=parts)
    folder = demo / f"localise-{seed}"
    listed = folder / "parts.csv" if folder.exists() else write(Line(seed=seed), folder, parts, labelled=True)
    model = api.load(demo / "run", "cpu")
    reference, samples = (
        api.embed(model.run, demo / "parts" / "parts.csv"),
        api.embed(model.run, listed, name=folder.name),
    )
    severe = (samples.numpy("severity") >= SEVERE) & (samples.numpy("defect") != "none")
    maps = patches.anomaly_map(patches.Config(), reference)(samples.where(severe))
    masks = [_mask(folder / name) for name in np.array(samples.ids)[severe]]
    wide = torch.from_numpy(maps)[:, None]
    size = masks[0].shape
    heat = torch.nn.functional.interpolate(wide, size, mode="bicubic", align_corners=False)[:, 0].numpy()
    truth = np.stack(masks)
    figures = {f"aupro_{limit:g}": aupro(heat, truth, limit) for limit in (0.3, 0.05)}
    pixels = float(roc_auc_score(truth.ravel(), heat.ravel()))
    record.add({"kind": "maps", "defects": int(severe.sum()), **figures, "pixel_auroc": pixels})
    defect = samples.numpy("label") == "defect"
    for name in NAMES:
        auroc = float(roc_auc_score(defect, fit(name, reference)(samples)))
        record.add({"kind": "pictures", "score": name, "auroc": auroc})


def _mask(picture: Path) -> np.ndarray:
    return np.asarray(Image.open(picture.parents[1] / "masks" / picture.name).convert("L")) > 127


if __name__ == "__main__":
    tyro.cli(main)
