"""Whitening against its definition, and where there is nothing to whiten."""

import numpy as np
import pytest
import torch

from vssl.stats import whitening

MIX = np.array([[3.0, 1.0, 0.0], [0.0, 1.0, 0.5], [0.0, 0.0, 0.5]])


def test_the_cosine_is_that_under_the_inverse_covariance():
    rng = np.random.default_rng(0)
    known = rng.normal(size=(50_000, 3)) @ MIX + [5, -5, 1]
    precision = np.linalg.inv(np.cov(known.T))
    first, second = known[0] - known.mean(0), known[1] - known.mean(0)
    expected = first @ precision @ second / np.sqrt((first @ precision @ first) * (second @ precision @ second))
    directions = whitening.fit(torch.from_numpy(known))(torch.from_numpy(known[:2]))
    assert float(directions[0] @ directions[1]) == pytest.approx(expected, abs=1e-3)


def test_it_does_not_matter_in_which_units_or_axes_the_vectors_are_given():
    rng = np.random.default_rng(0)
    known = rng.normal(size=(50_000, 3))
    turned = known @ MIX + 3
    plain, changed = (
        whitening.fit(torch.from_numpy(vectors))(torch.from_numpy(vectors)) for vectors in (known, turned)
    )
    np.testing.assert_allclose((plain[:9] @ plain[:9].T), (changed[:9] @ changed[:9].T), atol=0.02)


@pytest.mark.parametrize(
    "known", [torch.ones(5, 3), torch.zeros(5, 3), torch.ones(2, 300), torch.eye(3)[:2].repeat(9, 1)]
)
def test_vectors_without_spread_are_no_trouble(known: torch.Tensor):
    found = whitening.fit(known)(torch.cat([known, torch.randn(4, known.shape[1])]))
    assert torch.isfinite(found).all()
    assert (found.norm(dim=1) < 1.001).all()
