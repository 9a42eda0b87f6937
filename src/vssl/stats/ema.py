"""Exponential moving averages of weights: theta_t <- tau theta_t + (1 - tau) theta_s (arXiv 2504.04318)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def momentum_of(half_life: float, step: float) -> float:
    """The momentum tau with which the teacher halves its distance to a resting student within one half-life. Extension.

    Args:
        half_life: Share of the run, 0..1; at 0 the teacher is a copy of the student.
        step: Share of the run that one update stands for, 0..1.
    """
    return 0.5 ** (step / half_life) if half_life else 0.0


@torch.no_grad()
def ema_update(teacher: Iterable[Tensor], student: Iterable[Tensor], momentum: float) -> None:
    """Move the teacher's tensors towards the student's, in place; integers, such as counters, are copied.

    Args:
        momentum: tau in 0..1; at 0 the teacher becomes a copy of the student, at 1 it stays as it is.

    Raises:
        ValueError: There are more tensors on one side.
    """
    averaged, sources = [], []
    for target, source in zip(teacher, student, strict=True):
        if target.is_floating_point():
            averaged.append(target)
            sources.append(source)
        else:
            target.copy_(source)
    if averaged:
        torch._foreach_lerp_(averaged, sources, 1 - momentum)


def update_module(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """`ema_update` of all parameters and buffers.

    Running statistics are averaged like the weights: those of the student alone describe the activations of other
    weights than the teacher has.
    """
    ema_update(teacher.parameters(), student.parameters(), momentum)
    ema_update(teacher.buffers(), student.buffers(), momentum)
