"""Uniformity and alignment: are the features spread over the sphere, and do two views of a sample fall together?

Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the Hypersphere"
(ICML 2020), equations 1 and 2 with alpha = 2 and t = 2, on the normalised features. Lower is better for both.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from vssl.evaluation.base import Evidence, Skip, draw

NEEDS: frozenset[str] = frozenset()
MOST = 10_000  # samples drawn for the pairs, whose number grows with the square


def run(evidence: Evidence) -> Iterator[tuple[str, float | Skip]]:
    """Yield uniformity in [-8, 0] (of at most 10,000 drawn samples) and alignment in [0, 4]."""
    features = normalize(evidence.query.torch("features").float())
    yield "uniformity/uniformity", uniformity(features[draw(evidence.query, MOST, evidence.seed)])
    if evidence.second_view is None:
        yield "uniformity/alignment", Skip("no embeddings of a second view of the samples")
        return
    yield "uniformity/alignment", alignment(features, normalize(evidence.second_view.torch("features").float()))


def uniformity(features: Float[Tensor, "N F"]) -> float:
    """The logarithm of the mean of exp(-2 |x - y|^2) over all pairs of two samples."""
    parts = [torch.cdist(part, features).square().mul(-2).exp().double().sum() for part in features.split(1024)]
    count = len(features)
    return float(
        ((torch.stack(parts).sum() - count) / (count * (count - 1))).log()
    )  # less the pairs of a sample with itself


def alignment(features: Float[Tensor, "N F"], others: Float[Tensor, "N F"]) -> float:
    """The mean of |x - y|^2 over the pairs of views."""
    return float((features - others).square().sum(dim=1).mean())
