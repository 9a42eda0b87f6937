"""Each function beside its oracle: torch.distributions, Monte Carlo, finite differences, and what must always hold."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from vssl.errors import ConfigError
from vssl.stats import gaussian as G
from vssl.types import Gaussian

EXTREMES = [(80.0, -80.0), (-80.0, 80.0), (80.0, 80.0), (-80.0, -80.0), (0.0, -80.0), (80.0, 0.0)]


def gaussian(seed: int, batch: int = 6, width: int = 5, dimensions: int = 5) -> Gaussian:
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(batch, dimensions, generator=generator, dtype=torch.float64)
    return Gaussian(mean, torch.randn(batch, width, generator=generator, dtype=torch.float64))


def expanded(isotropic: Gaussian) -> Gaussian:
    return Gaussian(isotropic.mean, isotropic.log_variance.expand_as(isotropic.mean).contiguous())


def reference(diagonal: Gaussian, mean: Tensor | None = None) -> Independent:
    mean = diagonal.mean if mean is None else mean
    return Independent(Normal(mean, (0.5 * diagonal.log_variance).exp().expand_as(mean)), 1)


def unit(mean: Tensor) -> Tensor:
    return mean / mean.norm(dim=-1, keepdim=True) * math.sqrt(mean.shape[-1])


def overlap_reference(q: Gaussian, p: Gaussian) -> Tensor:
    scale = (q.log_variance.exp() + p.log_variance.exp()).sqrt().expand_as(q.mean)
    return Independent(Normal(p.mean, scale), 1).log_prob(q.mean)


def marginal_reference(q: Gaussian, _: Gaussian) -> Tensor:
    noise = q.log_variance.exp().expand_as(q.mean).mean(0)
    aggregate = MultivariateNormal(q.mean.mean(0), torch.cov(q.mean.T, correction=0) + noise.diag())
    return kl_divergence(aggregate, MultivariateNormal(torch.zeros_like(noise), torch.eye(len(noise)).to(noise)))


# name: (ours, oracle), both of two Gaussians
ORACLES: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    "log_density": (lambda q, p: G.log_density(q.mean, p), lambda q, p: reference(p).log_prob(q.mean)),
    "kl_euclidean": (G.kl_euclidean, lambda q, p: kl_divergence(reference(q), reference(p))),
    "kl_cosine": (
        G.kl_cosine,
        lambda q, p: kl_divergence(reference(q, unit(q.mean)), reference(p, unit(p.mean))),
    ),
    "log_likelihood_euclidean": (
        lambda q, p: G.log_likelihood(q.mean, p.mean, p.log_variance, "euclidean"),
        lambda q, p: reference(p).log_prob(q.mean),
    ),
    "log_likelihood_cosine": (
        lambda q, p: G.log_likelihood(q.mean, p.mean, p.log_variance, "cosine"),
        lambda q, p: reference(p, unit(p.mean)).log_prob(unit(q.mean)),
    ),
    "log_overlap": (G.log_overlap, overlap_reference),
    "log_overlap_matrix": (
        G.log_overlap_matrix,
        lambda q, p: torch.stack(
            [overlap_reference(q, Gaussian(p.mean[[row]], p.log_variance[[row]])) for row in range(len(p))], 1
        ),
    ),
    "marginal_kl": (lambda q, p: G.marginal_kl(q), marginal_reference),
}
FUNCTIONS = {name: ours for name, (ours, _) in ORACLES.items()}


@pytest.mark.parametrize("width", [5, 1], ids=["diagonal", "isotropic"])
@pytest.mark.parametrize("name", ORACLES)
def test_agrees_with_its_oracle(name: str, width: int) -> None:
    ours, oracle = ORACLES[name]
    q, p = gaussian(0, width=width), gaussian(1, width=width)
    torch.testing.assert_close(ours(q, p), oracle(q, p), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ORACLES)
def test_an_isotropic_variance_equals_the_expanded_diagonal(name: str) -> None:
    q, p = gaussian(2, width=1), gaussian(3, width=1)
    for left, right in [(expanded(q), expanded(p)), (q, expanded(p)), (expanded(q), p)]:
        torch.testing.assert_close(FUNCTIONS[name](q, p), FUNCTIONS[name](left, right))


@pytest.mark.parametrize("width", [3, 1], ids=["diagonal", "isotropic"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_agree_with_finite_differences(name: str, width: int) -> None:
    q, p = gaussian(4, 4, width, 3), gaussian(5, 4, width, 3)
    inputs = [values.requires_grad_() for values in (q.mean, q.log_variance, p.mean, p.log_variance)]
    assert torch.autograd.gradcheck(lambda a, b, c, d: FUNCTIONS[name](Gaussian(a, b), Gaussian(c, d)), inputs)


@pytest.mark.parametrize("ours", [G.to_sphere, partial(G.bound, low=-3.0, high=1.5)], ids=["to_sphere", "bound"])
def test_gradients_of_the_maps_agree_with_finite_differences(ours: Callable[[Tensor], Tensor]) -> None:
    assert torch.autograd.gradcheck(ours, gaussian(6).mean.requires_grad_())


def test_gradients_of_a_sample_agree_with_finite_differences() -> None:
    q = gaussian(7)
    inputs = (q.mean.requires_grad_(), q.log_variance.requires_grad_())
    draw = lambda mean, s: G.sample(Gaussian(mean, s), torch.Generator().manual_seed(0))  # noqa: E731
    assert torch.autograd.gradcheck(draw, inputs)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("log_q", "log_p"), EXTREMES)
@pytest.mark.parametrize("width", [16, 1], ids=["diagonal", "isotropic"])
def test_extreme_log_variances_give_finite_values_and_gradients(name, dtype, log_q, log_p, width) -> None:
    q, p = (gaussian(seed, 8, width, 16) for seed in (8, 9))
    mean_q, mean_p = (g.mean.to(dtype).requires_grad_() for g in (q, p))
    s_q, s_p = (torch.full((8, width), value, dtype=dtype, requires_grad=True) for value in (log_q, log_p))
    value = FUNCTIONS[name](Gaussian(mean_q, s_q), Gaussian(mean_p, s_p))
    gradients = torch.autograd.grad(value.mean(), (mean_q, s_q, mean_p, s_p), allow_unused=True)
    assert value.dtype == torch.float32
    assert value.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)


@pytest.mark.parametrize("width", [5, 1], ids=["diagonal", "isotropic"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_autocast_does_not_cost_precision(name: str, width: int) -> None:
    q, p = gaussian(10, width=width).float(), gaussian(11, width=width).float()
    plain = FUNCTIONS[name](q, p)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(FUNCTIONS[name](q, p), plain)


@pytest.mark.parametrize("ours", [G._exp, G._exp_excess])
def test_the_tangent_continues_value_and_slope(ours: Callable[[Tensor], Tensor]) -> None:
    at = torch.tensor([59.999999, 60.000001, 75.0], dtype=torch.float64, requires_grad=True)
    value = ours(at)
    (slope,) = torch.autograd.grad(value.sum(), at)
    torch.testing.assert_close(value[:2] / math.exp(60), torch.ones(2).double(), rtol=1e-5, atol=0)
    torch.testing.assert_close(value[2] / math.exp(60), torch.tensor(16.0).double())
    torch.testing.assert_close(slope / math.exp(60), torch.ones(3).double(), rtol=1e-5, atol=0)


def within_standard_errors(draws: Tensor, expected: Tensor, limit: float = 4.0) -> bool:
    error = draws.std(0) / math.sqrt(len(draws))
    return bool(((draws.mean(0) - expected).abs() < limit * error).all())


def draws_of(q: Gaussian, count: int = 20_000) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    many = Gaussian(q.mean.repeat(count, 1), q.log_variance.repeat(count, 1))
    return G.sample(many, generator).unflatten(0, (count, len(q)))


def test_samples_have_the_stated_mean_and_variance() -> None:
    q = gaussian(12)
    draws = draws_of(q)
    assert within_standard_errors(draws, q.mean)
    assert within_standard_errors((draws - q.mean).square(), q.log_variance.exp())


def test_kl_is_the_expected_difference_of_log_densities() -> None:
    q, p = gaussian(13), gaussian(14)
    draws = draws_of(q)
    assert within_standard_errors(reference(q).log_prob(draws) - reference(p).log_prob(draws), G.kl_euclidean(q, p))


def test_the_overlap_is_the_integral_of_the_product() -> None:
    q, p = gaussian(15, dimensions=3, width=3), gaussian(16, dimensions=3, width=3)
    assert within_standard_errors(reference(p).log_prob(draws_of(q)).exp(), G.log_overlap(q, p).exp())


def test_the_same_seed_gives_the_same_sample() -> None:
    first, second = (G.sample(gaussian(17), torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", ["kl", "log_likelihood"])
def test_the_cosine_form_equals_the_euclidean_one_on_the_sphere(name: str) -> None:
    q, p = (Gaussian(unit(g.mean), g.log_variance) for g in (gaussian(18), gaussian(19)))
    if name == "kl":
        torch.testing.assert_close(G.kl_cosine(q, p), G.kl_euclidean(q, p))
    else:
        cosine, euclidean = (G.log_likelihood(q.mean, p.mean, p.log_variance, form) for form in ("cosine", "euclidean"))
        torch.testing.assert_close(cosine, euclidean)


def test_the_cosine_kl_is_d_times_one_minus_cos_for_equal_isotropic_variances() -> None:
    q, p = gaussian(20), gaussian(21)
    log_variance = torch.full((6, 1), 0.7, dtype=torch.float64)
    expected = 5 * (1 - torch.cosine_similarity(q.mean, p.mean)) / math.exp(0.7)
    torch.testing.assert_close(G.kl_cosine(Gaussian(q.mean, log_variance), Gaussian(p.mean, log_variance)), expected)


def test_the_zero_mean_stays_at_zero_on_the_sphere_with_finite_gradients() -> None:
    mean = torch.zeros(2, 4, requires_grad=True)
    sphere = G.to_sphere(mean)
    sphere.sum().backward()
    assert torch.equal(sphere, torch.zeros(2, 4))
    assert mean.grad is not None
    assert mean.grad.isfinite().all()


def test_a_diagonal_overlap_matrix_in_blocks_equals_the_one_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    q, p = gaussian(22, batch=7), gaussian(23, batch=4)
    whole = G.log_overlap_matrix(q, p)
    monkeypatch.setattr(G, "_BLOCK", 3 * p.mean.numel())
    torch.testing.assert_close(G.log_overlap_matrix(q, p), whole)
    assert whole.shape == (7, 4)


def test_an_isotropic_overlap_matrix_keeps_its_digits_far_from_the_origin() -> None:
    q, p = gaussian(24, width=1), gaussian(25, width=1)
    far_q, far_p = (Gaussian(g.mean + 1000, g.log_variance).float() for g in (q, p))
    torch.testing.assert_close(
        G.log_overlap_matrix(far_q, far_p).double(), G.log_overlap_matrix(q, p), rtol=1e-3, atol=0
    )


@pytest.mark.parametrize(("batch", "dimensions"), [(3, 8), (8, 3), (1, 4), (64, 64)])
def test_the_marginal_kl_holds_for_any_shape_in_float32(batch: int, dimensions: int) -> None:
    q = gaussian(26, batch, dimensions, dimensions)
    torch.testing.assert_close(G.marginal_kl(q.float()).double(), marginal_reference(q, q), rtol=1e-4, atol=1e-5)


def test_the_marginal_kl_is_zero_for_a_batch_whose_moments_are_standard() -> None:
    signs = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    halves = Gaussian(signs * math.sqrt(0.5), torch.full((4, 1), math.log(0.5), dtype=torch.float64))
    assert G.marginal_kl(halves).abs() < 1e-12


def test_the_marginal_kl_survives_collapsed_means_with_vanishing_variance() -> None:
    line = torch.linspace(-1, 1, 256)[:, None].expand(256, 128)
    for mean in (line, torch.ones(256, 128)):
        leaf = mean.clone().requires_grad_()
        value = G.marginal_kl(Gaussian(leaf, torch.full((256, 1), -80.0)))
        value.backward()
        assert leaf.grad is not None
        assert value > 100
        assert leaf.grad.isfinite().all()


vectors = st.lists(st.floats(-20, 20, width=32), min_size=3, max_size=3)
variances = st.lists(st.floats(-80, 80, width=32), min_size=3, max_size=3)
gaussians = st.builds(lambda mean, s: Gaussian(torch.tensor([mean]), torch.tensor([s])), vectors, variances)


@settings(deadline=None, max_examples=200)
@given(gaussians, gaussians)
def test_kl_is_never_negative_and_exactly_zero_for_equals(q: Gaussian, p: Gaussian) -> None:
    for kl in (G.kl_euclidean, G.kl_cosine):
        assert kl(q, p).item() >= 0
        assert kl(q, q).item() == 0


@settings(deadline=None, max_examples=200)
@given(gaussians, st.sampled_from([1e-2, 1.0, -3.0]), st.integers(0, 2), st.booleans())
def test_kl_is_positive_once_mean_or_variance_differs(q: Gaussian, change: float, index: int, in_mean: bool) -> None:
    mean, log_variance = q.mean.double(), q.log_variance.double() / 4
    other_mean, other_log_variance = mean.clone(), log_variance.clone()
    (other_mean if in_mean else other_log_variance)[0, index] += change
    assert G.kl_euclidean(Gaussian(mean, log_variance), Gaussian(other_mean, other_log_variance)).item() > 0


@settings(deadline=None, max_examples=200)
@given(st.floats(-(2.0**-7), 2.0**-7, width=32))
def test_kl_of_nearly_equal_variances_keeps_its_digits(log_ratio: float) -> None:
    q, p = (Gaussian(torch.zeros(1, 1), torch.tensor([[value]])) for value in (log_ratio, 0.0))
    kl = G.kl_euclidean(q, p).item()
    assert kl >= 0
    assert abs(kl - (math.expm1(log_ratio) - log_ratio) / 2) <= 1e-7 * abs(log_ratio)


@settings(deadline=None, max_examples=100)
@given(gaussians, gaussians)
def test_the_overlap_is_symmetric_and_the_diagonal_of_its_matrix(q: Gaussian, p: Gaussian) -> None:
    overlap = G.log_overlap(q, p)
    assert torch.equal(overlap, G.log_overlap(p, q))
    torch.testing.assert_close(G.log_overlap_matrix(q, p).diagonal(), overlap)
    narrow_q, narrow_p = (Gaussian(g.mean.double(), g.log_variance[:, :1].double() / 8) for g in (q, p))
    torch.testing.assert_close(
        G.log_overlap_matrix(narrow_q, narrow_p).diagonal(), G.log_overlap(narrow_q, narrow_p), rtol=1e-6, atol=1e-6
    )


bounds = st.tuples(st.floats(-30, 29), st.floats(0.1, 30)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=2, max_size=8), bounds)
def test_the_bound_stays_inside_and_keeps_the_order(raw: list[float], ends: tuple[float, float]) -> None:
    values = torch.tensor(sorted(raw), requires_grad=True)
    bounded = G.bound(values, *ends)
    bounded.sum().backward()
    low, high = torch.tensor(ends)
    assert ((low <= bounded) & (bounded <= high)).all()
    # The vectorised tanh may differ from the scalar one by a unit in the last place.
    assert (bounded.diff() >= -1e-5).all()
    assert values.grad is not None
    assert values.grad.isfinite().all()


def test_the_bound_is_the_identity_to_first_order_in_the_middle() -> None:
    middle = torch.tensor(-2.0, dtype=torch.float64, requires_grad=True)
    bounded = G.bound(middle, -6.0, 2.0)
    (slope,) = torch.autograd.grad(bounded, middle)
    assert (bounded.item(), slope.item()) == (-2.0, 1.0)


def test_the_bound_refuses_ends_in_the_wrong_order() -> None:
    with pytest.raises(ConfigError, match="lower bound"):
        G.bound(torch.zeros(1), 1.0, -1.0)
