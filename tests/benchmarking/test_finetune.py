from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from vssl.benchmarking.finetune import finetuned
from vssl.benchmarking.sources import Sources
from vssl.embedding import embed
from vssl.evaluation import EvalData
from vssl.run import Run
from vssl.training.model import Model, load
from vssl.types import Embeddings


@pytest.fixture
def model(tiny_run: Run, tmp_path: Path) -> Model:
    return load(Run(shutil.copytree(tiny_run.path, tmp_path / "run")), "cpu")


@pytest.fixture
def sources(tmp_path: Path, draw_pictures: Callable[..., Path]) -> Sources:
    return Sources(str(draw_pictures(tmp_path / "train", 400)), str(draw_pictures(tmp_path / "test", 100, seed=1)))


def evidence_of(model: Model, sources: Sources, shuffle: bool = False) -> EvalData:
    """The embeddings with the kind of picture, which stands in the file's folder, as their label."""
    tables = []
    for name in ("train", "test"):
        table = embed(model, getattr(sources, name), f"finetune-{name}").table
        kinds = np.array([Path(sample).parts[0] for sample in table["id"].to_pylist()])
        kinds = np.random.default_rng(0).permutation(kinds) if shuffle else kinds
        tables.append(Embeddings(table.append_column("label", pa.array(kinds))))
    return EvalData(tables[1], tables[0], "label")


@pytest.mark.slow
def test_a_tenth_of_the_labels_is_learned_from_and_the_model_stays(model: Model, sources: Sources):
    before = {name: value.clone() for name, value in model.objective.state_dict().items()}
    values = finetuned(model, sources, evidence_of(model, sources))
    assert values["finetune/accuracy_10"] > 0.6  # flipped, two of the four kinds are alike
    assert all(torch.equal(before[name], value) for name, value in model.objective.state_dict().items())
    assert finetuned(model, sources, evidence_of(model, sources)) == values


@pytest.mark.slow
def test_labels_that_mean_nothing_are_not_learned(model: Model, sources: Sources):
    values = finetuned(model, sources, evidence_of(model, sources, shuffle=True))
    assert values["finetune/accuracy_10"] < 0.5


def test_fewer_labels_than_classes_give_no_figure(model: Model, sources: Sources):
    data = evidence_of(model, sources)
    few = Embeddings(data.reference.table.take(np.arange(0, 400, 14)))
    assert finetuned(model, sources, EvalData(data.query, few, "label")) == {}
