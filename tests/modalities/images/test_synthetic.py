"""Synthetic anomalies: each picture gets a visible one of bounded size, and is otherwise left as it is."""

import pytest
import torch
from torch import Tensor

from vssl.modalities import images
from vssl.modalities.images.decode import Canvas
from vssl.modalities.images.synthetic import KINDS, LARGEST, Anomalies, synthesise


@pytest.fixture
def raw() -> Tensor:
    """Smooth pictures with some structure, as surfaces have."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(40, 3, 6, 8, generator=generator) * 120 + 60
    smooth = torch.nn.functional.interpolate(coarse, (96, 128), mode="bicubic")
    return (smooth + 4 * torch.randn(smooth.shape, generator=generator)).clamp(0, 255).to(torch.uint8)


def made(raw: Tensor, seed: int = 1) -> Anomalies:
    return synthesise(raw, torch.Generator().manual_seed(seed))


def test_every_picture_is_changed_at_the_mask_and_nowhere_else(raw: Tensor):
    anomalies = made(raw)
    changed = (anomalies.pixels != raw).any(1)
    assert changed.flatten(1).any(1).all()
    assert torch.equal(changed, anomalies.masks)


def test_the_pictures_given_stay_as_they_are(raw: Tensor):
    before = raw.clone()
    made(raw)
    assert torch.equal(raw, before)


def test_sizes_reach_from_few_pixels_to_a_large_part_but_never_most_of_the_picture():
    raw = torch.full((80, 1, 100, 150), 100, dtype=torch.uint8)
    raw[:, :, 50:] = 160
    extents = []
    for mask in made(raw).masks:
        rows, columns = torch.nonzero(mask, as_tuple=True)
        extents.append(max(rows.max() - rows.min(), columns.max() - columns.min()).item() + 1)
    # A scratch is three times as long as the largest extent, and one pixel of edge lies on either side.
    assert min(extents) <= 4
    assert 15 < max(extents) <= 3 * LARGEST * 100 + 4


def test_all_kinds_are_made_and_their_changes_can_be_seen(raw: Tensor):
    anomalies = made(raw)
    assert set(anomalies.kinds) == set(KINDS)
    change = (anomalies.pixels.int() - raw.int()).abs().amax((1, 2, 3))
    assert change.min() >= 12


def test_a_picture_of_one_tone_gets_an_anomaly_too():
    raw = torch.full((30, 3, 16, 16), 255, dtype=torch.uint8)
    assert made(raw).masks.flatten(1).any(1).all()


def test_grey_pictures_with_three_channels_stay_grey():
    grey = torch.randint(0, 255, (30, 1, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    pixels = made(grey.expand(-1, 3, -1, -1)).pixels
    assert torch.equal(pixels[:, 0], pixels[:, 1])
    assert torch.equal(pixels[:, 0], pixels[:, 2])


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (2, 3, 9, 200), (0, 3, 32, 32)])
def test_any_shape_works_one_picture_and_none_included(shape: tuple[int, ...]):
    raw = torch.randint(0, 255, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    anomalies = made(raw)
    assert anomalies.pixels.shape == raw.shape
    assert anomalies.masks.shape == (shape[0], *shape[2:])


def test_the_result_follows_from_the_generator_alone(raw: Tensor):
    assert torch.equal(made(raw).pixels, made(raw).pixels)
    assert not torch.equal(made(raw).pixels, made(raw, seed=2).pixels)


def test_the_modality_makes_them(raw: Tensor):
    spec = images.Spec(Canvas(96, 128, 3), (0.5,) * 3, (0.2,) * 3)
    modality = images.build(images.Config(), spec)
    generator = torch.Generator().manual_seed(1)
    assert torch.equal(modality.synthetic_anomalies(raw, generator), made(raw).pixels)
