"""Tells from the feature maps of an encoder which patches of a picture were altered; a small convolutional network.

It is trained on synthetic anomalies, see `vssl.training.patch_discriminator`: the idea of CutPaste (Li et al. 2021,
arXiv 2104.04015), and on frozen features as in SimpleNet (Liu et al. 2023, arXiv 2303.15140).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vssl.encoders.fitted_buffers import FittedBuffers

WIDTHS = (96, 48)
"""Channels after the first and the second convolution."""


class PatchDiscriminator(FittedBuffers):
    """From raw feature maps to the log-odds that each patch was altered: convolutions of 1 x 1, 3 x 3 and 1 x 1.

    Standardisation and batch normalisation are part of the first two convolutions. All weights are buffers, so that no
    optimiser, moving average or count of the encoder's own weights meets them; they are empty until `fit`.
    """

    kernel_1: Tensor
    bias_1: Tensor
    kernel_2: Tensor
    bias_2: Tensor
    kernel_3: Tensor
    bias_3: Tensor

    def __init__(self) -> None:
        super().__init__()
        for layer in (1, 2, 3):
            self.register_buffer(f"kernel_{layer}", torch.zeros(0, 0, 1, 1))
            self.register_buffer(f"bias_{layer}", torch.zeros(0))

    @property
    def fitted(self) -> bool:
        return len(self.bias_3) > 0

    def fit(self, mean: Float[Tensor, " C"], scale: Float[Tensor, " C"], network: nn.Sequential) -> None:
        """Take over a trained network of `untrained`, and what its input was standardised by."""
        convolutions = [layer for layer in network if isinstance(layer, nn.Conv2d)]
        norms = [layer for layer in network if isinstance(layer, nn.BatchNorm2d)]
        for number, convolution in enumerate(convolutions, start=1):
            kernel, bias = convolution.weight.detach().double(), convolution.bias.detach().double()  # type: ignore[union-attr]
            if number == 1:
                kernel = kernel / scale[:, None, None].double()
                bias = bias - (kernel[:, :, 0, 0] @ mean.double())
            if number <= len(norms):
                norm = norms[number - 1]
                assert norm.running_mean is not None
                assert norm.running_var is not None
                factor = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
                kernel = kernel * factor[:, None, None, None]
                bias = (bias - norm.running_mean.double()) * factor + norm.bias.detach().double()
            setattr(self, f"kernel_{number}", kernel.float().contiguous())
            setattr(self, f"bias_{number}", bias.float().contiguous())

    def forward(self, maps: Float[Tensor, "B C h w"]) -> Float[Tensor, "B h w"] | None:
        """The log-odds of each patch; None where `fit` was never called."""
        if not self.fitted:
            return None
        hidden = F.relu(F.conv2d(maps, self.kernel_1, self.bias_1))
        hidden = F.relu(F.conv2d(hidden, self.kernel_2, self.bias_2, padding=1))
        logits: Tensor = F.conv2d(hidden, self.kernel_3, self.bias_3)
        return logits[:, 0]


def untrained(channels: int) -> nn.Sequential:
    """The network to train, for standardised maps, with random weights from torch's generator."""
    return nn.Sequential(
        nn.Conv2d(channels, WIDTHS[0], 1),
        nn.BatchNorm2d(WIDTHS[0]),
        nn.ReLU(),
        nn.Conv2d(WIDTHS[0], WIDTHS[1], 3, padding=1),
        nn.BatchNorm2d(WIDTHS[1]),
        nn.ReLU(),
        nn.Conv2d(WIDTHS[1], 1, 1),
    )
