"""The momentum teacher: an exponential moving average of the student, without gradients."""

import copy
import math
from typing import Any

import torch
from torch import nn

from vssl.stats.ema import ema_momentum, ema_update_module
from vssl.types import View


class Teacher(nn.Module):
    """An exponential moving average of the student's networks.

    Args:
        student: The networks, each applied to the output of the one before.
        half_life: Fraction of the run in which the distance to a constant student halves, 0..1.
        cosine_momentum: Whether the momentum rises to 1 by a cosine over the run (Grill et al. 2020, arXiv 2006.07733,
            section 3.3); otherwise it is constant.
    """

    def __init__(self, student: nn.ModuleList, half_life: float, cosine_momentum: bool = False) -> None:
        super().__init__()
        self.networks = copy.deepcopy(student).requires_grad_(False)
        self.half_life = half_life
        self.cosine_momentum = cosine_momentum

    @torch.no_grad()
    def forward(self, view: View) -> Any:
        output: Any = view
        for network in self.networks:
            output = network(output)
        return output

    def ema_update(self, student: nn.ModuleList, step: float, progress: float) -> None:
        """Move the weights towards the student's.

        Args:
            step: Fraction of the run that the update covers, 0..1.
            progress: Fraction of the run that is done, 0..1.
        """
        momentum = ema_momentum(self.half_life, step)
        if self.cosine_momentum:
            momentum = 1 - (1 - momentum) * (math.cos(math.pi * progress) + 1) / 2
        ema_update_module(self.networks, student, momentum)
