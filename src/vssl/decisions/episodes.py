"""Episodes: rejected windows of one series that overlap or touch are one event to the person who looks at them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from vssl.decisions.thresholds import REJECT
from vssl.files import atomic
from vssl.types import Embeddings

SPAN = ("series", "start", "end")
"""The metadata columns of samples that are windows of a series."""


@dataclass(frozen=True)
class Episode:
    """A stretch of a series in which every window was rejected.

    Attributes:
        series: Which.
        start, end: Of the first and behind the last window, as the modality names them: a time, or a row.
        windows: How many.
        score: The highest of them.
        explanation: What would have to change for accept in the window with the highest score.
    """

    series: str
    start: Any
    end: Any
    windows: int
    score: float
    explanation: str


def episodes(samples: Embeddings, decided: pa.Table) -> list[Episode] | None:
    """The episodes, by series and time; None where samples are no windows of a series.

    Args:
        samples: With the columns of `SPAN`.
        decided: Their decisions, row by row.
    """
    if not all(name in samples for name in SPAN):
        return None
    spans = samples.table.select(list(SPAN)).to_pylist()
    decisions = decided.select(["decision", "score", "explanation"]).to_pylist()
    rejected = [
        Episode(**span, windows=1, score=row["score"], explanation=row["explanation"] or "")
        for span, row in zip(spans, decisions, strict=True)
        if row["decision"] == REJECT
    ]
    found: list[Episode] = []
    for window in sorted(rejected, key=lambda window: (window.series, window.start)):
        last = found[-1] if found else None
        if last is not None and last.series == window.series and window.start <= last.end:
            found[-1] = _joined(last, window)
        else:
            found.append(window)
    return found


def _joined(first: Episode, second: Episode) -> Episode:
    worst = max(first, second, key=lambda each: each.score)
    end, windows = max(first.end, second.end), first.windows + second.windows
    return Episode(first.series, first.start, end, windows, worst.score, worst.explanation)


def write(path: Path, found: Sequence[Episode]) -> None:
    """A CSV file, one row an episode."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(Episode)])
    writer.writeheader()
    writer.writerows(asdict(each) for each in found)
    with atomic(path) as file:
        file.write(text.getvalue().encode())
