"""What decisions were worth, where the truth is known: rates with their bounds, and figures that need no threshold.

The rates are taken at the policy's own thresholds, never at those that would have been best on the judged samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from sklearn.metrics import average_precision_score, roc_auc_score

from vssl.decisions import bounds
from vssl.decisions.thresholds import ACCEPT, REJECT, REVIEW
from vssl.errors import DataError
from vssl.evaluation.ood import fpr95


@dataclass(frozen=True)
class Rate:
    """A share that was counted.

    Attributes:
        count, of: So many of so many, `of` at least 1.
        lower, upper: Bounds of the true rate, each with 95 % confidence (Clopper and Pearson 1934), in 0..1.
    """

    count: int
    of: int
    lower: float
    upper: float

    @classmethod
    def counted(cls, hits: Bool[np.ndarray, " N"]) -> Rate:
        count, of = int(hits.sum()), len(hits)
        return cls(count, of, bounds.lower_rate(count, of), bounds.upper_rate(count, of))

    @property
    def share(self) -> float:
        return self.count / self.of

    def __str__(self) -> str:
        return f"{self.share:.2%} ({self.count} of {self.of}; {self.lower:.2%} to {self.upper:.2%})"


@dataclass(frozen=True)
class Measured:
    """How decisions compare with the truth.

    Attributes:
        false_alarm: Normals that were rejected.
        normal_review: Normals that were sent to review.
        miss: Defects that were accepted, of all and by class; empty without defects.
        defect_review: Defects that were sent to review; None without defects.
        f1: Of rejections as finds of defects, at the policy's threshold, in 0..1; None without defects, as all below.
        auroc, average_precision: How well the score ranks defects above normals, in 0..1.
        fpr95: Share of normals above the highest threshold that finds 95 % of the defects, in 0..1; see `ood.fpr95`.
    """

    false_alarm: Rate
    normal_review: Rate
    miss: dict[str, Rate]
    defect_review: Rate | None = None
    f1: float | None = None
    auroc: float | None = None
    average_precision: float | None = None
    fpr95: float | None = None


ALL = "all"
SEVERITY = (ACCEPT, REVIEW, REJECT)


@dataclass(frozen=True)
class Judged:
    """What is compared with the truth, sample by sample or block by block.

    Attributes:
        scores: Higher is worse.
        decisions: accept, review or reject.
        is_normal: The truth.
        classes: Misses are counted by class of the defects.
    """

    scores: Float[np.ndarray, " N"]
    decisions: np.ndarray
    is_normal: Bool[np.ndarray, " N"]
    classes: np.ndarray

    def by_block(self, blocks: np.ndarray) -> Judged:
        """The worst of each block; one that holds a defect stands for its defects: an alarm beside them finds none."""
        severity = np.array([SEVERITY.index(decision) for decision in self.decisions], dtype=int)
        rows = [np.flatnonzero(blocks == name) for name in dict.fromkeys(blocks)]
        rows = [row if self.is_normal[row].all() else row[~self.is_normal[row]] for row in rows]
        first = [row[0] for row in rows]
        return Judged(
            np.array([self.scores[row].max() for row in rows]),
            np.array([SEVERITY[severity[row].max()] for row in rows], dtype=object),
            self.is_normal[first],
            self.classes[first],
        )


def measure(judged: Judged) -> Measured:
    """Compare decisions with the truth.

    Raises:
        DataError: There is no normal sample, or a score is not a number.
    """
    scores, decisions, is_normal, classes = judged.scores, judged.decisions, judged.is_normal, judged.classes
    if not is_normal.any():
        raise DataError("There is no normal sample among the judged ones, so there is no false-alarm rate.")
    if not np.isfinite(scores).all():
        raise DataError(f"{np.sum(~np.isfinite(scores))} of the scores are not finite numbers.")
    normal, defect = decisions[is_normal], ~is_normal
    alarms = Rate.counted(normal == REJECT), Rate.counted(normal == REVIEW)
    if not defect.any():
        return Measured(*alarms, miss={})
    missed = decisions == ACCEPT
    misses = {ALL: Rate.counted(missed[defect])}
    kinds = sorted(set(classes[defect]))
    if len(kinds) > 1:
        misses |= {str(kind): Rate.counted(missed[defect & (classes == kind)]) for kind in kinds}
    found = int((decisions[defect] == REJECT).sum())
    return Measured(
        *alarms,
        miss=misses,
        defect_review=Rate.counted(decisions[defect] == REVIEW),
        f1=2 * found / (found + alarms[0].count + int(defect.sum())),
        auroc=float(roc_auc_score(defect, scores)),
        average_precision=float(average_precision_score(defect, scores)),
        fpr95=fpr95(defect, scores),
    )
