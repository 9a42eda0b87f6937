"""SimSiam against equations 1 to 4 of its paper, written as loops."""

import pytest
import torch
from torch import Tensor

from vssl.objectives import simsiam


def equation_4(p: Tensor, z: Tensor) -> float:
    """L = D(p1, stopgrad(z2)) / 2 + D(p2, stopgrad(z1)) / 2 with D = -cos, averaged over the samples."""
    half = len(p) // 2
    total = 0.0
    for i in range(half):
        for a, b in ((i, half + i), (half + i, i)):
            total += -float(p[a] @ z[b] / (p[a].norm() * z[b].norm())) / 2
    return total / half


def test_the_loss_is_equation_4():
    p, z = torch.randn(2, 10, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert float(simsiam.negative_cosine(p, z)) == pytest.approx(equation_4(p, z), rel=1e-5)


def test_equal_directions_give_minus_one_and_targets_get_no_gradient():
    p = torch.randn(4, 6).repeat(2, 1).requires_grad_()
    z = (3 * p.detach()).requires_grad_()
    loss = simsiam.negative_cosine(p, z)
    assert float(loss.detach()) == pytest.approx(-1.0)
    loss.backward()
    assert z.grad is None
