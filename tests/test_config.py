"""Settings from names and from JSON: what is accepted, and what a person reads who got it wrong."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import pytest

from vssl.config import find, from_dict, member, members, name_of
from vssl.encoders import convnet
from vssl.errors import ConfigError
from vssl.objectives import simclr, vssl
from vssl.training.settings import Budget, Optimiser


@dataclass(frozen=True)
class Inner:
    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    name: str
    count: int = 1
    colour: Literal["red", "green"] = "red"
    limits: tuple[float, float] = (0.0, 1.0)
    weights: tuple[float, ...] = ()
    inner: Inner = Inner()
    maybe: int | None = None


def test_a_member_is_found_by_the_name_of_its_module():
    assert find("objectives", "simclr") is simclr


def test_a_typing_error_in_a_name_is_met_with_the_right_name():
    with pytest.raises(ConfigError, match=r"no 'simlcr' among the objectives: .*Did you mean 'simclr'\?"):
        find("objectives", "simlcr")


def test_helper_modules_are_no_members():
    assert {"base", "heads"}.isdisjoint(members("encoders"))
    with pytest.raises(ConfigError, match="no 'heads' among the encoders"):
        find("encoders", "heads")


def test_an_unknown_group_of_metrics_is_called_so():
    with pytest.raises(ConfigError, match="no 'accuracy' among the groups of metrics: knn"):
        find("evaluation", "accuracy")


def test_a_name_alone_gives_the_default_configuration():
    assert member("objectives", "vssl") == vssl.Config()


def test_a_configuration_is_taken_as_it_is():
    config = simclr.Config(temperature=0.3)
    assert member("objectives", config) is config


def test_a_variant_behind_the_slash_is_a_field_of_the_configuration():
    assert member("encoders", "convnet/tiny") == convnet.Config("tiny")


def test_a_variant_behind_the_slash_is_a_named_configuration():
    assert member("objectives", "vssl/paper") == vssl.paper()


@pytest.mark.parametrize(
    ("kind", "choice", "message"),
    [
        ("encoders", "convnet/huge", "convnet.variant is 'huge'; it must be one of 'tiny', 'small'"),
        ("objectives", "vssl/papre", "'vssl' has no variant 'papre'; it has: paper"),
        ("objectives", "simclr/large", "'simclr' has no variant 'large'; it has: none"),
    ],
)
def test_an_unknown_variant_is_refused_with_those_there_are(kind: str, choice: str, message: str):
    with pytest.raises(ConfigError, match=message):
        member(kind, choice)


def test_the_name_of_a_configuration_is_its_module():
    assert name_of(vssl.Config()) == "vssl"


def test_plain_data_become_the_same_value_again():
    value = Outer("a", 3, "green", (-1.0, 2.0), (0.1, 0.2, 0.3), Inner(0.25), 7)
    data = asdict(value) | {"limits": [-1.0, 2.0], "weights": [0.1, 0.2, 0.3]}  # as JSON has it
    assert from_dict(Outer, data) == value


def test_a_whole_number_is_taken_for_a_float():
    share = from_dict(Inner, {"share": 1}).share
    assert isinstance(share, float)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "a", "colur": "red"}, "here has no setting 'colur'; it has: colour, count"),
        ({}, "here: .*missing 1 required positional argument: 'name'"),
        ({"name": 3}, "here.name is 3; it must be of type str"),
        ({"name": "a", "count": "3"}, "here.count is '3'; it must be of type int"),
        ({"name": "a", "count": True}, "here.count is True; it must be of type int"),
        ({"name": "a", "count": 2.5}, "here.count is 2.5; it must be of type int"),
        ({"name": "a", "count": None}, "here.count is None; it must be of type int"),
        ({"name": "a", "maybe": "x"}, "here.maybe is 'x'; it must be of type int"),
        ({"name": "a", "colour": "blue"}, "here.colour is 'blue'; it must be one of 'red', 'green'"),
        ({"name": "a", "limits": [1.0]}, "here.limits needs 2 values, and 1 were given"),
        ({"name": "a", "weights": [1.0, "2"]}, "here.weights is '2'; it must be of type float"),
        ({"name": "a", "limits": 3.0}, "here.limits is 3.0; it must be a list of values"),
        ({"name": "a", "inner": {"share": "x"}}, "here.inner.share is 'x'; it must be of type float"),
        ({"name": "a", "inner": 3}, "here.inner is 3; it must be of type Inner"),
    ],
)
def test_wrong_data_are_refused_with_the_place_and_the_reason(data: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        from_dict(Outer, data, "here")


def test_a_value_out_of_range_is_refused_however_it_comes():
    with pytest.raises(ConfigError, match=r"warmup is 1\.0; it is a share"):
        from_dict(Optimiser, {"warmup": 1})
    with pytest.raises(ConfigError, match="exactly one of --epochs, --steps and --minutes; given: none"):
        from_dict(Budget, {"epochs": None})
