"""The decoder of windows of series: a few convolutions, with a Gaussian likelihood of one variance.

The variance is the mean squared error of the batch over the values that are not missing, as in `convdecoder`.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.encoders.base import Decoder
from vssl.stats.gather import gather
from vssl.stats.gaussian import LOG_TWO_PI
from vssl.types import Series

WIDTH, KNOTS = 64, 8
MIN_VARIANCE = 1e-4  # of scaled values: no reconstruction needs to be more exact
MOMENTUM = 0.1


class TemporalDecoder(Decoder):
    """A linear layer to `KNOTS` points in time, linear interpolation to the window, then convolutions.

    Args:
        latent: D, the dimensions of the latent.
        shape: Channels and rows of the windows.

    Attributes:
        variance: Running mean of the variance of the likelihood, used in evaluation mode.
    """

    variance: Tensor

    def __init__(self, latent: int, shape: tuple[int, int]) -> None:
        super().__init__()
        channels, rows = shape
        self.dimensions = channels * rows
        self.first = nn.Linear(latent, WIDTH * KNOTS, bias=False)
        self.interpolate = nn.Upsample(rows, mode="linear", align_corners=True)
        self.stages = nn.Sequential(
            nn.BatchNorm1d(WIDTH),
            nn.ReLU(inplace=True),
            nn.Conv1d(WIDTH, WIDTH, 5, padding=2, bias=False),
            nn.BatchNorm1d(WIDTH),
            nn.ReLU(inplace=True),
            nn.Conv1d(WIDTH, channels, 5, padding=2),
        )
        self.register_buffer("variance", torch.ones(()))

    def forward(self, z: Float[Tensor, "B D"]) -> Float[Tensor, "B C T"]:
        """The mean of the values, given the latent."""
        values: Tensor = self.stages(self.interpolate(self.first(z).unflatten(1, (WIDTH, KNOTS))))
        return values

    def log_likelihood(self, z: Float[Tensor, "B D"], view: Series) -> Float[Tensor, " B"]:  # type: ignore[override]
        """ln N(measured values; mean, variance) of each sample in nats, see `ConvDecoder.log_likelihood`."""
        squares: Tensor = ((view.values - self(z)).square() * view.known).sum((1, 2))
        known = view.known.sum((1, 2))
        variance = self._variance(squares, known) if self.training else self.variance
        return -0.5 * (squares / variance + known * (variance.log() + LOG_TWO_PI))

    @torch.no_grad()
    def _variance(self, squares: Float[Tensor, " B"], known: Float[Tensor, " B"]) -> Float[Tensor, ""]:
        variance = (gather(squares).sum() / gather(known).sum().clamp(min=1)).clamp(min=MIN_VARIANCE)
        self.variance.lerp_(variance, MOMENTUM)
        return variance
