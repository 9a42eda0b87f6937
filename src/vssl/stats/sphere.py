"""The von Mises-Fisher distribution on the unit sphere: density proportional to exp(concentration * direction . z).

Legend: B batch, D dimensions of the space, K samples.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def sample(
    direction: Float[Tensor, "B D"],
    concentration: Float[Tensor, "B 1"],
    samples: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "K B D"]:
    """K reparameterised samples each, of length 1: gradients flow to direction and concentration.

    The cosine to the direction is drawn by rejection (Wood 1994, with the gradient of Davidson et al. 2018, arXiv
    1804.00891, algorithms 1 and 2). As usual, the gradient to the concentration neglects that the acceptance rate
    depends on it too: it is up to 4 % too small in 16 dimensions, and 1 % in 128.

    Args:
        direction: Unit vectors, in float32 or float64, D at least 2.
        concentration: Above 0.
        samples: K.
        generator: Source of randomness on the device of the direction; None is the global one of torch. The number of
            draws hardly depends on the values: a rounding error changes one sample, not all that follow.
    """
    dimensions = direction.shape[1]
    root = (4 * concentration.square() + (dimensions - 1) ** 2).sqrt()
    b = (dimensions - 1) / (2 * concentration + root)
    with torch.no_grad():
        beta = _sample_beta(b, samples, dimensions, generator)
    scale = 1 - beta + b * beta
    cosine = (1 - beta - b * beta) / scale
    sine = 2 * b.sqrt() * (beta * (1 - beta)).sqrt() / scale
    noise = torch.randn(
        (samples, *direction.shape), generator=generator, dtype=direction.dtype, device=direction.device
    )
    tangent = noise - (noise * direction).sum(-1, keepdim=True) * direction
    return cosine * direction + sine * F.normalize(tangent, dim=-1)


def _sample_beta(
    b: Float[Tensor, "B 1"], samples: int, dimensions: int, generator: torch.Generator | None
) -> Float[Tensor, "K B 1"]:
    """Samples of Beta((D-1)/2, (D-1)/2) that Wood's test accepts, about two in three or more.

    With r = (1 + b) / 2(1 - (1 - b) beta), the test reads ln u <= (D-1)(ln r - r + 1).
    """
    shape = (samples, *b.shape)
    half = torch.full(shape, (dimensions - 1) / 2, dtype=b.dtype, device=b.device)
    beta, rejected = torch.zeros_like(half), torch.ones_like(half, dtype=torch.bool)
    # Each round draws for all samples, so that the draws of one do not depend on the others.
    while rejected.any():
        first, second = (torch._standard_gamma(half, generator=generator) for _ in range(2))
        beta = torch.where(rejected, first / (first + second), beta)
        ratio = (1 + b) / (2 * (1 - beta + b * beta))
        uniform = torch.rand(shape, generator=generator, dtype=b.dtype, device=b.device)
        # NaN concentrations are accepted, so that the loop ends and the caller sees a loss of NaN.
        rejected = rejected & (uniform.log() > (dimensions - 1) * (ratio.log() - ratio + 1))
    return beta
