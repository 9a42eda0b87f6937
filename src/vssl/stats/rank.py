"""Effective rank and standard deviation of a representation: the figures that show a collapse without labels."""

import torch
from jaxtyping import Float
from torch import Tensor


def effective_rank(features: Float[Tensor, "N D"]) -> Float[Tensor, ""]:
    """Exp of the entropy of the normalised singular values of the centred features: 1..min(N - 1, D), in float64.

    Constant features have rank 0. Computed through the smaller of the two Gram matrices.

    Source: Roy and Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO 2007.
    """
    # In float32, rounding errors of the eigenvalues would add singular values of 3e-4 of the largest one.
    shifted = features.double()
    # Makes constant features exactly zero, which the rounding of the mean would not.
    shifted = shifted - shifted[:1]
    centred = shifted - shifted.mean(0)
    gram = centred @ centred.mT if len(centred) < centred.shape[1] else centred.mT @ centred
    eigenvalues = torch.linalg.eigvalsh(gram)
    rounding = len(gram) * torch.finfo(gram.dtype).eps * eigenvalues[-1]
    singular_values = torch.where(eigenvalues > rounding, eigenvalues, 0).sqrt()
    total = singular_values.sum()
    return torch.special.entr(singular_values / total).sum().exp() if total > 0 else total


def dimension_std(features: Float[Tensor, "N D"]) -> Float[Tensor, " D"]:
    """Standard deviation of each dimension over the N samples (divided by N, so that one sample gives 0)."""
    return features.to(torch.promote_types(features.dtype, torch.float32)).std(0, correction=0)
