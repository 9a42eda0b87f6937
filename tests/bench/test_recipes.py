import json
import re

import pytest

from vssl.bench.recipes import RECIPES
from vssl.errors import ConfigError
from vssl.train.settings import Settings

COMMAND = r"python benchmarks/|vssl "
MINUTES = r"\d+ minutes|(two|five|ten) minutes"
SCORE = r"\d+(\.\d+)? ?%|0\.\d+"


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_a_file_of_json(name: str) -> None:
    settings = RECIPES[name]().settings
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_takes_a_seed_and_another_method_and_leaves_the_rest(name: str) -> None:
    base, other = RECIPES[name](), RECIPES[name](seed=3, objective="simclr")
    assert other.settings.seed == 3
    assert type(other.settings.objective) is not type(base.settings.objective)
    for shared in ("modality", "encoder", "budget", "optimiser", "batch"):
        assert getattr(other.settings, shared) == getattr(base.settings, shared)
    assert (other.train, other.test) == (base.train, base.test)


@pytest.mark.parametrize("name", RECIPES)
def test_the_minutes_in_a_recipes_name_are_its_budget(name: str) -> None:
    assert RECIPES[name]().settings.budget.minutes == float(re.search(r"\d+$", name).group())


def test_a_recipe_with_an_unknown_method_is_refused() -> None:
    with pytest.raises(ConfigError, match="simclr"):
        RECIPES["cifar10_cpu10"](objective="simclt")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_states_its_time(name: str) -> None:
    assert re.search(MINUTES, RECIPES[name].__doc__ or "")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_states_its_command_and_its_score(name: str) -> None:
    claim = RECIPES[name].__doc__ or ""
    assert re.search(COMMAND, claim)
    assert re.search(SCORE, claim)
