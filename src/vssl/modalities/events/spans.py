"""How long a window is: so many lines, or so much time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vssl.errors import ConfigError

UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Span:
    """A number of lines or, with `seconds`, of seconds."""

    size: float
    seconds: bool


def parse(text: str, name: str) -> Span:
    """The span of a setting: "20" lines, "5min".

    Raises:
        ConfigError: It is neither.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|min|h|d)?", text.strip())
    if found is None or float(found[1]) <= 0 or (found[2] is None and "." in found[1]):
        raise ConfigError(
            f"--{name} {text!r} is neither a number of lines, such as 20, nor a time such as 30s or 5min."
        )
    return Span(float(found[1]) * UNITS_S.get(found[2] or "s", 1.0), found[2] is not None)
