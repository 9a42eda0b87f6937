"""Exponential moving averages of weights: theta_t <- tau theta_t + (1 - tau) theta_s (arXiv 2504.04318)."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def ema_momentum(half_life: float, step: float) -> float:
    """The momentum tau that halves the distance to a constant student within one half-life. Extension.

    Args:
        half_life: Fraction of the run, 0..1; at 0 the teacher is a copy of the student.
        step: Fraction of the run that one update covers, 0..1.
    """
    return 0.5 ** (step / half_life) if half_life else 0.0


@torch.no_grad()
def ema_update(teacher: Iterable[Tensor], student: Iterable[Tensor], momentum: float) -> None:
    """Move the teacher's tensors towards the student's, in place; integers, such as counters, are copied.

    Args:
        momentum: tau, 0..1; at 0 the teacher becomes a copy of the student, at 1 it does not change.

    Raises:
        ValueError: The numbers of tensors differ.
    """
    averages, sources = [], []
    for target, source in zip(teacher, student, strict=True):
        if target.is_floating_point():
            averages.append(target)
            sources.append(source)
        else:
            target.copy_(source)
    if averages:
        torch._foreach_lerp_(averages, sources, 1 - momentum)


def ema_update_module(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """`ema_update` of all parameters and buffers.

    Running statistics are averaged like the weights: those of the student describe the activations of its own weights.
    """
    ema_update(teacher.parameters(), student.parameters(), momentum)
    ema_update(teacher.buffers(), student.buffers(), momentum)
