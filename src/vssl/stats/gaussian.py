"""Diagonal Gaussians: densities, samples, divergences, overlaps.

Legend: B and M batch, D latent, s variance, q posterior, p prior. Every result is in nats, per sample, summed over D.
A log-variance of width 1 is the variance of all D dimensions. Half precision is computed and returned in float32.
Precisions and ratios above e^60 are continued by the tangent of exp, so that losses and gradients of extreme
log-variances stay finite in float32.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from vssl.errors import ConfigError
from vssl.types import Gaussian

LOG_TWO_PI = math.log(2 * math.pi)
# e^60 times a squared distance, summed over thousands of dimensions, is far below the largest float32.
_EXPONENT_LIMIT = 60.0
# Elements of one block of the diagonal overlap matrix: 16 MiB in float32, about what a processor's cache holds.
_BLOCK = 2**22


def log_density(z: Float[Tensor, "B D"], gaussian: Gaussian) -> Float[Tensor, " B"]:
    """ln N(z; mean, s), in nats."""
    difference = _at_least_float32(z) - _at_least_float32(gaussian.mean)
    return _log_normal(difference.square(), _at_least_float32(gaussian.log_variance)).sum(-1)


def sample(
    gaussian: Gaussian, generator: torch.Generator | None = None, noise: Float[Tensor, "B D"] | None = None
) -> Float[Tensor, "B D"]:
    """One reparameterised sample per row: gradients flow to mean and log-variance.

    Args:
        generator: Source of randomness on the device of the Gaussian; None is the global one of torch.
        noise: Standard normal numbers to use; None draws them.
    """
    mean = _at_least_float32(gaussian.mean)
    if noise is None:
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
    return mean + noise * (0.5 * _at_least_float32(gaussian.log_variance)).exp()


def to_sphere(mean: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
    """The means scaled onto the sphere of radius sqrt(D), where squared distances are 2D(1 - cos).

    A mean shorter than 1e-6 has no reliable direction: it is scaled by a constant, so that zero is mapped to zero with
    finite gradients.
    """
    return F.normalize(_at_least_float32(mean), dim=-1, eps=1e-6) * math.sqrt(mean.shape[-1])


def kl_euclidean(q: Gaussian, p: Gaussian) -> Float[Tensor, " B"]:
    """KL(q || p) in nats: never negative, and exactly 0 for equal inputs.

    Source: the prior term of the ELBO in Yavuz and Yanıkoğlu, arXiv 2504.04318.
    """
    log_variance_p = _at_least_float32(p.log_variance)
    log_ratio = _at_least_float32(q.log_variance) - log_variance_p
    distance = (_at_least_float32(q.mean) - _at_least_float32(p.mean)).square() * _exp(-log_variance_p)
    return 0.5 * (distance + _exp_excess(log_ratio)).sum(-1)


def kl_cosine(q: Gaussian, p: Gaussian) -> Float[Tensor, " B"]:
    """KL(q || p) in nats with both means on the sphere of radius sqrt(D).

    An isotropic p makes the mean term D(1 - cos)/s.

    Source: the cosine form of arXiv 2504.04318. Where p is not isotropic, this form is an extension.
    """
    return kl_euclidean(_on_sphere(q), _on_sphere(p))


def log_likelihood(
    target: Float[Tensor, "B D"],
    prediction: Float[Tensor, "B D"],
    log_variance: Float[Tensor, "B #D"],
    form: Literal["euclidean", "cosine"],
) -> Float[Tensor, " B"]:
    """The denoising likelihood ln N(target; prediction, s), in nats; the cosine form puts both on the sphere first.

    Source: cross-view denoising and its cosine form, arXiv 2504.04318.
    """
    if form == "cosine":
        target, prediction = to_sphere(target), to_sphere(prediction)
    return log_density(target, Gaussian(prediction, log_variance))


def log_overlap(q: Gaussian, p: Gaussian) -> Float[Tensor, " B"]:
    """ln of the integral of q(z) p(z) dz = ln N(mean_q - mean_p; 0, s_q + s_p), in nats. Extension."""
    return _overlaps(q.mean, q.log_variance, p)


def log_overlap_matrix(q: Gaussian, p: Gaussian) -> Float[Tensor, "B M"]:
    """`log_overlap` of each of the B Gaussians of q with each of the M of p, in nats. Extension.

    Log-variances of width 1 on both sides need one matrix product: O(BM) memory, and squared distances rounded to
    about 1e-6 (float32) of the squared lengths. Otherwise blocks are computed, and again in the backward pass.
    """
    if q.log_variance.shape[-1] == 1 and p.log_variance.shape[-1] == 1:
        return _isotropic_overlaps(q, p)
    rows = max(1, _BLOCK // p.mean.numel())
    blocks = zip(torch.split(q.mean, rows), torch.split(q.log_variance, rows), strict=True)
    return torch.cat(
        [
            checkpoint(
                _overlaps, mean[:, None], log_variance[:, None], p, use_reentrant=False, preserve_rng_state=False
            )
            for mean, log_variance in blocks
        ]
    )


def bound(log_variance: Float[Tensor, "*shape"], low: float, high: float) -> Float[Tensor, "*shape"]:
    """A raw log-variance bounded smoothly to low..high, in nats: slope 1 in the middle, 0 far outside. Extension.

    The result is strictly inside in exact arithmetic; rounding may reach the bounds.

    Raises:
        ConfigError: low is not below high.
    """
    if not low < high:
        raise ConfigError(f"The log-variance is bounded to {low}..{high}; the lower bound must be below the upper one.")
    middle, half = (low + high) / 2, (high - low) / 2
    return (middle + half * ((_at_least_float32(log_variance) - middle) / half).tanh()).clamp(low, high)


def marginal_kl(gaussian: Gaussian) -> Float[Tensor, ""]:
    """KL in nats between the batch's aggregate posterior, by its moments, and N(0, I). Extension.

    1/2 [tr S + m'm - D - ln det S] with m the mean of the means and S = Cov(means) + diag(mean variance), any B and D.
    The variance is at least 10 machine epsilons of the total variance of the means, so that S can be inverted.
    """
    with torch.autocast(gaussian.mean.device.type, enabled=False):
        mean = _at_least_float32(gaussian.mean)
        centre = mean.mean(0)
        deviation = (mean - centre) / math.sqrt(len(mean))
        floor = 10 * torch.finfo(mean.dtype).eps * deviation.detach().square().sum()
        variance = _exp(_at_least_float32(gaussian.log_variance)).mean(0).expand_as(centre).maximum(floor)
        # Divided by the noise, S is the identity plus a Gram matrix: its eigenvalues are at least 1, and the smaller of
        # the two Gram matrices has the same determinant.
        scaled: Tensor = deviation * variance.rsqrt()
        gram = scaled @ scaled.mT if len(scaled) < len(centre) else scaled.mT @ scaled
        log_determinant: Tensor = torch.linalg.slogdet(torch.eye(len(gram)).to(gram) + gram).logabsdet
        squares = deviation.square().sum(0) + centre.square()
        return 0.5 * ((squares + variance - 1 - variance.log()).sum() - log_determinant)


def _at_least_float32(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _on_sphere(gaussian: Gaussian) -> Gaussian:
    return Gaussian(to_sphere(gaussian.mean), gaussian.log_variance)


def _exp(exponent: Tensor) -> Tensor:
    return exponent.clamp(max=_EXPONENT_LIMIT).exp() * (1 + F.relu(exponent - _EXPONENT_LIMIT))


def _exp_excess(exponent: Tensor) -> Tensor:
    """exp(x) - 1 - x, without the cancellation near zero."""
    limited = exponent.clamp(max=_EXPONENT_LIMIT)
    return limited.expm1() - limited + F.relu(exponent - _EXPONENT_LIMIT) * math.expm1(_EXPONENT_LIMIT)


def _log_normal(squared_distance: Tensor, log_variance: Tensor) -> Tensor:
    return -0.5 * (squared_distance * _exp(-log_variance) + log_variance + LOG_TWO_PI)


def _isotropic_overlaps(q: Gaussian, p: Gaussian) -> Tensor:
    log_variance = torch.logaddexp(_at_least_float32(q.log_variance), _at_least_float32(p.log_variance).mT)
    # Distances do not depend on the origin; one near the data loses fewer digits in the expanded square.
    origin = _at_least_float32(p.mean).detach().mean(0)
    left, right = _at_least_float32(q.mean) - origin, _at_least_float32(p.mean) - origin
    with torch.autocast(left.device.type, enabled=False):
        product = left @ right.mT
    squares = left.square().sum(-1, keepdim=True) + right.square().sum(-1)
    squared_distance = (squares - 2 * product).clamp(min=0)
    dimensions = left.shape[-1]
    return -0.5 * (squared_distance * _exp(-log_variance) + dimensions * (log_variance + LOG_TWO_PI))


def _overlaps(mean: Tensor, log_variance: Tensor, p: Gaussian) -> Tensor:
    total = torch.logaddexp(_at_least_float32(log_variance), _at_least_float32(p.log_variance))
    return _log_normal((_at_least_float32(mean) - _at_least_float32(p.mean)).square(), total).sum(-1)
