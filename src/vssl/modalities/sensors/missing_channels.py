"""What a person must know of the channels of one source: those that have no values in it, unlike in the training."""

from __future__ import annotations

import numpy as np

from vssl.modalities.sensors import Spec
from vssl.modalities.sensors.channel_notes import MAX_NAMED, MISSING_SHARE
from vssl.modalities.sensors.index import Index


def notes(spec: Spec, found: Index) -> list[str]:
    """Sentences on channels without a value in files of a source, or with many fewer than in the training data."""
    files = [file for file in found.files if file.broken is None]
    if not files or not spec.about:
        return []
    known, rows = np.array([file.known for file in files]), sum(file.rows for file in files)
    empty, much = [], []
    for channel, about, values in zip(spec.channels, spec.about, known.T, strict=True):
        missing = 1 - values.sum() / rows
        # Of the training data the same was told already.
        if not (values == 0).any() and missing <= max(MISSING_SHARE, 2 * about.missing):
            continue
        if abs(missing - about.missing) < 0.001 and (values == 0).sum() == about.absent:
            continue
        if (values == 0).any():
            first = files[int(np.argmin(values))].name
            empty.append(f"{channel} (in {(values == 0).sum():,} of {len(files):,}, the first {first})")
        else:
            much.append(f"{channel} ({missing:.0%}, {about.missing:.0%} in training)")
    return [
        *_said(empty, "Channels without a single value in files that are read here, of which nothing can be told: {}."),
        *_said(much, "Much more is missing here than in the training data: {}."),
    ]


def _said(named: list[str], sentence: str) -> list[str]:
    more = [f"and {len(named) - MAX_NAMED} more"] if len(named) > MAX_NAMED else []
    return [sentence.format(", ".join([*named[:MAX_NAMED], *more]))] if named else []
