"""From scores of known normals, and of defects if there are any, to the limits between accept, review and reject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from vssl.decisions import bounds
from vssl.decisions.guarantee import Guarantee
from vssl.errors import ConfigError, DataError, NotEnoughDataError

Decision = Literal["accept", "review", "reject"]

ACCEPT: Decision = "accept"
REVIEW: Decision = "review"
REJECT: Decision = "reject"


@dataclass(frozen=True)
class Thresholds:
    """Accept up to one score, reject above another, review what lies between.

    Attributes:
        accept_up_to: In the units of the score; at most `reject_above`.
        reject_above: In the units of the score.
    """

    accept_up_to: float
    reject_above: float

    def decide(self, scores: Float[np.ndarray, " N"]) -> np.ndarray:
        """accept, review or reject for each score; one that is not a finite number is reviewed."""
        decisions = np.full(len(scores), REVIEW, dtype=object)
        decisions[scores <= self.accept_up_to] = ACCEPT
        decisions[scores > self.reject_above] = REJECT
        decisions[~np.isfinite(scores)] = REVIEW
        return decisions


def thresholds(
    normal: bounds.Scores,
    defects: bounds.Scores | None,
    guarantee: Guarantee,
    given: tuple[int | None, int | None] = (None, None),
) -> Thresholds:
    """The limits that keep the guarantee, by exact binomial bounds; see `bounds.binomial_threshold`.

    Normals rejected and defects accepted are each counted in samples of their own. Where even the miss rate can be kept
    without any review, nothing is reviewed, and the one limit is that of the false alarms: it misses the fewest.

    Args:
        given: How many normals and defects there are with their copies, of which `normal` and `defects` have one each.

    Raises:
        NotEnoughDataError: Too few normals, or too few defects.
        ConfigError: A miss rate is guaranteed without defects.
        DataError: Scores that are all the same, or not finite.
    """
    if guarantee.miss is not None and defects is None:
        raise ConfigError(
            "A miss rate can be guaranteed only with known defects: give some, or leave the miss rate out."
        )
    _check_spread(normal)
    each = guarantee.confidence_of_each
    reject_above = _limit(normal, guarantee.false_alarm, each, "false alarms", "normals", given[0])
    if guarantee.miss is None or defects is None:
        return Thresholds(reject_above, reject_above)
    # A defect is missed if it is accepted; below the limit, and not at it, at most the guaranteed share of them lies.
    lowest_found = -_limit(-defects, guarantee.miss, each, "misses", "defects", given[1])
    return Thresholds(min(reject_above, float(np.nextafter(lowest_found, -np.inf))), reject_above)


def _limit(scores: bounds.Scores, rate: float, confidence: float, what: str, of: str, given: int | None) -> float:
    needed = bounds.samples_needed(rate, confidence)
    if len(scores) < needed:
        guarantee = f"{what} of at most {rate:.3g} with a confidence of {confidence:.4g} ({of})"
        raise NotEnoughDataError(len(scores), needed, guarantee, of=given)
    return bounds.binomial_threshold(scores, rate, confidence)


def _check_spread(normal: bounds.Scores) -> None:
    if len(normal) > 1 and np.isfinite(normal).all() and np.ptp(normal) == 0:
        raise DataError(
            f"All {len(normal)} normal samples have the same score, {normal[0]:.4g}: it tells nothing apart. Are they "
            "copies of one sample, or has the encoder collapsed (vssl evaluate RUN)?"
        )
