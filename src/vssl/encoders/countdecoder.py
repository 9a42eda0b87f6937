"""The decoder of event logs: a multinomial distribution over event types.

The order of the events is not reconstructed. The likelihood is that of independent draws in a given order, without the
multinomial coefficient (the neural document model of Miao et al. 2016, arXiv 1511.06038).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.encoders.base import Decoder
from vssl.types import Events

HIDDEN_WIDTH = 128


class CountDecoder(Decoder):
    """One hidden layer, then one logit per event type.

    Args:
        latent: D, the dimensions of the latent.
        shape: Number of event types, padding included, and maximum number of events per sample.
    """

    def __init__(self, latent: int, shape: tuple[int, int]) -> None:
        super().__init__()
        types, self.dimensions = shape
        self.layers = nn.Sequential(nn.Linear(latent, HIDDEN_WIDTH), nn.GELU(), nn.Linear(HIDDEN_WIDTH, types))

    def log_likelihood(self, z: Float[Tensor, "B D"], view: Events) -> Float[Tensor, " B"]:  # type: ignore[override]
        """ln p of the event types of each sample, drawn independently, in nats."""
        logits = self.layers(z).float()
        # Padding has probability 0: the distribution is over events.
        log_probabilities = torch.cat([torch.full_like(logits[:, :1], -torch.inf), logits[:, 1:]], dim=1).log_softmax(1)
        padding = view.tokens == 0
        return log_probabilities.gather(1, view.tokens).masked_fill(padding, 0.0).sum(1)
