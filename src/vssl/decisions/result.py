"""The result of `vssl decide`: the table of decisions, its metrics and episodes, and a summary in sentences."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vssl.decisions.bounds import binomial_p_values
from vssl.decisions.core import OUTCOMES
from vssl.decisions.describe import percent
from vssl.decisions.episodes import Episode
from vssl.decisions.metrics import ALL, DecisionMetrics
from vssl.decisions.policy import Policy, Rate

SHIFT_LEVEL = 1e-3
"""Significance level of the test for more rejections than false alarms alone explain."""
SHOWN = 5
"""Reasons and episodes that are listed at most."""


@dataclass(frozen=True)
class Decisions:
    """The decisions on some data.

    Attributes:
        table: One row per sample: id, decision (accept, review, reject), p_value, score, group, explanation (what would
            have to change for accept; for the highest scores), nearest (ids of the nearest samples of the bank),
            nearest_defect (id; null without known defects) and reason (why a sample without a score or a threshold is
            reviewed); `reported` where false discoveries are controlled.
        policy: The policy.
        metrics: The decisions compared with true labels; None without labels.
        in_reference: How many of the samples belong to the policy's own bank or calibration samples.
        episodes: Rejected windows of each series, merged; stored beside the table as CSV. None if the data have no
            series.
        path: The Parquet file.
        notes: How the data were read: the format that was recognised, and what was left out.
    """

    table: pa.Table
    policy: Policy
    metrics: DecisionMetrics | None
    in_reference: int
    episodes: list[Episode] | None
    path: Path
    notes: Sequence[str] = ()

    def count(self, outcome: str) -> int:
        """Number of samples with this decision: accept, review or reject."""
        return int(pc.sum(pc.equal(self.table["decision"], outcome)).as_py() or 0)

    def counts(self) -> dict[str, Any]:
        """Plain JSON data: the number of samples and of each decision, the file, and the metrics if there are any."""
        counts: dict[str, Any] = {"samples": self.table.num_rows}
        counts |= {outcome: self.count(outcome) for outcome in OUTCOMES} | {"file": str(self.path)}
        return counts if self.metrics is None else counts | {"metrics": asdict(self.metrics)}

    def summary(self) -> list[str]:
        """Sentences for the person who acts on the decisions."""
        total = self.table.num_rows
        accepted, reviewed, rejected = (self.count(outcome) for outcome in OUTCOMES)
        sentences = [f"{total:,} samples: {accepted:,} accepted, {reviewed:,} for review, {rejected:,} rejected."]
        if "reported" in self.table.column_names:
            sentences.append(
                f"{sum(self.table['reported'].to_pylist()):,} samples are reported. On average over batches, at most "
                "the given share of the reported samples is normal, whatever the share of defects."
            )
        reasons = [reason for reason in self.table["reason"].to_pylist() if reason]
        sentences += [f"{reasons.count(reason):,} for review: {reason}." for reason in sorted(set(reasons))[:SHOWN]]
        sentences += _episodes(self.episodes or [])
        if self.in_reference:
            sentences.append(
                f"{self.in_reference:,} of the samples belong to the policy's own bank or calibration samples: on "
                "these, decisions look better than they will on new samples."
            )
        if self.metrics is None:
            return sentences + _shift(self.policy, rejected, total)
        return sentences + _metrics(self.policy, self.metrics)


def _episodes(episodes: Sequence[Episode]) -> list[str]:
    if not episodes:
        return []
    title = "1 episode" if len(episodes) == 1 else f"{len(episodes):,} episodes"
    highest = sorted(episodes, key=lambda each: -each.score)[:SHOWN]
    return [f"{title} of rejected windows{', the highest scores first' if len(episodes) > 1 else ''}:"] + [
        f"{each.series}, {each.start} to {each.end}: score {each.score:.4g}. {each.explanation}" for each in highest
    ]


def _shift(policy: Policy, rejected: int, total: int) -> list[str]:
    """Whether there are more rejections than false alarms alone explain."""
    guaranteed = policy.guarantee.false_alarm
    if not total or policy.block is not None:
        return []
    p_value = float(binomial_p_values(np.array([total - rejected]), total, 1 - guaranteed)[0])
    if p_value > SHIFT_LEVEL:
        return []
    return [
        f"{percent(rejected / total)} of the samples are rejected; of normal samples it would be at most "
        f"{percent(guaranteed)}. Either there are defects among them, or the process has changed since the "
        "calibration."
    ]


def _metrics(policy: Policy, metrics: DecisionMetrics) -> list[str]:
    guarantee = policy.guarantee
    unit = "" if policy.block is None else f", counted in blocks ({policy.block})"
    alarms = metrics.false_alarm
    sentences = [f"False alarms{unit}: {alarms}. {guarantee_check(alarms, guarantee.false_alarm, policy)}"]
    for name, rate in metrics.miss.items():
        who = "Misses" if name == ALL else f"Misses of {name}"
        check = "" if name != ALL or guarantee.miss is None else " " + guarantee_check(rate, guarantee.miss, policy)
        sentences.append(f"{who}: {rate}.{check}")
    if metrics.defect_review is None:
        return [*sentences, f"Review: {metrics.normal_review} of the normal samples."]
    return [
        *sentences,
        f"Review: {metrics.normal_review} of the normal samples, {metrics.defect_review} of the defects.",
        f"AUROC {metrics.auroc:.3f}, average precision {metrics.average_precision:.3f}, FPR at 95 % of the defects "
        f"detected {metrics.fpr95:.1%}, F1 of rejection {metrics.f1:.3f}.",
    ]


def guarantee_check(rate: Rate, guaranteed: float, policy: Policy) -> str:
    """Whether an observed rate is consistent with the guaranteed one."""
    if not policy.guaranteed:
        return f"(Target: at most {percent(guaranteed)}.)"
    if rate.lower > guaranteed:
        return (
            f"THE GUARANTEE OF {percent(guaranteed)} IS BROKEN HERE: these samples are not exchangeable with the "
            "calibration samples. Calibrate with samples of this kind."
        )
    if rate.share > guaranteed:
        return f"Guaranteed: at most {percent(guaranteed)}. The observed rate is above it, within chance."
    return f"Guaranteed: at most {percent(guaranteed)}: kept."
