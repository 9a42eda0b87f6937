import colorsys

import pytest
import torch
from torch import Tensor

from vssl.modalities.images import colour


def images(channels: int = 3) -> Tensor:
    return 0.2 + 0.6 * torch.rand(4, channels, 8, 8, generator=torch.Generator().manual_seed(0))


def recoloured(
    pixels: Tensor, brightness: float = 1, contrast: float = 1, saturation: float = 1, hue: float = 0
) -> Tensor:
    factors = [torch.full((len(pixels),), float(value)) for value in (brightness, contrast, saturation, hue)]
    matrix = colour.colour_matrix(*factors, mean=pixels.mean(dim=(2, 3)))
    return colour.recolour(pixels, matrix)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_factors_of_one_change_nothing(channels: int) -> None:
    pixels = images(channels)
    torch.testing.assert_close(recoloured(pixels), pixels)


@pytest.mark.parametrize(
    ("setting", "peer", "factor"),
    [
        ("brightness", "adjust_brightness", 0.7),
        ("contrast", "adjust_contrast", 0.6),
        ("contrast", "adjust_contrast", 1.3),
        ("saturation", "adjust_saturation", 0.3),
        ("saturation", "adjust_saturation", 0.0),
    ],
)
def test_a_factor_does_what_torchvision_does(setting: str, peer: str, factor: float) -> None:
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    pixels = images()
    expected = getattr(functional, peer)(pixels, factor)
    torch.testing.assert_close(recoloured(pixels, **{setting: factor}), expected, atol=1e-3, rtol=0)


def test_no_saturation_is_torchvisions_grey() -> None:
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    pixels = images()
    expected = functional.rgb_to_grayscale(pixels, num_output_channels=3)
    torch.testing.assert_close(recoloured(pixels, saturation=0, hue=0.1), expected, atol=1e-3, rtol=0)


def hues(pixels: Tensor) -> Tensor:
    return torch.tensor(
        [colorsys.rgb_to_hsv(*pixel)[0] for pixel in pixels.permute(0, 2, 3, 1).reshape(-1, 3).tolist()]
    )


@pytest.mark.parametrize("turn", [-0.1, 0.05, 0.1, 0.4])
def test_the_hue_turns_as_far_as_torchvisions(turn: float) -> None:
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    pixels = images()
    # A hexagon of hues and a circle differ by at most 1.12 degrees, before the turn and after it.
    difference = hues(recoloured(pixels, hue=turn)) - hues(functional.adjust_hue(pixels, turn))
    assert (difference - difference.round()).abs().max() < 2.3 / 360


@pytest.mark.parametrize("turn", [-0.3, 0.1, 0.5])
def test_a_turn_of_the_hue_keeps_luma_and_grey(turn: float) -> None:
    pixels = images()
    luma = torch.tensor(colour.LUMA)[None, :, None, None]
    torch.testing.assert_close((recoloured(pixels, hue=turn) * luma).sum(1), (pixels * luma).sum(1))
    grey = images(1).expand(-1, 3, -1, -1)
    torch.testing.assert_close(recoloured(grey, hue=turn), grey)


def test_a_whole_turn_of_the_hue_changes_nothing() -> None:
    pixels = images()
    torch.testing.assert_close(recoloured(pixels, hue=1), pixels)


def test_one_matrix_is_the_four_changes_one_after_the_other() -> None:
    pixels = images()
    steps = recoloured(
        recoloured(recoloured(recoloured(pixels, hue=0.1), contrast=1.3), saturation=0.7), brightness=0.8
    )
    together = recoloured(pixels, brightness=0.8, contrast=1.3, saturation=0.7, hue=0.1)
    torch.testing.assert_close(together, steps)


def test_with_one_channel_saturation_and_hue_are_without_effect() -> None:
    pixels = images(1)
    expected = recoloured(pixels, brightness=1.2, contrast=0.5)
    torch.testing.assert_close(recoloured(pixels, brightness=1.2, contrast=0.5, saturation=0.2, hue=0.3), expected)
    mean = pixels.mean(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(expected, 1.2 * (0.5 * pixels + 0.5 * mean))
