"""Options of commands, made from the signatures and docstrings of functions and configuration dataclasses."""

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal, NamedTuple

from vssl.api.arguments import sentences
from vssl.errors import ConfigError

POSITIONAL = {"run": "RUN", "data": "DATA", "good": "GOOD", "new": "NEW", "action": "ACTION", "file": "FILE"}
"""Parameters without an option's name on the command line, and what the help calls them."""

INTERNAL = ("command", "terminal")
"""Parameters that the command line fills in itself."""

RENAMED = {"costs": {"miss": "cost_miss", "false_alarm": "cost_false_alarm", "review": "cost_review"}}
"""Names of options for fields of a configuration whose own names would be ambiguous among the options of the verb."""

METAVARS = {str: "STR", Path: "PATH", int: "INT", float: "FLOAT", bool: "BOOL"}

# For type checkers these are plain values, as the types that they are given are computed.
ANNOTATED: Any = Annotated
TUPLE: Any = tuple

REQUIRED = inspect.Parameter.empty


class Option(NamedTuple):
    """An option, or a positional argument, of a command.

    Attributes:
        name: Name of the parameter or field in Python.
        type: What the value is parsed as.
        default: Value if it is not given; `REQUIRED` if it must be given.
        help: What it means, in sentences.
    """

    name: str
    type: Any
    default: Any
    help: str

    @property
    def flag(self) -> str:
        """What a user types: `--batch`, or `DATA` for a positional argument."""
        return POSITIONAL.get(self.name) or "--" + self.name.replace("_", "-")

    @property
    def values(self) -> str:
        """What the value may be: the name of a type, {a,b} for a choice, or several of them."""
        return _metavar(self.type)


def _metavar(kind: Any) -> str:
    parts = [part for part in typing.get_args(kind) if part is not types.NoneType]
    if typing.get_origin(kind) is Literal:
        return "{" + ",".join(map(str, parts)) + "}"
    return " ".join("..." if part is ... else _metavar(part) for part in parts) or METAVARS[kind]


def of_function(function: Callable[..., Any], without: Collection[str] = ()) -> list[Option]:
    """The options of a function but for some names; parameters of a configuration type are left to `groups_of`."""
    documented, options = sentences(function), []
    for name, (hint, default) in _parameters(function).items():
        if name not in without and _config_type(hint) is None:
            kind = _parsed_as(hint)
            value = Path(default) if kind is Path and isinstance(default, str) else default
            options.append(Option(name, kind, value, _sentence(documented, name, function)))
    return options


def of_config(config: Any, renamed: Mapping[str, str] = types.MappingProxyType({})) -> list[Option]:
    """The options of a configuration dataclass, or of one of its values, which then are the defaults.

    A field without a default becomes optional. The field `variant` is left out: it follows the name of the member.
    """
    cls = config if isinstance(config, type) else type(config)
    documented, hints, options = sentences(cls), typing.get_type_hints(cls), []
    for field in dataclasses.fields(cls):
        if field.name == "variant":
            continue
        hint, default = hints[field.name], field.default
        if config is not cls:
            default = getattr(config, field.name)
        elif default is dataclasses.MISSING:
            hint, default = hint | None, None
        name = renamed.get(field.name, field.name)
        options.append(Option(name, hint, default, _sentence(documented, field.name, cls)))
    return options


def groups_of(function: Callable[..., Any]) -> dict[str, list[Option]]:
    """The options of each parameter of a function whose type is a configuration dataclass."""
    return {
        name: of_config(cls, RENAMED.get(name, {}))
        for name, (hint, _) in _parameters(function).items()
        if (cls := _config_type(hint)) is not None
    }


def configuration(function: Callable[..., Any], name: str, values: Mapping[str, Any]) -> Any:
    """The configuration for the parameter `name` from the values of its options; None if a required one is missing.

    Raises:
        ConfigError: Some of its options are given, and not those that it needs.
    """
    cls = _config_type(_parameters(function)[name][0])
    assert cls is not None
    renamed = RENAMED.get(name, {})
    given = {field.name: values[renamed.get(field.name, field.name)] for field in dataclasses.fields(cls)}
    missing = [field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING]
    if all(given[field] is not None for field in missing):
        return cls(**given)
    changed = [option.flag for option in of_config(cls, renamed) if values[option.name] != option.default]
    if changed:
        needed = ", ".join("--" + renamed.get(field, field).replace("_", "-") for field in missing)
        raise ConfigError(f"{changed[0]} needs {needed}.")
    return None


def parser(name: str, options: Sequence[Option], groups: Mapping[str, tuple[bool, Sequence[Option]]]) -> type:
    """A dataclass that tyro makes a command of: options, and groups of options with or without the group's prefix."""
    from tyro.conf import OmitArgPrefixes

    fields = [_field(option) for option in options]
    for title, (prefixed, members) in groups.items():
        group = dataclasses.make_dataclass(title, [_field(option) for option in members], frozen=True, kw_only=True)
        kind: Any = group if prefixed else ANNOTATED[group, OmitArgPrefixes]
        fields.append((title, kind, dataclasses.field(default_factory=group)))
    return dataclasses.make_dataclass(name, fields, frozen=True, kw_only=True)


def _field(option: Option) -> tuple[str, Any, Any]:
    from tyro.conf import Positional, arg

    kind: Any = ANNOTATED[option.type, arg(help=option.help)]
    if option.name in POSITIONAL:
        kind = ANNOTATED[option.type, Positional, arg(metavar=option.flag, help=option.help)]
    elif option.default is None:  # the sentence says what happens without a value
        kind = ANNOTATED[option.type, arg(metavar=option.values, help=option.help, help_behavior_hint="")]
    default = dataclasses.MISSING if option.default is REQUIRED else option.default
    return option.name, kind, dataclasses.field(default=default)


def _parameters(function: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """Type and default of each parameter that a user gives."""
    given = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in INTERNAL and parameter.kind is not inspect.Parameter.POSITIONAL_ONLY
    }
    annotated = SimpleNamespace(__annotations__={name: parameter.annotation for name, parameter in given.items()})
    # Only these are resolved: other types, such as that of the result, are imported for type checkers alone.
    hints = typing.get_type_hints(annotated, inspect.unwrap(function).__globals__)
    return {name: (hints[name], parameter.default) for name, parameter in given.items()}


def _config_type(hint: Any) -> type | None:
    kinds = (hint, *typing.get_args(hint))
    return next((kind for kind in kinds if isinstance(kind, type) and dataclasses.is_dataclass(kind)), None)


def _parsed_as(hint: Any) -> Any:
    if hint is Any:  # a member, which the command line takes by name
        return str
    choices = typing.get_args(hint)
    if Path in choices:
        return Path | None if types.NoneType in choices else Path
    if typing.get_origin(hint) is Sequence:
        return TUPLE[choices[0], ...]
    return hint


def _sentence(documented: Mapping[str, str], name: str, source: Any) -> str:
    if name not in documented:
        raise LookupError(f"The docstring of {source.__qualname__} says nothing on {name!r}.")
    return documented[name]
