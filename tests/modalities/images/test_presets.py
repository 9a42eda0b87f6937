from dataclasses import asdict

import pytest
import torch

from vssl.config import from_dict
from vssl.errors import ConfigError
from vssl.modalities.images.presets import PRESETS, preset
from vssl.modalities.images.views import ViewConfig, make_view


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("shape", [(8, 3, 32, 32), (8, 1, 40, 24), (2, 1, 1, 1)])
def test_every_preset_gives_finite_views_in_zero_to_one(name: str, shape: tuple[int, int, int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    for config in preset(name, shape[1]):
        view = make_view(pixels, config, generator)
        assert view.shape == shape
        assert view.dtype == torch.float32
        assert view.isfinite().all()
        assert view.min() >= 0
        assert view.max() <= 1


def test_natural_is_the_asymmetric_recipe() -> None:
    first, second = preset("natural", 3)
    assert (first.crop_area, first.jitter, first.grey, first.blur, first.solarise) == ((0.08, 1.0), 0.8, 0.2, 0, 0)
    assert (first.brightness, first.contrast, first.saturation, first.hue) == (0.4, 0.4, 0.2, 0.1)
    assert second.solarise == 0.2


def test_inspection_leaves_the_colour_alone() -> None:
    for config in preset("inspection", 3):
        assert (config.hue, config.saturation, config.grey, config.solarise) == (0, 0, 0, 0)


@pytest.mark.parametrize(("name", "mirrored"), [("inspection", True), ("upright", False)])
def test_upright_mirrors_nothing(name: str, mirrored: bool) -> None:
    dark, bright = torch.full((64, 1, 32, 16), 40), torch.full((64, 1, 32, 16), 200)
    sideways = torch.cat([dark, bright], dim=3).byte()
    generator = torch.Generator().manual_seed(0)
    for config in preset(name, 1):
        for pixels in (sideways, sideways.mT):
            along = 3 if pixels is sideways else 2
            first, second = make_view(pixels, config, generator).chunk(2, dim=along)
            assert (first.mean((1, 2, 3)) > second.mean((1, 2, 3))).any() == mirrored


def test_an_unknown_preset_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"natural, inspection, upright, texture.*'texture'\?"):
        preset("textures", 3)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_the_way_through_json(name: str) -> None:
    for config in preset(name, 3):
        assert from_dict(ViewConfig, asdict(config)) == config
