"""Labels of embeddings: reading them from a metadata column, and stratified draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vssl.errors import ConfigError
from vssl.types import Embeddings


@dataclass(frozen=True)
class Labelled:
    """The samples that have a label, and their classes [N] as numbers."""

    samples: Embeddings
    classes: np.ndarray

    def __len__(self) -> int:
        return len(self.samples)

    def take(self, rows: np.ndarray) -> Labelled:
        return Labelled(self.samples.take(rows), self.classes[rows])


def label_names(samples: Embeddings, column: str, where: str) -> np.ndarray:
    """Labels as text [N]; None where the label is null, NaN or empty.

    Raises:
        ConfigError: There is no such column, or it holds vectors; the message lists the metadata columns.
    """
    vectors = {name for name in samples.table.column_names if pa.types.is_nested(samples.table[name].type)}
    if column not in samples or column in vectors:
        usable = [name for name in samples.table.column_names if name not in vectors]
        raise ConfigError(f"The {where} has no label column {column!r}; it has: {', '.join(usable)}.")
    values = samples.table[column]
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
    names = values.cast(pa.string())
    labels: np.ndarray = pc.if_else(pc.equal(names, ""), None, names).to_numpy(zero_copy_only=False)
    return labels


def with_labels(samples: Embeddings, names: np.ndarray, vocabulary: Sequence[str]) -> Labelled:
    """Leave out the samples without a label, and number the classes by their index in the sorted vocabulary."""
    rows = np.array([name is not None for name in names])
    return Labelled(samples.where(rows), np.searchsorted(np.asarray(vocabulary, dtype=str), names[rows].astype(str)))


def stratified(classes: np.ndarray, share: float, seed: int, leave: int = 0) -> np.ndarray:
    """Draw the share of every class, at least one sample of it, as a mask [N].

    Draws with the same seed are nested: the smaller share is part of the larger one.

    Args:
        leave: Number of samples of each class that must stay undrawn, even if then none is drawn.
    """
    shuffled = np.random.default_rng(seed).permutation(len(classes))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    _, start, inverse, count = np.unique(classes[by_class], return_index=True, return_inverse=True, return_counts=True)
    wanted = np.minimum(np.maximum(1, np.round(share * count)), count - leave)
    mask = np.zeros(len(classes), dtype=bool)
    mask[by_class[np.arange(len(classes)) - start[inverse] < wanted[inverse]]] = True
    return mask
