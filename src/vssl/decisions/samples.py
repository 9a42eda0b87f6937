"""The samples of a calibration: a source, or those of it that have a value in a column: `parts.csv:label=ok`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from vssl.decisions.copies import Given, merged
from vssl.embedding import embed, table_name
from vssl.errors import ConfigError, DataError, EmptyDataError
from vssl.training.model import Model
from vssl.types import Embeddings

CONDITION = re.compile(r"(?P<source>.+):(?P<column>[^:=/\\]+)=(?P<value>.*)")


@dataclass(frozen=True)
class Condition:
    """A metadata column and the value that is asked for."""

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
            raise ConfigError(f"{text!r} is no condition; write COLUMN=VALUE, such as label=ok.")
        return cls(column, value)

    def holds(self, samples: Embeddings, where: str) -> np.ndarray:
        """For each sample whether it has the value.

        Raises:
            DataError: There is no such column.
        """
        return column_of(samples, self.column, where) == self.value


def column_of(samples: Embeddings, column: str, where: str) -> np.ndarray:
    """A metadata column as text, one string a sample.

    Raises:
        DataError: There is no such column, or a sample has no value in it.
    """
    if column not in samples or column in Embeddings.COLUMNS:
        there = [name for name in samples.table.column_names if name not in Embeddings.COLUMNS]
        raise DataError(f"{where} has no column {column!r}; it has: {', '.join(there) or 'none'}.")
    values = samples.table[column]
    if values.null_count:
        row = int(np.flatnonzero(values.is_null().to_numpy())[0])
        raise DataError(f"{where}: {values.null_count} samples have no {column!r}; the first is {samples.ids[row]}.")
    return np.array([str(value) for value in values.to_pylist()], dtype=object)


def take(model: Model, text: str | Path, terminal: Console | None = None, *, pairs: int = 0) -> Embeddings:
    """The embeddings of a source, or of those of its samples that fulfil the condition behind its name.

    Args:
        pairs: As in `embed`.

    Raises:
        DataError: The source cannot be read, or has no such column.
        EmptyDataError: No sample fulfils the condition.
    """
    source, condition = split(text)
    samples = embed(model, source, table_name(model.run, source), terminal, pairs=pairs)
    if condition is None:
        return samples
    kept = condition.holds(samples, str(source))
    if not kept.any():
        values = sorted(set(column_of(samples, condition.column, str(source))))[:10]
        raise EmptyDataError(f"{source}: no sample has {condition.column} = {condition.value!r}; there are: {values}.")
    return samples.where(kept)


def split(text: str | Path) -> tuple[str, Condition | None]:
    """A source and the condition behind it; a file that has such a name is no condition."""
    found = CONDITION.fullmatch(str(text))
    if found is None or Path(text).exists():
        return str(text), None
    return found["source"], Condition(found["column"], found["value"])


def divide(given: Given, block: str | None = None) -> tuple[Given, Given]:
    """Two halves, by the hash of the content: the order of the samples does not count, and copies stay together.

    Samples of one block, and blocks that are copies, stay together too: where there are blocks, the halves are the
    first and the last half of them, in the order in which they come, so that neighbours in time do not make each other
    look familiar.
    """
    if block is not None:
        names = merged(column_of(given.samples, block, "The list of normal samples"), given.units).tolist()
        first = set(list(dict.fromkeys(names))[: len(set(names)) // 2])
        early = np.array([name in first for name in names], dtype=bool)
        return given.where(early), given.where(~early)
    contents = np.array(given.samples.table["content"].to_pylist())
    _, unit = np.unique(given.units, return_inverse=True)
    # A sample with its copies stands where the least content of them does.
    by_content = np.argsort(contents, kind="stable")
    rank = np.full(unit.max(initial=-1) + 1, len(unit))
    np.minimum.at(rank, unit[by_content], np.arange(len(unit)))
    order = np.argsort(rank[unit], kind="stable")
    cut = len(order) // 2
    while 0 < cut < len(order) and unit[order[cut]] == unit[order[cut - 1]]:
        cut += 1
    early = np.zeros(len(order), bool)
    early[order[:cut]] = True
    return given.where(early), given.where(~early)
