"""The commands that repeat an inspection step by step, ready to copy."""

import dataclasses
import shlex
from pathlib import Path
from typing import Any

from vssl.config import member, name_of
from vssl.files import atomic


def command(verb: str, *arguments: object, **options: object) -> str:
    """A command line; options that are None are left out, and one that is True has no value."""
    words = ["vssl", verb, *map(str, arguments)]
    for name, value in options.items():
        if value is not None and value is not False:
            words += ["--" + name.replace("_", "-"), *([] if value is True else [str(value)])]
    return shlex.join(words)


def member_options(kind: str, config: Any) -> dict[str, object]:
    """The options that turn the default configuration of a member into this one."""
    variant = getattr(config, "variant", None)
    name = name_of(config) if variant is None else f"{name_of(config)}/{variant}"
    default = member(kind, name)
    options: dict[str, object] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value != getattr(default, field.name):
            options[f"no_{field.name}" if value is False else field.name] = True if value is False else value
    return {{"modalities": "modality", "encoders": "encoder"}[kind]: name, **options}


def write(path: Path, commands: list[str]) -> None:
    """Write the commands as a shell script."""
    with atomic(path) as file:
        file.write(("\n".join(["#!/bin/sh", "# Repeats this inspection step by step.", *commands]) + "\n").encode())
