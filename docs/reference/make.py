"""Writes the reference pages of the command line and of the Python functions: python docs/reference/make.py

A page keeps its text by hand up to the line `BEGIN`; what follows, up to the line `END`, is made from the functions of
`vssl.api`, their docstrings, and the configurations of the members.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from vssl import api
from vssl.api.arguments import sentences
from vssl.cli.commands import Command, commands
from vssl.cli.members import FOLDERS, roles
from vssl.cli.options import REQUIRED, Option, groups_of, of_config
from vssl.config import NamedVariants, member, members

HERE = Path(__file__).parent
BEGIN = "<!-- from here on made by: python docs/reference/make.py -->"
END = "<!-- to here -->"

GUIDES = {
    "inspect": "inspect.md",
    "train": "train.md",
    "views": "choose-views.md",
    "weights": "pretrained-weights.md",
    "embed": "embed-and-use.md",
    "evaluate": "evaluate.md",
    "bench": "compare-methods.md",
    "calibrate": "decide.md",
    "decide": "decide.md",
    "probe": "few-labels.md",
    "export": "export.md",
    "serve": "serve.md",
    "images": "data.md",
    "sensors": "sensors.md",
    "events": "event-logs.md",
}
"""The guide in docs/how-to that shows the use of a verb or of a member."""


def page(name: str) -> str:
    """The content that the page `name` in this folder should have."""
    made = {"command-line.md": command_line, "python.md": python}[name]()
    before, _, rest = (HERE / name).read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, "", *made, END + after])


def command_line() -> Iterator[str]:
    """The lines of the page on the command line."""
    for command in commands().values():
        yield from (f"## vssl {command.name}", "", *_description(command), *_guide(command.name))
        yield from (*_table(_options(command)), "")
        if takes := [option.name for option in roles(command.function)]:
            links = ", ".join(f"[{role}](#{FOLDERS[role]})" for role in takes)
            yield from (f"Further options are those of the chosen {links}.", "")
    for role, kind in FOLDERS.items():
        yield from (f"## {kind.capitalize()}", "", f"Options of the {role} that `--{role}` names.", "")
        for name in members(kind):
            config = member(kind, name)
            listed = [_prefixed(option, name, role) for option in of_config(config)]
            yield from (f"### {name}", "", _summary(type(config)), "", *_guide(name))
            yield from _variants(name, type(config))
            yield from (*_table(listed), "") if listed else ()


def python() -> Iterator[str]:
    """The lines of the page on the Python functions."""
    for name in vars(api)["__all__"]:
        function = vars(api)[name]
        yield from (f"### vssl.{name}", "", _summary(function), "", "```python", *_signature(name, function), "```", "")


def _description(command: Command) -> Iterator[str]:
    """The docstring as Markdown: examples are code, and paragraphs stand on one line."""
    for paragraph in command.description.split("\n\n"):
        first, *rest = paragraph.splitlines()
        yield from rest if first == "Examples:" else [" ".join((first, *rest))]
        yield ""


def _guide(name: str) -> Iterator[str]:
    if name in GUIDES:
        path = HERE.parent / "how-to" / GUIDES[name]
        title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        yield from (f"Guide: [{title}](../how-to/{GUIDES[name]}).", "")


def _options(command: Command) -> list[Option]:
    return [*command.options, *(option for group in groups_of(command.function).values() for option in group)]


def _variants(name: str, config: type) -> Iterator[str]:
    if issubclass(config, NamedVariants):
        yield from ("Variants: " + ", ".join(f"`{name}/{variant}`" for variant in config.variants()) + ".", "")
    if sentence := sentences(config).get("variant"):
        yield from (f"Variants, as in `{name}/VARIANT`: {sentence}", "")


def _prefixed(option: Option, name: str, role: str) -> Option:
    return option._replace(name=f"{name}.{option.name}") if role == "objective" else option


def _table(options: Sequence[Option]) -> Iterator[str]:
    if options:
        yield from ("| Option | Default | Meaning |", "|---|---|---|")
    for option in options:
        kind = "" if option.flag.isupper() or option.type is bool else f" {option.values}"
        cells = (f"`{option.flag}{kind}`", _default(option), option.help)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(option: Option) -> str:
    if option.default is REQUIRED:
        return "required"
    if option.default in (None, (), ""):
        return ""
    if isinstance(option.default, bool):
        return "yes" if option.default else "no"
    values = option.default if isinstance(option.default, tuple) else (option.default,)
    return f"`{' '.join(map(str, values))}`"


def _summary(documented: object) -> str:
    return " ".join((inspect.getdoc(documented) or "").partition("\n\n")[0].split())


def _signature(name: str, function: Callable[..., Any]) -> Iterator[str]:
    signature = inspect.signature(function)
    parameters: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parameters:
            parameters.append("*")
        default = "" if parameter.default is REQUIRED else f" = {parameter.default!r}"
        parameters.append(f"{parameter.name}: {parameter.annotation}{default}")
    line = f"vssl.{name}({', '.join(parameters)}) -> {signature.return_annotation}"
    if len(line) <= 120:
        yield line
    else:
        yield from (f"vssl.{name}(", *(f"    {one}," for one in parameters), f") -> {signature.return_annotation}")


if __name__ == "__main__":
    for name in ("command-line.md", "python.md"):
        (HERE / name).write_text(page(name), encoding="utf-8")
