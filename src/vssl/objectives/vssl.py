"""Variational self-supervised learning (Yavuz and Yanıkoğlu, arXiv 2504.04318) and extensions of it.

The student's posterior q(z | one view) is compared with a prior p, computed from the other view by the teacher, an
exponential moving average of the student. Two settings define the members of the family:

- `form`: euclidean, or cosine with the means on the sphere of radius sqrt(D);
- `prior`: paired, the paper's KL(q || p) to the teacher's posterior of the other view; aggregate (extension), the
  mixture of the teacher's posteriors over the batch, for which the ELBO becomes ln overlap(i, i) / sum_j overlap(i, j);
  marginal (extension), the KL from the aggregate posterior of the batch to N(0, I).

A cross-view denoising likelihood ln N(teacher's latent; prediction, variance) replaces reconstruction. It gives the
variance its meaning, the squared distance between the latents of two views and, with `neighbour_weight` (extension),
to the nearest other sample: a sample without near neighbours gets a large variance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from vssl.config import NamedVariants
from vssl.encoders.base import Encoder
from vssl.encoders.heads import GaussianHead, projector
from vssl.encoders.teacher import Teacher
from vssl.errors import ConfigError
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective, check_increasing, check_ranges
from vssl.stats import gaussian
from vssl.stats.gather import gather, local_indices, rank, world_size
from vssl.types import Gaussian, Latent, Loss, View


@dataclass(frozen=True)
class Config(NamedVariants):
    """VSSL. The defaults did best in runs of minutes: the prior dominates first, then the likelihood.

    Attributes:
        prior: paired (the paper), aggregate or marginal. The default, aggregate, collapses less
            easily than paired in short runs.
        form: cosine or euclidean. The default, cosine, puts the means on a sphere, so that their lengths do not count.
        latent: D, the dimensions of the latent space.
        hidden: Width of the hidden layers of the heads.
        variance: isotropic (one variance per sample) or diagonal (one per dimension, the paper).
        log_variance_range: Bounds of the log-variance, in nats.
        prior_weight: Weight of the prior term, the beta of a beta-VAE. The default, 1, is the paper's.
        likelihood_weight: Weight of the denoising likelihood. The paper's is 1.
        likelihood_ramp: Whether the weight of the likelihood grows in proportion to the progress of the run, from 0
            (extension); otherwise it is constant. With it, the prior separates the samples first, and the likelihood
            then draws the views of each sample together.
        likelihood_trains: all, or variance. With variance, the squared error is a fixed target, and only the variance
            head and the predictor learn from the likelihood.
        beta: The likelihood is weighted by the detached variance to this power, 0..1 (beta-NLL, Seitzer et al. 2022,
            arXiv 2203.09168). 0 is the plain likelihood, whose gradient grows as the variance falls. The default, 1,
            gives the means the gradient of a squared error.
        neighbour_weight: Fraction of the likelihood, 0..1, whose target is the nearest other sample of the batch and
            not the other view (extension). Only the variance learns from it: neighbours are not drawn together.
        predictor: Whether a network g, the denoiser, predicts the teacher's latent from a sample of the posterior.
            Without it the prediction is the mean of the posterior.
        temperature: Initial value of the learned temperature of the aggregate prior, above 0.
        ema_half_life: Half-life of the teacher as a fraction of the run, 0..1. With the default, 0, the student is its
            own teacher.
        views: V, the number of views of each sample per step, an even number. Each view is compared with every other
            view of its sample (Shidani et al. 2024, arXiv 2403.05490). A step of 4 views takes half as many samples as
            one of 2 views, and about as long.
    """

    prior: Literal["paired", "aggregate", "marginal"] = "aggregate"
    form: Literal["cosine", "euclidean"] = "cosine"
    latent: int = 128
    hidden: int = 512
    variance: Literal["isotropic", "diagonal"] = "isotropic"
    log_variance_range: tuple[float, float] = (-6.0, 2.0)
    prior_weight: float = 1.0
    likelihood_weight: float = 16.0
    likelihood_ramp: bool = True
    likelihood_trains: Literal["all", "variance"] = "all"
    beta: float = 1.0
    neighbour_weight: float = 0.5
    predictor: bool = True
    temperature: float = 0.1
    ema_half_life: float = 0.0
    views: int = 4

    @classmethod
    def variants(cls) -> dict[str, Config]:
        return {"paper": paper(), "contrast": contrast()}

    def __post_init__(self) -> None:
        check_ranges(self, latent="[1, inf)", hidden="[1, inf)", temperature="(0, inf)", ema_half_life="[0, 1]")
        check_ranges(self, beta="[0, 1]", neighbour_weight="[0, 1]", views="[2, inf)")
        check_increasing(self, "log_variance_range")
        if self.views % 2:
            raise ConfigError(f"vssl.views is {self.views}; it must be an even number.")
        if self.prior == "marginal" and self.likelihood_trains != "all":
            raise ConfigError(
                "vssl.prior=marginal needs likelihood_trains=all: no other term draws the views of a sample together."
            )


def paper() -> Config:
    """The configuration of arXiv 2504.04318: paired prior, cosine form, diagonal Gaussians, EMA teacher, denoiser.

    The paper does not specify the variance of the likelihood; here it is that of the posterior.
    """
    return Config(
        prior="paired",
        form="cosine",
        variance="diagonal",
        likelihood_weight=1.0,
        likelihood_ramp=False,
        beta=0.0,
        neighbour_weight=0.0,
        ema_half_life=0.01,
        views=2,
    )


def contrast() -> Config:
    """The prior alone trains the means, and the likelihood trains the variance."""
    return Config(likelihood_weight=1.0, likelihood_ramp=False, likelihood_trains="variance", beta=0.0, predictor=False)


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return VSSL(config, encoder)


class VSSL(Objective):
    """Student (encoder and Gaussian head), teacher, and denoiser."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.config = config
        self.views = config.views
        variances = config.latent if config.variance == "diagonal" else 1
        self.head = GaussianHead(encoder.features, config.hidden, config.latent, variances, config.log_variance_range)
        self.predictor = projector(config.latent, config.hidden, config.latent) if config.predictor else None
        self.log_temperature = nn.Parameter(torch.tensor(math.log(config.temperature)))
        self.log_temperature.requires_grad_(config.prior == "aggregate")
        self.teacher = Teacher(self.student(), config.ema_half_life) if config.ema_half_life > 0 else None

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        assert len(views) == self.views
        inputs = type(views[0]).cat(views)
        posterior = self.latent(self.encoder(inputs))
        prior = self._prior(inputs, posterior)
        prior_term = self._prior_term(posterior, prior)
        log_likelihood = self._denoising_log_likelihood(posterior, prior.detach(), generator)
        beta_nll_weight = (self.config.beta * posterior.log_variance.detach().mean(1)).exp()
        ramp = self.progress if self.config.likelihood_ramp else 1
        prior_loss = self.config.prior_weight * prior_term
        likelihood_loss = -self.config.likelihood_weight * (beta_nll_weight * log_likelihood).mean()
        parts = {
            "prior_nats": prior_term.detach(),
            "log_likelihood_nats": log_likelihood.detach().mean(),
            "temperature": self.log_temperature.detach().exp(),
        }
        # Minus the ELBO without weights: the weighted loss of a healthy run rises.
        logged = (prior_term - log_likelihood.mean()).detach()
        return Loss(prior_loss + ramp * likelihood_loss, posterior.detach(), parts, logged)

    def latent(self, features: Float[Tensor, "B F"]) -> Gaussian:
        posterior: Gaussian = self.head(features)
        return posterior

    def elbo(self, views: View, latent: Latent) -> Float[Tensor, " VB"]:
        """ln N(prior's mean; posterior's mean, variance) - KL(q || p), in nats per latent dimension.

        It is the bound of the paired prior, whatever prior was trained: the aggregate one depends on the batch.
        """
        assert isinstance(latent, Gaussian)
        (other_view,) = _other_views(self._prior(views, latent), 2)
        prediction = latent.mean if self.predictor is None else self.predictor(self._project(latent.mean)).float()
        log_likelihood = self._log_likelihood(other_view.mean, prediction, latent)
        return (log_likelihood - self._kl(latent, other_view)) / self.config.latent

    def _prior(self, views: View, posterior: Gaussian) -> Gaussian:
        return posterior if self.teacher is None else self.teacher(views)

    def _prior_term(self, posterior: Gaussian, prior: Gaussian) -> Float[Tensor, ""]:
        """The KL divergence to the prior in nats, per latent dimension; per sample for the aggregate prior."""
        if self.config.prior == "aggregate":
            return -self._aggregate_elbo(posterior, prior).mean()
        if self.config.prior == "marginal":
            gathered = Gaussian(gather(posterior.mean), gather(posterior.log_variance))
            return gaussian.marginal_kl(gathered) / self.config.latent
        other_views = _other_views(prior.detach(), self.views)
        return _mean([self._kl(posterior, other).mean() for other in other_views]) / self.config.latent

    def _aggregate_elbo(self, posterior: Gaussian, prior: Gaussian) -> Float[Tensor, " VB"]:
        """ln overlap(i, i') / (overlap(i, i') + sum_j overlap(i, j)), in nats, averaged over the other views i' of i.

        j runs over all views of all other samples. All overlaps use one learned variance, T D / 2 on each side, so
        that the prior trains the temperature and leaves the variance of each sample to the likelihood.
        """
        shared = (self.log_temperature + math.log(self.config.latent / 2)).expand(len(posterior), 1)
        queries = Gaussian(self._project(posterior.mean), shared)
        keys = Gaussian(gather(self._project(prior.mean)), gather(shared))
        overlaps = gaussian.log_overlap_matrix(queries, keys)
        same_sample = self._same_sample_rows(posterior.mean)
        negatives = overlaps.scatter(1, same_sample, -torch.inf).logsumexp(1, keepdim=True)
        positives = overlaps.gather(1, same_sample[:, 1:])
        return (positives - torch.logaddexp(positives, negatives)).mean(1)

    def _same_sample_rows(self, local: Float[Tensor, "VB D"]) -> Int64[Tensor, "VB V"]:
        """For each local row, the rows of all views of its sample among those of all processes, its own row first."""
        rows = local_indices(local)
        return torch.stack([rows.roll(-view * (len(rows) // self.views)) for view in range(self.views)], 1)

    def _denoising_log_likelihood(
        self, posterior: Gaussian, prior: Gaussian, generator: torch.Generator | None
    ) -> Float[Tensor, " VB"]:
        """ln N(target; prediction, variance) in nats per latent dimension.

        The targets are the teacher's latents of the other views and, with `neighbour_weight`, of the nearest sample.
        """
        prediction = posterior.mean if self.predictor is None else self._sample(posterior, generator)
        if self.config.likelihood_trains == "variance":
            prediction = prediction.detach()
        if self.predictor is not None:
            prediction = self.predictor(prediction).float()
        weight, other_views = self.config.neighbour_weight, _other_views(prior, self.views)
        terms = [self._log_likelihood(other.mean, prediction, posterior) for other in other_views]
        log_likelihood = (1 - weight) * _mean(terms)
        if weight:
            neighbours = self._nearest_samples(prior.mean)
            log_likelihood = log_likelihood + weight * self._log_likelihood(neighbours, prediction.detach(), posterior)
        return log_likelihood / self.config.latent

    def _sample(self, posterior: Gaussian, generator: torch.Generator | None) -> Float[Tensor, "VB D"]:
        """One sample per row. Each process draws the noise of all, so that a run does not depend on their number."""
        rows, device = len(posterior) // self.views, posterior.mean.device
        shape = (self.views, world_size() * rows, self.config.latent)
        noise = torch.randn(shape, generator=generator, device=device)
        noise = noise[:, rank() * rows : (rank() + 1) * rows].flatten(0, 1)
        return gaussian.sample(Gaussian(self._project(posterior.mean), posterior.log_variance), noise=noise)

    def _log_likelihood(
        self, target: Float[Tensor, "VB D"], prediction: Float[Tensor, "VB D"], posterior: Gaussian
    ) -> Float[Tensor, " VB"]:
        return gaussian.log_likelihood(target, prediction, posterior.log_variance, self.config.form)

    def _nearest_samples(self, mean: Float[Tensor, "VB D"]) -> Float[Tensor, "VB D"]:
        """For each latent, the latent of the nearest other sample among those of all processes."""
        gathered = gather(mean)
        distances = torch.cdist(self._project(mean), self._project(gathered))
        return gathered[distances.scatter(1, self._same_sample_rows(mean), torch.inf).argmin(1)]

    def _kl(self, q: Gaussian, p: Gaussian) -> Float[Tensor, " VB"]:
        return gaussian.kl_cosine(q, p) if self.config.form == "cosine" else gaussian.kl_euclidean(q, p)

    def _project(self, mean: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        return gaussian.to_sphere(mean) if self.config.form == "cosine" else mean


def _other_views(latents: Gaussian, views: int) -> list[Gaussian]:
    """The latents in V - 1 orders; in each of them, every row holds another view of the sample of the same row."""
    shifts = [view * (len(latents) // views) for view in range(1, views)]
    return [Gaussian(latents.mean.roll(shift, 0), latents.log_variance.roll(shift, 0)) for shift in shifts]


def _mean(terms: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(terms)).mean(0)
