"""What a training changes, `--train`: all weights, the head and the last stages of the encoder (adapt), or nothing.

Weights that were trained on other data are damaged in a few steps of usual training. Most of the damage is done by
batch normalisation, whose running statistics come to describe a small and uniform data set. Adapting therefore holds
them, trains the last third of the stages only, and lowers the learning rate from stage to stage towards the input
(Howard and Ruder 2018, arXiv 1801.06146, section 3.2). In the first steps the head is trained alone, because the
gradients of a random head distort features (Kumar et al. 2022, arXiv 2202.10054).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import Optimizer

from vssl.encoders.base import Encoder
from vssl.objectives.base import Objective
from vssl.training.settings import TrainMode
from vssl.types import Loss, View

Mode = Literal["all", "adapt", "none"]

ADAPTED_SHARE = 3  # the number of stages is divided by this, rounded up: the stages that are adapted
LAST_STAGE_RATE = 0.05  # learning rate of the last stage, as a fraction of the head's
STAGE_DECAY = 0.5  # factor of the rate per stage towards the input
HEAD_ALONE = 0.2  # fraction of the run in which the head alone is trained


def mode_of(train: TrainMode, encoder: Encoder) -> Mode:
    """The mode that a setting stands for: "auto" is none for pretrained weights, and all otherwise."""
    if train == "auto":
        return "none" if encoder.pretrained else "all"
    return train


class FrozenEncoder(Objective):
    """An encoder that is not trained. Without a trained head the latent is the features, as a point."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.head = nn.Identity()

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        raise NotImplementedError("An encoder that is not trained has no loss.")


def hold(objective: Objective, mode: Mode) -> dict[nn.Parameter, float]:
    """Hold the weights of the encoder that the mode does not train.

    Returns:
        For each weight with a learning rate of its own, this rate as a fraction of the head's.
    """
    if mode == "all":
        return {}
    rates = _adapted(objective.encoder) if mode == "adapt" else {}
    for parameter in objective.encoder.parameters():
        parameter.requires_grad_(parameter in rates)
    return rates


def _adapted(encoder: Encoder) -> dict[nn.Parameter, float]:
    stages = encoder.stage_parameters()
    adapted = stages[-max(1, -(-len(stages) // ADAPTED_SHARE)) :]
    rates = [LAST_STAGE_RATE * STAGE_DECAY**depth for depth in reversed(range(len(adapted)))]
    return {parameter: rate for stage, rate in zip(adapted, rates, strict=True) for parameter in stage}


def hold_encoder_at_first(optimizer: Optimizer, progress: float) -> None:
    """In the first steps, set the learning rates of the encoder to 0.

    Args:
        progress: Fraction of the run that is done, 0..1.
    """
    if progress < HEAD_ALONE:
        for group in optimizer.param_groups:
            if group["rate"] != 1:
                group["lr"] = 0.0


def set_training(objective: Objective, mode: Mode) -> None:
    """Training mode; adapting leaves the encoder, and the teacher's copy of it, in evaluation mode."""
    objective.train()
    if mode == "adapt":
        objective.encoder.eval()
        if objective.teacher is not None:
            objective.teacher.networks[0].eval()


@dataclass(frozen=True)
class TrainedWeights:
    """What was trained, as run.json holds it.

    Attributes:
        mode: all, adapt or none.
        trained: Number of parameters that are trained, the head's included.
        held: Number of the encoder's parameters that keep their initial values.
    """

    mode: Mode
    trained: int
    held: int

    @classmethod
    def of(cls, objective: Objective, mode: Mode) -> "TrainedWeights":
        """Counted after `hold`."""
        trained = sum(parameter.numel() for parameter in objective.parameters() if parameter.requires_grad)
        held = sum(parameter.numel() for parameter in objective.encoder.parameters() if not parameter.requires_grad)
        return cls(mode, trained, held)


def describe_weights(info: Mapping[str, Any]) -> str:
    """What was trained, from run.json, as a sentence; "" for a run that does not say it."""
    if not (weights := info.get("weights")):
        return ""
    if weights["mode"] == "none":
        return (
            f"Nothing was trained (--train none): the encoder keeps its {weights['held']:,} initial weights, and the "
            "latent of a sample is its features."
        )
    if weights["mode"] == "adapt":
        return (
            f"{weights['trained']:,} weights were trained, those of the head and of the encoder's last stages; "
            f"{weights['held']:,} weights and all normalisation statistics of the encoder were held (--train adapt)."
        )
    return f"All {weights['trained']:,} weights were trained."
