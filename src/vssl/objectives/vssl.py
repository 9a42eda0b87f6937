"""Variational self-supervised learning (Yavuz and Yanıkoğlu, arXiv 2504.04318), and the family around it.

The student's posterior q(z | one view) is held against a prior made from the other view by the teacher, an exponential
moving average of the student. Two switches span the family:

- `form`: Euclidean, or cosine with the means on the sphere of radius sqrt(D);
- `prior`: paired, the paper's KL(q || p) to the teacher's posterior of the other view; aggregate (extension), the
  mixture of the teacher's posteriors over the batch, for which the ELBO becomes ln overlap(i, i) / sum_j overlap(i, j);
  marginal (extension), the KL of the batch's aggregate posterior to N(0, I).

A cross-view denoising likelihood ln N(teacher's latent; prediction, variance) replaces reconstruction and gives the
variance its meaning: how far the two views' latents lie apart and, with `neighbour_weight` (extension), how far the
nearest other sample lies: a sample with no near neighbour is one that the encoder cannot place.
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
from vssl.objectives.base import Objective
from vssl.stats import gaussian
from vssl.stats.gather import gather, rank, world_size
from vssl.types import Gaussian, Latent, Loss, View


@dataclass(frozen=True)
class Config(NamedVariants):
    """VSSL; the defaults are those that did best in runs of minutes: the prior first, then the likelihood.

    Attributes:
        prior: paired (the paper), aggregate or marginal.
        form: cosine or euclidean.
        latent: D, the dimensions of the latent space.
        hidden: Width of the heads' hidden layers.
        variance: isotropic (one variance a sample) or diagonal (one a dimension).
        log_variance_range: Bounds of the log-variance, in nats.
        prior_weight: Weight of the prior term (the beta of a beta-VAE).
        likelihood_weight: Weight of the denoising likelihood.
        likelihood_ramp: Whether that weight grows from 0 with the share of the run that is done; otherwise it stays.
            First the prior tells samples apart, then the likelihood draws the views of each together (extension).
        likelihood_trains: all, or only the variance: then the squared error is a fixed target, and of the heads only
            that of the variance learns from the likelihood (and the predictor, if there is one).
        beta: The likelihood is weighted by the detached variance to this power (Seitzer et al. 2022, arXiv 2203.09168):
            0 is the plain likelihood, which pulls the harder the nearer the views are; 1 gives the means the gradient
            of a squared error.
        neighbour_weight: Share of the likelihood, 0..1, whose target is the nearest other sample of the batch, not the
            sample's own other view. Only the variance learns from it: neighbours are not pulled together.
        predictor: Whether a network g (the denoiser) predicts the teacher's latent from a sample of the posterior;
            without it the prediction is the posterior's mean.
        temperature: Start of the learned temperature of the aggregate prior, above 0.
        ema_half_life: Half-life of the teacher as a share of the run; 0: the student is its own teacher.
        views: Views of each sample in a step, an even number; each is held against every other one of its sample. A
            step of four takes half as many samples as one of two, and as long (Shidani et al. 2024, arXiv 2403.05490).
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
        low, high = self.log_variance_range
        checks = {
            "vssl.temperature must be above 0": self.temperature > 0,
            "vssl.log_variance_range must be an interval low < high": low < high,
            "vssl.ema_half_life is a share of the run, 0 to 1": 0 <= self.ema_half_life <= 1,
            "vssl.beta must be in 0 to 1": 0 <= self.beta <= 1,
            "vssl.neighbour_weight must be in 0 to 1": 0 <= self.neighbour_weight <= 1,
            "vssl.views must be an even number, 2 or more": self.views >= 2 and self.views % 2 == 0,
            "vssl.prior=marginal needs likelihood_trains=all, or nothing pulls the views together": (
                self.prior != "marginal" or self.likelihood_trains == "all"
            ),
        }
        for message, holds in checks.items():
            if not holds:
                raise ConfigError(f"{message}.")


