"""The health table: the figures that show, without labels, whether a representation is alive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from vssl.stats.rank import dimension_std, effective_rank


@dataclass(frozen=True)
class Check:
    """One line of the table: what was looked at, what was found, and how to read it."""

    name: str
    found: str
    reading: str


def checks(metrics: Sequence[dict[str, Any]], features: Float[np.ndarray, "N F"] | None) -> list[Check]:
    """What the log and the embeddings show; empty if there is neither."""
    of_log = [*_of_log(metrics)] if metrics else []
    return of_log + ([*_of_features(features)] if features is not None else [])


def _of_log(metrics: Sequence[dict[str, Any]]) -> list[Check]:
    waits = [line["data_wait"] for line in metrics]
    found = [
        _first_and_last(metrics, "loss", "Loss", "Lower at the end than at the start, and a finite number."),
        _first_and_last(
            metrics,
            "effective_rank",
            "Effective rank while training",
            "Far above 1. It drops at first; near 1 is a collapse.",
        ),
    ]
    if metrics[-1].get("log_variance") is not None:
        reading = "Moves away from its start, and not into a bound."
        found.append(_first_and_last(metrics, "log_variance", "Mean log-variance", reading))
    reading = "Above 20 %, the machine waits for data more than it should."
    return [*found, Check("Time spent waiting for data", f"{100 * np.mean(waits):.0f} %", reading)]


def _first_and_last(metrics: Sequence[dict[str, Any]], key: str, name: str, reading: str) -> Check:
    return Check(name, f"{metrics[0][key]:.4g} at first, {metrics[-1][key]:.4g} at last", reading)


def _of_features(features: Float[np.ndarray, "N F"]) -> list[Check]:
    finite = np.isfinite(features).all(axis=1)
    broken = Check("Embeddings that are not finite", f"{(~finite).sum():,} of {len(features):,}", "None.")
    if not finite.any():
        return [broken]
    good = torch.from_numpy(features[finite])
    deviation = dimension_std(good)
    unused = int((deviation <= 1e-3 * deviation.median()).sum())
    return [
        broken,
        Check(
            "Effective rank of the features",
            f"{effective_rank(good):.1f} of at most {min(len(good) - 1, good.shape[1])}",
            "Many directions in use. Near 1, all samples lie on one line; 0 means that they are one point.",
        ),
        Check(
            "Unused dimensions", f"{unused:,} of {good.shape[1]:,}", "Few. An unused one is the same for all samples."
        ),
    ]
