"""The health table: quantities that show, without labels, whether the representation has collapsed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from vssl.stats.rank import dimension_std, effective_rank


@dataclass(frozen=True)
class Check:
    """One row of the table: the quantity, its value, and how to read it."""

    name: str
    value: str
    reading: str


def checks(metrics: Sequence[dict[str, Any]], features: Float[np.ndarray, "N F"] | None) -> list[Check]:
    """The checks of the training log and of the embeddings; empty if there is neither."""
    log = _log_checks(metrics) if metrics else []
    return log + (_feature_checks(features) if features is not None else [])


def _log_checks(metrics: Sequence[dict[str, Any]]) -> list[Check]:
    waits = [line["data_wait"] for line in metrics]
    rows = [
        _first_and_last(metrics, "loss", "Loss", "It should be finite, and lower at the end than at the start."),
        _first_and_last(
            metrics,
            "effective_rank",
            "Effective rank while training",
            "It should stay far above 1. It drops at first; near 1 the representation has collapsed.",
        ),
    ]
    if metrics[-1].get("log_variance") is not None:
        reading = "It should move away from its initial value without reaching a bound."
        rows.append(_first_and_last(metrics, "log_variance", "Mean log-variance", reading))
    reading = "Above 20 %, reading the data limits the speed of the training."
    return [*rows, Check("Time spent waiting for data", f"{100 * np.mean(waits):.0f} %", reading)]


def _first_and_last(metrics: Sequence[dict[str, Any]], key: str, name: str, reading: str) -> Check:
    return Check(name, f"{metrics[0][key]:.4g} at the start, {metrics[-1][key]:.4g} at the end", reading)


def _feature_checks(features: Float[np.ndarray, "N F"]) -> list[Check]:
    finite = np.isfinite(features).all(axis=1)
    not_finite = Check("Embeddings that are not finite", f"{(~finite).sum():,} of {len(features):,}", "It should be 0.")
    if not finite.any():
        return [not_finite]
    valid = torch.from_numpy(features[finite])
    deviation = dimension_std(valid)
    unused = int((deviation <= 1e-3 * deviation.median()).sum())
    return [
        not_finite,
        Check(
            "Effective rank of the features",
            f"{effective_rank(valid):.1f} of at most {min(len(valid) - 1, valid.shape[1])}",
            "It should be large. Near 1 all samples are on one line; at 0 they are one point.",
        ),
        Check(
            "Unused dimensions",
            f"{unused:,} of {valid.shape[1]:,}",
            "It should be small. An unused dimension has the same value for all samples.",
        ),
    ]