def paper() -> Config:
    """The configuration of arXiv 2504.04318: paired prior, cosine form, diagonal Gaussians, EMA teacher, denoiser.

    The paper's abstract and equations leave open which variance the likelihood has; it is the posterior's here.
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
    """The prior alone trains the means, and the likelihood the variance: the default until version 0.7."""
    return Config(likelihood_weight=1.0, likelihood_ramp=False, likelihood_trains="variance", beta=0.0, predictor=False)


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return VSSL(config, encoder)


class VSSL(Objective):
    """Student (encoder and Gaussian head), teacher, and the denoiser."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__()
        self.config = config
        self.views = config.views
        self.encoder = encoder
        variances = config.latent if config.variance == "diagonal" else 1
        self.head = GaussianHead(encoder.features, config.hidden, config.latent, variances, config.log_variance_range)
        self.predictor = projector(config.latent, config.hidden, config.latent) if config.predictor else None
        self.log_temperature = nn.Parameter(torch.tensor(math.log(config.temperature)))
        self.log_temperature.requires_grad_(config.prior == "aggregate")
        self.teacher = Teacher(self.student(), config.ema_half_life) if config.ema_half_life > 0 else None

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        assert len(views) == self.views
        everything = type(views[0]).cat(views)
        posterior = self.latent(self.encoder(everything))
        prior = self._prior(everything, posterior)
        prior_term = self._prior_term(posterior, prior)
        log_likelihood = self._log_likelihood(posterior, prior.detach(), generator)
        reliance = (self.config.beta * posterior.log_variance.detach().mean(1)).exp()
        progress = self.progress if self.config.likelihood_ramp else 1
        prior_loss = self.config.prior_weight * prior_term
        likelihood_loss = -self.config.likelihood_weight * (reliance * log_likelihood).mean()
        parts = {
            "prior_nats": prior_term.detach(),
            "log_likelihood_nats": log_likelihood.detach().mean(),
            "temperature": self.log_temperature.detach().exp(),
        }
        # Minus the ELBO, without weights: with them the loss of a healthy run rises.
        watched = (prior_term - log_likelihood.mean()).detach()
        return Loss(prior_loss + progress * likelihood_loss, posterior.detach(), parts, watched)

    def latent(self, features: Float[Tensor, "B F"]) -> Gaussian:
        return self.head(features)

    def elbo(self, both: View, latent: Latent) -> Float[Tensor, "2*B"]:
        """ln N(prior's mean; posterior's mean, variance) - KL(q || p), in nats per latent dimension.

        The paired bound, of the sample alone, whatever prior it was trained with: an aggregate depends on the batch.
        """
        assert isinstance(latent, Gaussian)
        (other,) = _others(self._prior(both, latent), 2)
        prediction = latent.mean if self.predictor is None else self.predictor(self._place(latent.mean)).float()
        return (self._explains(other.mean, prediction, latent) - self._kl(latent, other)) / self.config.latent

    def _prior(self, views: View, posterior: Gaussian) -> Gaussian:
        return posterior if self.teacher is None else self.teacher(views)

    def _prior_term(self, posterior: Gaussian, prior: Gaussian) -> Float[Tensor, ""]:
        """The KL to the prior in nats: per latent dimension for paired and marginal, per sample for aggregate."""
        if self.config.prior == "aggregate":
            return -self._aggregate_elbo(posterior, prior).mean()
        if self.config.prior == "marginal":
            everyone = Gaussian(gather(posterior.mean), gather(posterior.log_variance))
            return gaussian.marginal_kl(everyone) / self.config.latent
        others = _others(prior.detach(), self.views)
        return _mean([self._kl(posterior, other).mean() for other in others]) / self.config.latent

    def _aggregate_elbo(self, posterior: Gaussian, prior: Gaussian) -> Float[Tensor, "V*B"]:
        """ln overlap(i, i') / (overlap(i, i') + sum_j overlap(i, j)), in nats, averaged over the other views i' of i.

        j runs over all views of all other samples. All overlaps have one learned variance, T D / 2 on each side, so
        that the temperature and each sample's own variance, which the likelihood trains, stay apart.
        """
        shared = (self.log_temperature + math.log(self.config.latent / 2)).expand(len(posterior), 1)
        queries = Gaussian(self._place(posterior.mean), shared)
        keys = Gaussian(gather(self._place(prior.mean)), gather(shared))
        overlaps = gaussian.log_overlap_matrix(queries, keys)
        same = self._same_sample(len(posterior), overlaps.device)
        strangers = overlaps.scatter(1, same, -torch.inf).logsumexp(1, keepdim=True)
        own = overlaps.gather(1, same[:, 1:])
        return (own - torch.logaddexp(own, strangers)).mean(1)

    def _same_sample(self, rows: int, device: torch.device) -> Int64[Tensor, "V*B V"]:
        """For each row the numbers of the views of its sample among those of all processes, its own first."""
        own = torch.arange(rows, device=device)
        turns = [own.roll(-turn * (rows // self.views)) for turn in range(self.views)]
        return torch.stack(turns, 1) + rank() * rows

    def _log_likelihood(
        self, posterior: Gaussian, prior: Gaussian, generator: torch.Generator | None
    ) -> Float[Tensor, "V*B"]:
        """ln N(target; prediction, variance) in nats per latent dimension.

        The targets are the teacher's latents of the other views, and for a share that of the nearest other sample.
        """
        prediction = posterior.mean if self.predictor is None else self._sample(posterior, generator)
        if self.config.likelihood_trains == "variance":
            prediction = prediction.detach()
        if self.predictor is not None:
            prediction = self.predictor(prediction).float()
        share = self.config.neighbour_weight
        others = [self._explains(other.mean, prediction, posterior) for other in _others(prior, self.views)]
        log_likelihood = (1 - share) * _mean(others)
        if share:
            log_likelihood = log_likelihood + share * self._explains(
                self._nearest(prior.mean), prediction.detach(), posterior
            )
        return log_likelihood / self.config.latent

    def _sample(self, posterior: Gaussian, generator: torch.Generator | None) -> Float[Tensor, "V*B D"]:
        """One sample a row. Every process draws for all: a run must not depend on how many there are."""
        rows, device = len(posterior) // self.views, posterior.mean.device
        everyone = torch.randn(self.views, world_size() * rows, self.config.latent, generator=generator, device=device)
        noise = everyone[:, rank() * rows : (rank() + 1) * rows].flatten(0, 1)
        return gaussian.sample(Gaussian(self._place(posterior.mean), posterior.log_variance), noise=noise)

    def _explains(self, target: Float[Tensor, "V*B D"], prediction: Tensor, posterior: Gaussian) -> Tensor:
        return gaussian.log_likelihood(target, prediction, posterior.log_variance, self.config.form)

    def _nearest(self, mean: Float[Tensor, "V*B D"]) -> Float[Tensor, "V*B D"]:
        """For each latent that of the nearest other sample, among all processes."""
        everyone = gather(mean)
        distances = torch.cdist(self._place(mean), self._place(everyone))
        return everyone[distances.scatter(1, self._same_sample(len(mean), mean.device), torch.inf).argmin(1)]

    def _kl(self, q: Gaussian, p: Gaussian) -> Float[Tensor, "V*B"]:
        return gaussian.kl_cosine(q, p) if self.config.form == "cosine" else gaussian.kl_euclidean(q, p)

    def _place(self, mean: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        return gaussian.to_sphere(mean) if self.config.form == "cosine" else mean


def _others(latents: Gaussian, views: int) -> list[Gaussian]:
    """The latents in as many other orders as there are other views: in each, every row meets another of its sample."""
    shifts = [turn * (len(latents) // views) for turn in range(1, views)]
    return [Gaussian(latents.mean.roll(shift, 0), latents.log_variance.roll(shift, 0)) for shift in shifts]


def _mean(terms: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(terms)).mean(0)
