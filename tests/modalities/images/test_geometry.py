import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vssl.modalities.images import geometry


def images(height: int, width: int) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def warped(pixels: Tensor, **changes: float) -> Tensor:
    """The warp with the given parameters for all images, and for the rest those that change nothing."""
    values = {"width": 1, "height": 1, "place_x": 0, "place_y": 0, "mirror_x": 1, "mirror_y": 1, "angle": 0} | changes
    w, h, px, py, mx, my, angle = (torch.full((len(pixels),), float(value)) for value in values.values())
    height, width = pixels.shape[2:]
    return geometry.warp(pixels, geometry.affine((w, h), (px, py), (mx, my), angle, (height, width)))


@pytest.mark.parametrize("size", [(32, 32), (24, 40), (1, 1), (7, 5)])
def test_identity_parameters_give_the_image_back(size: tuple[int, int]) -> None:
    pixels = images(*size)
    torch.testing.assert_close(warped(pixels), pixels, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("mirror", "dimension"), [("mirror_x", 3), ("mirror_y", 2)])
def test_a_mirror_is_torch_flip(mirror: str, dimension: int) -> None:
    pixels = images(24, 40)
    torch.testing.assert_close(warped(pixels, **{mirror: -1}), pixels.flip(dimension), atol=1e-4, rtol=0)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_right_angle_is_rot90_on_square_images(quarters: int) -> None:
    pixels = images(32, 32)
    expected = torch.rot90(pixels, quarters, dims=(2, 3))
    torch.testing.assert_close(warped(pixels, angle=90 * quarters), expected, atol=1e-4, rtol=0)


def test_a_crop_is_the_interpolated_rectangle() -> None:
    pixels = images(24, 40)
    # 12 x 10 pixels whose upper left corner is at row 3, column 15: shares of 1/2 and 1/4.
    place_y, place_x = 2 * 3 / (24 - 12) - 1, 2 * 15 / (40 - 10) - 1
    view = warped(pixels, width=0.25, height=0.5, place_x=place_x, place_y=place_y)
    expected = F.interpolate(pixels[:, :, 3:15, 15:25], size=(24, 40), mode="bilinear", align_corners=False)
    # At the edge of the crop the view sees the neighbouring pixels, which the cut rectangle has lost.
    torch.testing.assert_close(view[:, :, 2:-2, 3:-3], expected[:, :, 2:-2, 3:-3], atol=1e-4, rtol=0)


def test_a_rotated_square_stays_a_square_in_an_oblong_image() -> None:
    pixels = torch.zeros(1, 1, 40, 80)
    pixels[:, :, 12:28, 32:48] = 1
    # Only the middle: further out a turn shows what lies above and below, which is the mirrored square.
    middle = slice(24, 56)
    torch.testing.assert_close(warped(pixels, angle=90)[..., middle], pixels[..., middle], atol=1e-4, rtol=0)
    tilted = warped(pixels, angle=45)[0, 0, :, middle] > 0.5
    half_diagonal = 8 * math.sqrt(2)
    assert abs(tilted.any(0).sum() / 2 - half_diagonal) < 1
    assert abs(tilted.any(1).sum() / 2 - half_diagonal) < 1


def test_outside_the_image_its_inside_is_mirrored() -> None:
    pixels = images(32, 32)
    assert warped(pixels, angle=45).min() >= pixels.min()


def test_a_matrix_means_the_same_as_to_torch() -> None:
    pixels = images(24, 40)
    matrix = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(1))
    grid = F.affine_grid(matrix, list(pixels.shape), align_corners=False)
    expected = F.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)
    torch.testing.assert_close(geometry.warp(pixels, matrix), expected, atol=1e-4, rtol=0)


@given(area=st.floats(0.01, 1), draw=st.floats(0, 1), low=st.floats(0.2, 1), high=st.floats(1, 5))
def test_every_crop_fits_and_has_its_area_and_aspect(area: float, draw: float, low: float, high: float) -> None:
    one = torch.ones(1, dtype=torch.float64)
    width, height = geometry.crop_shares(area * one, draw * one, (low, high))
    assert max(width.item(), height.item()) <= 1 + 1e-9
    assert (width * height).item() == pytest.approx(area)
    assert low - 1e-9 <= (width / height).item() <= high + 1e-9
