"""What every encoder keeps; encoders are found by themselves."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

from vssl.config import find, member, members
from vssl.encoders.base import Encoder
from vssl.types import Images

SMALL = {"convnet": "convnet/tiny", "timm": "timm/resnet10t"}
"""The smallest variant of members whose default is too large for a test."""


@pytest.fixture(params=members("encoders"))
def name(request: pytest.FixtureRequest) -> str:
    if request.param == "timm" and not find_spec("timm"):
        pytest.skip("needs the extra vssl[timm]")
    return request.param


def make(name: str, shape: tuple[int, int, int] = (3, 32, 32), seed: int = 0) -> Encoder:
    torch.manual_seed(seed)
    return find("encoders", name).build(member("encoders", SMALL.get(name, name)), shape)


def images(batch: int, shape: tuple[int, int, int] = (3, 32, 32)) -> Images:
    return Images(torch.randn(batch, *shape, generator=torch.Generator().manual_seed(1)))


def test_the_known_encoders_are_found():
    assert {"convnet", "timm"} <= set(members("encoders"))


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 32, 32), (3, 24, 40), (1, 41, 24)], ids=str)
def test_there_is_one_finite_feature_vector_a_sample(name: str, shape: tuple[int, int, int]):
    encoder = make(name, shape)
    features = encoder(images(4, shape))
    assert features.shape == (4, encoder.features)
    assert features.isfinite().all()


def test_gradients_reach_all_parameters(name: str):
    encoder = make(name)
    encoder(images(8)).square().sum().backward()
    assert [key for key, p in encoder.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


def test_a_trained_encoder_sees_each_sample_alone(name: str):
    encoder = make(name).eval()
    batch = images(6)
    alone = encoder(Images(batch.pixels[2:3]))
    torch.testing.assert_close(encoder(batch)[2:3], alone, atol=1e-5, rtol=1e-4)


def test_different_samples_get_different_features(name: str):
    first, second = make(name).eval()(images(2))
    assert not torch.allclose(first, second)


def test_bfloat16_gives_finite_features(name: str):
    encoder = make(name)
    with torch.autocast("cpu", torch.bfloat16):
        features = encoder(images(4))
    features.float().sum().backward()
    assert features.isfinite().all()
    assert all(p.grad.isfinite().all() for p in encoder.parameters() if p.grad is not None)


def test_saved_and_loaded_it_gives_the_same_features(name: str):
    saved, other = make(name, seed=1).eval(), make(name, seed=2).eval()
    expected = saved(images(2))
    assert not torch.equal(other(images(2)), expected)
    other.load_state_dict(saved.state_dict())
    assert torch.equal(other(images(2)), expected)


def test_the_seed_decides_the_weights(name: str):
    first, second = make(name, seed=3), make(name, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
