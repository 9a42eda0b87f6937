"""BYOL against equation 2 of its paper, written as loops."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vssl.errors import ConfigError
from vssl.objectives import byol
from vssl.objectives.base import Objective
from vssl.types import Images


def equation_2(predictions: Tensor, targets: Tensor) -> float:
    """|q / |q| - z' / |z'||^2 with z' from the other view, averaged over all views."""
    count, total = len(predictions), 0.0
    for i in range(count):
        q, z = predictions[i], targets[(i + count // 2) % count]
        total += float((q / q.norm() - z / z.norm()).square().sum())
    return total / count


def test_the_distance_is_equation_2():
    generator = torch.Generator().manual_seed(0)
    predictions, targets = torch.randn(2, 10, 6, generator=generator, dtype=torch.float64)
    assert float(byol.squared_distance(predictions, targets)) == pytest.approx(equation_2(predictions, targets))


def test_the_student_predicts_the_teacher_of_the_other_view(
    make_objective: Callable[..., Objective], two_views: Callable[..., list[Images]]
):
    objective = make_objective(byol.Config(latent=16, hidden=32))
    with torch.no_grad():
        for parameter in objective.teacher.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    both = Images.cat(two_views())
    loss = objective(two_views())
    predictions = objective.predictor(objective.head(objective.encoder(both)))
    expected = equation_2(predictions.detach().double(), objective.teacher(both).double())
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("half_life", [0.0, 1.5])
def test_a_half_life_out_of_range_is_refused(half_life: float):
    with pytest.raises(ConfigError, match=rf"byol\.ema_half_life is {half_life}"):
        byol.Config(ema_half_life=half_life)
