"""The momentum teacher against its formulas."""

import math

import pytest
import torch
from torch import nn

from vssl.encoders.teacher import Teacher


def pair(half_life: float, cosine_momentum: bool = False) -> tuple[Teacher, nn.ModuleList]:
    student = nn.ModuleList([nn.Linear(3, 2), nn.ReLU()])
    teacher = Teacher(student, half_life, cosine_momentum)
    nn.init.ones_(student[0].weight)
    nn.init.zeros_(teacher.networks[0].weight)
    return teacher, student


def weight(teacher: Teacher) -> float:
    return float(teacher.networks[0].weight.detach().mean())


def test_it_applies_one_network_after_the_other_without_gradients():
    teacher, _ = pair(0.1)
    teacher.networks[0].bias.fill_(-1.0)
    output = teacher(torch.ones(4, 3))
    assert torch.equal(output, torch.zeros(4, 2))
    assert not output.requires_grad
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_it_halves_its_distance_in_a_half_life_however_many_steps_that_takes():
    for steps in (1, 7, 100):
        teacher, student = pair(0.2)
        for _ in range(steps):
            teacher.ema_update(student, 0.2 / steps, progress=0.9)
        assert weight(teacher) == pytest.approx(0.5, abs=1e-4)


def test_cosine_momentum_follows_the_equation_of_byol():
    """tau = 1 - (1 - tau_base) (cos(pi k / K) + 1) / 2, from BYOL's section on the target network."""
    steps, expected, base = 50, 0.0, 0.5 ** (1 / 50 / 0.05)
    teacher, student = pair(0.05, cosine_momentum=True)
    for k in range(steps):
        tau = 1 - (1 - base) * (math.cos(math.pi * k / steps) + 1) / 2
        expected = tau * expected + (1 - tau) * 1.0
        teacher.ema_update(student, 1 / steps, progress=k / steps)
    assert weight(teacher) == pytest.approx(expected, abs=1e-4)


def test_at_the_end_of_the_run_it_rests():
    teacher, student = pair(0.05, cosine_momentum=True)
    teacher.ema_update(student, 0.5, progress=1.0)
    assert weight(teacher) == 0.0
