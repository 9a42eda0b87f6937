"""What a run keeps of its training samples, to know them again when the data are gone: RUN/training.safetensors."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from safetensors.numpy import load, save

from vssl.errors import RunError
from vssl.files import atomic
from vssl.modalities.base import Dataset, Modality
from vssl.modalities.copies import Memory, content_hashes, hash_prefixes
from vssl.run import Run

FILE = "training.safetensors"
BATCH = 1024


def remember(run: Run, modality: Modality, dataset: Dataset) -> None:
    """Write what is kept of the training samples, unless it is there; run.json gets its SHA-256.

    Raises:
        StorageError: The folder cannot be written.
    """
    path = run.path / FILE
    if path.exists() and "training" in run.info:
        return
    contents = [np.empty(0, np.uint64)]
    for first in range(0, len(dataset), BATCH):
        raw: torch.Tensor = dataset.batch(np.arange(first, min(first + BATCH, len(dataset))))
        contents.append(hash_prefixes(content_hashes(raw.cpu())))
    data = save({"contents": np.unique(np.concatenate(contents)), **modality.remember(dataset)})
    with atomic(path) as file:
        file.write(data)
    run.update(training=hashlib.sha256(data).hexdigest())


def recall(run: Run) -> Memory | None:
    """What is kept of the training samples; None where the file is missing.

    Raises:
        RunError: It is not what the training wrote.
    """
    path = run.path / FILE
    if not path.is_file():
        return None
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != run.info.get("training"):
        raise RunError(
            f"{path} is not what the training wrote: which samples the training has seen cannot be told. Bring the "
            "file back, or train again; without it calibrating goes on, and the policy says what could not be checked."
        )
    return load(data)
