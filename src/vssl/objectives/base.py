"""What every objective promises to the training loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.encoders.base import Encoder
from vssl.types import Latent, Loss, View


class Objective(nn.Module, ABC):
    """A method of self-supervised learning, with all that belongs to it: heads, teacher, predictor, queue.

    Attributes:
        encoder: The network that is trained and that users keep.
    """

    encoder: Encoder

    @abstractmethod
    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        """The loss of one batch: all views have the same samples in the same order.

        Args:
            generator: Source of randomness on the device of the views.
        """

    @abstractmethod
    def update(self, step: float) -> None:
        """Called after each step of the optimiser; `step` is the share of the run that it stood for, 0..1."""

    @abstractmethod
    def latent(self, features: Float[Tensor, "B F"]) -> Latent:
        """The latent of samples from their features: a Gaussian, or a point where the method has no variance."""
