"""What every encoder keeps; encoders are found by themselves."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

from vssl.config import find, member, members
from vssl.encoders.base import Encoder
from vssl.types import Events, Images, Series, View

SMALL = {"convnet": "convnet/tiny", "timm": "timm/resnet10t"}
"""The smallest variant of members whose default is too large for a test."""

IMAGES: list[tuple[int, ...]] = [(3, 32, 32), (1, 32, 32), (3, 24, 40), (1, 41, 24)]
SHAPES: dict[str, list[tuple[int, ...]]] = {"event_transformer": [(12, 16), (40, 30)], "temporal": [(3, 40), (1, 17)]}
"""Shapes of samples, of those encoders that do not take images."""


@pytest.fixture(params=members("encoders"))
def name(request: pytest.FixtureRequest) -> str:
    if request.param == "timm" and not find_spec("timm"):
        pytest.skip("needs the extra vssl[timm]")
    return request.param


def make(name: str, shape: tuple[int, ...] | None = None, seed: int = 0) -> Encoder:
    torch.manual_seed(seed)
    shape = shape or SHAPES.get(name, IMAGES)[0]
    return find("encoders", name).build(member("encoders", SMALL.get(name, name)), shape)


def samples(name: str, batch: int, shape: tuple[int, ...] | None = None) -> View:
    """A batch of what the encoder takes."""
    generator = torch.Generator().manual_seed(1)
    shape = shape or SHAPES.get(name, IMAGES)[0]
    if name == "event_transformer":
        tokens = torch.randint(1, shape[0], (batch, shape[1]), generator=generator)
        lengths = torch.randint(1, shape[1], (batch, 1), generator=generator)
        gaps = torch.rand(batch, shape[1], generator=generator)
        return Events(tokens.masked_fill(torch.arange(shape[1]) >= lengths, 0), gaps)
    if name == "temporal":
        values = torch.randn(batch, *shape, generator=generator)
        known = (torch.rand(values.shape, generator=generator) > 0.1).float()
        return Series(values * known, known)
    return Images(torch.randn(batch, *shape, generator=generator))


def test_the_known_encoders_are_found():
    assert {"convnet", "timm", "event_transformer", "temporal"} <= set(members("encoders"))


def test_there_is_one_finite_feature_vector_a_sample(name: str):
    for shape in SHAPES.get(name, IMAGES):
        encoder = make(name, shape)
        features = encoder(samples(name, 4, shape))
        assert features.shape == (4, encoder.features)
        assert features.isfinite().all()


def test_the_maps_have_the_stated_number_of_channels_and_the_features_are_the_same(name: str):
    for shape in SHAPES.get(name, IMAGES):
        encoder, view = make(name, shape).eval(), samples(name, 2, shape)
        with torch.inference_mode():
            features, maps = encoder.forward_with_patches(view)
            assert torch.equal(features, encoder(view))
        if maps is None:
            assert encoder.patch_channels == 0
        else:
            assert maps.shape[:2] == (2, encoder.patch_channels)
            assert maps.isfinite().all()


def test_gradients_reach_all_parameters(name: str):
    encoder = make(name)
    encoder(samples(name, 8)).square().sum().backward()
    assert [key for key, p in encoder.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


def test_a_trained_encoder_sees_each_sample_alone(name: str):
    encoder = make(name).eval()
    batch = samples(name, 6)
    alone = encoder(batch.chunk(6)[2])
    torch.testing.assert_close(encoder(batch)[2:3], alone, atol=1e-5, rtol=1e-4)


def test_different_samples_get_different_features(name: str):
    first, second = make(name).eval()(samples(name, 2))
    assert not torch.allclose(first, second)


def test_bfloat16_gives_finite_features(name: str):
    encoder = make(name)
    with torch.autocast("cpu", torch.bfloat16):
        features = encoder(samples(name, 4))
    features.float().sum().backward()
    assert features.isfinite().all()
    assert all(p.grad.isfinite().all() for p in encoder.parameters() if p.grad is not None)


def test_saved_and_loaded_it_gives_the_same_features(name: str):
    saved, other = make(name, seed=1).eval(), make(name, seed=2).eval()
    expected = saved(samples(name, 2))
    assert not torch.equal(other(samples(name, 2)), expected)
    other.load_state_dict(saved.state_dict())
    assert torch.equal(other(samples(name, 2)), expected)


def test_the_seed_decides_the_weights(name: str):
    first, second = make(name, seed=3), make(name, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
