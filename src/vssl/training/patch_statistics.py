"""Fits what standardises the feature maps of an encoder, on a sample of the training data; needs no labels."""

import numpy as np
import torch

from vssl.modalities.base import Dataset, Modality
from vssl.objectives.base import Objective
from vssl.training import devices
from vssl.training.settings import Settings

MAX_SAMPLES = 512
BATCH = 16


@torch.no_grad()
def fit_patch_statistics(objective: Objective, settings: Settings, modality: Modality, dataset: Dataset) -> None:
    """Fit `encoder.patch_statistics` on at most `MAX_SAMPLES` samples without augmentation, in constant memory.

    The objective is left in evaluation mode. Encoders without feature maps are left as they are.
    """
    if not modality.dense_patches:
        return
    objective.eval()
    encoder, device = objective.encoder, next(objective.parameters()).device
    rows = np.sort(np.random.default_rng(0).permutation(len(dataset))[:MAX_SAMPLES])
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for start in range(0, len(rows), BATCH):
        with devices.autocast(device, settings.precision):
            view = modality.eval_view(dataset.batch(rows[start : start + BATCH]).to(device))
            _, maps = encoder.forward_with_patches(view)
        if maps is None:
            return
        values = maps.double().transpose(0, 1).flatten(1).cpu()
        count += values.shape[1]
        total, squares = total + values.sum(1), squares + values.square().sum(1)
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0).sqrt()
    encoder.patch_statistics.fit(mean.float().to(device), std.float().to(device))
