"""Computes the thresholds: from scores of calibration samples to the limits between accept, review and reject."""

import numpy as np

from vssl.decisions import bounds
from vssl.decisions.core import Thresholds
from vssl.decisions.guarantee import Guarantee
from vssl.errors import ConfigError, DataError, NotEnoughDataError


def compute_thresholds(
    normal: bounds.Scores,
    defects: bounds.Scores | None,
    guarantee: Guarantee,
    with_copies: tuple[int | None, int | None] = (None, None),
) -> Thresholds:
    """The thresholds that keep the guarantee, by exact binomial bounds; see `bounds.binomial_threshold`.

    Rejected normal samples and accepted defects are counted on separate samples. Where the miss rate can be kept
    without review, nothing is reviewed, and the one threshold is that of the false alarms: it misses the fewest.

    Args:
        normal, defects: Scores, one per sample and its copies.
        with_copies: Numbers of normal samples and of defects with their copies, for the error message.

    Raises:
        NotEnoughDataError: Too few normal samples, or too few defects.
        ConfigError: A miss rate is guaranteed without defects.
        DataError: Scores that are all the same, or not finite.
    """
    if guarantee.miss is not None and defects is None:
        raise ConfigError("A miss rate needs known defects: give some (--defects), or leave the miss rate out.")
    _refuse_constant(normal)
    each = guarantee.confidence_of_each
    reject_above = _threshold(normal, guarantee.false_alarm, each, "false alarms", "normals", with_copies[0])
    if guarantee.miss is None or defects is None:
        return Thresholds(reject_above, reject_above)
    # A defect is missed if it is accepted: at most the guaranteed share of defects lies below this score.
    lowest_detected = -_threshold(-defects, guarantee.miss, each, "misses", "defects", with_copies[1])
    return Thresholds(min(reject_above, float(np.nextafter(lowest_detected, -np.inf))), reject_above)


def _threshold(
    scores: bounds.Scores, rate: float, confidence: float, what: str, of: str, with_copies: int | None
) -> float:
    needed = bounds.samples_needed(rate, confidence)
    if len(scores) < needed:
        guarantee = f"{what} of at most {rate:.3g} with a confidence of {confidence:.4g} ({of})"
        raise NotEnoughDataError(len(scores), needed, guarantee, of=with_copies)
    return bounds.binomial_threshold(scores, rate, confidence)


def _refuse_constant(normal: bounds.Scores) -> None:
    if len(normal) > 1 and np.isfinite(normal).all() and np.ptp(normal) == 0:
        raise DataError(
            f"All {len(normal)} normal samples have the same score, {normal[0]:.4g}, which separates nothing. Are they "
            "copies of one sample, or has the encoder collapsed (vssl evaluate RUN)?"
        )
