"""Made-up data of one kind whose truth is known, and how `vssl demo` uses them.

The module `vssl.modalities.NAME.demo` has a function `demo(scale) -> Demo`.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vssl.errors import ConfigError, StorageError
from vssl.types import Embeddings

Metric = Callable[[str, str], float]
"""`metric(label, name)`: a metric of the hold-out by a metadata column with labels, such as "knn/accuracy"."""


@dataclass(frozen=True)
class HoldOut:
    """Data with labels on which the policy decides.

    Attributes:
        name: Name of the table of decisions.
        title: Words for a person: where the data are from.
        source: Path below the folder of the demo.
    """

    name: str
    title: str
    source: str


@dataclass(frozen=True)
class Demo:
    """Made-up data and how the demo uses them; paths are below the folder of the demo.

    Attributes:
        data: The data, for a person.
        write: Writes all data into a folder.
        config: Settings of the modality.
        training: Source of the training data, without labels.
        normal: Source of normal samples for the calibration.
        hold_outs: Data with labels, `label=ok` for normal samples.
        steps: Optimiser steps of the training: steps, not minutes, so that a slow computer gives the same result.
        encoder: Name of the encoder; "auto" for the one that suits.
        bank: As in `vssl.api.calibrate`: train for the training data as the reference set, None for half of `normal`.
        block: Column of blocks of dependent samples, or None.
        findings: Sentences on the embeddings of the first hold-out, or None.
    """

    data: str
    write: Callable[[Path], object]
    config: Any
    training: str
    normal: str
    hold_outs: Sequence[HoldOut]
    steps: int
    encoder: str = "auto"
    bank: str | None = None
    block: str | None = None
    findings: Callable[[Embeddings, Metric], list[str]] | None = None


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into; it becomes `folder` when the block ends, so that it appears complete or not at all.

    Raises:
        ConfigError: The folder is there already.
        StorageError: The folder cannot be written.
    """
    if folder.exists():
        raise ConfigError(f"{folder} is there already; delete it or choose another folder.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratchpad:
            unfinished = Path(scratchpad) / folder.name
            yield unfinished
            unfinished.replace(folder)
    except OSError as error:
        raise StorageError(
            f"{folder}: cannot be written ({error.strerror or error}). Check permissions and free space."
        ) from error
