"""The posterior distance from distances that are known, and how a run decides by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vssl import api
from vssl.errors import ConfigError
from vssl.evaluation import EvalData
from vssl.run import Run
from vssl.runtime import load
from vssl.scores import posterior_distance
from vssl.scores.posterior_distance import MIN_DISTANCE

pytest_plugins = ["fixtures_runs", "fixtures_decisions"]


def unit(*degrees: float) -> np.ndarray:
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_it_is_the_mean_of_both_log_distances_and_the_ambiguity(embeddings_from: Callable) -> None:
    log_variance = np.array([[-1.0], [0.0], [2.0]])
    bank = embeddings_from("b", unit(0), [[0.0]])
    found = posterior_distance.fit(posterior_distance.Config(), bank)(
        embeddings_from("s", unit(90, 0, 180), log_variance)
    )
    distances = np.array([1.0, MIN_DISTANCE, 2.0])
    assert found == pytest.approx((2 * np.log(distances) + log_variance[:, 0]) / 3, abs=1e-6)


def test_a_method_without_a_variance_has_none(embeddings_from: Callable) -> None:
    with pytest.raises(ConfigError, match="no variance"):
        posterior_distance.fit(posterior_distance.Config(), embeddings_from("b", unit(0, 90)))


def test_in_an_evaluation_each_sample_leaves_itself_out(embeddings_from: Callable) -> None:
    samples = embeddings_from("s", unit(0, 10, 90, 120), [[0.0]] * 4, label=["a", "b", "a", "b"])
    found = EvalData(samples, label="label").query_scores["posterior_distance"]
    nearest = 1 - np.cos(np.deg2rad([10, 10, 30, 30]))
    assert found == pytest.approx(2 * np.log(nearest) / 3, abs=1e-4)


@pytest.mark.slow
def test_a_run_decides_by_it_and_so_does_its_export(trained: Run, line: Path, ask: dict[str, float]) -> None:
    policy = api.calibrate(trained, f"{line}:label=ok", score="posterior_distance", device="cpu", **ask)
    assert policy.score.config == posterior_distance.Config()
    decided = api.decide(trained, line, device="cpu").table
    data = api.load(trained, "cpu").modality.load(line)
    exported = load(api.export(trained)).outputs(data.batch(np.arange(20)).numpy())["score"]
    assert decided["id"].to_pylist()[:20] == list(data.ids[:20])
    assert exported == pytest.approx(decided["score"].to_numpy()[:20], abs=1e-3)
