"""A policy in sentences, for the person who is responsible for it. Needs numpy only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vssl.decisions.core import ACCEPT, BANK, DEFECT, NORMAL, REJECT, REVIEW, UNGROUPED

if TYPE_CHECKING:
    from vssl.decisions.policy import Policy

DIFFERENT, BLOCKS = "different", "blocks"
"""In `Policy.samples`: "normal different" counts normal samples without their copies, "normal blocks" their blocks."""


def describe(policy: Policy) -> list[str]:
    """What is guaranteed, the thresholds, the expected rates and costs, the caveats, the score, the validity."""
    return [
        _guarantee(policy),
        *_thresholds(policy),
        *_expected(policy),
        *policy.caveats,
        f"The score is {policy.score.name}, relative to a bank of {policy.samples[BANK]:,} samples; higher is worse.",
        f"The policy is valid for the model {policy.binding.model[:12]} with its preprocessing on the back end "
        f"{policy.binding.backend}, and is refused with any other. It was made on {policy.made} and expires on "
        f"{policy.expires}.",
    ]


def percent(share: float) -> str:
    """0.01 as "1 %"."""
    return f"{100 * share:.3g} %"


def _guarantee(policy: Policy) -> str:
    if not policy.guaranteed:
        return "NO GUARANTEE: the rates below are targets and are not guaranteed."
    guarantee = policy.guarantee
    where = f" in each group by {policy.group}" if policy.group else ""
    alarms, misses = percent(guarantee.false_alarm), percent(guarantee.miss or 0.0)
    if policy.block is None:
        rates = [f"at most {alarms} of normal samples are rejected", f"at most {misses} of defects are accepted"]
    else:
        blocks = f"blocks (by {policy.block})"
        rates = [
            f"at most {alarms} of normal {blocks} contain a rejected sample",
            f"in at most {misses} of {blocks} with defects all defects are accepted",
        ]
    samples = [_count(policy, NORMAL, "normal samples")]
    if guarantee.miss is None:
        del rates[1:]
    else:
        samples.append(_count(policy, DEFECT, "defects"))
    jointly = "" if guarantee.miss is None else " jointly"
    return (
        f"Guarantee{where}: {', and '.join(rates)},{jointly} with {percent(guarantee.confidence)} confidence. It was "
        f"calibrated on {' and '.join(samples)}, and holds as long as future samples are exchangeable with these."
    )


def _count(policy: Policy, role: str, what: str) -> str:
    """How many the guarantee counts: samples, each with its copies, or blocks."""
    samples = policy.samples[role]
    if policy.block is not None:
        return f"{policy.samples[f'{role} {BLOCKS}']:,} blocks of {what}"
    different = policy.samples.get(f"{role} {DIFFERENT}", samples)
    return (
        f"{samples:,} {what}" if samples == different else f"{different:,} different {what} ({samples:,} with copies)"
    )


def _thresholds(policy: Policy) -> list[str]:
    sentences = []
    for group, limits in policy.thresholds.items():
        who = "" if group == UNGROUPED else f"{policy.group} {group}: "
        accept = f"{who}Accept up to a score of {limits.accept_up_to:.5g}"
        if limits.accept_up_to == limits.reject_above:
            sentences.append(f"{accept}, reject above it.")
        else:
            sentences.append(f"{accept}, reject above {limits.reject_above:.5g}, and review the scores in between.")
    return sentences


def _expected(policy: Policy) -> list[str]:
    sentences = []
    for role, what in ((NORMAL, "normal calibration samples"), (DEFECT, "calibration defects")):
        shares = [
            f"{percent(policy.expected[f'{role} {outcome}'].share)} {done}"
            for outcome, done in ((ACCEPT, "accepted"), (REVIEW, "reviewed"), (REJECT, "rejected"))
            if f"{role} {outcome}" in policy.expected
        ]
        if shares:
            sentences.append(f"Of the {policy.samples[role]:,} {what} themselves: {', '.join(shares)}.")
    if policy.costs is not None:
        costs = [f"{item.per_1000:.4g} with the {item.name}" for item in policy.expected_costs]
        share = percent(policy.costs.defect_share)
        sentences.append(f"Expected cost per 1,000 samples with {share} of defects: {'; '.join(costs)}.")
    return sentences
