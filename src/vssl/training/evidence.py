"""Did training help? Without labels: are two views of a sample more alike than views of two samples, more than before?

An untrained network tells many samples apart by itself, so it stands beside the trained one: the same seed at step 0,
the same samples, the same views.
"""

from __future__ import annotations

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
from vssl.training import devices, model
from vssl.training.settings import Settings
from vssl.types import View

HEALTHY, FINISHED = "healthy", "finished"
"""What is said of a run that is done and has not collapsed: training helped, or that is not shown."""

FEWEST, MOST = 64, 256
# Two networks see two views of a sample; a step of training takes about twelve times as long for a sample as one of
# these. With one sample in sixteen that were seen this is 2 % of the run.
SHARE = 16
CLEARLY = 4.0  # standard errors: statistics of the batches alone, without learning, move the figure by up to three
BLOCK = 64


@dataclass(frozen=True)
class Evidence:
    """How well samples are known again, before and after training.

    Attributes:
        trained, untrained: Of all comparisons the share in which the other view of a sample is more like it than a view
            of another sample is, 0..1; 0.5 is chance.
        samples: Samples that were compared.
        helped: Whether the first is clearly larger: by more than `CLEARLY` standard errors of the samples' differences.
    """

    trained: float
    untrained: float
    samples: int
    helped: bool


def evidence(objective: Objective, settings: Settings, modality: Modality, dataset: Dataset, seen: int) -> Evidence:
    """Compare a trained objective, which is in evaluation mode from then on, with the same at step 0.

    Args:
        seen: How many samples the training has seen, repeats included.
    """
    device = next(objective.parameters()).device
    count = min(len(dataset), max(FEWEST, min(MOST, seen // SHARE)))
    rows = np.sort(np.random.default_rng(0).permutation(len(dataset))[:count])
    generator = torch.Generator(device).manual_seed(0)
    first, second = modality.views(dataset.batch(rows).to(device), generator)[:2]
    untrained = model.build_objective(settings, modality).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    after, before = (_known_again(each, settings, first, second) for each in (objective, untrained))
    gain = after - before
    error = float(gain.std()) / count**0.5
    return Evidence(float(after.mean()), float(before.mean()), count, float(gain.mean()) > CLEARLY * error)


@torch.inference_mode()
def _known_again(objective: Objective, settings: Settings, first: View, second: View) -> Float[Tensor, " N"]:
    """Of each sample the share of the others that are less like its first view than its second view is."""
    objective.eval()
    one, two = (F.normalize(_features(objective, settings, view), dim=1) for view in (first, second))
    likeness = one @ two.T
    own = likeness.diag()[:, None]
    less = (likeness < own).double() + (likeness == own).double() / 2  # alike by a collapse is half right
    return (less.sum(1) - 0.5) / max(1, len(less) - 1)


def _features(objective: Objective, settings: Settings, view: View) -> Float[Tensor, "N F"]:
    device = next(objective.parameters()).device
    with devices.autocast(device, settings.precision):
        parts = view.chunk(-(-len(view) // BLOCK))
        return torch.cat([objective.encoder(part).float() for part in parts])


def passes(info: Mapping[str, Any]) -> str:
    """On how much a run was trained, from run.json: "24 samples, each seen 4.0 times (3 steps)"."""
    samples, progress = info.get("samples", 0), info.get("progress", {})
    times = progress.get("images", 0) / max(1, samples)
    return f"{samples:,} samples, each seen {times:,.1f} times ({progress.get('step', 0):,} steps)"


def words(info: Mapping[str, Any]) -> str:
    """What `evidence` found, from run.json, and what to do; "" where nothing was found out."""
    if not (found := info.get("evidence")):
        return ""
    compared = (
        "Two views of the same sample are more alike than views of different samples in "
        f"{100 * found['trained']:.1f} % of comparisons; for the untrained network it is "
        f"{100 * found['untrained']:.1f} %, by chance 50 % ({found['samples']} samples)."
    )
    if found["helped"]:
        return compared
    return f"Nothing shows that the training helped. {compared} Train longer, or on more data."
