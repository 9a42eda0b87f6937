"""Operating points: what other false-alarm rates would guarantee and would have decided, and policies with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from vssl.decisions.core import ACCEPT, OUTCOMES, REJECT, Thresholds, decide_by_group
from vssl.decisions.describe import percent
from vssl.decisions.guarantee import Guarantee
from vssl.decisions.policy import Policy
from vssl.decisions.thresholds import compute_thresholds
from vssl.errors import ConfigError, NotEnoughDataError

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
"""The false-alarm rates that are offered."""

ScoresByGroup = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class OperatingPoint:
    """A guarantee, and the decisions that recorded samples would have got with it.

    Attributes:
        guarantee: The guaranteed rates.
        thresholds: By group; empty if there are too few samples for the guarantee.
        needed: How many more samples a group needs for the guarantee; 0 if there are enough.
        decided: How many recorded samples would be accepted, reviewed, rejected.
        false_alarms: How many samples that people labelled normal would be rejected, and of how many.
        misses: How many samples that people labelled defects would be accepted, and of how many.
    """

    guarantee: Guarantee
    thresholds: dict[str, Thresholds]
    needed: int
    decided: dict[str, int]
    false_alarms: tuple[int, int]
    misses: tuple[int, int]


def operating_points(
    policy: Policy, scores: Mapping[str, ScoresByGroup], recorded: Sequence[tuple[str, float, str]]
) -> list[OperatingPoint]:
    """The usual false-alarm rates, and the one in force.

    Args:
        policy: The policy in force.
        scores: Scores of the calibration samples by role, `normal` and `defect`, and group.
        recorded: Group, score and label of each recorded decision.
    """
    now = policy.guarantee
    groups, values, labels = zip(*recorded, strict=True) if recorded else ((), (), ())
    columns = (np.array(groups, dtype=object), np.array(values, dtype=float), np.array(labels, dtype=object))
    rates = sorted({*RATES, now.false_alarm})
    return [_operating_point(replace(now, false_alarm=rate), scores, columns) for rate in rates]


def with_false_alarm(
    policy: Policy, scores: Mapping[str, ScoresByGroup], false_alarm: float, by: str, at: datetime
) -> Policy:
    """The policy with thresholds for another false-alarm rate, from the same calibration samples.

    Raises:
        ConfigError: The policy guarantees for blocks, whose scores an export does not hold; or the rate is no share.
        NotEnoughDataError: Too few samples for the guarantee.
    """
    if policy.block is not None:
        raise ConfigError("This policy guarantees for blocks: calibrate the run again for another rate.")
    guarantee = replace(policy.guarantee, false_alarm=false_alarm)
    note = (
        f"Changed by {by} on {at:%Y-%m-%d %H:%M} UTC from at most {percent(policy.guarantee.false_alarm)} of false "
        f"alarms to at most {percent(false_alarm)}. A rate that is chosen after its effect has been seen is "
        "guaranteed with slightly less confidence."
    )
    return replace(
        policy,
        guarantee=guarantee,
        thresholds=_thresholds(scores, guarantee),
        expected={},
        costs=None,
        expected_costs=(),
        caveats=(*policy.caveats, note),
    )


def _operating_point(
    guarantee: Guarantee, scores: Mapping[str, ScoresByGroup], recorded: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> OperatingPoint:
    try:
        thresholds = _thresholds(scores, guarantee)
    except NotEnoughDataError as error:
        return OperatingPoint(guarantee, {}, error.needed - error.given, {}, (0, 0), (0, 0))
    groups, values, labels = recorded
    in_group = np.isin(groups, list(thresholds))
    outcomes, labels = decide_by_group(thresholds, groups, values)[in_group], labels[in_group]
    decided: dict[str, int] = {outcome: int((outcomes == outcome).sum()) for outcome in OUTCOMES}
    normal, defect = (labels == name for name in ("normal", "defect"))
    alarms = (int((normal & (outcomes == REJECT)).sum()), int(normal.sum()))
    misses = (int((defect & (outcomes == ACCEPT)).sum()), int(defect.sum()))
    return OperatingPoint(guarantee, thresholds, 0, decided, alarms, misses)


def _thresholds(scores: Mapping[str, ScoresByGroup], guarantee: Guarantee) -> dict[str, Thresholds]:
    thresholds = {}
    for group, normal in scores["normal"].items():
        defects = np.array(scores["defect"][group]) if guarantee.miss is not None else None
        thresholds[group] = compute_thresholds(np.array(normal), defects, guarantee)
    return thresholds
