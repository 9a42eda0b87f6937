"""Bounds that vssl does not use, to compare its own with: two marginal ones, and one by a sequence of tests.

A marginal guarantee (`conformal_threshold`, `risk_threshold`) holds on average over calibration sets. As in
`vssl.decisions.bounds`, scores are higher where a sample is worse, and an alarm is a score above the threshold.
"""

import math

import numpy as np
from jaxtyping import Float

from vssl.decisions.core import sorted_scores
from vssl.errors import ConfigError, DataError, NotEnoughDataError

Scores = Float[np.ndarray, " n"]


def conformal_threshold(calibration: Scores, alpha: float) -> float:
    """The k-th smallest score, k = ceil((n + 1)(1 - alpha)): marginal false-alarm rate at most alpha.

    Raises:
        NotEnoughDataError: k > n, that is n < 1/alpha - 1.
        DataError: As in `core.conformal_p_values`.
    """
    ordered = sorted_scores(calibration)
    n = len(ordered)
    # In exact arithmetic ceil((n+1)(1-alpha)) = n + 1 - floor((n+1) alpha); rounding must not change whole numbers.
    rank = n + 1 - math.floor((n + 1) * alpha * (1 + 1e-12))
    if rank > n:
        raise NotEnoughDataError(n, math.ceil(1 / alpha * (1 - 1e-12)) - 1, f"a rate of {alpha:g}")
    return float(ordered[rank - 1])


def risk_threshold(losses: Float[np.ndarray, "n L"], alpha: float, largest: float = 1.0) -> int:
    """Conformal risk control (Angelopoulos et al. 2022, arXiv 2208.02814): which of L thresholds keeps the mean loss.

    Args:
        losses: Of each calibration sample under each threshold, in 0..largest, never rising from left to right.
        alpha: The mean loss of a later sample is at most this, marginally.

    Returns:
        The first column whose (n mean + largest) / (n + 1) is at most alpha.

    Raises:
        DataError: Losses outside the range, or rising.
        NotEnoughDataError: Not even the last column keeps alpha, and more samples without a loss would.
        ConfigError: The last column's mean loss itself is not below alpha: no number of samples helps.
    """
    if losses.ndim != 2 or not losses.size:
        raise DataError(f"The losses have the shape {losses.shape}; they need samples and thresholds.")
    if not np.isfinite(losses).all() or losses.min() < 0 or losses.max() > largest:
        raise DataError(f"Losses must lie in 0..{largest:g}.")
    if (np.diff(losses, axis=1) > 0).any():
        raise DataError("Losses must not rise from one threshold to the next; order the thresholds.")
    n = len(losses)
    bound = (losses.sum(axis=0) + largest) / (n + 1)
    valid = np.flatnonzero(bound <= alpha)
    if len(valid):
        return int(valid[0])
    mean = float(losses[:, -1].mean())
    if mean >= alpha:
        raise ConfigError(f"The strictest threshold has a mean loss of {mean:.4g}; {alpha:g} cannot be guaranteed.")
    raise NotEnoughDataError(n, math.ceil((largest - alpha) / (alpha - mean)), f"a mean loss of {alpha:g}")


def learn_then_test(p_values: Float[np.ndarray, " L"], confidence: float = 0.95) -> int:
    """How many of a fixed sequence of hypotheses are rejected before the first that is not.

    Fixed-sequence testing (Angelopoulos et al. 2021, arXiv 2110.01052): settings are put in order *before* their losses
    are seen, the safest first; all that come before the first p-value above 1 - confidence keep the risk, together,
    with that confidence. No correction for their number is needed.
    """
    failed = np.flatnonzero(~(np.asarray(p_values) <= 1 - confidence))
    return int(failed[0]) if len(failed) else len(p_values)
