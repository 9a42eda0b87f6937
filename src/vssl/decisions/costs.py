"""Expected costs of decisions, from the costs of a miss, a false alarm and a review and the share of defects."""

import numpy as np
from jaxtyping import Float

from vssl.decisions.core import ACCEPT, REJECT, REVIEW, Thresholds
from vssl.decisions.guarantee import Costs
from vssl.decisions.policy import ExpectedCost

Scores = Float[np.ndarray, " n"]


def cost_per_1000(thresholds: Thresholds, normal: Scores, defects: Scores, costs: Costs) -> float:
    """The expected cost per 1,000 samples."""
    of_normal, of_defect = thresholds.decide(normal), thresholds.decide(defects)
    normal_cost = costs.false_alarm * (of_normal == REJECT).mean() + costs.review * (of_normal == REVIEW).mean()
    defect_cost = costs.miss * (of_defect == ACCEPT).mean() + costs.review * (of_defect == REVIEW).mean()
    return float(1000 * ((1 - costs.defect_share) * normal_cost + costs.defect_share * defect_cost))


def expected_costs(policy: Thresholds, normal: Scores, defects: Scores, costs: Costs) -> tuple[ExpectedCost, ...]:
    """The cost of the policy, and of the single threshold that is cheapest on the calibration samples."""
    limits, curve = cost_curve(normal, defects, costs)
    best = Thresholds(float(limits[curve.argmin()]), float(limits[curve.argmin()]))
    return (
        ExpectedCost("policy", policy, cost_per_1000(policy, normal, defects, costs)),
        ExpectedCost("cheapest single threshold, which guarantees nothing", best, float(curve.min())),
    )


def cost_curve(normal: Scores, defects: Scores, costs: Costs) -> tuple[Scores, Float[np.ndarray, " n"]]:
    """The cost per 1,000 samples for each score as the only threshold, without review."""
    limits = np.unique(np.concatenate([normal, defects]))
    false_alarm = 1 - np.searchsorted(np.sort(normal), limits, side="right") / len(normal)
    miss = np.searchsorted(np.sort(defects), limits, side="right") / len(defects)
    share = costs.defect_share
    return limits, 1000 * ((1 - share) * costs.false_alarm * false_alarm + share * costs.miss * miss)
