"""Did training help? A comparison, without labels, of the trained encoder with the same network before training.

The statistic is the accuracy of pairs: of all comparisons, the fraction in which two views of one sample are more
similar (cosine of the features) than views of two different samples. An untrained network already tells many samples
apart, so it is measured too: the weights of step 0, the same samples and the same views.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vssl.modalities.base import Dataset, Modality
from vssl.objectives.base import Objective
from vssl.run import Run
from vssl.training import devices, model
from vssl.training.settings import Settings
from vssl.types import View

MIN_SAMPLES, MAX_SAMPLES = 64, 256
# Per sample, two networks on two views cost about a twelfth of a training step. One sample per 16 that the training
# has seen keeps the comparison at 2 % of the run.
SEEN_PER_COMPARED = 16
# In standard errors. Batch statistics alone, without learning, move the difference by up to three of them.
STANDARD_ERRORS = 4.0
BATCH = 64


@dataclass(frozen=True)
class TrainingGain:
    """Accuracy of pairs before and after training.

    Attributes:
        trained, untrained: Fraction of comparisons in which the other view of a sample is more similar to it than a
            view of another sample, 0..1; 0.5 is chance.
        samples: Number of samples compared.
        helped: Whether the trained accuracy is larger by more than `STANDARD_ERRORS` standard errors of the samples'
            differences.
    """

    trained: float
    untrained: float
    samples: int
    helped: bool


def training_gain(
    objective: Objective, settings: Settings, modality: Modality, dataset: Dataset, seen: int, run: Run | None = None
) -> TrainingGain:
    """Compare a trained objective with the same objective at step 0, and leave it in evaluation mode.

    Args:
        seen: Samples that the training has processed, repetitions included.
        run: The run, which keeps the pretrained weights that it started from.
    """
    device = next(objective.parameters()).device
    count = min(len(dataset), max(MIN_SAMPLES, min(MAX_SAMPLES, seen // SEEN_PER_COMPARED)))
    rows = np.sort(np.random.default_rng(0).permutation(len(dataset))[:count])
    generator = torch.Generator(device).manual_seed(0)
    first, second = modality.views(dataset.batch(rows).to(device), generator)[:2]
    untrained = devices.to_device(model.build_objective(settings, modality, run), device)
    after, before = (pair_accuracies(each, settings, first, second) for each in (objective, untrained))
    difference = after - before
    standard_error = float(difference.std()) / count**0.5
    helped = float(difference.mean()) > STANDARD_ERRORS * standard_error
    return TrainingGain(float(after.mean()), float(before.mean()), count, helped)


@torch.inference_mode()
def pair_accuracies(objective: Objective, settings: Settings, first: View, second: View) -> Float[Tensor, " N"]:
    """For each sample, the fraction of the other samples that are less similar to its first view than its second is."""
    objective.eval()
    one, two = (F.normalize(features_of(objective, settings, view), dim=1) for view in (first, second))
    similarity = one @ two.T
    positive = similarity.diag()[:, None]
    ranks = (similarity < positive).double() + (
        similarity == positive
    ).double() / 2  # ties, as of a collapse, count half
    return (ranks.sum(1) - 0.5) / max(1, len(ranks) - 1)


def features_of(objective: Objective, settings: Settings, view: View) -> Float[Tensor, "N F"]:
    device = next(objective.parameters()).device
    with devices.autocast(device, settings.precision):
        batches = view.chunk(-(-len(view) // BATCH))
        return torch.cat([objective.encoder(batch).float() for batch in batches])


def describe_progress(info: Mapping[str, Any]) -> str:
    """The amount of training, from run.json: "24 samples, each seen 4.0 times (3 steps)"."""
    samples, progress = info.get("samples", 0), info.get("progress", {})
    if info.get("weights", {}).get("mode") == "none":
        return f"{samples:,} samples, on none of which a step was made"
    epochs = progress.get("samples", 0) / max(1, samples * info.get("tiles", 1))
    return f"{samples:,} samples, each seen {epochs:,.1f} times ({progress.get('step', 0):,} steps)"


def describe_gain(info: Mapping[str, Any]) -> str:
    """The training gain in run.json as sentences, with advice where there is none; "" where it was not measured."""
    if not (gain := info.get("training_gain")):
        return ""
    adapted = info.get("weights", {}).get("mode") == "adapt"
    compared = (
        "Two views of the same sample are more similar than views of different samples in "
        f"{100 * gain['trained']:.1f} % of comparisons; for the {'initial' if adapted else 'untrained'} network it is "
        f"{100 * gain['untrained']:.1f} %, by chance 50 % ({gain['samples']} samples"
        f"{' that were held out' if adapted else ''})."
    )
    if (info.get("early_stopping") or {}).get("criterion") == "synthetic anomalies":
        compared = (
            f"In {100 * gain['trained']:.1f} % of comparisons a copy with a synthetic anomaly is farther from the "
            f"training data than a normal sample; for the initial network it is {100 * gain['untrained']:.1f} %, "
            f"by chance 50 % ({gain['samples']} samples that were held out)."
        )
    if adapted and not gain["helped"]:
        return f"No adapted weights were better than the initial ones, so the encoder keeps those. {compared}"
    if gain["helped"]:
        return compared
    return f"Nothing shows that the training helped. {compared} Train longer, or on more data."
