"""Metrics of decisions where the true labels are known: rates with their bounds, and threshold-free metrics.

The rates are those at the policy's own thresholds, never at thresholds that were chosen on the evaluated samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from vssl.decisions.bounds import observed_rate
from vssl.decisions.core import ACCEPT, OUTCOMES, REJECT, REVIEW
from vssl.decisions.policy import Rate
from vssl.errors import DataError

ALL = "all"
"""The key of the miss rate of all classes of defects together."""


@dataclass(frozen=True)
class DecisionMetrics:
    """Decisions compared with true labels.

    Attributes:
        false_alarm: Rate of normal samples that were rejected.
        normal_review: Rate of normal samples that were sent to review.
        miss: Rate of defects that were accepted, of all and by class; empty without defects.
        defect_review: Rate of defects that were sent to review; None without defects, as all below.
        f1: F1 of rejection as a detector of defects, at the policy's threshold, in 0..1.
        auroc, average_precision: How well the score ranks defects above normal samples, in 0..1.
        fpr95: Share of normal samples above the highest threshold that detects 95 % of the defects, in 0..1; see
            `ood.fpr95`.
    """

    false_alarm: Rate
    normal_review: Rate
    miss: dict[str, Rate]
    defect_review: Rate | None = None
    f1: float | None = None
    auroc: float | None = None
    average_precision: float | None = None
    fpr95: float | None = None


@dataclass(frozen=True)
class LabelledDecisions:
    """Decisions with true labels, one row per sample or per block.

    Attributes:
        scores: Higher is worse.
        outcomes: accept, review or reject.
        is_normal: True label.
        classes: Class of each sample; misses are counted by class of the defects.
    """

    scores: Float[np.ndarray, " N"]
    outcomes: np.ndarray
    is_normal: Bool[np.ndarray, " N"]
    classes: np.ndarray

    def by_block(self, blocks: np.ndarray) -> LabelledDecisions:
        """The most severe decision of each block; in a block with defects normal samples do not count."""
        severity = np.array([OUTCOMES.index(outcome) for outcome in self.outcomes], dtype=int)
        rows = [np.flatnonzero(blocks == name) for name in dict.fromkeys(blocks)]
        rows = [row if self.is_normal[row].all() else row[~self.is_normal[row]] for row in rows]
        first = [row[0] for row in rows]
        return LabelledDecisions(
            np.array([self.scores[row].max() for row in rows]),
            np.array([OUTCOMES[severity[row].max()] for row in rows], dtype=object),
            self.is_normal[first],
            self.classes[first],
        )


def compute_metrics(labelled: LabelledDecisions) -> DecisionMetrics:
    """Compare decisions with true labels.

    Raises:
        DataError: There is no normal sample, or a score is not a number.
    """
    # Imported late: scikit-learn takes seconds to import, and most decisions have no labels.
    from sklearn.metrics import average_precision_score, roc_auc_score

    from vssl.evaluation.ood import fpr95

    scores, outcomes, is_normal = labelled.scores, labelled.outcomes, labelled.is_normal
    if not is_normal.any():
        raise DataError("None of the labelled samples is normal, so there is no false-alarm rate.")
    if not np.isfinite(scores).all():
        raise DataError(f"{np.sum(~np.isfinite(scores))} of the scores are not finite numbers.")
    normal, defect = outcomes[is_normal], ~is_normal
    alarms = observed_rate(normal == REJECT), observed_rate(normal == REVIEW)
    if not defect.any():
        return DecisionMetrics(*alarms, miss={})
    detected = int((outcomes[defect] == REJECT).sum())
    missed, classes = outcomes[defect] == ACCEPT, labelled.classes[defect]
    miss, names = {ALL: observed_rate(missed)}, sorted(set(classes))
    if len(names) > 1:
        miss |= {str(name): observed_rate(missed[classes == name]) for name in names}
    return DecisionMetrics(
        *alarms,
        miss=miss,
        defect_review=observed_rate(outcomes[defect] == REVIEW),
        f1=2 * detected / (detected + alarms[0].count + int(defect.sum())),
        auroc=float(roc_auc_score(defect, scores)),
        average_precision=float(average_precision_score(defect, scores)),
        fpr95=fpr95(defect, scores),
    )
