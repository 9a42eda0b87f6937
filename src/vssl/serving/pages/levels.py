"""Other thresholds: what they would guarantee, what they would have done, and a new version of the policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from vssl.decisions.guarantee import Guarantee
from vssl.decisions.thresholds import ACCEPT, REJECT, REVIEW, Thresholds, thresholds
from vssl.errors import ConfigError, NotEnoughDataError

LEVELS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)


@dataclass(frozen=True)
class Level:
    """A guarantee, and what would have become of recorded decisions under it.

    Attributes:
        guarantee: What is guaranteed.
        thresholds: By group; empty if there are too few samples for the guarantee.
        needed: How many more samples a group with too few would need; 0 if there are enough.
        decided: How many recorded samples would be accepted, reviewed, rejected.
        false_alarms: How many that people called normal would be rejected, and of how many.
        misses: How many that people called defects would be accepted, and of how many.
    """

    guarantee: Guarantee
    thresholds: dict[str, Thresholds]
    needed: int
    decided: dict[str, int]
    false_alarms: tuple[int, int]
    misses: tuple[int, int]


def levels(
    policy: Mapping[str, Any], known: Mapping[str, Any], recorded: Sequence[tuple[str, float, str]]
) -> list[Level]:
    """The usual levels, and the one in force.

    Args:
        policy: The one in force.
        known: Scores of the calibration samples, by group: `normal` and `defect`.
        recorded: Group, score and verdict of each recorded decision.
    """
    now = Guarantee(**policy["guarantee"])
    rates = sorted({*LEVELS, now.false_alarm})
    groups, scores, verdicts = zip(*recorded, strict=True) if recorded else ((), (), ())
    columns = (np.array(groups, dtype=object), np.array(scores, dtype=float), np.array(verdicts, dtype=object))
    return [_level(Guarantee(rate, now.miss, now.confidence), known, columns) for rate in rates]


def changed(policy: Mapping[str, Any], known: Mapping[str, Any], guarantee: Guarantee, by: str, at: datetime) -> dict:
    """The policy with other thresholds, from the same samples for another guarantee; the old one is left as it is.

    Raises:
        ConfigError: It was made of blocks, whose scores an export does not hold.
        NotEnoughDataError: Too few samples for the guarantee.
    """
    if policy["block"] is not None:
        raise ConfigError("This policy guarantees for blocks: calibrate the run again for another level.")
    found = _thresholds(known, guarantee)
    before = Guarantee(**policy["guarantee"])
    note = (
        f"Changed by {by} on {at:%Y-%m-%d %H:%M} UTC: false alarms of at most {100 * guarantee.false_alarm:.3g} %, "
        f"before {100 * before.false_alarm:.3g} %. A level chosen after looking at what it does guarantees a little "
        "less."
    )
    sentences = [_promised(policy, guarantee), *map(_limits, found.items()), note]
    kept = {key: value for key, value in policy.items() if key != "seal"}
    return kept | {
        "words": sentences,
        "guarantee": asdict(guarantee),
        "thresholds": {group: asdict(limits) for group, limits in found.items()},
        "expected": {},
        "costs": None,
        "expected_costs": [],
        "caveats": [*policy["caveats"], note],
    }


def _level(
    guarantee: Guarantee, known: Mapping[str, Any], recorded: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> Level:
    try:
        found = _thresholds(known, guarantee)
    except NotEnoughDataError as error:
        return Level(guarantee, {}, error.needed - error.given, {}, (0, 0), (0, 0))
    groups, scores, verdicts = recorded
    made = np.full(len(scores), "", dtype=object)
    for group, limits in found.items():
        own = groups == group
        made[own] = limits.decide(scores[own])
    decided: dict[str, int] = {decision: int((made == decision).sum()) for decision in (ACCEPT, REVIEW, REJECT)}
    normal, defect = ((verdicts == name) & (made != "") for name in ("normal", "defect"))
    alarms = (int((normal & (made == REJECT)).sum()), int(normal.sum()))
    misses = (int((defect & (made == ACCEPT)).sum()), int(defect.sum()))
    return Level(guarantee, found, 0, decided, alarms, misses)


def _thresholds(known: Mapping[str, Any], guarantee: Guarantee) -> dict[str, Thresholds]:
    found = {}
    for group, normal in known["normal"].items():
        defects = np.array(known["defect"][group]) if guarantee.miss is not None else None
        found[group] = thresholds(np.array(normal), defects, guarantee)
    return found


def _promised(policy: Mapping[str, Any], guarantee: Guarantee) -> str:
    if not policy["guaranteed"]:
        return "NO GUARANTEE: the rates below were aimed at, and are not guaranteed."
    missed = "" if guarantee.miss is None else f", and at most {100 * guarantee.miss:.3g} % of defects are accepted"
    return (
        f"At most {100 * guarantee.false_alarm:.3g} % of normal samples like those it was made with are "
        f"rejected{missed},"
        f" with {100 * guarantee.confidence:.3g} % confidence."
    )


def _limits(item: tuple[str, Thresholds]) -> str:
    group, limits = item
    who = f"{group}: " if group else ""
    return f"{who}Accept up to a score of {limits.accept_up_to:.5g}, reject above {limits.reject_above:.5g}."
