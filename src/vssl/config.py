"""Settings: frozen dataclasses to JSON and back, and `find`, which makes a module's name its registry entry."""

import dataclasses
import difflib
import importlib.util
import re
import sys
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Self, TypeVar

from vssl.errors import ConfigError

T = TypeVar("T")

DEFINES_MEMBER = re.compile(r"^(class Config\b|def run\()", re.MULTILINE)

MEMBER_FOLDERS = {"modality": "modalities", "encoder": "encoders", "objective": "objectives"}
"""The roles that members play in a run, and the folders they live in."""


class NamedVariants(ABC):
    """Base of configurations with further variants by name: `vssl/paper` is the variant `paper` of `vssl`."""

    @classmethod
    @abstractmethod
    def variants(cls) -> Mapping[str, Self]:
        """The configuration of each variant."""


class FollowsEncoder(ABC):
    """Base of modality configurations of which some defaults depend on the encoder."""

    @abstractmethod
    def for_encoder(self, encoder: Any) -> Self:
        """The configuration with these defaults filled in.

        Args:
            encoder: Configuration of the encoder.
        """


def sources(kind: str) -> dict[str, Path]:
    """The members of a kind and their files: the modules of `vssl/<kind>` that define a `Config` or a `run`.

    Their source tells, so that they can be listed without importing them, which for most of them means torch.
    """
    package = f"vssl.{kind}"
    spec = importlib.util.find_spec(package)
    assert spec is not None
    # A package that is imported may have been given further folders.
    folders = sys.modules[package].__path__ if package in sys.modules else spec.submodule_search_locations or ()
    files = [file for folder in folders for pattern in ("*.py", "*/__init__.py") for file in Path(folder).glob(pattern)]
    return {
        file.stem if file.name != "__init__.py" else file.parent.name: file
        for file in files
        if DEFINES_MEMBER.search(file.read_text(encoding="utf-8"))
    }


def members(kind: str) -> list[str]:
    """Names of all members of a kind."""
    return sorted(sources(kind))


def check(kind: str, name: str) -> None:
    """Refuse a name that no member of a kind has.

    Raises:
        ConfigError: There is no such member; the message lists all members.
    """
    names = members(kind)
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        plural = "groups of metrics" if kind == "evaluation" else kind
        raise ConfigError(f"There is no {name!r} among the {plural}: {', '.join(names)}.{hint}")


def find(kind: str, name: str) -> ModuleType:
    """Import the member `name` of a kind, for example `find("objectives", "simclr")`.

    Raises:
        ConfigError: There is no such member.
    """
    check(kind, name)
    return importlib.import_module(f"vssl.{kind}.{name}")


def variants(kind: str, name: str) -> Mapping[str, Any]:
    """The configurations of a member's named variants; {} if its configuration names none."""
    config = find(kind, name).Config
    return config.variants() if issubclass(config, NamedVariants) else {}


def member(kind: str, choice: Any) -> Any:
    """A member's configuration: `choice` itself, or the default of the member named, for example "vssl/paper".

    A variant follows the slash: one of the configuration's `NamedVariants`, or a value of its field `variant`.

    Raises:
        ConfigError: There is no such member or variant.
    """
    if not isinstance(choice, str):
        return choice
    name, _, variant = choice.partition("/")
    config = find(kind, name).Config
    if not variant:
        return config()
    named = variants(kind, name)
    if variant in named:
        return named[variant]
    if "variant" in typing.get_type_hints(config):
        return from_dict(config, {"variant": variant}, name)
    raise ConfigError(f"{name!r} has no variant {variant!r}; it has: {', '.join(named) or 'none'}.")


def encoder_of(choice: Any, modality: Any) -> Any:
    """An encoder's configuration as `member` gives it; "auto" stands for the one that suits the modality's data."""
    suits = find("modalities", name_of(modality)).DEFAULT_ENCODER
    return member("encoders", suits if choice == "auto" else choice)


def name_of(config: object) -> str:
    """The registry name of a member's configuration: the name of the module that defines it."""
    return type(config).__module__.rsplit(".", 1)[-1]


def from_dict(cls: type[T], data: Mapping[str, Any], where: str = "") -> T:
    """Build the dataclass `cls` from plain JSON data, checking names and types all the way down.

    Args:
        where: What the data are and where they stand, for the error message.

    Raises:
        ConfigError: An unknown or missing key, or a value of the wrong type.
    """
    hints = typing.get_type_hints(cls)
    unknown = sorted(set(data) - set(hints))
    if unknown:
        raise ConfigError(f"{where or cls.__name__} has no setting {unknown[0]!r}; it has: {', '.join(sorted(hints))}.")
    values = {key: _cast(hints[key], value, f"{where}.{key}".lstrip(".")) for key, value in data.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise ConfigError(f"{where or cls.__name__}: {error}.") from error


def _cast(hint: Any, value: Any, where: str) -> Any:
    if hint is Any:
        return value
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _first_that_fits([choice for choice in arguments if choice is not type(None)], value, where)
    if origin is Literal:
        if value not in arguments:
            raise ConfigError(f"{where} is {value!r}; it must be one of {', '.join(map(repr, arguments))}.")
        return value
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(value, Mapping):
        return from_dict(hint, value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where} is {value!r}; it must be a list of values.")
        inner = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(inner) != len(value):
            raise ConfigError(f"{where} needs {len(inner)} values, and {len(value)} were given.")
        return tuple(_cast(kind, item, where) for kind, item in zip(inner, value, strict=True))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and (not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool)):
        raise ConfigError(f"{where} is {value!r}; it must be of type {hint.__name__}.")
    return value


def _first_that_fits(choices: list[Any], value: Any, where: str) -> Any:
    problems = []
    for choice in choices:
        try:
            return _cast(choice, value, where)
        except ConfigError as error:
            problems.append(str(error))
    raise ConfigError(problems[0])
