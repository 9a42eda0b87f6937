"""The momentum teacher: an exponential moving average of the student that is never trained itself."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import nn

from vssl.stats.ema import momentum_of, update_module
from vssl.types import View


class Teacher(nn.Module):
    """A copy of the student's networks that follows them slowly.

    Args:
        student: The networks, each applied to what the one before gives.
        half_life: Share of the run in which it halves its distance to a resting student, 0..1.
        settles: Whether its momentum rises to 1 with the cosine of the run (Grill et al. 2020, arXiv 2006.07733,
            section 3.3); otherwise it stays.
    """

    def __init__(self, student: nn.ModuleList, half_life: float, settles: bool = False) -> None:
        super().__init__()
        self.networks = copy.deepcopy(student).requires_grad_(False)
        self.half_life = half_life
        self.settles = settles

    @torch.no_grad()
    def forward(self, view: View) -> Any:
        output: Any = view
        for network in self.networks:
            output = network(output)
        return output

    def follow(self, student: nn.ModuleList, step: float, progress: float) -> None:
        """One update.

        Args:
            step: Share of the run that the update stands for, 0..1.
            progress: Share of the run that is done, 0..1.
        """
        distance_kept = momentum_of(self.half_life, step)
        if self.settles:
            distance_kept = 1 - (1 - distance_kept) * (math.cos(math.pi * progress) + 1) / 2
        update_module(self.networks, student, distance_kept)
