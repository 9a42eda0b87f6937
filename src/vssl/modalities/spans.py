"""How long something is in a series or a log: so many rows or lines, or so much time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vssl.errors import ConfigError

UNITS_S = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
LENGTH = re.compile(rf"(\d+(?:\.\d+)?)\s*({'|'.join(UNITS_S)})?")


@dataclass(frozen=True)
class Span:
    """A number of rows or lines or, with `seconds`, of seconds."""

    size: float
    seconds: bool


def parse(text: str, setting: str) -> Span:
    """The span of a setting: "20" rows or lines, "5min".

    Raises:
        ConfigError: It is neither, or 0.
    """
    found = LENGTH.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0 or (found[2] is None and "." in found[1]):
        units = ", ".join(UNITS_S)
        raise ConfigError(
            f"--{setting} {text!r} is neither a whole number, such as 20, nor a time, such as 5min ({units})."
        )
    return Span(float(found[1]) * UNITS_S.get(found[2] or "s", 1.0), found[2] is not None)
