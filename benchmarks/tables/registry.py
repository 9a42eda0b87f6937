"""The tables by name, and the words and numbers in their cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.common.record import RESULTS, Record, Row

Maker = Callable[..., str]


@dataclass(frozen=True)
class Table:
    """A table of the documentation.

    Attributes:
        make: Turns the records into Markdown.
        records: Names of the records in `results`.
    """

    make: Maker
    records: tuple[str, ...]


TABLES: dict[str, Table] = {}


def table(name: str, *records: str) -> Callable[[Maker], Maker]:
    """Registers a function that turns records into a Markdown table; its record has the table's name by default."""

    def register(make: Maker) -> Maker:
        TABLES[name] = Table(make, records or (name,))
        return make

    return register


def render(name: str) -> str:
    """The table in Markdown, and below it where its figures come from."""
    found = TABLES[name]
    records = [_with_versions(Record.read(RESULTS / f"{record}.json")) for record in found.records]
    return f"{found.make(*records)}\n\n{_source(records)}"


def show(name: str, record: Record) -> None:
    """Print the table of one record; of a table from several records, nothing."""
    if len(TABLES[name].records) == 1:
        print(TABLES[name].make(_with_versions(record)))


def _with_versions(record: Record) -> Record:
    """With `version` in each row, the version of vssl that measured it."""
    # Rows record their own versions since 0.5; a run with a note has those of the first runs of its record.
    versions = ["before 0.5" if "note" in run else run["versions"]["vssl"] for run in record.runs]
    return Record(record.path, record.runs, [row | {"version": versions[row["run"]]} for row in record.rows])


def _source(records: Sequence[Record]) -> str:
    """Where the figures come from: records, versions and processors."""
    runs = [run for record in records for run in record.runs]
    processors = sorted({run["machine"]["cpu"] for run in runs if run["machine"]})
    files = ", ".join(f"`{record.path.name}`" for record in records)
    return f"({'; '.join([files, f'vssl {versions(row for record in records for row in record.rows)}', *processors])})"


def versions(rows: Iterable[Row]) -> str:
    """The versions of vssl that measured the rows, as a range."""
    found = sorted({row["version"] for row in rows}, key=lambda version: version.removeprefix("before "))
    return found[0] if len(found) == 1 else f"{found[0]} to {found[-1]}"


def markdown(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def percent(value: float | np.floating, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f} %"


def interval(values: Sequence[float], digits: int = 3, scale: float = 1) -> str:
    """Mean, with the smallest and the largest in brackets; a dash without values."""
    if not len(values):
        return "-"
    mean, low, high = (f"{scale * each:.{digits}f}" for each in (np.mean(values), min(values), max(values)))
    return mean if low == high else f"{mean} ({low} to {high})"


def grouped(rows: Iterable[Row], *names: str) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by the values of some keys, in the order in which they come first."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name) for name in names), []).append(row)
    return groups


def select(rows: Iterable[Row], **values: Any) -> list[Row]:
    return [row for row in rows if all(row.get(name) == value for name, value in values.items())]
