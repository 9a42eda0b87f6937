"""Rows of numbers, each a sample: the smallest modality, to show that one folder (and an encoder) is all it takes.

A newcomer adds nothing here: it is read by tests alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vssl.modalities.data_summary import DataSummary

if TYPE_CHECKING:
    from vssl.modalities.rows.modality import RowModality

DEFAULT_ENCODER = "mlp"


@dataclass(frozen=True)
class Config:
    """Rows of numbers.

    Attributes:
        max_broken: Share of rows that may be broken, 0..1.
    """

    max_broken: float = 0.0


@dataclass(frozen=True)
class Spec:
    """What was measured on the training rows.

    Attributes:
        mean, std: Of each column.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


def read(source: str | Path) -> tuple[np.ndarray, list[str]]:
    """The numbers of a CSV file and the labels of its last column."""
    rows = [line.split(",") for line in Path(source).read_text().splitlines()]
    return np.array([row[:-1] for row in rows], float), [row[-1] for row in rows]


def measure(source: str | Path, config: Config) -> Spec:
    """Mean and standard deviation of each column."""
    values, _ = read(source)
    return Spec(tuple(values.mean(0).tolist()), tuple(values.std(0).tolist()))


def describe(spec: Spec) -> DataSummary:
    """The mean of each column."""
    rows = [(str(number), f"{mean:.3g}") for number, mean in enumerate(spec.mean)]
    return DataSummary("Columns", ("Column", "Mean"), rows, "Rows of numbers.")


def build(config: Config, spec: Spec) -> RowModality:
    """The modality for these settings and measurements."""
    from vssl.modalities.rows.modality import RowModality

    return RowModality(config, spec)
