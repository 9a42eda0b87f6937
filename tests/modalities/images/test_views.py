import dataclasses

import pytest
import torch
from torch import Tensor

from vssl.errors import ConfigError
from vssl.modalities.images.views import ViewConfig, apply, draw, make_view, normalise

EVERYTHING = ViewConfig(
    crop_area=(0.2, 0.9),
    crop_aspect=(0.75, 1.33),
    flip_horizontal=0.5,
    flip_vertical=0.5,
    right_angle=0.5,
    rotation_deg=(-20, 20),
    jitter=0.8,
    brightness=0.4,
    contrast=0.4,
    saturation=0.4,
    hue=0.1,
    grey=0.2,
    illumination=0.2,
    blur=0.5,
    solarise=0.2,
    noise_sigma=(0.0, 0.1),
    cutout=0.5,
)


def images(rows: int = 16, channels: int = 3, height: int = 16, width: int = 20) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randint(0, 256, (rows, channels, height, width), dtype=torch.uint8, generator=generator)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_configuration_that_asks_for_nothing_gives_the_image_back() -> None:
    assert make_view(images(), ViewConfig(), seeded()).equal(images() / 255)


def test_parameters_that_ask_for_nothing_give_the_image_back() -> None:
    nothing = draw(ViewConfig(), 16, seeded())
    view = apply(images(), nothing, EVERYTHING, seeded())
    torch.testing.assert_close(view, images() / 255, atol=1 / 255, rtol=0)


def test_views_are_finite_floats_in_zero_to_one_and_leave_the_images_alone() -> None:
    pixels = images()
    view = make_view(pixels, EVERYTHING, seeded())
    assert (view.shape, view.dtype) == (pixels.shape, torch.float32)
    assert view.isfinite().all()
    assert view.min() >= 0
    assert view.max() <= 1
    assert pixels.equal(images())


def test_one_seed_gives_one_view_and_another_seed_another() -> None:
    first = make_view(images(), EVERYTHING, seeded(1))
    assert first.equal(make_view(images(), EVERYTHING, seeded(1)))
    assert not first.equal(make_view(images(), EVERYTHING, seeded(2)))


def test_autocast_does_not_coarsen_the_views() -> None:
    expected = make_view(images(), EVERYTHING, seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert make_view(images(), EVERYTHING, seeded()).equal(expected)


@pytest.mark.parametrize("config", [EVERYTHING, dataclasses.replace(EVERYTHING, blur=0, noise_sigma=(0.1, 0.1))])
def test_a_process_with_its_slice_makes_its_part_of_the_whole_batch(config: ViewConfig) -> None:
    alone = seeded()
    whole = apply(images(), draw(config, 16, alone), config, alone)
    for rows in (slice(0, 8), slice(8, 16)):
        generator = seeded()
        part = apply(images()[rows], draw(config, 16, generator)[rows], config, generator)
        torch.testing.assert_close(part, whole[rows], atol=1e-5, rtol=0)


def test_the_parameters_of_a_slice_are_those_of_the_whole() -> None:
    whole = draw(EVERYTHING, 16, seeded())
    part = whole[4:9]
    assert (len(whole), len(part)) == (16, 5)
    assert all(value.equal(getattr(whole, name)[4:9]) for name, value in vars(part).items())


def test_crop_areas_are_uniform_in_their_range() -> None:
    parameters = draw(ViewConfig(crop_area=(0.08, 1.0), crop_aspect=(3 / 4, 4 / 3)), 20_000, seeded())
    share = ((parameters.width * parameters.height) - 0.08) / 0.92
    quantiles = torch.linspace(0.1, 0.9, 9)
    torch.testing.assert_close(share.quantile(quantiles), quantiles, atol=0.015, rtol=0)


def test_probabilities_and_ranges_are_kept() -> None:
    p = draw(EVERYTHING, 20_000, seeded())
    grey, cut, blurred = p.saturation == 0, p.cut_area > 0, p.blur_sigma_px > 0
    shares = torch.stack([p.mirror_x < 0, grey, blurred, p.solarise, cut, p.hue != 0]).float().mean(dim=1)
    torch.testing.assert_close(shares, torch.tensor([0.5, 0.2, 0.5, 0.2, 0.5, 0.8]), atol=0.015, rtol=0)
    assert p.brightness.min() >= 0.6
    assert p.brightness.max() <= 1.4
    assert p.hue.abs().max() <= 0.1
    assert p.slope_x.hypot(p.slope_y).max() <= 0.2 + 1e-6
    assert p.blur_sigma_px[blurred].min() >= 0.1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("crop_area", (0.0, 1.0)),
        ("crop_area", (0.9, 0.2)),
        ("crop_area", 0.5),
        ("crop_aspect", (1.5, 2.0)),
        ("flip_horizontal", 1.5),
        ("flip_vertical", (0.0, 1.0)),
        ("hue", 0.6),
        ("noise_sigma", (0.0, float("nan"))),
        ("blur_sigma_px", (0.0, 1.0)),
    ],
)
def test_a_setting_out_of_range_is_named(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        ViewConfig(**{field: value})  # type: ignore[arg-type]


def test_every_setting_has_its_limits() -> None:
    from vssl.modalities.images.views import LIMITS

    assert list(LIMITS) == [field.name for field in dataclasses.fields(ViewConfig)]


def test_normalised_channels_have_mean_zero_and_deviation_one() -> None:
    view = make_view(images(64), ViewConfig(), seeded())
    mean, std = view.mean(dim=(0, 2, 3)), view.std(dim=(0, 2, 3))
    result = normalise(view, mean.tolist(), std.tolist())
    torch.testing.assert_close(result.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(result.std(dim=(0, 2, 3)), torch.ones(3), atol=1e-4, rtol=0)
