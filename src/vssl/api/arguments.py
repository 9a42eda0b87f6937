"""What the verbs share: paths and run folders as arguments, and sentences of docstrings that are written once.

A docstring may say "As in `NAME`." of a parameter, where NAME is another verb or a configuration with a parameter or a
field of the same name: `shared_sentences` puts the sentence from there in its place.
"""

import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import docstring_parser
from docstring_parser import DocstringStyle

from vssl.run import Run

PathLike = str | Path
"""A path, or for data also a selection from a list: "parts.csv:label=ok"."""

P = ParamSpec("P")
R = TypeVar("R")

REFERENCE = re.compile(r"^( +)([\w, ]+): As in `(\w+)`\.$", re.MULTILINE)
WIDTH = 120


def as_run(run: Run | PathLike) -> Run:
    """The run itself, or the run in the folder `run`."""
    return run if isinstance(run, Run) else Run(run)


def sentences(documented: object) -> dict[str, str]:
    """The sentence of each parameter of a function, or of each field of a dataclass and its bases, from docstrings."""
    sources = reversed(documented.__mro__) if isinstance(documented, type) else [documented]
    return {
        name.strip(): " ".join((entry.description or "").split())
        for source in sources
        for entry in docstring_parser.parse(source.__doc__ or "", style=DocstringStyle.GOOGLE).params
        for name in entry.arg_name.split(",")
    }


def shared_sentences(*sources: type | Callable[..., Any]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator that replaces "As in `NAME`." in a docstring by the sentence of the source of that name."""
    known = {source.__name__: sentences(source) for source in sources}

    def written_out(reference: re.Match[str]) -> str:
        indent, names, source = reference.groups()
        return "\n".join(
            textwrap.fill(f"{name}: {known[source][name]}", WIDTH, initial_indent=indent, subsequent_indent=indent * 2)
            for name in names.split(", ")
        )

    def complete(function: Callable[P, R]) -> Callable[P, R]:
        function.__doc__ = REFERENCE.sub(written_out, function.__doc__ or "")
        return function

    return complete
