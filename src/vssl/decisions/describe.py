"""A policy in plain words, for the person who has to answer for it."""

from __future__ import annotations

from vssl.config import name_of
from vssl.decisions.policy import BANK, BLOCKS, DEFECT, DIFFERENT, EVERYTHING, NORMAL, Policy
from vssl.decisions.thresholds import ACCEPT, REJECT, REVIEW


def words(policy: Policy) -> list[str]:
    """Sentences: what is guaranteed, what is done with a sample, what it costs, where and until when it holds."""
    return [
        *_promise(policy),
        *_thresholds(policy),
        *_expected(policy),
        *policy.caveats,
        f"The score is {name_of(policy.score)}, against a bank of {policy.samples[BANK]:,} samples. Higher is worse.",
        f"It holds for the model {policy.binding.model[:12]}, its preprocessing and this back end: "
        f"{policy.binding.backend}; with others it is refused. Made on {policy.made}, it is refused from "
        f"{policy.expires} on.",
    ]


def percent(share: float) -> str:
    """0.01 as "1 %"."""
    return f"{100 * share:.3g} %"


def _promise(policy: Policy) -> list[str]:
    if not policy.guaranteed:
        return ["NO GUARANTEE: the rates below were aimed at, and are not guaranteed."]
    unit = "samples" if policy.block is None else f"blocks (by {policy.block})"
    each = f" In each group by {policy.group}, taken by itself:" if policy.group else ""
    guarantee = policy.guarantee
    normal = _count(policy, NORMAL)
    alarms = f"at most {percent(guarantee.false_alarm)} of normal {unit} like the {normal} it was made with "
    alarms += "are rejected" if policy.block is None else "have a rejected sample in them"
    sentences = [f"{each} {alarms}".strip()]
    if guarantee.miss is not None:
        share = percent(guarantee.miss)
        if policy.block is None:
            known = _count(policy, DEFECT)
            sentences.append(f"at most {share} of defects like the {known} known ones are accepted")
        else:
            sentences.append(
                f"of at most {share} of the {unit} with defects like the {_count(policy, DEFECT)} known ones all "
                "defects are accepted"
            )
    kept = "Both" if len(sentences) == 2 else "This"
    text = ", and ".join(sentences)
    return [
        f"{text[0].upper()}{text[1:]}. {kept} may be relied on with {percent(guarantee.confidence)} confidence, as "
        "long "
        "as the samples to come are like these."
    ]


def _count(policy: Policy, role: str) -> str:
    """How many the guarantee counts: copies count once."""
    if policy.block is not None:
        return f"{policy.samples[f'{role} {BLOCKS}']:,}"
    samples, different = policy.samples[role], policy.samples.get(f"{role} {DIFFERENT}", policy.samples[role])
    return f"{samples:,}" if samples == different else f"{different:,} different ones of the {samples:,}"


def _thresholds(policy: Policy) -> list[str]:
    sentences = []
    for group, limits in policy.thresholds.items():
        who = "" if group == EVERYTHING else f"{policy.group} {group}: "
        if limits.accept_up_to == limits.reject_above:
            sentences.append(f"{who}Accept up to a score of {limits.reject_above:.5g}, reject above it.")
        else:
            sentences.append(
                f"{who}Accept up to a score of {limits.accept_up_to:.5g}, reject above {limits.reject_above:.5g}, and "
                "let a person review what lies between."
            )
    return sentences


def _expected(policy: Policy) -> list[str]:
    sentences = []
    for role, what in ((NORMAL, "normal samples"), (DEFECT, "known defects")):
        shares = [
            f"{percent(policy.expected[f'{role} {decision}'].share)} {words}"
            for decision, words in ((ACCEPT, "accepted"), (REVIEW, "reviewed"), (REJECT, "rejected"))
            if f"{role} {decision}" in policy.expected
        ]
        if shares:
            sentences.append(f"Of the {policy.samples[role]:,} {what} themselves: {', '.join(shares)}.")
    prices = [f"{item.per_1000:.4g} with the {item.name}" for item in policy.expected_costs]
    if policy.costs is not None:
        share = percent(policy.costs.defect_share)
        sentences.append(f"Expected costs of 1,000 samples with {share} of defects: {'; '.join(prices)}.")
    return sentences
