"""DINO: the student matches the teacher's soft assignment to prototypes (Caron et al. 2021, arXiv 2104.14294)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vssl.encoders.base import Encoder
from vssl.encoders.heads import projector
from vssl.encoders.teacher import Teacher
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective, check_ranges
from vssl.stats.ema import ema_momentum
from vssl.stats.gather import gather
from vssl.types import Loss, View


@dataclass(frozen=True)
class Config:
    """DINO.

    Attributes:
        prototypes: K, the number of prototypes. The default is 1/64 of the paper's, for small data sets.
        student_temperature: Temperature of the student's softmax, above 0. The default is the paper's.
        teacher_temperature: Temperature of the teacher's softmax, above 0; lower is sharper. The default is the paper's
            at the start of its schedule.
        centre_half_life: Half-life of the teacher's centre, as a fraction of the run, above 0 and up to 1.
        ema_half_life: Half-life of the teacher at the start of the run, as a fraction of the run, above 0 and up to 1.
            Its momentum rises to 1 by a cosine, as in BYOL (arXiv 2006.07733, section 3.3).
        latent: Dimensions of the bottleneck before the prototypes. The default is half of the paper's.
        hidden: Width of the projector's hidden layers. The default is a quarter of the paper's.
    """

    prototypes: int = 1024
    student_temperature: float = 0.1
    teacher_temperature: float = 0.04
    centre_half_life: float = 0.003
    ema_half_life: float = 0.01
    latent: int = 128
    hidden: int = 512

    def __post_init__(self) -> None:
        check_ranges(self, prototypes="[1, inf)", student_temperature="(0, inf)", teacher_temperature="(0, inf)")
        check_ranges(self, centre_half_life="(0, 1]", ema_half_life="(0, 1]", latent="[1, inf)", hidden="[1, inf)")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return DINO(config, encoder)


def cross_entropy(
    student: Float[Tensor, "VB K"], teacher: Float[Tensor, "VB K"], temperatures: tuple[float, float]
) -> Float[Tensor, ""]:
    """Cross entropy between the teacher's softmax of the other view and the student's (equation 2), in nats.

    Args:
        student, teacher: Logits of the first views of all samples, then of the second ones; the teacher's are centred.
        temperatures: Temperature of the student and of the teacher.
    """
    targets = (teacher / temperatures[1]).softmax(1).roll(len(teacher) // 2, 0)
    return F.cross_entropy(student / temperatures[0], targets)


class Prototypes(nn.Module):
    """Cosine similarity of the bottleneck to K unit prototypes."""

    def __init__(self, inputs: int, count: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(F.normalize(torch.randn(count, inputs), dim=1))

    def forward(self, bottleneck: Float[Tensor, "B D"]) -> Float[Tensor, "B K"]:
        return F.linear(F.normalize(bottleneck, dim=1), F.normalize(self.weight, dim=1)).float()


class DINO(Objective):
    """Encoder, projector and prototypes; the teacher is a copy of all, and its logits are centred against collapse."""

    centre: Float[Tensor, " K"]
    _batch_centre: Float[Tensor, " K"]

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.config = config
        self.head = projector(encoder.features, config.hidden, config.latent, layers=3)
        self.prototypes = Prototypes(config.latent, config.prototypes)
        self.teacher = Teacher(self.student(), config.ema_half_life, cosine_momentum=True)
        self.register_buffer("centre", torch.zeros(config.prototypes))
        self.register_buffer("_batch_centre", torch.zeros(config.prototypes), persistent=False)

    def student(self) -> nn.ModuleList:
        return nn.ModuleList([self.encoder, self.head, self.prototypes])

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        assert self.teacher is not None
        inputs = type(views[0]).cat(views)
        latent = self.latent(self.encoder(inputs))
        teacher_logits = self.teacher(inputs)
        self._batch_centre = gather(teacher_logits).mean(0)
        temperatures = self.config.student_temperature, self.config.teacher_temperature
        total = cross_entropy(self.prototypes(latent.mean), teacher_logits - self.centre, temperatures)
        return Loss(total, latent.detach(), {"cross_entropy_nats": total.detach()})

    def update(self, step: float, progress: float) -> None:
        super().update(step, progress)
        self.centre.lerp_(self._batch_centre, 1 - ema_momentum(self.config.centre_half_life, step))
