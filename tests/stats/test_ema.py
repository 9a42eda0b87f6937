"""The teacher follows the student at the stated pace, in place and without gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vssl.stats.ema import ema_momentum, ema_update, ema_update_module


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


@settings(deadline=None, max_examples=30)
@given(st.floats(0.01, 1.0), st.integers(1, 200))
def test_after_one_half_life_the_difference_has_halved(half_life: float, updates: int) -> None:
    teacher, student = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    momentum = ema_momentum(half_life, step=half_life / updates)
    for _ in range(updates):
        ema_update([teacher], [student], momentum)
    torch.testing.assert_close(teacher, torch.full_like(teacher, 0.5))


def test_a_half_life_of_zero_makes_the_teacher_a_copy() -> None:
    assert ema_momentum(0.0, step=0.01) == 0.0
    teacher, student = network(0), network(1)
    ema_update_module(teacher, student, ema_momentum(0.0, step=0.01))
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, student.state_dict()[name]), name


def test_the_update_is_the_weighted_mean() -> None:
    teacher, student = torch.tensor([1.0, -2.0]), torch.tensor([3.0, 4.0])
    ema_update([teacher], [student], 0.75)
    torch.testing.assert_close(teacher, torch.tensor([1.5, -0.5]))


def test_a_ema_momentum_one_leaves_the_teacher_as_it_is() -> None:
    teacher = torch.tensor([1.0, -2.0])
    ema_update([teacher], [torch.tensor([3.0, 4.0])], 1.0)
    assert torch.equal(teacher, torch.tensor([1.0, -2.0]))


def test_integers_are_copied_and_running_statistics_averaged() -> None:
    teacher, student = network(0), network(1)
    student(torch.randn(8, 3) + 5)
    expected = 0.9 * teacher[1].running_mean + 0.1 * student[1].running_mean
    ema_update_module(teacher, student, 0.9)
    assert teacher[1].num_batches_tracked == 1
    torch.testing.assert_close(teacher[1].running_mean, expected)


def test_the_update_happens_in_place_without_gradients_and_spares_the_student() -> None:
    teacher, student = network(0), network(1)
    before = [parameter.clone() for parameter in student.parameters()]
    places = [parameter.data_ptr() for parameter in teacher.parameters()]
    ema_update_module(teacher, student, 0.5)
    assert [parameter.data_ptr() for parameter in teacher.parameters()] == places
    assert all(parameter.grad_fn is None and parameter.is_leaf for parameter in teacher.parameters())
    assert all(torch.equal(now, then) for now, then in zip(student.parameters(), before, strict=True))


def test_sides_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ema_update([torch.zeros(1), torch.zeros(1)], [torch.zeros(1)], 0.5)
