"""The decoder of event logs: how often each kind of event occurs, as a multinomial distribution.

The order of the events is not reconstructed. The likelihood is that of the sequence as independent draws, so it needs
no multinomial coefficient (the neural document model of Miao et al. 2016, arXiv 1511.06038).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.encoders.base import Decoder
from vssl.types import Events

HIDDEN_WIDTH = 128


class CountDecoder(Decoder):
    """One hidden layer, then a logit for each kind of event.

    Args:
        latent: D, the dimensions of the latent.
        shape: Kinds of events, padding included, and the most events of a sample.
    """

    def __init__(self, latent: int, shape: tuple[int, int]) -> None:
        super().__init__()
        kinds, self.dimensions = shape
        self.layers = nn.Sequential(nn.Linear(latent, HIDDEN_WIDTH), nn.GELU(), nn.Linear(HIDDEN_WIDTH, kinds))

    def log_likelihood(self, z: Float[Tensor, "B D"], view: Events) -> Float[Tensor, " B"]:  # type: ignore[override]
        """ln p of the kinds of a sample's events, each drawn by itself, in nats."""
        logits = self.layers(z).float()
        # Nothing can be padding, so the probabilities are those of events alone.
        possible = torch.cat([torch.full_like(logits[:, :1], -torch.inf), logits[:, 1:]], dim=1).log_softmax(1)
        there = view.tokens != 0
        return possible.gather(1, view.tokens).masked_fill(~there, 0.0).sum(1)
