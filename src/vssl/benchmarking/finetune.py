"""Fine-tuning: the encoder and a linear classifier are trained together on 10 % of the labels.

The views are those of the pre-training, and the number of steps depends on the data alone, so that every method has the
same cost.
"""

import copy
import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import AdamW

from vssl.benchmarking.sources import Sources
from vssl.evaluation import EvalData, Metric
from vssl.evaluation.labels import Labelled, stratified
from vssl.evaluation.linear import split
from vssl.modalities.base import Dataset
from vssl.training import devices
from vssl.training.model import Model
from vssl.training.optim import set_learning_rate
from vssl.training.schedule import learning_rate_factor

PERCENT = 10
# The number of steps, or of passes over the labelled samples if these are fewer steps.
STEPS, PASSES = 200, 50
BATCH, LEARNING_RATE, WEIGHT_DECAY, WARMUP = 128, 1e-3, 0.05, 0.1


METRICS = {
    f"finetune/accuracy_{PERCENT}": Metric(
        f"Accuracy after the encoder and a linear classifier were trained together on {PERCENT} % of the labels.",
        title=f"fine-tuned, {PERCENT} %",
    )
}


def finetuned(model: Model, sources: Sources, data: EvalData) -> dict[str, float]:
    """`finetune/accuracy_10` of the test samples; empty where there are too few labels.

    The labelled samples are those of the linear probe with 10 % of the labels. `model` is not changed.
    """
    training, test = split(data)
    if not len(test) or len(training) * PERCENT / 100 < len(np.unique(training.classes)):
        return {}
    drawn = training.take(stratified(training.classes, PERCENT / 100, data.seed).nonzero()[0])
    classifier = _fit(model, model.modality.load(sources.train), drawn, data.seed)
    predicted = _predict(model, classifier, model.modality.load(sources.test or sources.train), test.samples.ids)
    return {f"finetune/accuracy_{PERCENT}": float(np.mean(predicted == test.classes))}


def _fit(model: Model, dataset: Dataset, drawn: Labelled, seed: int) -> nn.Module:
    """A trained copy of the encoder with a linear layer; its classes are numbered as those of `drawn`."""
    device = model.device
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = copy.deepcopy(model.objective.encoder)
        classifier = nn.Sequential(encoder, nn.Linear(encoder.features, int(drawn.classes.max()) + 1)).to(device)
        optimizer = AdamW(classifier.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        generator = torch.Generator(device).manual_seed(seed)
        rows, classes = _rows(dataset, drawn.samples.ids), torch.from_numpy(drawn.classes)
        draws = np.random.default_rng(seed)
        steps = min(STEPS, PASSES * math.ceil(len(rows) / BATCH))
        classifier.train()
        for step in range(steps):
            set_learning_rate(optimizer, LEARNING_RATE * learning_rate_factor(step / steps, WARMUP))
            picked = draws.choice(len(rows), min(BATCH, len(rows)), replace=False)
            views = model.modality.views(dataset.batch(rows[picked]).to(device), generator)
            with devices.autocast(device, model.settings.precision):
                logits = classifier(type(views[0]).cat(views))
            loss = F.cross_entropy(logits.float(), classes[picked].to(device).repeat(len(views)))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    return classifier.eval()


@torch.inference_mode()
def _predict(model: Model, classifier: nn.Module, dataset: Dataset, ids: Sequence[str]) -> np.ndarray:
    predicted = []
    for rows in np.array_split(_rows(dataset, ids), max(1, len(ids) // 1024)):
        view = model.modality.eval_view(dataset.batch(rows).to(model.device))
        with devices.autocast(model.device, model.settings.precision):
            predicted.append(classifier(view).argmax(1).cpu().numpy())
    return np.concatenate(predicted)


def _rows(dataset: Dataset, ids: Sequence[str]) -> np.ndarray:
    """The rows of the samples in the data set."""
    row_of = {name: row for row, name in enumerate(dataset.ids)}
    return np.array([row_of[name] for name in ids])
