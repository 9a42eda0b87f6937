"""The small residual networks: their sizes, as the documentation states them."""

import pytest
import torch
from torch import nn

from vssl.encoders import convnet
from vssl.types import Images


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("variant", "millions"), [("tiny", 0.3), ("small", 1.2), ("base", 2.8), ("resnet18", 11.2)])
def test_a_variant_has_the_stated_number_of_parameters(variant: str, millions: float):
    encoder = convnet.build(convnet.Config(variant), (3, 32, 32))
    assert parameters(encoder) == pytest.approx(millions * 1e6, rel=0.1)


def test_resnet18_is_torchvisions_but_for_stem_and_classifier():
    torchvision = pytest.importorskip("torchvision")
    theirs = torchvision.models.resnet18()
    ours = convnet.build(convnet.Config("resnet18"), (3, 32, 32))
    assert parameters(ours.stages) == sum(parameters(getattr(theirs, f"layer{stage}")) for stage in (1, 2, 3, 4))


@pytest.mark.parametrize(
    ("variant", "side", "maps"),
    [
        ("tiny", 32, 16),
        ("small", 32, 16),
        ("base", 32, 16),
        ("resnet18", 32, 32),
        ("tiny", 64, 16),
        ("resnet18", 64, 32),
    ],
)
def test_large_images_are_halved_so_that_the_cost_stays(variant: str, side: int, maps: int):
    encoder = convnet.build(convnet.Config(variant), (3, side, side)).eval()
    with torch.inference_mode():
        features, places = encoder.forward_with_patches(Images(torch.zeros(1, 3, side, side)))
    assert features.shape == (1, encoder.features)
    assert places.shape == (1, places.shape[1], maps, maps)


def test_the_places_say_where_something_is():
    encoder = convnet.build(convnet.Config("tiny"), (1, 24, 40)).eval()
    view = torch.zeros(1, 1, 24, 40)
    _, empty = encoder.forward_with_patches(Images(view))
    view[:, :, 3:6, 33:36] = 3.0
    features, places = encoder.forward_with_patches(Images(view))
    changed = (places - empty).abs()
    for level in changed.split([32, 64], dim=1):  # the second sees wider, but is changed most at the same place
        strong = level.sum((0, 1)) > 0.3 * level.sum((0, 1)).max()
        rows, columns = strong.nonzero(as_tuple=True)
        assert rows.max() < places.shape[2] / 2
        assert columns.min() > places.shape[3] / 2
    torch.testing.assert_close(encoder(Images(view)), features)


@pytest.mark.parametrize("variant", ["tiny", "small", "base", "resnet18"])
def test_the_maps_hold_two_stages_at_the_resolution_of_the_first(variant: str):
    encoder = convnet.build(convnet.Config(variant), (3, 31, 45)).eval()
    first, second, *_ = convnet.VARIANTS[variant].widths
    with torch.inference_mode():
        view = Images(torch.randn(2, 3, 31, 45))
        _, maps = encoder.forward_with_patches(view)
        stage = encoder.stages[: encoder.blocks](encoder._stem(view))
    assert maps.shape == (2, encoder.patch_channels, *stage.shape[2:])
    assert encoder.patch_channels == first + second
    assert torch.equal(maps[:, :first], stage)
