import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from vssl.benchmarking.recipes import RECIPES
from vssl.errors import ConfigError
from vssl.training import loop
from vssl.training.settings import Budget, Settings

COMMAND = r"vssl bench "
TIME = r"\d+ minutes|(two|five|ten) minutes|\d+ epochs"
SCORE = r"\d+(\.\d+)? ?%|0\.\d+"
ON_A_CPU = [name for name in RECIPES if "_cpu" in name]
ON_A_GPU = [name for name in RECIPES if "_resnet18" in name]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_a_file_of_json(name: str) -> None:
    settings = RECIPES[name]().settings
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def views_or_minutes(settings: Settings) -> float:
    """What a training costs: its minutes, or how often it looks at each image."""
    if settings.budget.minutes is not None:
        return settings.budget.minutes
    return settings.budget.epochs * getattr(settings.objective, "views", 2)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_takes_a_seed_and_another_method_and_leaves_the_rest(name: str) -> None:
    base, other = RECIPES[name](), RECIPES[name](seed=3, objective="simclr")
    assert other.settings.seed == 3
    assert type(other.settings.objective) is not type(base.settings.objective)
    for shared in ("modality", "encoder", "optimiser", "batch"):
        assert getattr(other.settings, shared) == getattr(base.settings, shared)
    assert views_or_minutes(other.settings) == views_or_minutes(base.settings)
    assert (other.train, other.test) == (base.train, base.test)


@pytest.mark.parametrize("name", ON_A_CPU)
def test_the_minutes_in_a_recipes_name_are_its_budget(name: str) -> None:
    assert RECIPES[name]().settings.budget.minutes == float(re.search(r"\d+$", name).group())


def test_a_recipe_with_an_unknown_method_is_refused() -> None:
    with pytest.raises(ConfigError, match="simclr"):
        RECIPES["cifar10_cpu10"](objective="simclt")


def test_every_recipe_is_tested():
    assert set(ON_A_CPU) | set(ON_A_GPU) == set(RECIPES)


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_A_GPU)
def test_a_recipe_for_a_gpu_trains_on_tiny_pictures_here(name: str, pictures: Path, tmp_path: Path) -> None:
    settings = replace(RECIPES[name]().settings, budget=Budget(steps=2), batch=16, device="cpu")
    assert loop.train(pictures, tmp_path / "run", settings).info["status"] == "done"


def documented(name: str) -> str:
    """What the recipe's function says; a long form says it in the short one's."""
    made = RECIPES[name]
    return (made.func if isinstance(made, partial) else made).__doc__ or ""


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_states_its_time(name: str) -> None:
    assert re.search(TIME, documented(name))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_states_its_command(name: str) -> None:
    assert re.search(COMMAND, documented(name))


@pytest.mark.parametrize("name", ON_A_CPU)
def test_a_recipe_states_its_score(name: str) -> None:
    assert re.search(SCORE, documented(name))


@pytest.mark.parametrize("name", ON_A_GPU)
def test_a_recipe_without_a_score_says_that_it_is_not_measured(name: str) -> None:
    assert re.search(SCORE, documented(name)) or "Not measured" in documented(name)
