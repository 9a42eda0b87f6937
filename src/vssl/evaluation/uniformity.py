"""Uniformity and alignment: how evenly the features cover the sphere, and how near two views of a sample are.

Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the Hypersphere"
(ICML 2020), equations 1 and 2 with alpha = 2 and t = 2, on the normalised features.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from vssl.evaluation.base import EvalData, draw
from vssl.evaluation.metric import Metric, Skip

NEEDS: frozenset[str] = frozenset()
METRICS = {
    "uniformity/uniformity": Metric(
        "How evenly the embeddings cover the unit sphere; 0 means that all are the same point.", "lower", (-8, 0)
    ),
    "uniformity/alignment": Metric(
        "Mean squared distance between two views of a sample; small where augmentations have no effect.",
        "lower",
        (0, 4),
    ),
}
MAX_SAMPLES = 10_000  # for the pairs, whose number grows with the square


def run(data: EvalData) -> Iterator[tuple[str, float | Skip]]:
    """Yield uniformity, of at most 10,000 samples, and alignment."""
    features = normalize(data.query.torch("features").float())
    yield "uniformity/uniformity", uniformity(features[draw(data.query, MAX_SAMPLES, data.seed)])
    if data.second_view is None:
        yield "uniformity/alignment", Skip("there are no embeddings of a second view of the samples")
        return
    yield "uniformity/alignment", alignment(features, normalize(data.second_view.torch("features").float()))


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
