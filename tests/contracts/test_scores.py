"""What every score in `vssl.scores` keeps; scores are discovered."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pyarrow as pa
import pytest
import torch

from vssl.config import find, members, name_of
from vssl.errors import ConfigError
from vssl.exporting.graphs import ScoreGraph, to_onnx
from vssl.exporting.plane import fit_plane
from vssl.scores import ScoreConfig
from vssl.scores.base import Pairs
from vssl.scores.neighbours import Neighbours, Space, neighbours
from vssl.types import Embeddings, to_arrow


@pytest.fixture(params=members("scores"))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def samples(embeddings_from) -> Embeddings:
    rng = np.random.default_rng(0)
    return embeddings_from("s", rng.normal(size=(60, 6)), rng.normal(size=(60, 1)), **others(rng, 60))


@pytest.fixture
def bank(embeddings_from) -> Embeddings:
    rng = np.random.default_rng(1)
    return embeddings_from("b", rng.normal(size=(200, 6)), rng.normal(size=(200, 1)), **others(rng, 200))


def others(rng: np.random.Generator, count: int) -> dict[str, pa.Array]:
    places = to_arrow(rng.integers(-127, 128, (count, 8, 8, 32), dtype=np.int8))
    raw_descriptor = to_arrow(rng.normal(size=(count, 3 * 8 * 8)).astype(np.float32))
    pairs = {"disagreement": pa.array(rng.random(count)), "elbo_gap": pa.array(rng.random(count))}
    logits = to_arrow(rng.normal(size=(count, 5, 7)).astype(np.float16))
    dense = to_arrow(rng.integers(-127, 128, (count, 12, 10, 16), dtype=np.int8))
    patches = {"patch_features": places, "discriminator_logits": logits, "dense_patches": dense}
    return patches | {"raw_descriptor": raw_descriptor} | pairs


def test_all_scores_of_this_version_are_found():
    bank = {"novelty", "patches", "patch_memory", "knn", "mahalanobis", "mixture", "posterior_distance"}
    assert bank | {"ambiguity", "disagreement", "discriminator", "elbo_gap", "feature_norm"} <= set(members("scores"))


def test_a_score_declares_its_columns_direction_and_meaning(name: str, bank: Embeddings):
    module = find("scores", name)
    for config in (module.Config(), *module.EVALUATED.values()):
        assert isinstance(config, ScoreConfig)
        assert name_of(config) == name
        assert config.direction == "higher is worse"
        assert re.fullmatch(r"[A-Z1].*\.", config.meaning)
        assert set(config.columns) <= set(module.fit(config, bank).columns)


def test_a_score_without_a_column_that_it_declares_says_so(name: str, bank: Embeddings):
    module = find("scores", name)
    for column in set(module.Config().columns) - {"features", "mean"}:
        with pytest.raises(ConfigError):
            module.fit(module.Config(), Embeddings(bank.table.drop_columns(column)))


def test_a_score_that_needs_no_bank_is_the_same_with_any(name: str, bank: Embeddings, samples: Embeddings):
    module = find("scores", name)
    first, other = (module.fit(module.Config(), table)(samples) for table in (bank, bank.take(np.arange(50))))
    assert (first == other).all() == (not module.Config().uses_bank)


def test_from_neighbours_a_score_is_the_same_as_from_its_module(name: str, bank: Embeddings, samples: Embeddings):
    for config in find("scores", name).EVALUATED.values():
        score = find("scores", name).fit(config, bank)
        if score.from_neighbours is not None:
            found = score.from_neighbours(samples, partial(_search, samples, bank))
            np.testing.assert_allclose(found, score(samples), atol=2e-6)


def _search(samples: Embeddings, bank: Embeddings, space: Space, k: int) -> Neighbours:
    return neighbours(samples, bank, k, exclude_same_id=False, space=space)


def test_a_score_can_be_exported_and_gives_the_same_in_onnx(
    name: str, bank: Embeddings, samples: Embeddings, tmp_path: Path
):
    if isinstance(config := find("scores", name).Config(), Pairs):
        pytest.skip("it compares random views, which an export cannot draw")
    score = find("scores", name).fit(config, bank)
    scoring = ScoreGraph(score, bank, fit_plane(bank))
    graph = to_onnx(scoring, [bank.torch(column)[:4] for column in scoring.columns], scoring.columns, scoring.outputs)
    onnx.save(graph, tmp_path / "score.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "score.onnx", providers=["CPUExecutionProvider"])
    inputs = {item.name: samples.torch(item.name).numpy() for item in session.get_inputs()}
    np.testing.assert_allclose(session.run(["score"], inputs)[0], score(samples), rtol=1e-4, atol=1e-5)


def test_one_finite_number_a_sample_in_float64(name: str, bank: Embeddings, samples: Embeddings):
    module = find("scores", name)
    found = module.fit(module.Config(), bank)(samples)
    assert found.shape == (60,)
    assert found.dtype == np.float64
    assert np.isfinite(found).all()
    assert len(np.unique(found)) > 50


@pytest.mark.parametrize("threads", [1, 2])
def test_neither_the_order_nor_the_company_of_samples_counts(
    name: str, bank: Embeddings, samples: Embeddings, threads: int
):
    module = find("scores", name)
    together = module.fit(module.Config(), bank)(samples)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        score = module.fit(module.Config(), bank)
        for size in (1, 2, 3, 7, 60):
            rows = np.random.default_rng(size).permutation(60)[:size]
            # To the last bit: a sample at the threshold must not be decided otherwise when it comes alone.
            assert np.array_equal(score(Embeddings(samples.table.take(rows))), together[rows]), size
    finally:
        torch.set_num_threads(before)


def test_the_bank_decides_and_fitting_again_gives_the_same(name: str, bank: Embeddings, samples: Embeddings):
    module = find("scores", name)
    first, again = (module.fit(module.Config(), bank)(samples) for _ in range(2))
    assert (first == again).all()
