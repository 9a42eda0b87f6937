"""VSSL against slow references, written from the formulas with torch.distributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from vssl.errors import ConfigError
from vssl.objectives import vssl
from vssl.objectives.vssl import VSSL, Config
from vssl.stats import gaussian
from vssl.types import Gaussian, Images

BATCH, LATENT = 6, 8


@pytest.fixture
def build(make_objective: Callable[..., VSSL]) -> Callable[..., VSSL]:
    """An objective whose teacher, if it has one, is a little behind the student."""

    def make(config: Config, views: int = 2) -> VSSL:
        objective = make_objective(replace(config, latent=LATENT, hidden=16, views=views))
        torch.manual_seed(5)
        for parameter in objective.teacher.parameters() if objective.teacher else ():
            parameter.data += 0.05 * torch.randn_like(parameter)
        return objective

    return make


@pytest.fixture
def both(two_views: Callable[..., list[Images]]) -> list[Images]:
    return two_views(BATCH)


@pytest.fixture(params=[2, 4])
def some(request: pytest.FixtureRequest, both: list[Images]) -> list[Images]:
    """Two views of each sample, or four."""
    generator = torch.Generator().manual_seed(1)
    changed = [Images(view.pixels + 0.1 * torch.randn(view.pixels.shape, generator=generator)) for view in both]
    return [*both, *changed][: request.param]


def student(objective: VSSL, views: list[Images]) -> Gaussian:
    return objective.head(objective.encoder(Images.cat(views)))


def teacher(objective: VSSL, views: list[Images]) -> Gaussian:
    encoder, head = objective.teacher.networks if objective.teacher else objective.student()
    return head(encoder(Images.cat(views)))


def on_sphere(mean: Tensor) -> Tensor:
    return math.sqrt(mean.shape[-1]) * mean / mean.norm(dim=-1, keepdim=True)


def normal(mean: Tensor, log_variance: Tensor) -> Independent:
    return Independent(Normal(mean, (log_variance / 2).exp().expand_as(mean)), 1)


def pairs(views: int = 2) -> list[tuple[int, int]]:
    """The row of each view with that of each other view of the same sample."""
    rows = range(views * BATCH)
    return [(row, other) for row in rows for other in rows if row != other and row % BATCH == other % BATCH]


def aggregate_reference(objective: VSSL, views: list[Images]) -> Tensor:
    """-ln overlap(i, i') / (overlap(i, i') + sum over all views j of other samples), variances T D / 2 on each side."""
    place = on_sphere if objective.config.form == "cosine" else torch.Tensor.clone
    queries, keys = place(student(objective, views).mean), place(teacher(objective, views).mean)
    overlap_variance = 2 * objective.log_temperature.exp() * LATENT / 2
    centred = normal(torch.zeros(LATENT), overlap_variance.log())
    bounds = []
    for i, other in pairs(len(views)):
        candidates = [other, *(j for j in range(len(keys)) if j % BATCH != i % BATCH)]
        overlaps = {j: centred.log_prob(queries[i] - keys[j]) for j in candidates}
        bounds.append(overlaps[other] - torch.logsumexp(torch.stack(list(overlaps.values())), 0))
    return -torch.stack(bounds).mean()


@pytest.mark.parametrize("form", ["cosine", "euclidean"])
@pytest.mark.parametrize("ema_half_life", [0.0, 0.2])
def test_the_aggregate_prior_is_a_ratio_of_overlap_integrals(
    build: Callable[..., VSSL], some: list[Images], form: Any, ema_half_life: float
):
    objective = build(Config(form=form, ema_half_life=ema_half_life, likelihood_weight=0), len(some))
    expected = aggregate_reference(objective, some)
    torch.testing.assert_close(objective(some).total, expected, atol=1e-4, rtol=1e-4)


def test_the_gradient_of_the_aggregate_prior_is_the_references(build: Callable[..., VSSL], some: list[Images]):
    objective = build(Config(likelihood_weight=0), len(some))
    trained = [objective.encoder.stem.weight, objective.log_temperature]
    expected = torch.autograd.grad(aggregate_reference(objective, some), trained)
    torch.testing.assert_close(torch.autograd.grad(objective(some).total, trained), expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("variance", ["isotropic", "diagonal"])
@pytest.mark.parametrize("form", ["cosine", "euclidean"])
@pytest.mark.parametrize("ema_half_life", [0.0, 0.2])
def test_the_paired_prior_is_the_kl_to_the_teacher_of_the_other_view(
    build: Callable[..., VSSL], some: list[Images], variance: Any, form: Any, ema_half_life: float
):
    prior = Config(prior="paired", form=form, variance=variance, ema_half_life=ema_half_life)
    objective = build(replace(prior, likelihood_weight=0), len(some))
    place = on_sphere if form == "cosine" else torch.Tensor.clone
    q, p = student(objective, some), teacher(objective, some).detach()
    kl = [
        kl_divergence(normal(place(q.mean[i]), q.log_variance[i]), normal(place(p.mean[other]), p.log_variance[other]))
        for i, other in pairs(len(some))
    ]
    expected = torch.stack(kl).mean() / LATENT
    total = objective(some).total
    torch.testing.assert_close(total, expected)
    trained = [objective.encoder.stem.weight, *objective.head.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(total, trained), torch.autograd.grad(expected, trained), atol=1e-4, rtol=1e-3
    )


def test_the_marginal_prior_pulls_all_samples_together_towards_the_standard_normal(
    build: Callable[..., VSSL], both: list[Images]
):
    objective = build(Config(prior="marginal", likelihood_trains="all", likelihood_weight=0))
    q = student(objective, both).detach()
    centred = q.mean - q.mean.mean(0)
    covariance = centred.mT @ centred / len(centred) + torch.eye(LATENT) * q.log_variance.exp().mean()
    aggregate = torch.distributions.MultivariateNormal(q.mean.mean(0), covariance)
    standard = torch.distributions.MultivariateNormal(torch.zeros(LATENT), torch.eye(LATENT))
    expected = kl_divergence(aggregate, standard) / LATENT
    torch.testing.assert_close(objective(both).total.detach(), expected, atol=1e-4, rtol=1e-3)


def likelihood_gradients(objective: VSSL, views: list[Images]) -> dict[str, float]:
    objective(views).total.backward()
    heads = {"mean": objective.head.mean, "log_variance": objective.head.log_variance}
    return {name: sum(float(p.grad.abs().sum()) for p in head.parameters()) for name, head in heads.items()}


def test_a_likelihood_that_trains_the_variance_leaves_the_means_alone(build: Callable[..., VSSL], both: list[Images]):
    gradients = likelihood_gradients(build(Config(prior_weight=0, likelihood_trains="variance")), both)
    assert gradients["mean"] == 0
    assert gradients["log_variance"] > 0


def test_a_likelihood_that_trains_all_trains_the_means_too(build: Callable[..., VSSL], both: list[Images]):
    gradients = likelihood_gradients(build(Config(prior_weight=0, likelihood_trains="all")), both)
    assert gradients["mean"] > 0
    assert gradients["log_variance"] > 0


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_the_likelihood_is_weighted_by_a_power_of_the_variance(
    build: Callable[..., VSSL], some: list[Images], beta: float
):
    plain = Config(prior_weight=0, likelihood_weight=3, beta=beta, neighbour_weight=0, predictor=False)
    objective = build(plain, len(some))
    q = student(objective, some).detach()
    mean = on_sphere(q.mean)
    terms = [
        q.log_variance[i].exp() ** beta * normal(mean[i], q.log_variance[i]).log_prob(mean[other])
        for i, other in pairs(len(some))
    ]
    torch.testing.assert_close(objective(some).total.detach(), -3 * torch.stack(terms).mean() / LATENT)


@pytest.mark.parametrize(("beta", "equal"), [(1.0, True), (0.0, False)])
def test_at_beta_1_the_means_are_pulled_as_hard_whatever_the_variance_is(
    build: Callable[..., VSSL], both: list[Images], beta: float, equal: bool
):
    objective = build(Config(prior_weight=0, beta=beta, predictor=False))
    gradients = []
    for shift in (0.0, -2.0):
        objective.head.log_variance[-1].bias.data += shift
        (gradient,) = torch.autograd.grad(objective(both).total, objective.head.mean[-1].weight)
        gradients.append(gradient)
    assert torch.allclose(*gradients, rtol=1e-4, atol=1e-6) == equal


def test_the_logged_loss_is_minus_the_elbo_without_any_weight(build: Callable[..., VSSL], both: list[Images]):
    config = Config(prior_weight=0, likelihood_weight=2, predictor=False)
    plain, weighted = (build(replace(config, beta=beta))(both) for beta in (0.0, 1.0))
    torch.testing.assert_close(weighted.logged, plain.logged)
    torch.testing.assert_close(weighted.parts, plain.parts)


@pytest.mark.parametrize(("ramp", "share"), [(True, 0.25), (False, 1.0)])
def test_the_weight_of_the_likelihood_grows_with_the_run(
    build: Callable[..., VSSL], both: list[Images], ramp: bool, share: float
):
    objective = build(Config(prior_weight=0, likelihood_weight=2, likelihood_ramp=ramp, beta=0, predictor=False))
    objective.progress.fill_(0.25)
    loss = objective(both)
    torch.testing.assert_close(loss.total.detach(), -2 * share * loss.parts["log_likelihood_nats"])
    torch.testing.assert_close(loss.logged, loss.parts["prior_nats"] - loss.parts["log_likelihood_nats"])


def test_the_share_of_neighbours_has_the_nearest_other_sample_as_its_target(
    build: Callable[..., VSSL], some: list[Images]
):
    config = Config(prior_weight=0, likelihood_weight=1, neighbour_weight=1, beta=0, predictor=False)
    objective = build(config, len(some))
    posterior = objective.latent(objective.encoder(Images.cat(some)))
    place = gaussian.to_sphere(posterior.mean).detach()
    terms = []
    for row in range(len(place)):
        others = [other for other in range(len(place)) if other % BATCH != row % BATCH]
        nearest = min(others, key=lambda other: float((place[row] - place[other]).norm()))
        scale = (0.5 * posterior.log_variance[row]).exp().expand(LATENT)
        terms.append(Normal(place[row], scale).log_prob(place[nearest]).sum())
    torch.testing.assert_close(objective(some).total.detach(), -torch.stack(terms).mean().detach() / LATENT)


@pytest.mark.parametrize("likelihood_trains", ["all", "variance"])
def test_neighbours_are_not_pulled_together(
    build: Callable[..., VSSL], both: list[Images], likelihood_trains: Literal["all", "variance"]
):
    objective = build(Config(prior_weight=0, neighbour_weight=1, likelihood_trains=likelihood_trains))
    objective(both).total.backward()
    gradients = [parameter.grad for parameter in objective.head.mean.parameters()]
    assert all(gradient is None or not gradient.any() for gradient in gradients)


@pytest.mark.parametrize("config", [Config(likelihood_trains="variance", prior_weight=0), vssl.paper()])
def test_what_there_is_learns_but_the_mean_where_the_likelihood_trains_the_variance(
    build: Callable[..., VSSL], both: list[Images], config: Config
):
    objective = build(config)
    objective(both).total.backward()
    assert all(parameter.grad.any() for parameter in objective.predictor.parameters())
    assert all(parameter.grad.any() for parameter in objective.head.log_variance.parameters())
    learns = [parameter.grad is not None and parameter.grad.any() for parameter in objective.head.mean.parameters()]
    assert any(learns) == (config.likelihood_trains == "all")


def test_the_length_of_the_means_is_nothing_to_the_papers_loss(build: Callable[..., VSSL], both: list[Images]):
    objective = build(vssl.paper())
    before = objective(both, torch.Generator().manual_seed(3)).total
    for mean in (objective.head.mean, objective.teacher.networks[-1].mean):
        mean[-1].weight.data *= 100
        mean[-1].bias.data *= 100
    torch.testing.assert_close(objective(both, torch.Generator().manual_seed(3)).total, before, rtol=1e-4, atol=1e-4)


def test_the_configuration_called_paper_is_the_papers():
    assert vssl.paper() == Config(
        prior="paired",
        form="cosine",
        latent=128,
        hidden=512,
        variance="diagonal",
        log_variance_range=(-6.0, 2.0),
        prior_weight=1.0,
        likelihood_weight=1.0,
        likelihood_ramp=False,
        likelihood_trains="all",
        beta=0.0,
        neighbour_weight=0.0,
        predictor=True,
        temperature=0.1,
        ema_half_life=0.01,
        views=2,
    )


def test_the_loss_of_the_paper_is_kl_minus_denoising_likelihood_averaged_over_both_roles(
    build: Callable[..., VSSL], both: list[Images]
):
    objective = build(vssl.paper())
    q, p = student(objective, both), teacher(objective, both).detach()
    noise = torch.randn(q.mean.shape, generator=torch.Generator().manual_seed(3))
    prediction = objective.predictor(on_sphere(q.mean) + noise * (q.log_variance / 2).exp())
    losses = []
    for i, other in pairs():
        posterior = normal(on_sphere(q.mean[i]), q.log_variance[i])
        prior = normal(on_sphere(p.mean[other]), p.log_variance[other])
        likelihood = normal(on_sphere(prediction[i]), q.log_variance[i])
        losses.append(kl_divergence(posterior, prior) - likelihood.log_prob(on_sphere(p.mean[other])))
    expected = torch.stack(losses).mean() / LATENT
    total = objective(both, torch.Generator().manual_seed(3)).total
    torch.testing.assert_close(total, expected)
    trained = [p for p in objective.parameters() if p.requires_grad]
    torch.testing.assert_close(
        torch.autograd.grad(total, trained), torch.autograd.grad(expected, trained), atol=1e-4, rtol=1e-3
    )


@pytest.mark.parametrize("config", [vssl.paper(), Config(prior="aggregate", form="euclidean")])
def test_the_elbo_of_a_pair_is_the_likelihood_of_the_other_view_less_the_kl_to_it(
    build: Callable[..., VSSL], both: list[Images], config: Config
):
    objective = build(config).eval()
    place = on_sphere if config.form == "cosine" else torch.Tensor.clone
    q, p = student(objective, both), teacher(objective, both)
    prediction = q.mean if objective.predictor is None else objective.predictor(place(q.mean))
    expected = []
    for i, other in pairs():
        posterior = normal(place(q.mean[i]), q.log_variance[i])
        prior = normal(place(p.mean[other]), p.log_variance[other])
        likelihood = normal(place(prediction[i]), q.log_variance[i]).log_prob(place(p.mean[other]))
        expected.append((likelihood - kl_divergence(posterior, prior)) / LATENT)
    stacked = Images.cat(both)
    found = objective.elbo(stacked, objective.latent(objective.encoder(stacked)))
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-4, rtol=1e-4)


def test_the_mean_term_of_the_cosine_form_is_d_times_one_minus_cosine():
    q, p = Gaussian(torch.randn(4, LATENT), torch.zeros(4, 1)), Gaussian(torch.randn(4, LATENT), torch.zeros(4, 1))
    expected = LATENT * (1 - F.cosine_similarity(q.mean, p.mean))
    torch.testing.assert_close(vssl.gaussian.kl_cosine(q, p), expected)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": 0.0}, r"vssl\.temperature is 0\.0; it must be in the range \(0, inf\)"),
        (
            {"log_variance_range": (1.0, 1.0)},
            r"vssl\.log_variance_range is 1\.0\.\.1\.0; its first number must be below",
        ),
        ({"ema_half_life": 1.5}, r"vssl\.ema_half_life is 1\.5; it must be in the range \[0, 1\]"),
        ({"ema_half_life": -0.1}, r"vssl\.ema_half_life is -0\.1; it must be in"),
        ({"beta": 1.1}, r"vssl\.beta is 1\.1; it must be in the range \[0, 1\]"),
        ({"views": 3}, r"vssl\.views is 3; it must be an even number"),
        ({"views": 0}, r"vssl\.views is 0; it must be in the range \[2, inf\)"),
        ({"prior": "marginal", "likelihood_trains": "variance"}, r"vssl\.prior=marginal needs likelihood_trains=all"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(wrong: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        Config(**wrong)
