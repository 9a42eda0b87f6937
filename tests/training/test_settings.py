"""The settings of a run: their ranges, and the way through JSON."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from vssl.config import member, members
from vssl.errors import ConfigError
from vssl.training.settings import Budget, Optimiser, Settings

ALL = list(product(members("modalities"), members("encoders"), [*members("objectives"), "vssl/paper"]))


@pytest.mark.parametrize(("modality", "encoder", "objective"), ALL)
def test_settings_survive_json_whatever_the_members(modality: str, encoder: str, objective: str):
    settings = Settings(
        member("modalities", modality),
        member("encoders", encoder),
        member("objectives", objective),
        Budget(minutes=1.5),
        Optimiser("lars", 0.3, 1e-6, 0.1),
        seed=7,
    )
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_settings_of_a_member_that_is_gone_are_refused(tiny_settings: Callable[..., Settings]):
    data = tiny_settings().to_dict()
    with pytest.raises(ConfigError, match="no 'vsl' among the objectives"):
        Settings.from_dict(data | {"objective": {"name": "vsl"}})


def test_a_setting_that_is_gone_is_refused_with_its_place(tiny_settings: Callable[..., Settings]):
    data = tiny_settings().to_dict()
    with pytest.raises(ConfigError, match="objective has no setting 'queue'"):
        Settings.from_dict(data | {"objective": data["objective"] | {"queue": 3}})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "exactly one of --epochs, --steps and --minutes; given: none"),
        ({"epochs": 2, "steps": 3}, "given: epochs=2, steps=3"),
        ({"minutes": 0}, "--minutes is 0; it must be above 0"),
        ({"steps": -1}, "--steps is -1; it must be above 0"),
        ({"minutes": float("nan")}, "--minutes is nan; it must be above 0 and finite"),
    ],
)
def test_a_budget_is_one_positive_number(given: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        Budget(**given)


@pytest.mark.parametrize("given", [{"learning_rate": 0.0}, {"learning_rate": -1.0}, {"warmup": 1.0}, {"warmup": -0.1}])
def test_an_optimiser_out_of_range_is_refused(given: dict[str, float]):
    with pytest.raises(ConfigError, match=next(iter(given))):
        Optimiser(**given)


def test_a_batch_of_one_is_refused(tiny_settings: Callable[..., Settings]):
    with pytest.raises(ConfigError, match="batch is 1; it must be at least 2"):
        tiny_settings(batch=1)


@pytest.mark.parametrize(("pretrained", "given", "size"), [("none", None, 96), ("hub", None, 320), ("hub", 64, 64)])
def test_the_default_size_of_images_follows_the_encoder_and_is_stored_as_a_number(
    pretrained: str, given: int | None, size: int
):
    images = replace(member("modalities", "images"), size=given)
    encoder = replace(member("encoders", "timm"), pretrained=pretrained)
    settings = Settings(images, encoder, member("objectives", "vssl"), Budget(steps=1))
    assert settings.to_dict()["modality"]["size"] == size
    assert Settings.from_dict(settings.to_dict()) == settings
