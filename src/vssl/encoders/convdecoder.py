"""The decoder of images: convnet/small mirrored, with a Gaussian likelihood of one variance.

The variance is the mean squared error of the batch, its maximum-likelihood value (the optimal sigma-VAE of Rybkin et
al. 2021, arXiv 2006.13202), so that no weight between reconstruction and prior has to be tuned.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.encoders.base import Decoder
from vssl.stats.gather import gather
from vssl.stats.gaussian import LOG_TWO_PI
from vssl.types import Images

WIDTHS = (256, 128, 64)
# About the variance of rounding normalised pixels to 8 bits: no reconstruction needs to be more exact.
MIN_VARIANCE = 1e-5
MOMENTUM = 0.1  # of the running mean of the variance, as in torch's batch normalisation


class ConvDecoder(Decoder):
    """A linear layer to maps of an eighth of the image's side, then transposed convolutions of stride 2.

    For images with a shorter side of 64 pixels or more, the maps start from a sixteenth and the last stride is 4, to
    limit the cost. 1.2 M parameters for 128 latent dimensions and 32 x 32 x 3 values, as convnet/small.

    Args:
        latent: D, the dimensions of the latent.
        shape: Channels, height and width of the images.

    Attributes:
        variance: Running mean of the variance of the likelihood, used in evaluation mode.
    """

    variance: Tensor

    def __init__(self, latent: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, height, width = shape
        self.size = (height, width)
        self.dimensions = channels * height * width
        last = 4 if min(height, width) >= 64 else 2
        side = last * 2 ** (len(WIDTHS) - 1)
        self.map = (-(-height // side), -(-width // side), WIDTHS[0])
        self.first = nn.Linear(latent, self.map[0] * self.map[1] * self.map[2], bias=False)
        stages: list[nn.Module] = [nn.BatchNorm2d(WIDTHS[0]), nn.ReLU(inplace=True)]
        for inputs, outputs in pairwise(WIDTHS):
            stages += [_upsample(inputs, outputs, 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        self.stages = nn.Sequential(*stages, _upsample(WIDTHS[-1], channels, last, bias=True))
        self.register_buffer("variance", torch.ones(()))

    def forward(self, z: Float[Tensor, "B D"]) -> Float[Tensor, "B C H W"]:
        """The mean of the pixels, given the latent."""
        height, width = self.size
        maps = self.first(z).unflatten(1, self.map).movedim(3, 1)
        pixels: Tensor = self.stages(maps)
        return pixels[:, :, :height, :width]

    def log_likelihood(self, z: Float[Tensor, "B D"], view: Images) -> Float[Tensor, " B"]:  # type: ignore[override]
        """ln N(pixels; mean, variance) of each sample in nats.

        In training the variance is the mean squared error of the global batch. It needs no gradient: at its optimum,
        the derivative of the mean likelihood with respect to the variance is zero.
        """
        squares: Tensor = (view.pixels - self(z)).square().sum(dim=(1, 2, 3))
        variance = self._variance(squares) if self.training else self.variance
        return -0.5 * (squares / variance + self.dimensions * (variance.log() + LOG_TWO_PI))

    @torch.no_grad()
    def _variance(self, squares: Float[Tensor, " B"]) -> Float[Tensor, ""]:
        variance = gather(squares).mean().div(self.dimensions).clamp(min=MIN_VARIANCE)
        self.variance.lerp_(variance, MOMENTUM)
        return variance


def _upsample(inputs: int, outputs: int, factor: int, bias: bool) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 2 * factor, factor, factor // 2, bias=bias)
