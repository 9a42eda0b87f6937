"""What was decided on some data, in sentences and in figures."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from vssl.decisions.bounds import binomial_p_values
from vssl.decisions.decisions import Decisions
from vssl.decisions.describe import percent
from vssl.decisions.episodes import Episode
from vssl.decisions.measure import ALL, Measured, Rate
from vssl.decisions.policy import Policy
from vssl.decisions.thresholds import ACCEPT, REJECT, REVIEW

# More rejections than a process as calibrated brings forth by chance, once in a thousand batches.
SURPRISE = 1e-3
SHOWN = 5


def figures(decisions: Decisions) -> dict[str, Any]:
    """Plain JSON data: counts, where the table lies, and what was measured."""
    counts = {str(decision): decisions.count(decision) for decision in (ACCEPT, REVIEW, REJECT)}
    found: dict[str, Any] = {"samples": decisions.table.num_rows, **counts, "file": str(decisions.path)}
    return found if decisions.measured is None else found | {"measured": asdict(decisions.measured)}


def sentences(decisions: Decisions) -> list[str]:
    """What a person at the line should know."""
    total = decisions.table.num_rows
    counts = [decisions.count(decision) for decision in (ACCEPT, REVIEW, REJECT)]
    found = [f"{total:,} samples: {counts[0]:,} accepted, {counts[1]:,} for review, {counts[2]:,} rejected."]
    if "reported" in decisions.table.column_names:
        found.append(
            f"{sum(decisions.table['reported'].to_pylist()):,} reported: on average over batches, at most the asked "
            "share of the reported are normal, however many of the samples are defects."
        )
    reasons = [reason for reason in decisions.table["reason"].to_pylist() if reason]
    found += [f"{reasons.count(reason):,} for review: {reason}." for reason in sorted(set(reasons))[:5]]
    found += _episodes(decisions.episodes or [])
    if decisions.own:
        found.append(
            f"{decisions.own:,} of them belong to the policy's own bank or calibration: what is measured on those "
            "looks better than it will be on new ones."
        )
    if decisions.measured is None:
        found += _surprise(decisions.policy, counts[2], total)
    else:
        found += _against_truth(decisions.policy, decisions.measured)
    return found


def _episodes(episodes: list[Episode]) -> list[str]:
    if not episodes:
        return []
    title = "1 episode" if len(episodes) == 1 else f"{len(episodes):,} episodes"
    found = [f"{title} of rejected windows{', the worst first' if len(episodes) > 1 else ''}:"]
    worst = sorted(episodes, key=lambda each: -each.score)[:SHOWN]
    return found + [
        f"{each.series}, {each.start} to {each.end}: score {each.score:.4g}. {each.explanation}" for each in worst
    ]


def _surprise(policy: Policy, rejected: int, total: int) -> list[str]:
    """Whether so many rejections can be false alarms alone."""
    guaranteed = policy.guarantee.false_alarm
    if not total or policy.block is not None:
        return []
    chance = float(binomial_p_values(np.array([total - rejected]), total, 1 - guaranteed)[0])
    if chance > SURPRISE:
        return []
    return [
        f"Of normal samples at most {percent(guaranteed)} would be rejected; here it is {percent(rejected / total)}. "
        "So "
        "there are defects among them, or the process is no longer the one that was calibrated."
    ]


def _against_truth(policy: Policy, measured: Measured) -> list[str]:
    guarantee = policy.guarantee
    of_what = "" if policy.block is None else f", counted in blocks ({policy.block})"
    found = [
        f"False alarms{of_what}: {measured.false_alarm}. {kept(measured.false_alarm, guarantee.false_alarm, policy)}"
    ]
    for name, rate in measured.miss.items():
        who = "Misses" if name == ALL else f"Misses of {name}"
        verdict = "" if name != ALL or guarantee.miss is None else " " + kept(rate, guarantee.miss, policy)
        found.append(f"{who}: {rate}.{verdict}")
    found.append(f"Review: {measured.normal_review} of the normal samples.")
    if measured.defect_review is not None:
        found[-1] = f"Review: {measured.normal_review} of the normal samples, {measured.defect_review} of the defects."
        found.append(
            f"AUROC {measured.auroc:.3f}, average precision {measured.average_precision:.3f}, normals above 95 % of "
            f"the defects {measured.fpr95:.1%}, F1 of the rejections {measured.f1:.3f}."
        )
    return found


def kept(rate: Rate, guaranteed: float, policy: Policy) -> str:
    """Whether a guaranteed rate was kept, as far as so many samples can tell."""
    if not policy.guaranteed:
        return f"(Aimed at: {percent(guaranteed)}.)"
    if rate.lower > guaranteed:
        return (
            f"THE GUARANTEE OF {percent(guaranteed)} IS BROKEN HERE: these samples are not like those of the "
            "calibration. "
            "Calibrate with samples of this kind."
        )
    if rate.share > guaranteed:
        return f"Guaranteed: at most {percent(guaranteed)}; more here, but it may be chance."
    return f"Guaranteed: at most {percent(guaranteed)}: kept."
