"""What every objective keeps; objectives are found by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from vssl.config import member, members, variants
from vssl.objectives import mcinfonce, vae, vssl
from vssl.objectives.base import Objective
from vssl.types import Gaussian, Images, Point

Make = Callable[..., Objective]
Views = Callable[[Objective], list[Images]]


def cases() -> dict[str, Any]:
    found = {name: member("objectives", name) for name in members("objectives")}
    for name in list(found):
        for variant in variants("objectives", name):
            found[f"{name}/{variant}"] = member("objectives", f"{name}/{variant}")
    for prior in ("paired", "aggregate", "marginal"):
        for form in ("cosine", "euclidean"):
            found[f"vssl {prior} {form}"] = vssl.Config(prior=prior, form=form, likelihood_trains="all")
    found["vssl with a slow teacher"] = vssl.Config(ema_half_life=0.1)
    return {name: small(config) for name, config in found.items()}


def small(config: Any) -> Any:
    sizes = {"latent": 16, "hidden": 32}
    return replace(config, **{name: size for name, size in sizes.items() if hasattr(config, name)})


CASES = cases()


@pytest.fixture(params=CASES)
def config(request: pytest.FixtureRequest) -> Any:
    return CASES[request.param]


def loss_of(objective: Objective, views: list[Images]) -> Tensor:
    return objective(views, torch.Generator().manual_seed(0)).total


def test_the_known_objectives_are_found():
    assert {"vssl", "simclr"} <= set(members("objectives"))


def test_the_loss_and_its_parts_are_finite_numbers(config: Any, make_objective: Make, views_of: Views):
    objective = make_objective(config)
    loss = objective(views_of(objective), torch.Generator().manual_seed(0))
    assert loss.total.shape == ()
    assert all(value.shape == () and value.isfinite() for value in [loss.total, *loss.parts.values()])
    assert loss.latent.mean.shape == (16 * objective.views, 16)
    assert not loss.latent.mean.requires_grad


def test_gradients_reach_all_that_is_trained(config: Any, make_objective: Make, views_of: Views):
    objective = make_objective(config)
    loss_of(objective, views_of(objective)).backward()
    trained = {name: p.grad for name, p in objective.named_parameters() if p.requires_grad}
    untouched = [name for name, grad in trained.items() if grad is None or not grad.isfinite().all() or not grad.any()]
    assert any(name.startswith("encoder.") for name in trained)
    assert untouched == []


def test_no_step_of_the_optimiser_moves_the_teacher(config: Any, make_objective: Make, views_of: Views):
    objective = make_objective(config)
    before = teacher_weights(objective)
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.1)
    loss_of(objective, views_of(objective)).backward()
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, teacher_weights(objective), strict=True))
    assert not any(p.requires_grad for name, p in objective.named_parameters() if name.startswith("teacher."))


def teacher_weights(objective: Objective) -> list[Tensor]:
    return [p.detach().clone() for name, p in objective.named_parameters() if name.startswith("teacher.")]


def student_weights(objective: Objective) -> list[Tensor]:
    taught = objective.student().parameters() if objective.teacher is not None else []
    return [p.detach().clone() for p in taught]


def test_an_update_moves_the_teacher_half_way_in_a_half_life(config: Any, make_objective: Make):
    objective = make_objective(config)
    for parameter in objective.encoder.parameters():
        parameter.data += torch.randn_like(parameter)
    middle = [(a + b) / 2 for a, b in zip(teacher_weights(objective), student_weights(objective), strict=True)]
    student = {name: value.clone() for name, value in objective.encoder.state_dict().items()}
    objective.update(getattr(config, "ema_half_life", 0.1), progress=0.0)
    torch.testing.assert_close(teacher_weights(objective), middle)
    assert all(torch.equal(student[name], value) for name, value in objective.encoder.state_dict().items())


def test_bfloat16_gives_finite_losses_and_gradients(config: Any, make_objective: Make, views_of: Views):
    objective = make_objective(config)
    with torch.autocast("cpu", torch.bfloat16):
        total = loss_of(objective, views_of(objective))
    total.backward()
    assert total.dtype == torch.float32
    assert total.isfinite()
    assert all(p.grad.isfinite().all() for p in objective.parameters() if p.grad is not None)


def test_saved_and_loaded_it_gives_the_same_loss(config: Any, make_objective: Make, views_of: Views):
    saved, other = make_objective(config, seed=1), make_objective(config, seed=2)
    views = views_of(saved)
    expected = loss_of(saved, views)
    assert not torch.equal(loss_of(other, views), expected)
    other.load_state_dict(saved.state_dict())
    assert torch.equal(loss_of(other, views), expected)


def test_twenty_steps_lower_the_loss(config: Any, make_objective: Make, views_of: Views):
    objective = make_objective(config)
    views = views_of(objective)
    optimizer = torch.optim.AdamW(objective.parameters(), lr=2e-3)
    before = loss_of(objective, views).item()
    for step in range(20):
        optimizer.zero_grad()
        loss_of(objective, views).backward()
        optimizer.step()
        objective.update(1 / 20, (step + 1) / 20)
    assert loss_of(objective, views).item() < before - 0.05 * abs(before)


def test_the_order_of_the_views_changes_nothing(config: Any, make_objective: Make, views_of: Views):
    if getattr(config, "predictor", False) or isinstance(config, mcinfonce.Config | vae.Config):
        pytest.skip("the posterior's samples meet other noise when the views change places")
    objective = make_objective(config)
    views = views_of(objective)
    torch.testing.assert_close(loss_of(objective, views[::-1]), loss_of(objective, views))


def test_a_latent_is_a_point_or_a_gaussian_with_a_bounded_variance(config: Any, make_objective: Make):
    objective = make_objective(config)
    features = 1e3 * torch.randn(8, objective.encoder.features)
    latent = objective.latent(features)
    assert latent.mean.shape == (8, 16)
    assert isinstance(latent, Point | Gaussian)
    if isinstance(latent, Gaussian):
        low, high = config.log_variance_range
        assert latent.log_variance.shape in ((8, 1), (8, 16))
        assert low <= latent.log_variance.min().item() < latent.log_variance.max().item() <= high
