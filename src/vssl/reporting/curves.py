"""The training curves: which quantities of metrics.jsonl are drawn, and what to look for in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from vssl.reporting.plots import curve

LOOK_FOR = {
    "loss": ("Loss", "Falls, fast at first, then slowly. A jump up or a gap means trouble."),
    "effective_rank": (
        "Effective rank",
        "Drops at first, then holds or rises. A fall towards 1 is a collapse: all look alike.",
    ),
    "log_variance": ("Mean log-variance", "Settles. Running into its bound, it would carry no information."),
    "learning_rate": ("Learning rate", "A short rise, then a smooth fall to the end of the schedule."),
    "samples_per_s": ("Samples per second", "Flat. Dips are moments in which something else used the machine."),
    "data_wait": ("Share of time waiting for data", "Near 0. Above 0.2, reading the data is the bottleneck."),
}
FROM_ZERO = {"effective_rank", "learning_rate", "samples_per_s", "data_wait"}


@dataclass(frozen=True)
class Curve:
    """One drawn quantity: its title, what to look for, and the picture."""

    title: str
    look_for: str
    svg: Markup


def curves(metrics: Sequence[dict[str, Any]]) -> list[Curve]:
    """A curve for each quantity that was logged: the loss, its parts, then the others."""
    if not metrics:
        return []
    parts = list(dict.fromkeys(name for line in metrics for name in line.get("parts", {})))
    drawn = {name: [line.get(name) for line in metrics] for name in LOOK_FOR}
    of_parts = {name: [line.get("parts", {}).get(name) for line in metrics] for name in parts}
    loss = drawn.pop("loss")
    steps, minutes = _column([line["step"] for line in metrics]), _column([line["seconds"] for line in metrics]) / 60
    logged = {"loss": loss, **of_parts, **drawn}
    return [
        Curve(*_words(name), curve(steps, minutes, _column(values), name in FROM_ZERO))
        for name, values in logged.items()
        if any(value is not None for value in values)
    ]


def _words(name: str) -> tuple[str, str]:
    if name in LOOK_FOR:
        return LOOK_FOR[name]
    unit = " (nats)" if name.endswith("_nats") else ""
    title = name.removesuffix("_nats").replace("_", " ").capitalize() + unit
    return title, "A part of the objective, as the objective names it. Settles; does not swing."


def _column(values: Sequence[float | None]) -> np.ndarray:
    column = np.array([np.nan if value is None else value for value in values], dtype=float)
    # Matplotlib leaves a gap for NaN and fails on infinite limits.
    return np.where(np.isfinite(column), column, np.nan)
