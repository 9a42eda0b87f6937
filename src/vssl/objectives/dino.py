"""DINO: the student matches the teacher's soft assignment to prototypes (Caron et al. 2021, arXiv 2104.14294)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vssl.encoders.base import Encoder
from vssl.encoders.heads import projector
from vssl.encoders.teacher import Teacher
from vssl.errors import ConfigError
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective
from vssl.stats.ema import momentum_of
from vssl.stats.gather import gather
from vssl.types import Loss, View


@dataclass(frozen=True)
class Config:
    """DINO.

    Attributes:
        prototypes: Number of prototypes, K.
        student_temperature: Temperature of the student's softmax, above 0.
        teacher_temperature: Temperature of the teacher's softmax, above 0; lower is sharper.
        centre_half_life: Half-life of the teacher's centre as a share of the run, above 0 and up to 1.
        ema_half_life: Half-life of the teacher at the start, as a share of the run, above 0 and up to 1; its momentum
            rises to 1 towards the end.
        latent: Dimensions of the bottleneck before the prototypes.
        hidden: Width of the projector's hidden layers.
    """

    prototypes: int = 1024
    student_temperature: float = 0.1
    teacher_temperature: float = 0.04
    centre_half_life: float = 0.003
    ema_half_life: float = 0.01
    latent: int = 128
    hidden: int = 512

    def __post_init__(self) -> None:
        for name in ("student_temperature", "teacher_temperature"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"dino.{name} is {getattr(self, name)}; it must be above 0.")
        for name in ("centre_half_life", "ema_half_life"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"dino.{name} is {getattr(self, name)}; it must be above 0 and at most 1.")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return DINO(config, encoder)


def cross_entropy(
    student: Float[Tensor, "V*B K"], teacher: Float[Tensor, "V*B K"], temperatures: tuple[float, float]
) -> Float[Tensor, ""]:
    """H(teacher of the other view, student) of softmaxes (equation 2).

    The first B rows are one view and the last B the other.

    Args:
        student, teacher: Logits, those of the teacher centred already.
        temperatures: Of the student and of the teacher.
    """
    targets = (teacher / temperatures[1]).softmax(1).roll(len(teacher) // 2, 0)
    return F.cross_entropy(student / temperatures[0], targets)


class Prototypes(nn.Module):
    """Cosines between the bottleneck and K unit prototypes."""

    def __init__(self, inputs: int, count: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(F.normalize(torch.randn(count, inputs), dim=1))

    def forward(self, bottleneck: Float[Tensor, "B D"]) -> Float[Tensor, "B K"]:
        return F.linear(F.normalize(bottleneck, dim=1), F.normalize(self.weight, dim=1)).float()


class DINO(Objective):
    """Encoder, projector and prototypes; the teacher has all three, and a centre that keeps it from collapse."""

    centre: Tensor
    _batch_centre: Tensor

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.head = projector(encoder.features, config.hidden, config.latent, layers=3)
        self.prototypes = Prototypes(config.latent, config.prototypes)
        self.teacher = Teacher(self.student(), config.ema_half_life, settles=True)
        self.register_buffer("centre", torch.zeros(config.prototypes))
        self.register_buffer("_batch_centre", torch.zeros(config.prototypes), persistent=False)

    def student(self) -> nn.ModuleList:
        return nn.ModuleList([self.encoder, self.head, self.prototypes])

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        assert self.teacher is not None
        both = type(views[0]).cat(views)
        latent = self.latent(self.encoder(both))
        assigned = self.teacher(both)
        self._batch_centre = gather(assigned).mean(0)
        temperatures = self.config.student_temperature, self.config.teacher_temperature
        total = cross_entropy(self.prototypes(latent.mean), assigned - self.centre, temperatures)
        return Loss(total, latent.detach(), {"cross_entropy_nats": total.detach()})

    def update(self, step: float, progress: float) -> None:
        super().update(step, progress)
        self.centre.lerp_(self._batch_centre, 1 - momentum_of(self.config.centre_half_life, step))
