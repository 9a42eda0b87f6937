import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from vssl.modalities.images import effects


def images(height: int = 24, width: int = 40) -> Tensor:
    return torch.rand(3, 3, height, width, generator=torch.Generator().manual_seed(0))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_a_strength_of_zero_changes_nothing() -> None:
    pixels, zero = images(), torch.zeros(3)
    assert effects.illuminate(pixels, zero, zero).equal(pixels)
    torch.testing.assert_close(effects.blur(pixels, zero), pixels, atol=1e-6, rtol=0)
    assert effects.add_noise(pixels, zero, zero, seeded()).equal(pixels)
    assert effects.solarise(pixels, zero.bool()).equal(pixels)
    assert effects.cut_out(pixels, zero, zero, zero).equal(pixels)


def test_light_grows_along_its_slope_and_is_one_at_the_centre() -> None:
    white = torch.ones(2, 1, 11, 21)
    lit = effects.illuminate(white, torch.tensor([0.2, 0.0]), torch.tensor([0.0, -0.3]))[:, 0]
    torch.testing.assert_close(lit[:, 5, 10], torch.ones(2))
    assert lit[0, 0, 0].item() == pytest.approx(1 - 0.2 * 20 / 21)
    assert lit[1, 0, 0].item() == pytest.approx(1 + 0.3 * 10 / 11)


def test_blur_is_scipys_away_from_the_edges() -> None:
    pixels = images()
    sigmas = torch.tensor([0.4, 1.0, 2.0])
    blurred = effects.blur(pixels, sigmas)
    for image, result, sigma in zip(pixels, blurred, sigmas.tolist(), strict=True):
        expected = gaussian_filter(image.numpy(), sigma=(0, sigma, sigma), truncate=6)
        assert abs(result.numpy() - expected)[:, 8:-8, 8:-8].max() < 1e-3


def test_blur_keeps_an_even_image_even_up_to_its_edges() -> None:
    even = torch.full((2, 1, 9, 7), 0.7)
    torch.testing.assert_close(effects.blur(even, torch.tensor([1.0, 5.0])), even)


def test_noise_has_the_deviation_asked_for() -> None:
    pixels, sigma = torch.zeros(3, 3, 64, 64), torch.tensor([0.01, 0.05, 0.2])
    noisy = effects.add_noise(pixels, sigma, torch.rand(3, generator=seeded()), seeded())
    torch.testing.assert_close(noisy.flatten(1).std(1), sigma, rtol=0.05, atol=0)


def test_noise_differs_between_samples_and_fits_at_both_ends_of_the_strip() -> None:
    pixels, shift = torch.zeros(3, 1, 16, 16), torch.tensor([0.0, 0.5, 1 - 2**-24])
    noisy = effects.add_noise(pixels, torch.ones(3), shift, seeded()).flatten(1)
    assert torch.corrcoef(noisy).fill_diagonal_(0).abs().max() < 0.3


def test_noise_of_a_part_of_the_batch_is_that_of_the_whole() -> None:
    pixels, shift = images(), torch.rand(3, generator=seeded())
    whole = effects.add_noise(pixels, torch.ones(3), shift, seeded())
    assert effects.add_noise(pixels[1:], torch.ones(2), shift[1:], seeded()).equal(whole[1:])


def test_solarise_is_torchvisions_in_the_chosen_samples() -> None:
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    pixels = images()
    result = effects.solarise(pixels, torch.tensor([True, False, True]))
    torch.testing.assert_close(result[[0, 2]], functional.solarize(pixels, 0.5)[[0, 2]])
    assert result[1].equal(pixels[1])


def test_a_cut_out_has_its_area_and_the_mean_colour() -> None:
    pixels, zero = images(40, 80), torch.zeros(3)
    cut = effects.cut_out(pixels, zero, zero, torch.tensor([0.25, 0.04, 1.0]))
    changed = (cut != pixels).any(dim=1)
    torch.testing.assert_close(changed.float().mean(dim=(1, 2)), torch.tensor([0.25, 0.04, 1.0]))
    torch.testing.assert_close(cut[0, :, 20, 40], pixels[0].mean(dim=(1, 2)))


def test_a_cut_out_lies_where_it_was_asked_for() -> None:
    pixels = images(20, 20)
    corner = effects.cut_out(pixels, -torch.ones(3), torch.ones(3), torch.full((3,), 0.25))
    changed = (corner != pixels).any(dim=1)
    assert changed[:, 15:, :5].all()
    assert changed.sum() == 3 * 5 * 5
