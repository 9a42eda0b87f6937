"""The head of the page: defects found, false alarms with the guaranteed rate, and how many of 100 alarms are real."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vssl.decisions.core import REJECT
from vssl.decisions.describe import percent
from vssl.decisions.metrics import ALL
from vssl.decisions.policy import Policy, Rate

DEFECT_SHARES = (100, 1_000)
"""One defect among so many samples: a line with many defects, and one with few."""


@dataclass(frozen=True)
class Figure:
    """A number that a person looks for first, and what it means."""

    name: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Headline:
    """What came out of the decisions on one data set.

    Attributes:
        tone: "good", "warning" or "bad".
        sentence: The result in one sentence.
        figures: The numbers behind it.
    """

    tone: str
    sentence: str
    figures: list[Figure]


def headline(record: Mapping[str, Any], policy: Policy) -> Headline | None:
    """The head for decisions, from what their table records; None where they were made by another policy.

    Where it is known which samples are normal, the rates are the observed ones; where it is not, there is only the
    guarantee. Intervals are from one-sided bounds of 95 % confidence each.
    """
    if record.get("policy") != policy.reference or not record["samples"]:
        return None
    metrics = record.get("metrics")
    return _unlabelled(record, policy) if metrics is None else _labelled(metrics, policy)


def _unlabelled(record: Mapping[str, Any], policy: Policy) -> Headline:
    rejected, total, limit = record[REJECT], record["samples"], policy.guarantee.false_alarm
    value = f"{rejected:,} of {total:,} samples ({_rate(rejected / total)}) are rejected"
    figures = [
        Figure("Rejected", _rate(rejected / total), f"{rejected:,} of {total:,} samples."),
        Figure("False alarms, at most", percent(limit), _guarantee(policy)),
        *(
            Figure(
                f"Of 100 alarms, if 1 in {among:,} is defective",
                f"{_real(1.0, limit, among):.0f} are real",
                "If every defect is found and false alarms reach the limit.",
            )
            for among in DEFECT_SHARES
        ),
    ]
    if not policy.guaranteed:
        return Headline("warning", f"{value}. No false-alarm rate is guaranteed.", figures)
    what = "normal samples" if policy.block is None else f"normal blocks (by {policy.block})"
    return Headline("good", f"{value}; of {what} it is at most {percent(limit)}.", figures)


def _labelled(metrics: Mapping[str, Any], policy: Policy) -> Headline:
    alarms, limit = Rate(**metrics["false_alarm"]), policy.guarantee.false_alarm
    unit = "" if policy.block is None else f", counted in blocks by {policy.block}"
    limited = "guaranteed" if policy.guaranteed else "target"
    said = f"{_rate(alarms.share)} of the normal ones raise a false alarm ({limited}: at most {percent(limit)})"
    tone = "bad" if alarms.lower > limit else "good" if policy.guaranteed else "warning"
    broken = " The guarantee does not hold for these samples." if policy.guaranteed and tone == "bad" else ""
    figure = Figure("False alarms", _rate(alarms.share), f"{_interval(alarms)}{unit}. {_guarantee(policy)}")
    if ALL not in metrics["miss"]:
        return Headline(tone, f"Of {alarms.of:,} normal samples{unit}, {said}.{broken}", [figure])
    missed, reviewed = Rate(**metrics["miss"][ALL]), Rate(**metrics["defect_review"])
    count = missed.of - missed.count
    # Bounds of the complement: not missed.
    found = Rate(count, missed.of, 1 - missed.upper, 1 - missed.lower)
    sent = "" if not reviewed.count else f", {reviewed.count:,} of them by a person's review"
    stopped = _stopped(alarms, Rate(**metrics["normal_review"]))
    real = [
        Figure(
            f"Of 100 alarms, if 1 in {among:,} is defective",
            f"{_real(found.share, stopped.share, among):.0f} are real",
            f"{_real(found.lower, stopped.upper, among):.0f} to {_real(found.upper, stopped.lower, among):.0f} by the "
            "bounds of both rates; the rest are false alarms.",
        )
        for among in DEFECT_SHARES
    ]
    sentence = f"{_rate(found.share)} of the defects are found, and {said}.{broken}"
    first = Figure("Defects found", _rate(found.share), f"{_interval(found)}{unit}{sent}.")
    return Headline(tone, sentence, [first, figure, *real])


def _stopped(alarms: Rate, review: Rate) -> Rate:
    """How many of the normal samples are rejected or reviewed; the bounds are those of the parts, added."""
    if not review.count:
        return alarms
    lower, upper = alarms.lower + review.lower, min(1.0, alarms.upper + review.upper)
    return Rate(alarms.count + review.count, alarms.of, lower, upper)


def _real(found: float, false_alarms: float, among: int) -> float:
    """Of 100 alarms, how many are defects, where one sample among so many is one (Bayes); 100 without false alarms."""
    share = 1 / among
    right, wrong = share * found, (1 - share) * false_alarms
    return 100.0 if not wrong else 100 * right / (right + wrong)


def _rate(share: float) -> str:
    """An observed rate with no more digits than it is known to: 0.201 % as "0.2 %", 82.52 % as "82.5 %"."""
    value = 100 * share
    return f"{value:.3g} %" if value >= 10 else f"{value:.2g} %"


def _interval(rate: Rate) -> str:
    return f"{rate.count:,} of {rate.of:,}; {_rate(rate.lower)} to {_rate(rate.upper)}"


def _guarantee(policy: Policy) -> str:
    confidence = percent(policy.guarantee.confidence)
    if not policy.guaranteed:
        return "This is a target and not guaranteed."
    return f"Guaranteed: at most {percent(policy.guarantee.false_alarm)}, with {confidence} confidence."
