"""The index of the training samples, by which they are recognised when the data are gone.

RUN/training_index.safetensors holds a hash of each sample and what the modality adds to find edited copies. Calibration
looks samples up in it, because a guarantee must not rest on samples that the training has seen.
"""

import hashlib

import numpy as np
from safetensors.numpy import load, save

from vssl.errors import RunError
from vssl.files import atomic
from vssl.modalities.base import Dataset, Modality, in_order
from vssl.modalities.copies import Memory, content_hashes, hash_prefixes
from vssl.run import Run

FILE = "training_index.safetensors"
BATCH = 1024


def write_training_index(run: Run, modality: Modality, dataset: Dataset) -> None:
    """Write the index unless it is there; run.json gets its SHA-256.

    Raises:
        StorageError: The folder cannot be written.
    """
    path = run.path / FILE
    if path.exists() and "training_index" in run.info:
        return
    contents = [np.empty(0, np.uint64)]
    contents += [hash_prefixes(content_hashes(raw)) for raw in in_order(dataset, BATCH)]
    data = save({"contents": np.unique(np.concatenate(contents)), **modality.remember(dataset)})
    with atomic(path) as file:
        file.write(data)
    run.update(training_index=hashlib.sha256(data).hexdigest())


def read_training_index(run: Run) -> Memory | None:
    """The index of the training samples; None where the file is missing.

    Raises:
        RunError: The file is not the one that the training wrote.
    """
    path = run.path / FILE
    if not path.is_file():
        return None
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != run.info.get("training_index"):
        raise RunError(
            f"{path} is not what the training wrote, so training samples cannot be recognised. Restore it "
            "from a backup, or train again. Without the file, calibrating goes on and the policy states what could "
            "not be checked."
        )
    return load(data)
