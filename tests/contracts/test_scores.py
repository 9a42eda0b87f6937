"""What every score in `vssl.scores` keeps; scores are found by themselves."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

from vssl.config import find, members
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
    return {"patch_features": places, "raw_descriptor": raw_descriptor} | pairs


def test_all_scores_of_this_version_are_found():
    known = {"novelty", "patches", "knn", "mahalanobis", "mixture", "ambiguity", "disagreement", "elbo_gap"}
    assert known <= set(members("scores"))


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
