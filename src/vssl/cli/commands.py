"""The commands: each is a function of `vssl.api`, with options from its signature and help from its docstring."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vssl import api
from vssl.cli import members, options, results
from vssl.cli.demo import demo
from vssl.cli.options import Option
from vssl.cli.terminal import terminal

ONLY_IN_PYTHON = {"load"}

SECTIONS = re.compile(r"\n\n(Args|Returns|Raises):\n")


def commands() -> dict[str, Command]:
    """All commands by name."""
    verbs = {name: vars(api)[name] for name in vars(api)["__all__"] if name not in ONLY_IN_PYTHON}
    return {name: Command(name, function) for name, function in {**verbs, "demo": demo}.items()}


@dataclass(frozen=True)
class Command:
    """A command of the command line.

    Attributes:
        name: The verb.
        function: What it runs.
    """

    name: str
    function: Callable[..., Any]

    @property
    def description(self) -> str:
        """The docstring without its sections on parameters, results and errors."""
        return SECTIONS.split(inspect.getdoc(self.function) or "")[0]

    @property
    def summary(self) -> str:
        """The first paragraph of the description."""
        return " ".join(self.description.partition("\n\n")[0].split())

    @property
    def printer(self) -> Callable[..., None]:
        """What prints the result."""
        return results.PRINTERS.get(self.name, results.other)

    @property
    def options(self) -> list[Option]:
        """The options of the function, and those of the printing of its result."""
        choices = {option.name: members.with_choices(option) for option in members.roles(self.function)}
        own = [choices.get(option.name, option) for option in options.of_function(self.function)]
        return own + options.of_function(self.printer, without=self._parameters)

    @property
    def _parameters(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(self.function).parameters

    def run(self, arguments: Sequence[str]) -> None:
        """Parse the arguments, call the function, and print its result."""
        values = self._parsed(arguments)
        given = {name: values[name] for name in self._parameters if name in values}
        if "terminal" in self._parameters:
            given["terminal"] = terminal()
        if "command" in self._parameters:
            given["command"] = shlex.join(["vssl", self.name, *arguments])
        result = self.function(**given)
        _, *wanted = inspect.signature(self.printer).parameters
        self.printer(result, **{name: values[name] for name in wanted})

    def _parsed(self, arguments: Sequence[str]) -> dict[str, Any]:
        import tyro

        configs = options.groups_of(self.function)
        groups = {name: (False, listed) for name, listed in configs.items()}
        named = members.chosen(self.function, arguments) if self._concerns_members(arguments) else []
        groups |= {one.group: (one.prefixed, one.options) for one in named if one.options}
        kind = options.parser(self.name, self.options, groups)
        parsed = vars(tyro.cli(kind, prog=f"vssl {self.name}", description=self.description, args=arguments))
        values = {option.name: parsed[option.name] for option in self.options}
        for name in configs:
            values[name] = options.configuration(self.function, name, vars(parsed[name]))
        return values | {one.role: one.changed(vars(parsed[one.group]) if one.options else {}) for one in named}

    def _concerns_members(self, arguments: Sequence[str]) -> bool:
        """Whether help is asked for, or an option is given that the verb itself does not have.

        Otherwise the members keep their defaults, and nothing has to be imported to parse the arguments.
        """
        listed = [*self.options, *(option for group in options.groups_of(self.function).values() for option in group)]
        own = {option.flag for option in listed} | {f"--no-{option.flag[2:]}" for option in listed}
        flags = {argument.partition("=")[0].replace("_", "-") for argument in arguments if argument.startswith("-")}
        return bool(members.roles(self.function)) and any(
            flag not in own for flag in flags if not re.fullmatch(r"-[\d.].*", flag)
        )
