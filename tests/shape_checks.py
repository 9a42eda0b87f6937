"""Importing this file makes the tests check the shapes in annotations, with jaxtyping and beartype.

From then on, calling an annotated function of these packages with another shape fails. vssl must be imported later.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

from beartype import beartype
from jaxtyping import install_import_hook

PACKAGES = ["objectives", "encoders", "stats", "scores", "embedding", "training", "types"]
ARRAY = re.compile(r"\b(Float|Int|UInt|Bool|Shaped)\d*\[")


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """`beartype` for the annotations of arrays; the others, among them protocols, are checked by mypy."""
    hints = function.__annotations__
    function.__annotations__ = {name: hint for name, hint in hints.items() if ARRAY.search(str(hint))}
    return beartype(function)


assert "vssl" not in sys.modules
install_import_hook([f"vssl.{name}" for name in PACKAGES], f"{__name__}.check")
