"""Thresholds and bounds of rates with finite-sample guarantees: pure functions of scores, counts and levels.

Scores are higher where a sample is worse, and a sample raises an alarm if its score is *above* the threshold; equal
scores therefore never break a guarantee. All guarantees assume that calibration samples and later ones are
exchangeable: drawn from the same source in no particular order. A guarantee with confidence 1 - delta is broken for at
most a share delta of all calibration sets, so one may be that confident of the one at hand.

P(Binomial(n, p) <= m) is `scipy.special.bdtr(m, n, p)`; its inverse in p is one of the incomplete beta function.

Legend: n calibration samples, alpha the guaranteed rate, delta = 1 - confidence, m exceedances among the n.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import special

from vssl.decisions.core import sorted_scores
from vssl.decisions.policy import Rate
from vssl.errors import ConfigError, NotEnoughDataError

Scores = Float[np.ndarray, " n"]


def binomial_threshold(calibration: Scores, alpha: float, confidence: float = 0.95) -> float:
    """The lowest score that keeps the false-alarm rate at most alpha with the stated confidence (Clopper-Pearson).

    At most `allowed_exceedances` of the calibration scores lie above it. That number is fixed by n, alpha and the
    confidence before any score is seen, so the guarantee holds for every distribution, ties included.

    Raises:
        NotEnoughDataError: n < `samples_needed(alpha, confidence)`.
        DataError: As in `core.conformal_p_values`.
    """
    ordered = sorted_scores(calibration)
    allowed = allowed_exceedances(len(ordered), alpha, confidence)
    if allowed < 0:
        what = f"a rate of {alpha:g} with a confidence of {confidence:g}"
        raise NotEnoughDataError(len(ordered), samples_needed(alpha, confidence), what)
    return float(ordered[len(ordered) - 1 - allowed])


def allowed_exceedances(n: int, alpha: float, confidence: float = 0.95) -> int:
    """The largest m with P(Binomial(n, alpha) <= m) <= 1 - confidence; -1 if there is none."""
    _check_levels(alpha, confidence)
    low, high = -1, n
    while high - low > 1:
        middle = (low + high) // 2
        allowed = _keeps(middle, n, alpha, confidence)
        low, high = (middle, high) if allowed else (low, middle)
    return low


def samples_needed(alpha: float, confidence: float = 0.95, exceedances: int = 0) -> int:
    """The smallest n that allows so many exceedances: 299 for a rate of 1 % at 95 %, with none.

    For none it is ln(1 - confidence) / ln(1 - alpha), rounded up.
    """
    _check_levels(alpha, confidence)
    low, high = exceedances, max(1, exceedances)
    while not _keeps(exceedances, high, alpha, confidence):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = _keeps(exceedances, middle, alpha, confidence)
        low, high = (low, middle) if enough else (middle, high)
    return high


def _keeps(exceedances: int, n: int, alpha: float, confidence: float) -> bool:
    """Whether P(Binomial(n, alpha) <= exceedances) <= 1 - confidence; rounding must not change a tail that is equal."""
    return bool(special.bdtr(exceedances, n, alpha) <= (1 - confidence) * (1 + 1e-12))


def upper_rate(exceedances: int, n: int, confidence: float = 0.95) -> float:
    """One-sided upper bound of a rate of which `exceedances` of n were seen (Clopper and Pearson 1934), 0..1.

    The other way round: the smallest alpha that n samples allow is `upper_rate(0, n, confidence)`.
    """
    _check_counts(exceedances, n)
    _check_levels(0.5, confidence)
    return 1.0 if exceedances == n else float(special.betaincinv(exceedances + 1, n - exceedances, confidence))


def lower_rate(exceedances: int, n: int, confidence: float = 0.95) -> float:
    """One-sided lower bound of a rate of which `exceedances` of n were seen, 0..1."""
    return 1 - upper_rate(n - exceedances, n, confidence)


def observed_rate(hits: Bool[np.ndarray, " N"]) -> Rate:
    """The share of hits among N samples, 1 or more, with one-sided bounds at 95 % confidence each."""
    count, of = int(hits.sum()), len(hits)
    return Rate(count, of, lower_rate(count, of), upper_rate(count, of))


def binomial_p_values(exceedances: Int[np.ndarray, " L"], n: int, alpha: float) -> Float[np.ndarray, " L"]:
    """p-values of "the rate is above alpha", one for each count of n: P(Binomial(n, alpha) <= exceedances), exact."""
    _check_counts(exceedances, n)
    return np.asarray(special.bdtr(exceedances, n, alpha))


def false_discoveries(p_values: Float[np.ndarray, " k"], alpha: float) -> Bool[np.ndarray, " k"]:
    """Which of a batch to report so that at most a share alpha of the reported, on average, is a false alarm.

    Benjamini and Hochberg 1995; conformal p-values of one calibration set depend on each other in the way that it
    allows (Bates et al. 2023).
    """
    _check_levels(alpha)
    # Imported late: scipy.stats takes longer to import than all that is needed here otherwise.
    from scipy import stats

    return stats.false_discovery_control(p_values) <= alpha if len(p_values) else np.zeros(0, dtype=bool)


def _check_levels(alpha: float, confidence: float = 0.5) -> None:
    for name, value in (("rate", alpha), ("confidence", confidence)):
        if not 0 < value < 1:
            raise ConfigError(f"The {name} is {value}; it must lie between 0 and 1.")


def _check_counts(exceedances: int | Int[np.ndarray, " L"], n: int) -> None:
    if n < 1 or np.any(np.less(exceedances, 0) | np.greater(exceedances, n)):
        raise ConfigError(f"{exceedances} of {n} is no count.")
