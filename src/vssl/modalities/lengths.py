"""Lengths of windows as settings write them: a number of rows or lines ("64"), or a time ("5min")."""

import re
from dataclasses import dataclass

from vssl.errors import ConfigError

UNITS_S = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
PATTERN = re.compile(rf"(\d+(?:\.\d+)?)\s*({'|'.join(UNITS_S)})?")


@dataclass(frozen=True)
class Length:
    """A number of rows or lines or, with `is_time`, of seconds."""

    size: float
    is_time: bool


def parse(text: str, setting: str) -> Length:
    """The length that a setting gives: "20" rows or lines, "5min".

    Raises:
        ConfigError: It is neither, or 0.
    """
    match = PATTERN.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0 or (match[2] is None and "." in match[1]):
        units = ", ".join(UNITS_S)
        raise ConfigError(
            f"--{setting} {text!r} is neither a whole number, such as 20, nor a time, such as 5min ({units})."
        )
    return Length(float(match[1]) * UNITS_S.get(match[2] or "s", 1.0), match[2] is not None)
