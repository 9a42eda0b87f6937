"""Rejected windows that belong together."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vssl import api
from vssl.decisions.episodes import Episode, merge_windows
from vssl.run import Run
from vssl.types import Embeddings

pytest_plugins = ["fixtures_runs", "fixtures_decisions"]


def windows(*rows: tuple[str, int, int, str, float]) -> list[Episode] | None:
    series, start, end, decision, score = zip(*rows, strict=True)
    because = pa.array([f"because of {value:g}" for value in score])
    samples = Embeddings(pa.table({"series": series, "start": start, "end": end}))
    return merge_windows(samples, pa.table({"decision": decision, "score": score, "explanation": because}))


def test_windows_that_overlap_or_touch_are_one_episode_with_the_worst_of_them():
    found = windows(
        ("a", 0, 10, "reject", 2.0),
        ("a", 5, 15, "reject", 4.0),
        ("a", 15, 25, "reject", 3.0),
        ("a", 30, 40, "accept", 1.0),
        ("a", 35, 45, "reject", 5.0),
    )
    assert found == [
        Episode("a", 0, 25, 3, 4.0, "because of 4"),
        Episode("a", 35, 45, 1, 5.0, "because of 5"),
    ]


def test_series_are_kept_apart_and_order_does_not_count():
    found = windows(("b", 5, 15, "reject", 1.0), ("a", 0, 10, "reject", 2.0), ("b", 0, 10, "reject", 3.0))
    assert [(each.series, each.start, each.end, each.windows) for each in found] == [("a", 0, 10, 1), ("b", 0, 15, 2)]


def test_samples_that_are_no_windows_have_no_episodes():
    assert merge_windows(Embeddings(pa.table({"id": ["x"]})), pa.table({"decision": ["reject"]})) is None


def test_the_episodes_lie_beside_the_decisions_and_are_told(
    calibrated: Run, line: Path, changed: Callable[[pa.Table], Path]
):
    rows = pq.read_table(line)
    start = np.arange(len(rows)) * 10
    for name, values in (("series", ["line"] * len(rows)), ("start", start), ("end", start + 20)):
        rows = rows.append_column(name, pa.array(values))
    decisions = api.decide(calibrated, changed(rows), name="windows", device="cpu")
    with (calibrated.path / "decisions" / "windows.episodes.csv").open(newline="") as file:
        kept = list(csv.DictReader(file))
    assert sum(int(each["windows"]) for each in kept) == decisions.count("reject") > len(kept) > 0
    assert [each["start"] for each in kept] == [str(each.start) for each in decisions.episodes]
