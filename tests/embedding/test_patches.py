"""Patch features keep the cosines of feature maps, in eager code and in a graph."""

import numpy as np
import pytest
import torch

from vssl.embedding import patches


def test_patches_of_a_stretch_of_time_lie_in_a_row() -> None:
    maps = torch.randn(2, 16, 1, 64, generator=torch.Generator().manual_seed(0))
    units = patches.patch_features(maps, (1, 32))
    assert units.shape == (2, 1, 32, 32)
    units = units[:, 0].float() / 127
    grid = torch.nn.functional.normalize(maps.view(2, 16, 32, 2).mean(3), dim=1)
    expected = torch.einsum("acs,bcs->abs", grid, grid)
    np.testing.assert_allclose(torch.einsum("asc,bsc->abs", units, units), expected, atol=0.03)


def test_patches_in_a_traced_graph_are_those_of_eager_code() -> None:
    class Patches(torch.nn.Module):
        def forward(self, maps: torch.Tensor) -> torch.Tensor:
            return patches.patch_features(maps, (8, 8))

    maps = torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = patches.patch_features(maps, (8, 8))
    assert torch.equal(torch.export.export(Patches(), (maps,)).module()(maps), expected)
    patches._rotation.cache_clear()
    with pytest.raises(RuntimeError):  # a graph cannot be the first to ask for the rotation,
        torch.export.export(Patches(), (maps,))
    assert torch.equal(patches.patch_features(maps, (8, 8)), expected)  # and leaves nothing behind
