"""The training curves: which quantities of metrics.jsonl are drawn, and what to look for in each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from vssl.reporting.plots import curve

LOOK_FOR = {
    "loss": ("Loss", "It should fall, fast at first and then slowly. A jump or a gap indicates a problem."),
    "effective_rank": (
        "Effective rank",
        "It should drop at first, then stay or rise. A fall towards 1 is a collapse.",
    ),
    "log_variance": ("Mean log-variance", "It should converge. At its bound it carries no information."),
    "learning_rate": ("Learning rate", "It rises during the warm-up, then falls smoothly to the end of the schedule."),
    "samples_per_s": (
        "Samples per second",
        "It should be constant. Dips are times at which another process used the machine.",
    ),
    "data_wait": (
        "Share of time waiting for data",
        "It should be near 0. Above 0.2, reading the data is the bottleneck.",
    ),
}
STARTS_AT_ZERO = {"effective_rank", "learning_rate", "samples_per_s", "data_wait"}


@dataclass(frozen=True)
class Curve:
    """One drawn quantity: its title, what to look for, and the picture."""

    title: str
    look_for: str
    svg: Markup


def curves(metrics: Sequence[dict[str, Any]]) -> list[Curve]:
    """A curve of each quantity that was logged: the loss, its parts, then the others."""
    if not metrics:
        return []
    parts = list(dict.fromkeys(name for line in metrics for name in line.get("parts", {})))
    others = {name: [line.get(name) for line in metrics] for name in LOOK_FOR}
    parts_logged = {name: [line.get("parts", {}).get(name) for line in metrics] for name in parts}
    loss = others.pop("loss")
    steps, minutes = _column([line["step"] for line in metrics]), _column([line["seconds"] for line in metrics]) / 60
    logged = {"loss": loss, **parts_logged, **others}
    return [
        Curve(*_texts(name), curve(steps, minutes, _column(values), name in STARTS_AT_ZERO))
        for name, values in logged.items()
        if any(value is not None for value in values)
    ]


def _texts(name: str) -> tuple[str, str]:
    if name in LOOK_FOR:
        return LOOK_FOR[name]
    unit = " (nats)" if name.endswith("_nats") else ""
    title = name.removesuffix("_nats").replace("_", " ").capitalize() + unit
    return title, "A part of the objective. It should converge without oscillating."


def _column(values: Sequence[float | None]) -> np.ndarray:
    column = np.array([np.nan if value is None else value for value in values], dtype=float)
    # Matplotlib leaves a gap for NaN and fails on infinite limits.
    return np.where(np.isfinite(column), column, np.nan)
