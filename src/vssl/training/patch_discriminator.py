"""Trains the discriminator of an encoder on synthetic anomalies, once at the end of a training; needs no labels.

The encoder is not changed: its feature maps of some training pictures and of their altered copies are computed once.
How well the discriminator tells altered from unaltered pictures is measured on pictures that it was not trained on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from rich.console import Console
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from vssl.encoders.patch_discriminator import untrained
from vssl.modalities.base import Dataset, Modality
from vssl.objectives.base import Objective
from vssl.training import devices
from vssl.training.progress import progress_bar
from vssl.training.settings import Settings

MAX_PIXELS = 300 * 320**2  # of the pictures: bounds the time that the encoder takes
MAX_BYTES = 2**29  # of the feature maps that are kept, in float16
MAX_PICTURES = 3000
MIN_PICTURES = 16
HELD_OUT_SHARE, MAX_HELD_OUT = 0.2, 64
BATCH = 16
STEPS, PASSES, PATCHES_PER_STEP = 600, 30, 12_000  # steps at most, and passes over the pictures at most
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 1e-2
ALTERED_WEIGHT = 10.0
"""Weight in the loss of an altered patch; there are few of them."""
TOP = 3
"""Patches per picture whose mean is its score, when the discriminator is tested."""


@dataclass(frozen=True)
class DiscriminatorFit:
    """What run.json holds of the training of the discriminator.

    Attributes:
        auroc: How well held-out pictures with and without a synthetic anomaly are distinguished, 0..1; 0.5 is chance.
        pictures: Number of pictures that it was trained on, the altered copies not counted.
        held_out: Number of pictures that it was tested on.
        learned: Whether `auroc` is above chance by more than two standard errors.
        seconds: Time that it took.
    """

    auroc: float
    pictures: int
    held_out: int
    learned: bool
    seconds: float


@dataclass(frozen=True)
class _Maps:
    """Feature maps in float16 [N, C, h, w], and which patches were altered [N, h, w]."""

    values: Tensor
    altered: Tensor

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return self.values[rows].float(), self.altered[rows].float()


def fit_patch_discriminator(
    objective: Objective, settings: Settings, modality: Modality, dataset: Dataset, terminal: Console | None
) -> DiscriminatorFit | None:
    """Fit `encoder.patch_discriminator`, and leave the objective in evaluation mode.

    Returns:
        None for data without synthetic anomalies or in tiles, encoders without feature maps, and too few samples.
    """
    wanted = modality.trains_discriminator and modality.tiling is None
    if not wanted or objective.encoder.patch_channels == 0 or len(dataset) < MIN_PICTURES:
        return None
    started = time.monotonic()
    objective.eval()
    device = next(objective.parameters()).device
    rows = np.random.default_rng(settings.seed).permutation(len(dataset))[: _count(objective, settings, modality)]
    held_out = min(MAX_HELD_OUT, round(HELD_OUT_SHARE * len(rows)))
    trained, tested = np.sort(rows[held_out:]), np.sort(rows[:held_out])
    with torch.random.fork_rng(), progress_bar("discriminator", terminal) as on_progress:
        torch.manual_seed(settings.seed)
        before = 2 * len(rows)  # a step of training counts as a batch of pictures

        def on_pictures(done: int) -> None:
            on_progress(done, before + STEPS * BATCH)

        def on_step(step: int) -> None:
            on_progress(before + step * BATCH, before + STEPS * BATCH)

        maps = _maps(objective, settings, modality, dataset, trained, on_pictures)
        mean, scale = _statistics(maps.values)
        network = untrained(len(mean)).to(device)
        _train(network, maps, mean, scale, on_step)
    objective.encoder.patch_discriminator.fit(mean.to(device), scale.to(device), network)
    separation = _separation(objective, _maps(objective, settings, modality, dataset, tested, lambda done: None))
    standard_error = ((2 * held_out + 1) / (12 * held_out**2)) ** 0.5
    learned = separation > 0.5 + 2 * standard_error
    return DiscriminatorFit(separation, len(rows) - held_out, held_out, learned, time.monotonic() - started)


def describe_discriminator(info: Mapping[str, Any]) -> str:
    """How well the discriminator separates, from run.json, as a sentence; "" for a run without one."""
    if not (fit := info.get("discriminator")):
        return ""
    if not fit["learned"]:
        return (
            "Nothing shows that the discriminator tells pictures with a synthetic anomaly from those without: "
            f"AUROC {fit['auroc']:.2f} on {fit['held_out']} held-out pictures is not clearly above chance. With more "
            "pictures it can be known; until then, rather calibrate with --score patch_memory."
        )
    return (
        f"The discriminator tells pictures with a synthetic anomaly from those without with AUROC {fit['auroc']:.2f} "
        f"({fit['held_out']} held-out pictures)."
    )


def _count(objective: Objective, settings: Settings, modality: Modality) -> int:
    """How many pictures the bounds of time and of memory allow."""
    with torch.no_grad():
        raw = torch.zeros(1, *modality.shape, dtype=torch.uint8, device=next(objective.parameters()).device)
        maps = _forward(objective, settings, modality, raw)
    pixels, values = modality.shape[-1] * modality.shape[-2], 2 * maps.numel()
    return max(MIN_PICTURES, min(MAX_PICTURES, MAX_PIXELS // pixels, MAX_BYTES // (2 * values)))


def _forward(objective: Objective, settings: Settings, modality: Modality, raw: Tensor) -> Float[Tensor, "B C h w"]:
    with devices.autocast(raw.device, settings.precision):
        _, maps = objective.encoder.forward_with_patches(modality.eval_view(raw))
    assert maps is not None
    return maps


@torch.no_grad()
def _maps(
    objective: Objective,
    settings: Settings,
    modality: Modality,
    dataset: Dataset,
    rows: Int[np.ndarray, " N"],
    on_progress: Callable[[int], None],
) -> _Maps:
    """The maps of the pictures, then those of copies with a synthetic anomaly each."""
    device = next(objective.parameters()).device
    generator = torch.Generator().manual_seed(settings.seed)
    values: dict[bool, list[Tensor]] = {False: [], True: []}
    masks = []
    for start in range(0, len(rows), BATCH):
        raw = dataset.batch(rows[start : start + BATCH]).cpu()
        altered = modality.synthetic_anomalies(raw, generator)
        assert altered is not None
        for changed, pixels in ((False, raw), (True, altered)):
            values[changed].append(_forward(objective, settings, modality, pixels.to(device)).half().cpu())
        differs = (altered != raw).any(1, keepdim=True).float()
        size = tuple(values[True][-1].shape[2:])
        masks.append(F.adaptive_max_pool2d(differs, size)[:, 0].bool())
        on_progress(2 * (start + len(raw)))
    altered_patches = torch.cat(masks)
    return _Maps(
        torch.cat(values[False] + values[True]), torch.cat([torch.zeros_like(altered_patches), altered_patches])
    )


def _statistics(maps: Tensor) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
    """Mean and standard deviation of each channel over the unaltered half."""
    total = squares = torch.zeros((), dtype=torch.float64)
    unaltered = maps[: len(maps) // 2]
    for part in unaltered.split(BATCH):
        channels = part.double().transpose(0, 1).flatten(1)
        total, squares = total + channels.sum(1), squares + channels.square().sum(1)
    count = unaltered.numel() / unaltered.shape[1]
    std = (squares / count - (total / count).square()).clamp(min=0).sqrt()
    # A channel that hardly varies would turn rounding errors into signals.
    return (total / count).float(), std.clamp(min=max(1e-6, 1e-3 * float(std.median()))).float()


def _train(
    network: nn.Sequential, maps: _Maps, mean: Tensor, scale: Tensor, on_progress: Callable[[int], None]
) -> None:
    """Cross-entropy of patches; the learning rate falls by half a cosine."""
    device = next(network.parameters()).device
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    batch = min(len(maps.values), max(4, PATCHES_PER_STEP // maps.altered[0].numel()))
    steps = min(STEPS, -(-PASSES * len(maps.values) // batch))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order = torch.cat([torch.randperm(len(maps.values)) for _ in range(-(-steps * batch // len(maps.values)))])
    for step, rows in enumerate(order[: steps * batch].split(batch), start=1):
        values, altered = maps.batch(rows)
        standardised = ((values - mean[:, None, None]) / scale[:, None, None]).to(device)
        altered = altered.to(device)
        logits = network(standardised)[:, 0]
        weights = 1 + (ALTERED_WEIGHT - 1) * altered
        loss = F.binary_cross_entropy_with_logits(logits, altered, weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        on_progress(step * STEPS // steps)
    network.eval()


@torch.no_grad()
def _separation(objective: Objective, maps: _Maps) -> float:
    """AUROC of the altered half of the maps against the other."""
    device = next(objective.parameters()).device
    logits = [
        objective.encoder.patch_discriminator(part.float().to(device)).flatten(1) for part in maps.values.split(BATCH)
    ]
    scores = torch.cat([part.topk(min(TOP, part.shape[1])).values.mean(1) for part in logits]).cpu().numpy()
    half = len(scores) // 2
    return float(roc_auc_score(np.arange(len(scores)) >= half, scores))
