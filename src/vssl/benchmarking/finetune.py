"""Fine-tuning: the encoder and a linear classifier on it learn together from a tenth of the labels.

The views are those of the pre-training, and the number of steps hangs on the data alone, so that it costs every method
the same.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import AdamW

from vssl.benchmarking.sources import Sources
from vssl.evaluation import Evidence
from vssl.evaluation.labels import Labelled, stratified
from vssl.evaluation.linear import split
from vssl.modalities.base import Dataset
from vssl.training import devices
from vssl.training.model import Model
from vssl.training.optim import set_learning_rate
from vssl.training.schedule import learning_rate_factor

PERCENT = 10
# As many steps, or as many passes over the labelled samples if these are fewer.
STEPS, PASSES = 200, 50
BATCH, LEARNING_RATE, WEIGHT_DECAY, WARMUP = 128, 1e-3, 0.05, 0.1


def finetuned(model: Model, sources: Sources, evidence: Evidence) -> dict[str, float]:
    """`finetune/accuracy_10`, the share of the test samples classified rightly; empty where there are too few labels.

    The labelled samples are those of the linear probe with a tenth of the labels. `model` stays as it is.
    """
    training, test = split(evidence)
    if not len(test) or len(training) * PERCENT / 100 < len(np.unique(training.classes)):
        return {}
    drawn = training.take(stratified(training.classes, PERCENT / 100, evidence.seed).nonzero()[0])
    classifier = _fit(model, model.modality.load(sources.train), drawn, evidence.seed)
    predicted = _predict(model, classifier, model.modality.load(sources.test or sources.train), test.samples.ids)
    return {f"finetune/accuracy_{PERCENT}": float(np.mean(predicted == test.classes))}


def _fit(model: Model, data: Dataset, drawn: Labelled, seed: int) -> nn.Module:
    """A copy of the encoder with a linear layer, both learned; its classes are numbered as those of `drawn`."""
    device = model.device
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = copy.deepcopy(model.objective.encoder)
        classifier = nn.Sequential(encoder, nn.Linear(encoder.features, int(drawn.classes.max()) + 1)).to(device)
        optimizer = AdamW(classifier.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        generator = torch.Generator(device).manual_seed(seed)
        rows, classes = _rows(data, drawn.samples.ids), torch.from_numpy(drawn.classes)
        draws = np.random.default_rng(seed)
        steps = min(STEPS, PASSES * math.ceil(len(rows) / BATCH))
        classifier.train()
        for step in range(steps):
            set_learning_rate(optimizer, LEARNING_RATE * learning_rate_factor(step / steps, WARMUP))
            picked = draws.choice(len(rows), min(BATCH, len(rows)), replace=False)
            views = model.modality.views(data.batch(rows[picked]).to(device), generator)
            with devices.autocast(device, model.settings.precision):
                logits = classifier(type(views[0]).cat(views))
            loss = F.cross_entropy(logits.float(), classes[picked].to(device).repeat(len(views)))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    return classifier.eval()


@torch.inference_mode()
def _predict(model: Model, classifier: nn.Module, data: Dataset, ids: Sequence[str]) -> np.ndarray:
    found = []
    for rows in np.array_split(_rows(data, ids), max(1, len(ids) // 1024)):
        view = model.modality.eval_view(data.batch(rows).to(model.device))
        with devices.autocast(model.device, model.settings.precision):
            found.append(classifier(view).argmax(1).cpu().numpy())
    return np.concatenate(found)


def _rows(data: Dataset, ids: Sequence[str]) -> np.ndarray:
    """Where the samples stand in the data."""
    places = {name: row for row, name in enumerate(data.ids)}
    return np.array([places[name] for name in ids])
