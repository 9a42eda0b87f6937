"""Options that depend on the chosen members: with `--objective simclr` the command has the options of simclr."""

import argparse
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from vssl.cli.declared import declared
from vssl.cli.options import Option, of_config, of_function
from vssl.config import MEMBER_FOLDERS, find, member, members

FOLDERS = MEMBER_FOLDERS | {"score": "scores"}
"""The parameters that take a member, and the folder of the members."""


class Member(NamedTuple):
    """A chosen member.

    Attributes:
        role: The parameter that takes it, for example `encoder`.
        choice: What was given for it, for example `convnet/tiny`.
    """

    role: str
    choice: str

    @property
    def name(self) -> str:
        """Its name without the variant."""
        return self.choice.partition("/")[0]

    @property
    def group(self) -> str:
        """Title of its options in the help."""
        return self.name if self.prefixed else f"{self.role}_settings"

    @property
    def prefixed(self) -> bool:
        """Whether its options carry its name: only those of objectives do, as in `--simclr.temperature`."""
        return self.role == "objective"

    @property
    def options(self) -> list[Option]:
        return of_config(declared(FOLDERS[self.role], self.choice))

    def changed(self, values: Mapping[str, Any]) -> Any:
        """Its configuration with the values of the options."""
        return dataclasses.replace(member(FOLDERS[self.role], self.choice), **values)


def roles(function: Callable[..., Any]) -> list[Option]:
    """The options of a function that choose a member."""
    return [option for option in of_function(function) if option.name in FOLDERS and option.type is str]


def with_choices(option: Option) -> Option:
    """The option that chooses a member, with all members in its help."""
    return option._replace(help=f"{option.help} Available: {', '.join(members(FOLDERS[option.name]))}.")


def chosen(function: Callable[..., Any], arguments: Sequence[str]) -> list[Member]:
    """The members that the arguments name, found before the other options are parsed.

    Raises:
        ConfigError: There is no such member.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for option in roles(function):
        parser.add_argument(option.flag, default=option.default)
    names, _ = parser.parse_known_args(arguments)
    choices = vars(names)
    if choices.get("encoder") == "auto":
        choices["encoder"] = find("modalities", choices["modality"]).DEFAULT_ENCODER
    return [Member(role, choice) for role, choice in choices.items()]
