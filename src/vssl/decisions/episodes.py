"""Episodes: rejected windows of one series that overlap or touch, merged into one event."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from vssl.decisions.core import REJECT
from vssl.files import atomic
from vssl.types import Embeddings

SPAN = ("series", "start", "end")
"""The metadata columns of samples that are windows of a series."""


@dataclass(frozen=True)
class Episode:
    """A stretch of a series in which every window was rejected.

    Attributes:
        series: Name of the series.
        start, end: Start of the first window and end of the last, as the modality states them: a time, or a row.
        windows: Number of windows.
        score: Highest score of the windows.
        explanation: Explanation of the window with the highest score: what would have to change for accept.
    """

    series: str
    start: Any
    end: Any
    windows: int
    score: float
    explanation: str


def merge_windows(samples: Embeddings, decisions: pa.Table) -> list[Episode] | None:
    """The episodes, by series and time; None if the samples are not windows of series.

    Args:
        samples: With the columns of `SPAN`.
        decisions: The decision on each of the samples.
    """
    if not all(name in samples for name in SPAN):
        return None
    spans = samples.table.select(list(SPAN)).to_pylist()
    rows = decisions.select(["decision", "score", "explanation"]).to_pylist()
    rejected = [
        Episode(**span, windows=1, score=row["score"], explanation=row["explanation"] or "")
        for span, row in zip(spans, rows, strict=True)
        if row["decision"] == REJECT
    ]
    episodes: list[Episode] = []
    for window in sorted(rejected, key=lambda window: (window.series, window.start)):
        last = episodes[-1] if episodes else None
        if last is not None and last.series == window.series and window.start <= last.end:
            explanation = max(last, window, key=lambda each: each.score).explanation
            end, score = max(last.end, window.end), max(last.score, window.score)
            episodes[-1] = replace(last, end=end, windows=last.windows + 1, score=score, explanation=explanation)
        else:
            episodes.append(window)
    return episodes


def write_csv(path: Path, episodes: Sequence[Episode]) -> None:
    """Write the episodes as a CSV file, one row per episode."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(Episode)])
    writer.writeheader()
    writer.writerows(asdict(each) for each in episodes)
    with atomic(path) as file:
        file.write(text.getvalue().encode())
