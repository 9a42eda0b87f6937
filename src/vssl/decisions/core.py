"""The decision rule: from scores and a policy to accept, review or reject, with p-values and the reasons for review.

Needs numpy only. `vssl decide`, `vssl.runtime` (on computers without torch) and the operating points of the service's
page all decide here. `thresholds.py` computes the thresholds; `describe.py` puts a policy into sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from vssl.errors import DataError

if TYPE_CHECKING:
    from vssl.decisions.policy import Policy

Outcome = Literal["accept", "review", "reject"]

ACCEPT: Outcome = "accept"
REVIEW: Outcome = "review"
REJECT: Outcome = "reject"
OUTCOMES = (ACCEPT, REVIEW, REJECT)
"""From the least to the most severe."""

BANK, NORMAL, DEFECT = "bank", "normal", "defect"
"""The roles of samples in a policy: the reference set of the score, and the calibration samples."""

UNGROUPED = ""
"""The name of the only group of a policy without groups."""


@dataclass(frozen=True)
class Decision:
    """The decision on one sample.

    Attributes:
        id: Name of the sample.
        decision: accept, review or reject.
        p_value: Conformal p-value among the normal calibration samples of its group, 1 / (n + 1)..1; NaN without one.
        score: Higher is worse; NaN for a sample that cannot be read.
        nearest: Ids of the nearest samples of the bank, the nearest first.
        reason: Why a sample without a score or a threshold is reviewed; else empty.
    """

    id: str
    decision: str
    p_value: float
    score: float
    nearest: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Thresholds:
    """Accept up to one score, reject above another, review what lies between.

    Attributes:
        accept_up_to: In the units of the score; at most `reject_above`.
        reject_above: In the units of the score.
    """

    accept_up_to: float
    reject_above: float

    def decide(self, scores: np.ndarray) -> np.ndarray:
        """The outcome for each of the scores [N]; a score that is not a finite number is reviewed."""
        outcomes = np.full(len(scores), REVIEW, dtype=object)
        outcomes[scores <= self.accept_up_to] = ACCEPT
        outcomes[scores > self.reject_above] = REJECT
        outcomes[~np.isfinite(scores)] = REVIEW
        return outcomes


def decide(
    policy: Policy,
    calibration: Mapping[str, np.ndarray],
    ids: Sequence[str],
    groups: Sequence[str],
    scores: np.ndarray,
    nearest: Sequence[Sequence[str]],
) -> list[Decision]:
    """Decide on N samples by a policy.

    Args:
        calibration: Scores of the normal calibration samples by group.
        ids: Name of each sample.
        groups: Group of each sample; `UNGROUPED` where the policy has no groups.
        scores: [N], float64.
        nearest: Ids of the nearest samples of the bank, for each sample.
    """
    columns = (
        ids,
        decide_by_group(policy.thresholds, np.array(groups, dtype=object), scores).tolist(),
        p_values_by_group(calibration, np.array(groups, dtype=object), scores).tolist(),
        scores.tolist(),
        map(tuple, nearest),
        [_reason_for_review(policy, group, score) for group, score in zip(groups, scores, strict=True)],
    )
    return [Decision(*row) for row in zip(*columns, strict=True)]


def decide_unreadable(id: str, reason: str) -> Decision:
    """A sample that cannot be read is reviewed."""
    return Decision(id, REVIEW, np.nan, np.nan, reason=f"unreadable: {reason}")


def decide_by_group(thresholds: Mapping[str, Thresholds], groups: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The outcome for each score by the thresholds of its group; review where the group has none."""
    outcomes = np.full(len(scores), REVIEW, dtype=object)
    for group, limits in thresholds.items():
        members = groups == group
        outcomes[members] = limits.decide(scores[members])
    return outcomes


def p_values_by_group(calibration: Mapping[str, np.ndarray], groups: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Conformal p-values within each group; NaN for an unknown group and for a score that is not a finite number."""
    p_values = np.full(len(scores), np.nan)
    for group, reference in calibration.items():
        members = (groups == group) & np.isfinite(scores)
        if members.any():
            p_values[members] = conformal_p_values(reference, scores[members])
    return p_values


def worst_of_each(scores: np.ndarray, units: np.ndarray) -> np.ndarray:
    """The highest score of each unit (a sample with its copies, or a block) [K], units in the order of their names."""
    names, unit = np.unique(units, return_inverse=True)
    worst = np.full(len(names), -np.inf)
    np.maximum.at(worst, unit, scores)
    return worst


def conformal_p_values(calibration: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """p(s) = (1 + #{calibration scores >= s}) / (n + 1), in 1/(n+1)..1, for n calibration scores and scores [k].

    For a sample exchangeable with the calibration, P(p <= alpha) <= alpha (Vovk et al. 2005).

    Raises:
        DataError: There are no calibration scores, or one is not finite.
    """
    ordered = sorted_scores(calibration)
    at_least = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return (1 + at_least) / (len(ordered) + 1)


def sorted_scores(calibration: np.ndarray) -> np.ndarray:
    """Calibration scores in ascending order, float64 [n].

    Raises:
        DataError: There are none, or one is not finite.
    """
    calibration = np.asarray(calibration, dtype=np.float64)
    if calibration.ndim != 1 or not len(calibration):
        raise DataError("There are no calibration scores.")
    not_finite = np.flatnonzero(~np.isfinite(calibration))
    if len(not_finite):
        raise DataError(
            f"{len(not_finite)} calibration scores are not finite; the first is number {not_finite[0] + 1}."
        )
    return np.sort(calibration)


def _reason_for_review(policy: Policy, group: str, score: float) -> str:
    if not np.isfinite(score):
        return "the score is not a finite number"
    return "" if group in policy.thresholds else f"no threshold for {policy.group} = {group}"
