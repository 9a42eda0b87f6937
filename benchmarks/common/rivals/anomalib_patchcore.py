"""anomalib's PatchCore (Roth et al. 2022) on lists of picture files, in an environment of its own.

    python -m venv patchcore && patchcore/bin/pip install anomalib==2.7.0
    patchcore/bin/python benchmarks/common/rivals/anomalib_patchcore.py job.json      # what `run` does

anomalib and vssl need not agree on the packages that they need: `run` writes the job into a file and starts this file
with the other environment's interpreter, where nothing of vssl is imported. Model, coreset, score and map are
anomalib's, with one thread. Two things differ from its defaults, both for time: distances to a new centre of the
coreset come from a matrix product, and before the coreset at most `max_patches` patches are drawn at random.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

LEVELS = ("blocks.2", "blocks.4")
"""The stages of EfficientNet-lite0 with strides of 8 and 16."""
MAP_SIDE = 320
"""Longest side of the stored maps in pixels."""


@dataclass(frozen=True)
class Job:
    """What is measured.

    Attributes:
        train: Normal pictures.
        test: Pictures to score.
        height, width: Size that the pictures are brought to, in pixels.
        weights: Weights of the network for timm, as .safetensors.
        variant: The network's name in timm.
        levels: Names of its stages.
        ratio: Share of the patches that the coreset keeps.
        max_patches: Patches from which the coreset is chosen; what is beyond is left out at random.
        seed: Random seed.
    """

    train: Sequence[str]
    test: Sequence[str]
    height: int
    width: int
    weights: str
    variant: str = "tf_efficientnet_lite0"
    levels: Sequence[str] = LEVELS
    ratio: float = 0.1
    max_patches: int = 60_000
    seed: int = 0


@dataclass(frozen=True)
class Result:
    """What was measured.

    Attributes:
        scores: Of each tested picture [N].
        maps: Anomaly maps [N, h, w], the longer side `MAP_SIDE` or less.
        figures: fit_s and ms_per_picture in processor time (of one picture: network, search and map, reading left
            out), memory (vectors), patches (of all training pictures), peak_mib and the versions of the packages.
    """

    scores: np.ndarray
    maps: np.ndarray
    figures: dict[str, Any] = field(default_factory=dict)


def run(python: Path, job: Job, scratch: Path) -> Result:
    """Do a job with another environment's interpreter; what is in `scratch` for the same job is taken as it is."""
    scratch.mkdir(parents=True, exist_ok=True)
    request, answer = scratch / "job.json", scratch / "result.npz"
    text = json.dumps(asdict(job))
    if not (answer.exists() and request.exists() and request.read_text() == text):
        answer.unlink(missing_ok=True)
        request.write_text(text)
        subprocess.run([str(python), __file__, str(request)], check=True)
    with np.load(answer) as stored:
        return Result(stored["scores"], stored["maps"], json.loads(str(stored["figures"])))


def main(path: Path) -> None:
    """Runs in the other environment."""
    import torch

    job = Job(**json.loads(path.read_text()))
    torch.set_num_threads(1)
    torch.manual_seed(job.seed)
    np.random.seed(job.seed)  # noqa: NPY002, anomalib's projection draws from it
    started = time.process_time()
    model, mean, std = _model(job)
    patches = _fit(model, job, mean, std)
    figures: dict[str, Any] = {"fit_s": time.process_time() - started, "patches": patches}
    figures["memory"] = len(model.memory_bank)
    scores, maps, seconds = [], [], []
    for picture in job.test:
        pixels = (_pixels(picture, job) - mean) / std
        before = time.process_time()
        with torch.inference_mode():
            found = model(pixels)
        seconds.append(time.process_time() - before)
        scores.append(found.pred_score.item())
        maps.append(_small(found.anomaly_map))
    figures["ms_per_picture"] = 1000 * float(np.median(seconds))
    figures["peak_mib"] = _peak_mib()
    figures["versions"] = _versions()
    # Written whole or not at all.
    unfinished = path.parent / "unfinished.npz"
    np.savez(unfinished, scores=np.array(scores), maps=np.stack(maps), figures=np.array(json.dumps(figures)))
    unfinished.replace(path.parent / "result.npz")


def _model(job: Job) -> tuple[Any, Any, Any]:
    """PatchCore with the weights, and the mean and spread that these expect."""
    import timm
    import torch
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel
    from safetensors.torch import load_file

    model = PatchcoreModel(backbone=job.variant, layers=list(job.levels), pre_trained=False)
    network = model.feature_extractor.feature_extractor
    missing, _ = network.load_state_dict(load_file(job.weights), strict=False)
    if missing:
        sys.exit(f"{job.weights} lacks {len(missing)} weights of {job.variant}, such as {missing[0]}.")
    expected: Any = timm.get_pretrained_cfg(job.variant)
    mean, std = (torch.tensor(values)[:, None, None] for values in (expected.mean, expected.std))
    return model, mean, std


def _fit(model: Any, job: Job, mean: Any, std: Any) -> int:
    """Fill the memory; returns the number of patches of all training pictures."""
    import torch
    from anomalib.models.components.sampling import k_center_greedy

    k_center_greedy.KCenterGreedy.update_distances = _update_distances
    model.train()
    model.feature_extractor.eval()
    with torch.inference_mode():
        for picture in job.train:
            model((_pixels(picture, job) - mean) / std)
        patches = sum(map(len, model.embedding_store))
        if patches > job.max_patches:
            # The rows of each picture that are among those drawn from all.
            chosen = np.sort(np.random.default_rng(job.seed).permutation(patches)[: job.max_patches])
            model.embedding_store = [torch.cat(model.embedding_store)[torch.from_numpy(chosen)]]
        model.subsample_embedding(job.ratio)
    model.eval()
    return patches


def _update_distances(sampler: Any, cluster_center: Any) -> None:
    """As KCenterGreedy's own: ||x - c||^2 = ||x||^2 - 2 x c + ||c||^2, without a copy of all x."""
    import torch

    if cluster_center is None:
        return
    if sampler.min_distances is None:
        sampler.square_norms = sampler.features.square().sum(1, keepdim=True)
    center = sampler.features[cluster_center].reshape(-1, 1)
    squares = sampler.square_norms - 2 * (sampler.features @ center) + center.square().sum()
    distances = squares.clamp_min(0).sqrt()
    known = sampler.min_distances
    sampler.min_distances = distances if known is None else torch.minimum(known, distances)


def _pixels(path: str, job: Job) -> Any:
    """One picture [1, 3, H, W] in 0..1; made smaller with an area-aware filter, as anomalib's antialiased resizing."""
    import torch
    from PIL import Image

    with Image.open(path) as opened:
        picture = opened.convert("RGB").resize((job.width, job.height), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


def _small(anomaly_map: Any) -> np.ndarray:
    import torch

    height, width = anomaly_map.shape[-2:]
    scale = min(1.0, MAP_SIDE / max(height, width))
    size = (round(height * scale), round(width * scale))
    small = torch.nn.functional.interpolate(anomaly_map, size, mode="area")
    return np.asarray(small[0, 0].numpy(), np.float32)


def _peak_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("anomalib", "torch", "timm")}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path, help="the folder of the job")
    main(parser.parse_args().job)
