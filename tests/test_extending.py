"""What a newcomer writes: one file for a score, one for an evaluator; both are found, run, reported and compared."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from made_up_runs import INFO, no_pictures
from vssl import scores
from vssl.benchmarking.summary import tables, text
from vssl.config import find, members
from vssl.evaluation import EvalData, evaluate
from vssl.reporting.page import build
from vssl.run import Run
from vssl.types import Embeddings

SCORE = '''
"""Dullness: a made-up score that reads a column of its own."""

from dataclasses import dataclass

from vssl.scores.base import Column, Score, ScoreConfig


@dataclass(frozen=True)
class Config(ScoreConfig):
    columns = ("dullness",)
    uses_bank = False
    meaning = "How dull the sample is."


EVALUATED = {"dullness": Config()}


def fit(config, bank):
    return Score(config.columns, Column())
'''
EVALUATOR = '''
"""A made-up evaluator of two figures."""

from vssl.evaluation.metric import Metric, Skip

NEEDS = frozenset()
METRICS = {
    "made_up/samples": Metric("How many samples were made up.", range=(0, 1e9), title="made up"),
    "made_up/mean/{score}": Metric("The mean of a score.", "", (-9, 9)),
}


def run(data):
    yield "made_up/samples", float(len(data.query))
    yield "made_up/mean/dullness", float(data.query.numpy("dullness").mean())
    yield "made_up/mean/knn", Skip("nobody asked")
'''


@pytest.fixture
def additions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A score and an evaluator that are files of their own; no other file changes."""
    for kind, name, source in (("scores", "dullness", SCORE), ("evaluation", "made_up", EVALUATOR)):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / f"{name}.py").write_text(source)
        package = importlib.import_module(f"vssl.{kind}")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / kind)])
    yield
    for name in ("vssl.scores.dullness", "vssl.evaluation.made_up"):
        sys.modules.pop(name, None)


@pytest.fixture
def samples() -> Embeddings:
    rng = np.random.default_rng(0)
    columns = {"features": rng.normal(size=(60, 4)).astype(np.float32), "dullness": rng.random(60)}
    labels = [f"class {number}" for number in rng.integers(0, 3, 60)]
    return Embeddings.from_columns([f"{row:02d}" for row in range(60)], columns | {"label": labels})


def test_a_new_score_is_one_file_that_is_found_and_evaluated_everywhere(additions: None, samples: Embeddings) -> None:
    assert "dullness" in members("scores")
    module = find("scores", "dullness")
    assert (module.fit(module.Config(), samples)(samples) == samples.numpy("dullness")).all()
    values = evaluate(EvalData(samples, label="label", outliers=samples.take(np.arange(20)))).values
    for name in ("retrieval/r_auroc", "retrieval/wrong_neighbours", "selective/aurc", "ood/auroc", "ood/fpr95"):
        assert f"{name}/dullness" in values


def test_a_new_evaluator_is_one_file_that_is_found_and_run(additions: None, samples: Embeddings) -> None:
    metrics = evaluate(EvalData(samples))
    assert metrics.values["made_up/samples"] == 60
    assert metrics.skipped["made_up/mean/knn"] == "nobody asked"


def test_the_report_explains_the_new_score_and_the_new_metrics(
    additions: None, samples: Embeddings, tmp_path: Path
) -> None:
    run = Run.create(tmp_path / "run", INFO)
    (run.path / "embeddings").mkdir()
    pq.write_table(samples.table, run.path / "embeddings" / "train.parquet")
    (run.path / "evaluation.json").write_text(json.dumps(evaluate(EvalData(samples, label="label")).to_dict()))
    page = build(run, no_pictures).read_text()
    for sentence in ("How many samples were made up.", "The mean of a score. Score: How dull the sample is."):
        assert sentence in page
    assert "nobody asked" in page
    assert "another label: 0.5 is chance, 1 is perfect. Score: How dull the sample is." in page


def test_the_comparison_has_a_column_of_the_new_metric_and_the_score_is_a_baseline(additions: None) -> None:
    values = {"made_up/samples": 60.0, "retrieval/r_auroc/dullness": 0.9, "retrieval/r_auroc/feature_norm": 0.6}
    result = {
        "data": "photos", "method": "vssl", "budget": "5 minutes", "seed": 0, "learning_rate": 2e-3, "batch": 256,
        "outcome": "done", "health": "healthy", "values": values, "cost": {}, "versions": {"vssl": "1", "torch": "2"},
        "settings": {"encoder": {"name": "convnet"}},
    }  # fmt: skip
    (table,) = tables([result])
    assert "| made up |" in text(table)
    assert table.rows[0].metric("retrieval/r_auroc/best_baseline").mean == 0.9


def test_without_the_files_nothing_of_them_is_left() -> None:
    assert "dullness" not in scores.evaluated()
    assert "made_up" not in members("evaluation")
