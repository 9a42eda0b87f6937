"""Run folders made up for the report: all that the page reads, without any training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
from PIL import Image

CLASSES = ("clean", "pit", "scratch", "stain")
INFO = {
    "status": "done",
    "command": "vssl train parts.zip --minutes 10 --out line",
    "source": "parts.zip",
    "fingerprint": "b7f1c2d3",
    "samples": 12000,
    "broken": [],
    "versions": {"vssl": "0.1.0", "torch": "2.15.0", "python": "3.11.2"},
    "machine": {"cpu": "x86_64", "cores": 2, "device": "cpu"},
    "settings": {
        "seed": 0,
        "encoder": {"name": "convnet", "size": "small"},
        "objective": {"name": "vssl", "form": "cosine"},
    },
    "spec": {"height": 32, "width": 32, "mean": [0.48]},
    "progress": {"step": 400, "steps": 400, "seconds": 612.0, "samples": 102400},
    "health": "healthy",
}
VALUES = {
    "knn/accuracy": 0.842,
    "knn/balanced_accuracy": 0.801,
    "linear/accuracy_100": 0.871,
    "linear/accuracy_10": 0.822,
    "retrieval/recall@1": 0.81,
    "retrieval/r_auroc/ambiguity": 0.64,
    "retrieval/r_auroc/nn_distance": 0.61,
    "selective/aurc/ambiguity": 0.071,
    "rank/effective_rank": 41.3,
    "uniformity/uniformity": -2.9,
}
EVALUATED = {"table": "test", "reference": "train", "outliers": None, "label": "label", "compare_run": None}
SKIPPED = {"ood": "there are no embeddings of a second data set to detect as outliers"}


def metrics(steps: int, variance: bool) -> list[dict]:
    noise = np.random.default_rng(1).normal(size=steps)
    lines = []
    for at in range(steps):
        share = at / steps
        line = {
            "step": 10 * at + 10,
            "seconds": 15.3 * (at + 1),
            "progress": share,
            "loss": 3 + 2.5 * np.exp(-4 * share) + 0.05 * noise[at],
            "learning_rate": 2e-3 * min(1, share / 0.05) * (1 + np.cos(np.pi * share)) / 2,
            "samples_per_s": 800 + 15 * noise[at],
            "data_wait": 0.01,
            "effective_rank": 10 + 40 * share,
            "health": "healthy",
            "parts": {"prior_nats": 2.5 - share, "log_likelihood_nats": -1 + share, "temperature": 0.2 - 0.1 * share},
        }
        lines.append(line | ({"log_variance": -0.2 - share} if variance else {}))
    return lines


def table(count: int, variance: bool, ids: Sequence[str] | None = None) -> pa.Table:
    """Four clusters in 16 dimensions; the wider a sample's own scatter, the higher its ambiguity."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % len(CLASSES)
    doubt = rng.gamma(2.0, 0.5, count)
    features = 4 * rng.normal(size=(len(CLASSES), 16))[labels] + doubt[:, None] * rng.normal(size=(count, 16))
    columns: dict[str, pa.Array] = {
        "id": pa.array(ids or [f"shift-{at % 3}/part-{at:05d}.png" for at in range(count)]),
        "features": _vectors(features),
        "mean": _vectors(features[:, :8]),
    }
    if variance:
        log_variance = (doubt - 2)[:, None]
        columns |= {
            "log_variance": _vectors(log_variance),
            "ambiguity": pa.array(log_variance[:, 0].astype(np.float32)),
        }
    columns["label"] = pa.array([CLASSES[label] for label in labels])
    columns["camera"] = pa.array(rng.choice(["left", "right"], count))
    columns["serial"] = pa.array(np.arange(count))
    return pa.table(columns)


def _vectors(values: np.ndarray) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def noise_pictures(side: int) -> Callable[[Sequence[str]], list[Image.Image | None]]:
    """Pictures of pure noise, which compress worst."""

    def pictures(ids: Sequence[str]) -> list[Image.Image | None]:
        rng = np.random.default_rng(len(ids))
        return [Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)) for _ in ids]

    return pictures


def no_pictures(ids: Sequence[str]) -> list[Image.Image | None]:
    return [None for _ in ids]
