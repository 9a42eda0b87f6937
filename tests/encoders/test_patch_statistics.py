"""What standardises the feature maps of an encoder is stored with it, and keeps distances."""

import pytest
import torch

from vssl.encoders.patch_statistics import DIMENSIONS, STEPS, PatchStatistics


def fitted(channels: int) -> tuple[PatchStatistics, torch.Tensor]:
    maps = 3 + 5 * torch.randn(2, channels, 6, 7, generator=torch.Generator().manual_seed(0))
    statistics = PatchStatistics()
    values = maps.transpose(0, 1).flatten(1)
    statistics.fit(values.mean(1), values.std(1))
    return statistics, maps


def test_distances_of_patch_features_are_those_of_standardised_maps():
    statistics, maps = fitted(16)
    patches = statistics(maps).float()
    standardised = ((maps - statistics.mean[:, None, None]) / statistics.scale[:, None, None]).permute(0, 2, 3, 1)
    expected = torch.pdist(standardised.flatten(0, 2))
    assert torch.pdist(patches.flatten(0, 2)) / STEPS == pytest.approx(expected, abs=0.2)


def test_dense_patches_have_the_grid_of_the_maps_and_at_most_so_many_dimensions():
    statistics, maps = fitted(100)
    assert statistics(maps).shape == (2, 6, 7, DIMENSIONS)


def test_statistics_that_were_never_fitted_give_no_patch_features():
    assert PatchStatistics()(torch.zeros(1, 3, 2, 2)) is None


def test_stored_statistics_load_into_an_encoder_that_was_never_fitted():
    statistics, maps = fitted(16)
    other = PatchStatistics()
    other.load_state_dict(statistics.state_dict())
    assert torch.equal(other(maps), statistics(maps))
