"""By what windows of series are known again: a hash of each row, as its values are, whatever the file."""

import numpy as np
from jaxtyping import Float, Float64, UInt64

from vssl.modalities import sequences
from vssl.modalities.base import Dataset
from vssl.modalities.copies import window_spans
from vssl.modalities.sequences import mix_hashes

MIN_RUN_ROWS = 8
"""Rows of a run, at least."""
STEPS_PER_SCALE = 2**14
"""Of a channel's scale: so that values that were kept in fewer bits in between are the same still."""
BATCH = 1024
UNKNOWN = np.int64(2**62)


def hash_rows(raw: Float64[np.ndarray, "B C T"], scale: Float[np.ndarray, " C"]) -> UInt64[np.ndarray, "B T"]:
    """A hash of each row of each window."""
    steps = np.rint(raw * (STEPS_PER_SCALE / scale[:, None])).clip(-(2.0**61), 2.0**61)
    whole = np.where(np.isfinite(raw), np.nan_to_num(steps), UNKNOWN).astype(np.int64).view(np.uint64)
    hashes = np.zeros((len(raw), raw.shape[2]), np.uint64)
    for channel in range(raw.shape[1]):
        hashes = mix_hashes(hashes, whole[:, channel])
    return hashes


def remember(dataset: Dataset, scale: Float[np.ndarray, " C"]) -> dict[str, np.ndarray]:
    """What is kept of training windows; see `sequences.remember`."""
    signatures: list[bytes] = []
    for first in range(0, len(dataset), BATCH):
        raw = dataset.batch(np.arange(first, min(first + BATCH, len(dataset))))
        signatures += [hashes.tobytes() for hashes in hash_rows(raw.numpy(), scale)]
    return sequences.remember(signatures, window_spans(dataset.metadata), MIN_RUN_ROWS)
