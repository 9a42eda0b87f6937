"""Views of windows: what each effect does, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from vssl.errors import ConfigError
from vssl.modalities.base import CORRUPTION_LEVELS
from vssl.modalities.sensors import corruptions, effects
from vssl.modalities.sensors.presets import PRESETS, make_view
from vssl.types import Series

BATCH, CHANNELS, LENGTH = 64, 3, 128


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def values() -> Tensor:
    """Sines of one amplitude, each with a phase of its own, around 1."""
    phase = torch.rand(BATCH, CHANNELS, 1, generator=generator(9)) * 6.28
    return 1 + torch.sin(torch.arange(LENGTH) / 5 + phase)


@pytest.fixture
def known() -> Tensor:
    return torch.ones(BATCH, CHANNELS, LENGTH)


def test_jitter_has_the_stated_deviation(values: Tensor):
    assert float((effects.jitter(values, 0.3, generator()) - values).std()) == pytest.approx(0.3, rel=0.02)


def test_scale_multiplies_each_channel_by_one_factor(values: Tensor):
    factor = effects.scale(values, 0.2, generator()) / values.clamp(min=1e-3)
    assert float(factor[values > 0.1].log().std()) == pytest.approx(0.2, rel=0.15)
    assert torch.allclose(factor[0, 0, values[0, 0] > 0.1], factor[0, 0, values[0, 0] > 0.1][0], rtol=1e-4)


def test_offset_moves_each_channel_as_a_whole(values: Tensor):
    moved = effects.offset(values, 0.5, generator()) - values
    assert torch.allclose(moved, moved[:, :, :1].expand_as(moved), atol=1e-5)
    assert float(moved[:, :, 0].std()) == pytest.approx(0.5, rel=0.15)


def test_a_warp_of_the_magnitude_is_smooth_and_near_one(values: Tensor):
    factor = effects.warp_magnitude(torch.ones_like(values), 0.1, generator())
    assert float((factor[:, :, 1:] - factor[:, :, :-1]).abs().max()) < 0.03
    assert 0 < float((factor - 1).abs().mean()) < 0.15


def test_frequency_noise_keeps_what_frequencies_there_are(values: Tensor):
    noisy = effects.frequency_noise(values, 0.3, generator())
    assert not torch.allclose(noisy, values, atol=0.05)
    strongest = torch.fft.rfft(values - values.mean(2, keepdim=True)).abs().argmax(2)
    found = torch.fft.rfft(noisy - noisy.mean(2, keepdim=True)).abs().argmax(2)
    assert float((strongest - found).abs().float().mean()) < 0.5


def test_channels_are_dropped_as_often_as_stated_and_one_always_stays(known: Tensor):
    kept = effects.drop_channels(known.repeat(20, 1, 1), 0.3, generator())[:, :, 0]
    assert float((kept == 0).float().mean()) == pytest.approx(0.3, abs=0.03)
    assert effects.drop_channels(known, 1.0, generator())[:, :, 0].sum(1).tolist() == [1.0] * BATCH


def test_a_span_is_masked_in_all_channels_up_to_the_stated_share(known: Tensor):
    masked = effects.mask_span(known, 0.4, generator()) == 0
    share = masked.float().mean((1, 2))
    assert float(share.max()) <= 0.4 + 1 / LENGTH
    assert float(share.mean()) == pytest.approx(0.2, abs=0.04)
    edges = (masked[:, 0, 1:] != masked[:, 0, :-1]).sum(1)
    assert int(edges.max()) <= 2
    assert torch.equal(masked[:, 0], masked[:, 2])


def test_a_crop_shows_a_part_of_the_window_in_order(known: Tensor):
    ramp = torch.arange(LENGTH, dtype=torch.float32).expand(BATCH, CHANNELS, LENGTH)
    cropped, both = effects.resample(ramp, known, 0.5, 0.2, generator())
    assert bool((cropped[:, :, 1:] > cropped[:, :, :-1]).all())
    covered = (cropped[:, 0, -1] - cropped[:, 0, 0]) / (LENGTH - 1)
    assert 0.5 - 1e-3 <= float(covered.min()) < float(covered.max()) <= 1 + 1e-3
    assert bool(both.all())


def test_without_crop_and_warp_a_window_stays_as_it_is(values: Tensor, known: Tensor):
    same, _ = effects.resample(values, known, 1.0, 0.0, generator())
    torch.testing.assert_close(same, values, atol=1e-4, rtol=1e-4)


def test_a_value_between_a_known_and_a_missing_one_is_missing(values: Tensor, known: Tensor):
    known = known.clone()
    known[:, :, 60] = 0
    _, both = effects.resample(values, known, 0.9, 0.0, generator())
    assert bool(((both == 0).float().sum(2) >= 1).any())


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_not_known_is_zero_in_every_view(preset: str, values: Tensor, known: Tensor):
    known = known.clone()
    known[:, 1] = 0
    view = make_view(Series(values * known, known), PRESETS[preset], generator())
    assert not view.values[view.known == 0].any()
    assert not view.known[:, 1].any()
    assert set(view.known.unique().tolist()) == {0.0, 1.0}


def test_of_a_slow_process_level_and_size_are_kept(values: Tensor, known: Tensor):
    shifted = values + 2
    view = make_view(Series(shifted, known), PRESETS["process"], generator())
    level = (view.values.sum(2) / view.known.sum(2).clamp(min=1))[view.known.sum(2) > 0]
    assert float((level - 3).abs().max()) < 1.5
    assert float((level - 3).abs().mean()) < 0.35


def test_of_a_vibration_the_frequency_is_kept(values: Tensor, known: Tensor):
    wave = values - 1
    strengths = replace(PRESETS["vibration"], span=0.0, channels=0.0)
    view = make_view(Series(wave, known), strengths, generator())
    strongest, found = (torch.fft.rfft(each).abs()[:, :, 1:].argmax(2) for each in (wave, view.values))
    assert int((strongest - found).abs().max()) <= 1


Corrupt = Callable[[str, int], Tensor]


@pytest.fixture
def corrupt(values: Tensor) -> Corrupt:
    spread = torch.tensor([[1.0], [2.0], [0.5]])
    return lambda kind, level: corruptions.corrupt(values, spread, kind, level, generator(3))


@pytest.mark.parametrize("kind", corruptions.KINDS)
def test_each_level_of_a_corruption_is_farther_from_the_original(corrupt: Corrupt, values: Tensor, kind: str):
    found = [corrupt(kind, level) for level in CORRUPTION_LEVELS]
    away = [float((each.nan_to_num(5.0) - values).square().mean()) for each in found]
    assert 0 < away[0] < away[1] < away[2]


def test_noise_is_in_the_units_of_each_channel(corrupt: Corrupt, values: Tensor):
    deviation = (corrupt("noise", 2) - values).std((0, 2))
    assert deviation.tolist() == pytest.approx([1.0, 2.0, 0.5], rel=0.05)


def test_a_dropout_is_missing_and_a_stuck_sensor_repeats_itself(corrupt: Corrupt):
    assert float(corrupt("dropout", 3).isnan().float().mean()) == pytest.approx(0.5)
    stuck = corrupt("stuck", 3)
    repeats = (stuck[:, :, 1:] == stuck[:, :, :-1]).float().mean((1, 2))
    assert float(repeats.min()) > 0.48


def test_an_offset_is_in_one_channel_only(corrupt: Corrupt, values: Tensor):
    moved = (corrupt("offset", 1) - values).abs().mean(2)
    assert (moved > 0.5).sum(1).tolist() == [1] * BATCH


@pytest.mark.parametrize(("kind", "level"), [("rain", 1), ("noise", 4)])
def test_a_corruption_that_is_not_there_is_refused(corrupt: Corrupt, kind: str, level: int):
    with pytest.raises(ConfigError, match=r"noise, dropout, stuck, offset, levels 1 to 3"):
        corrupt(kind, level)
