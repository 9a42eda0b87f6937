"""What decisions cost."""

from __future__ import annotations

import numpy as np
import pytest

from vssl.decisions.core import Thresholds
from vssl.decisions.costs import cost_curve, cost_per_1000, expected_costs
from vssl.decisions.guarantee import Costs

NORMAL, DEFECTS = np.arange(10.0), np.arange(5.0, 15.0)
COSTS = Costs(miss=100, false_alarm=1, review=5, defect_share=0.1)


def test_every_kind_of_decision_has_its_price():
    # Normals: 0..6 accepted, 7 and 8 reviewed, 9 rejected. Defects: 5 and 6 accepted, 7 and 8 reviewed.
    found = cost_per_1000(Thresholds(6.0, 8.0), NORMAL, DEFECTS, COSTS)
    assert found == pytest.approx(900 * (0.1 * 1 + 0.2 * 5) + 100 * (0.2 * 100 + 0.2 * 5))


def test_the_curve_is_the_price_of_single_thresholds():
    limits, curve = cost_curve(NORMAL, DEFECTS, COSTS)
    for limit, price in zip(limits, curve, strict=True):
        assert price == pytest.approx(cost_per_1000(Thresholds(limit, limit), NORMAL, DEFECTS, COSTS))


def test_the_cheapest_threshold_is_named_beside_the_policy():
    policy, best = expected_costs(Thresholds(8.0, 8.0), NORMAL, DEFECTS, COSTS)
    assert best.thresholds == Thresholds(4.0, 4.0)
    assert best.per_1000 == pytest.approx(900 * 0.5)
    assert policy.per_1000 > best.per_1000
