"""The interface of an objective: what the training loop calls and what a module of this folder must offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.config import name_of
from vssl.encoders.base import Encoder
from vssl.encoders.teacher import Teacher
from vssl.errors import ConfigError
from vssl.modalities.base import Modality
from vssl.types import Latent, Loss, Point, View


@runtime_checkable
class ObjectiveModule(Protocol):
    """A module of this folder, as `vssl.config.find("objectives", name)` returns it.

    Attributes:
        Config: Frozen dataclass of the settings. Its docstring is the help of the command line.
    """

    Config: type[Any]

    def build(self, config: Any, encoder: Encoder, modality: Modality) -> Objective:
        """The objective, with untrained weights from torch's global generator."""


class Objective(nn.Module, ABC):
    """A method of representation learning with its networks: encoder, head, teacher, predictor.

    Attributes:
        encoder: The network that is trained and that users keep.
        head: Maps the features to the latent; see `latent`.
        teacher: The exponential moving average of the student; None where the method has none.
        label: Metadata column whose classes `forward` takes as `labels`; None for methods that learn without labels.
        views: V, the number of views of each sample per step, an even number.
        progress: Fraction of the run that is done, 0..1. The training loop sets it before each step.
    """

    head: nn.Module
    teacher: Teacher | None
    label: str | None = None
    views: int = 2
    progress: Float[Tensor, ""]

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.teacher = None
        self.register_buffer("progress", torch.zeros(()), persistent=False)

    @abstractmethod
    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        """The loss of one batch.

        Args:
            views: V views of B samples each, in the same order of the samples.
            generator: Source of randomness, on the device of the views.
        """

    def update(self, step: float, progress: float) -> None:
        """Update what is not trained by gradients. The training loop calls it after each optimiser step.

        Args:
            step: Fraction of the run that the step covers, 0..1.
            progress: Fraction of the run that is done, 0..1.
        """
        if self.teacher is not None:
            self.teacher.ema_update(self.student(), step, progress)

    def elbo(self, views: View, latent: Latent) -> Float[Tensor, " VB"] | None:
        """The evidence lower bound of each view, given the other view of its sample; None without such a bound.

        Args:
            views: The first views of all samples, then the second ones.
            latent: Latent of `views`, see `latent`.

        Returns:
            In nats per latent dimension.
        """
        return None

    def student(self) -> nn.ModuleList:
        """The networks that a teacher is a copy of."""
        return nn.ModuleList([self.encoder, self.head])

    def latent(self, features: Float[Tensor, "B F"]) -> Latent:
        """The latent of each sample: a Gaussian, or a point for methods without a variance."""
        return Point(self.head(features).float())


def check_ranges(config: object, **intervals: str) -> None:
    """Check settings against intervals in mathematical notation, such as `temperature="(0, inf)"`.

    Raises:
        ConfigError: A setting is outside its interval.
    """
    for name, interval in intervals.items():
        value, (low, high) = getattr(config, name), map(float, interval[1:-1].split(","))
        inside = low <= value <= high
        if not inside or (interval[0] == "(" and value == low) or (interval[-1] == ")" and value == high):
            raise ConfigError(f"{name_of(config)}.{name} is {value}; it must be in the range {interval}.")


def check_increasing(config: object, name: str) -> None:
    """Check that a setting is an interval (low, high) with low < high.

    Raises:
        ConfigError: It is not.
    """
    low, high = getattr(config, name)
    if not low < high:
        raise ConfigError(f"{name_of(config)}.{name} is {low}..{high}; its first number must be below the second.")
