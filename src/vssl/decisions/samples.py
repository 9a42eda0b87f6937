"""Selects calibration samples: a source, or those of its samples with a value in a column, `parts.csv:label=ok`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from vssl.decisions.copies import CalibrationSet, merge_copied_blocks
from vssl.embedding import embed, table_name
from vssl.errors import ConfigError, DataError, EmptyDataError
from vssl.training.model import Model
from vssl.types import Embeddings

SOURCE_WITH_CONDITION = re.compile(r"(?P<source>.+):(?P<column>[^:=/\\]+)=(?P<value>.*)")


@dataclass(frozen=True)
class Condition:
    """A metadata column and the value that samples must have in it."""

    column: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read "label=ok".

        Raises:
            ConfigError: There is no =.
        """
        column, equals, value = text.partition("=")
        if not (column and equals):
            raise ConfigError(f"{text!r} is not a condition; write COLUMN=VALUE, such as label=ok.")
        return cls(column, value)

    def matches(self, samples: Embeddings, source: str) -> np.ndarray:
        """For each sample whether it has the value.

        Raises:
            DataError: There is no such column.
        """
        return np.asarray(metadata_column(samples, self.column, source) == self.value)


def metadata_column(samples: Embeddings, column: str, source: str) -> np.ndarray:
    """A metadata column as text, one string per sample.

    Args:
        source: Name of the data in error messages.

    Raises:
        DataError: There is no such column, or a sample has no value in it.
    """
    if column not in samples or column in Embeddings.COLUMNS:
        others = [name for name in samples.table.column_names if name not in Embeddings.COLUMNS]
        raise DataError(f"{source} has no column {column!r}; it has: {', '.join(others) or 'none'}.")
    values = samples.table[column]
    if values.null_count:
        row = int(np.flatnonzero(values.is_null().to_numpy())[0])
        raise DataError(f"{source}: {values.null_count} samples have no {column!r}; the first is {samples.ids[row]}.")
    return np.array([str(value) for value in values.to_pylist()], dtype=object)


def select(model: Model, text: str | Path, terminal: Console | None = None, *, pairs: int = 0) -> Embeddings:
    """The embeddings of a source, or of those of its samples that meet the condition behind its name.

    Args:
        pairs: As in `embed`.

    Raises:
        DataError: The source cannot be read, or has no such column.
        EmptyDataError: No sample meets the condition.
    """
    source, condition = parse_source(text)
    samples = embed(model, source, table_name(model.run, source), terminal, pairs=pairs)
    if condition is None:
        return samples
    mask = condition.matches(samples, str(source))
    if not mask.any():
        values = sorted(set(metadata_column(samples, condition.column, str(source))))[:10]
        raise EmptyDataError(f"{source}: no sample has {condition.column} = {condition.value!r}; it has: {values}.")
    return samples.where(mask)


def parse_source(text: str | Path) -> tuple[str, Condition | None]:
    """A source and the condition behind it; the whole text is the source if there is a file of that name."""
    match = SOURCE_WITH_CONDITION.fullmatch(str(text))
    if match is None or Path(text).exists():
        return str(text), None
    return match["source"], Condition(match["column"], match["value"])


def split_halves(given: CalibrationSet, block: str | None = None) -> tuple[CalibrationSet, CalibrationSet]:
    """Two halves by the hash of the content, whatever the order of the samples; copies stay together.

    With blocks, the halves are the first and the last half of the blocks in the order in which they appear, so that
    neighbours in time do not make each other look familiar; blocks that are copies stay together.
    """
    if block is not None:
        column = metadata_column(given.samples, block, "The list of normal samples")
        blocks = merge_copied_blocks(column, given.units).tolist()
        first_blocks = set(list(dict.fromkeys(blocks))[: len(set(blocks)) // 2])
        mask = np.array([name in first_blocks for name in blocks], dtype=bool)
        return given.where(mask), given.where(~mask)
    contents = np.array(given.samples.table["content"].to_pylist())
    _, unit = np.unique(given.units, return_inverse=True)
    # A unit is ordered by the smallest hash among its copies.
    by_content = np.argsort(contents, kind="stable")
    rank = np.full(unit.max(initial=-1) + 1, len(unit))
    np.minimum.at(rank, unit[by_content], np.arange(len(unit)))
    order = np.argsort(rank[unit], kind="stable")
    cut = len(order) // 2
    while 0 < cut < len(order) and unit[order[cut]] == unit[order[cut - 1]]:
        cut += 1
    mask = np.zeros(len(order), bool)
    mask[order[:cut]] = True
    return given.where(mask), given.where(~mask)
