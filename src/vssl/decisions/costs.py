"""What decisions cost: a miss, a false alarm, a review, and the share of defects among the samples to come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vssl.decisions.guarantee import Costs
from vssl.decisions.thresholds import ACCEPT, REJECT, REVIEW, Thresholds


@dataclass(frozen=True)
class Expected:
    """What one way to decide is expected to cost, by the shares among the calibration samples.

    Attributes:
        thresholds: The way to decide.
        per_1000: Cost of a thousand samples, in the unit of the costs.
    """

    name: str
    thresholds: Thresholds
    per_1000: float


Scores = Float[np.ndarray, " n"]


def cost_per_1000(limits: Thresholds, normal: Scores, defects: Scores, costs: Costs) -> float:
    """The expected cost of a thousand samples."""
    of_normal, of_defect = limits.decide(normal), limits.decide(defects)
    normal_cost = costs.false_alarm * (of_normal == REJECT).mean() + costs.review * (of_normal == REVIEW).mean()
    defect_cost = costs.miss * (of_defect == ACCEPT).mean() + costs.review * (of_defect == REVIEW).mean()
    return float(1000 * ((1 - costs.defect_share) * normal_cost + costs.defect_share * defect_cost))


def expected(policy: Thresholds, normal: Scores, defects: Scores, costs: Costs) -> tuple[Expected, ...]:
    """The policy beside the one threshold that is cheapest on the calibration samples, which guarantees nothing."""
    limits, curve = cost_curve(normal, defects, costs)
    best = Thresholds(float(limits[curve.argmin()]), float(limits[curve.argmin()]))
    return (
        Expected("policy", policy, cost_per_1000(policy, normal, defects, costs)),
        Expected("cheapest single threshold, which guarantees nothing", best, float(curve.min())),
    )


def cost_curve(normal: Scores, defects: Scores, costs: Costs) -> tuple[Scores, Float[np.ndarray, " n"]]:
    """The cost of a thousand samples for each score as the only threshold, nothing being reviewed."""
    limits = np.unique(np.concatenate([normal, defects]))
    false_alarm = 1 - np.searchsorted(np.sort(normal), limits, side="right") / len(normal)
    miss = np.searchsorted(np.sort(defects), limits, side="right") / len(defects)
    share = costs.defect_share
    return limits, 1000 * ((1 - share) * costs.false_alarm * false_alarm + share * costs.miss * miss)
