"""What every objective guarantees to the training loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.encoders.base import Encoder
from vssl.encoders.teacher import Teacher
from vssl.types import Latent, Loss, Point, View


class Objective(nn.Module, ABC):
    """A method of learning representations, with all that belongs to it: head, teacher, predictor, queue.

    Attributes:
        encoder: The network that is trained and that users keep.
        head: What stands on the encoder and gives the latent.
        teacher: The moving average of encoder and head, where the method has one.
        label: Column of the metadata that `forward` takes as `labels`; None for all methods that learn without.
        views: How many views of each sample `forward` takes in a step, an even number.
        progress: Share of the run that is done, 0..1; the loop writes it before each step.
    """

    encoder: Encoder
    head: nn.Module
    teacher: Teacher | None
    label: str | None = None
    views: int = 2
    progress: Float[Tensor, ""]

    def __init__(self) -> None:
        super().__init__()
        self.teacher = None
        self.register_buffer("progress", torch.zeros(()), persistent=False)

    @abstractmethod
    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        """The loss of one batch: all views have the same samples in the same order.

        Args:
            generator: Source of randomness on the device of the views.
        """

    def update(self, step: float, progress: float) -> None:
        """Called after each step of the optimiser.

        Args:
            step: Share of the run that the step stood for, 0..1.
            progress: Share of the run that is done, 0..1.
        """
        if self.teacher is not None:
            self.teacher.follow(self.student(), step, progress)

    def elbo(self, both: View, latent: Latent) -> Float[Tensor, "2*B"] | None:
        """How well each of two views of a sample explains the other; None where the method has no such bound.

        Args:
            both: The first views of all samples, then the second ones.
            latent: Of `both`, as `latent` gives it.

        Returns:
            In nats per latent dimension.
        """
        return None

    def student(self) -> nn.ModuleList:
        """What a teacher is a copy of."""
        return nn.ModuleList([self.encoder, self.head])

    def latent(self, features: Float[Tensor, "B F"]) -> Latent:
        """The latent of samples from their features: a Gaussian, or a point where the method has no variance."""
        return Point(self.head(features).float())
