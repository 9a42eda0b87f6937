"""DINO against equation 2 and Algorithm 1 of its paper, written as loops."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vssl.errors import ConfigError
from vssl.objectives import dino
from vssl.objectives.base import Objective
from vssl.types import Images


def softmax(values: Tensor, temperature: float) -> list[float]:
    exponents = [math.exp(float(value) / temperature) for value in values]
    return [exponent / sum(exponents) for exponent in exponents]


def equation_2(student: Tensor, teacher: Tensor, centre: Tensor, temperatures: tuple[float, float]) -> float:
    """-sum over k of P_t(x')_k log P_s(x)_k with x' the other view, averaged over all views."""
    count, total = len(student), 0.0
    for i in range(count):
        shares = softmax(student[i], temperatures[0])
        targets = softmax(teacher[(i + count // 2) % count] - centre, temperatures[1])
        total -= sum(t * math.log(s) for t, s in zip(targets, shares, strict=True))
    return total / count


def test_the_loss_is_equation_2():
    student, teacher = torch.randn(2, 10, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    centre = torch.linspace(-1, 1, 6, dtype=torch.float64)
    loss = dino.cross_entropy(student, teacher - centre, (0.5, 0.2))
    assert float(loss) == pytest.approx(equation_2(student, teacher, centre, (0.5, 0.2)))


def test_the_objective_is_the_paper_s(make_objective: Callable[..., Objective], two_views: Callable[..., list[Images]]):
    objective = make_objective(dino.Config(latent=16, hidden=32, prototypes=8))
    objective.centre.copy_(torch.linspace(-0.5, 0.5, 8))
    both = Images.cat(two_views())
    loss = objective(two_views())
    student = objective.prototypes(objective.head(objective.encoder(both))).detach()
    expected = equation_2(student.double(), objective.teacher(both).double(), objective.centre.double(), (0.1, 0.04))
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-4)


def test_the_centre_follows_the_teacher_s_mean_after_the_step(
    make_objective: Callable[..., Objective], two_views: Callable[..., list[Images]]
):
    objective = make_objective(dino.Config(latent=16, hidden=32, prototypes=8, centre_half_life=0.1))
    objective(two_views())
    mean = objective.teacher(Images.cat(two_views())).mean(0)
    assert not objective.centre.any()
    objective.update(0.1, 0.1)
    torch.testing.assert_close(objective.centre, mean / 2)


@pytest.mark.parametrize("name", ["student_temperature", "teacher_temperature", "centre_half_life", "ema_half_life"])
def test_zero_is_refused(name: str):
    with pytest.raises(ConfigError, match=rf"dino\.{name} is 0\.0"):
        dino.Config(**{name: 0.0})
