"""Known ranks: full, one, none; and indifference to what must not matter."""

import pytest
import torch

from vssl.stats.rank import dimension_std, effective_rank


def noise(samples: int, dimensions: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(samples, dimensions, generator=torch.Generator().manual_seed(seed))


def test_data_of_equal_spread_in_every_dimension_have_full_rank() -> None:
    cross = torch.cat([torch.eye(6), -torch.eye(6)])
    assert effective_rank(cross).item() == pytest.approx(6)


@pytest.mark.parametrize(("samples", "dimensions"), [(500, 64), (64, 500)])
def test_data_on_a_line_have_rank_one(samples: int, dimensions: int) -> None:
    line = noise(samples, 1) @ noise(1, dimensions, seed=1) + 10
    assert effective_rank(line.double()).item() == pytest.approx(1, abs=1e-6)
    assert effective_rank(line).item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_constant_features_have_rank_zero(value: float) -> None:
    assert effective_rank(torch.full((100, 8), value)).item() == 0


def test_the_rank_is_exp_of_the_entropy_of_the_singular_values() -> None:
    features = noise(40, 7) * torch.arange(1, 8)
    singular_values = torch.linalg.svdvals(features.double() - features.double().mean(0))
    expected = torch.distributions.Categorical(probs=singular_values).entropy().exp()
    torch.testing.assert_close(effective_rank(features), expected)


def test_fewer_samples_than_dimensions_give_the_rank_of_the_svd() -> None:
    features = noise(7, 40)
    singular_values = torch.linalg.svdvals(features.double() - features.double().mean(0))
    expected = torch.distributions.Categorical(probs=singular_values).entropy().exp()
    torch.testing.assert_close(effective_rank(features), expected)
    assert effective_rank(features) <= 6 + 1e-9


def test_scale_shift_rotation_and_order_do_not_matter() -> None:
    features = noise(50, 8).double() * torch.arange(1, 9)
    rotation = torch.linalg.qr(noise(8, 8, seed=1).double()).Q
    moved = (3 * features @ rotation + 7).flip(0)
    torch.testing.assert_close(effective_rank(moved), effective_rank(features))


def test_half_precision_and_autocast_are_computed_in_float64() -> None:
    features = noise(50, 8).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(effective_rank(features), effective_rank(features.double()))


def test_the_standard_deviation_is_that_of_each_dimension() -> None:
    features = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    assert dimension_std(features).tolist() == [1.0, 0.0]
    assert dimension_std(features[:1]).tolist() == [0.0, 0.0]
