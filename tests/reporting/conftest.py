"""Run folders made up for the report, as a fixture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from made_up_runs import EVALUATED, INFO, SKIPPED, metrics
from vssl.run import Run


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """Makes a run folder; what is None or 0 is left out of it."""

    def make(
        name: str = "line",
        embeddings: pa.Table | None = None,
        values: dict | None = None,
        steps: int = 0,
        variance: bool = True,
        **info: object,
    ) -> Run:
        run = Run.create(tmp_path / name, {**INFO, **info})
        if embeddings is not None:
            (run.path / "embeddings").mkdir()
            pq.write_table(embeddings, run.path / "embeddings" / "train.parquet")
        if values is not None:
            (run.path / "evaluation.json").write_text(json.dumps(EVALUATED | {"values": values, "skipped": SKIPPED}))
        if steps:
            lines = [json.dumps(line) + "\n" for line in metrics(steps, variance)]
            (run.path / "metrics.jsonl").write_text("".join(lines))
        return run

    return make
