"""Corruptions: what they do, that they grow with the level, and that they follow from the generator alone."""

import pytest
import torch
from torch import Tensor

from vssl.errors import ConfigError
from vssl.modalities.base import CORRUPTION_LEVELS
from vssl.modalities.images.corruptions import KINDS, corrupt


@pytest.fixture
def raw() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(60, 190, (4, 3, 24, 32), generator=generator, dtype=torch.uint8)


def corrupted(raw: Tensor, kind: str, level: int, seed: int = 1) -> Tensor:
    return corrupt(raw, kind, level, torch.Generator().manual_seed(seed))


def distance(a: Tensor, b: Tensor) -> float:
    return float((a.float() - b.float()).square().mean())


@pytest.mark.parametrize("kind", KINDS)
def test_each_level_is_farther_from_the_original(raw: Tensor, kind: str):
    distances = [distance(corrupted(raw, kind, level), raw) for level in CORRUPTION_LEVELS]
    assert 0 < distances[0] < distances[1] < distances[2]


@pytest.mark.parametrize("kind", KINDS)
def test_it_keeps_shape_and_type_and_follows_from_the_generator(raw: Tensor, kind: str):
    once = corrupted(raw, kind, 2)
    assert once.shape == raw.shape
    assert once.dtype == torch.uint8
    assert torch.equal(once, corrupted(raw, kind, 2))


def test_noise_has_the_stated_deviation(raw: Tensor):
    grey = torch.full((4, 3, 64, 64), 128, dtype=torch.uint8)
    assert float((corrupted(grey, "noise", 2).float() / 255).std()) == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize(("level", "share"), [(1, 1 / 8), (2, 1 / 4), (3, 1 / 2)])
def test_a_black_band_covers_the_stated_share(raw: Tensor, level: int, share: float):
    assert float((corrupted(raw, "blackout", level) == 0).float().mean()) == pytest.approx(share)


def test_blur_keeps_the_mean_and_takes_the_detail(raw: Tensor):
    smooth = corrupted(raw, "blur", 3).float()
    assert float(smooth.mean()) == pytest.approx(float(raw.float().mean()), rel=0.02)
    assert float(smooth.std()) < 0.3 * float(raw.float().std())


def test_colours_drift_by_the_stated_share_of_white_channel_by_channel():
    grey = torch.full((64, 3, 8, 8), 128, dtype=torch.uint8)
    drift = corrupted(grey, "colour", 2).float() - 128
    assert torch.equal(drift.amin((2, 3)), drift.amax((2, 3)))
    assert drift.abs().mean() == pytest.approx(0.2 * 255, abs=0.5)
    assert len({tuple(signs) for signs in drift[:, :, 0, 0].sign().tolist()}) == 8


@pytest.mark.parametrize(("kind", "level"), [("rain", 1), ("noise", 4)])
def test_what_is_not_there_is_refused(raw: Tensor, kind: str, level: int):
    with pytest.raises(ConfigError, match=r"noise, blur, blackout, colour, levels 1 to 3"):
        corrupted(raw, kind, level)
