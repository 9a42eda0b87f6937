"""Columns from comparing several random views of each sample: disagreement of their features, and the ELBO gap."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from vssl.training import devices
from vssl.training.model import Model
from vssl.types import View
from vssl.types.columns import EncodedViews, columns_of_views


def compare_views(model: Model, raw: Tensor, pairs: int) -> dict[str, Tensor]:
    """The columns of `pairs` pairs of random views of each raw sample; none for 0 pairs.

    Every sample is seen through the same views, so that the numbers can be compared between samples.
    """
    if not pairs:
        return {}
    directions: list[Tensor] = []
    elbo: list[Tensor] = []
    for both in _pairs_of_views(model, raw, pairs):
        features, latent = model(both)
        directions += F.normalize(features, dim=1).cpu().chunk(2)
        with devices.autocast(model.device, model.settings.precision):
            bound = model.objective.elbo(both, latent)
        elbo += [] if bound is None else bound.float().cpu().chunk(2)
    return columns_of_views(EncodedViews(torch.stack(directions), torch.stack(elbo) if elbo else None))


def _pairs_of_views(model: Model, raw: Tensor, pairs: int) -> Iterator[View]:
    """The first views of all samples and behind them the second ones, `pairs` times."""
    # Sample by sample: what is drawn for one of a batch depends on how many there are.
    generators = [(sample, torch.Generator(model.device).manual_seed(0)) for sample in torch.split(raw, 1)]
    for _ in range(pairs):
        drawn = [model.modality.views(sample, generator) for sample, generator in generators]
        views = [view for one in zip(*drawn, strict=True) for view in one]
        yield type(views[0]).cat(views)
