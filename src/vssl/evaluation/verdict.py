"""Running the judges: which can judge this evidence, what they say, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from vssl.config import find, members
from vssl.evaluation.base import Evidence, Skip

_WANTED = {
    "reference": "no reference embeddings to compare with",
    "outliers": "no embeddings of a second data set to tell apart",
    "second_view": "no embeddings of a second view of the samples",
    "twin": "no embeddings by an encoder trained with another seed",
}


@dataclass(frozen=True)
class Verdict:
    """What the judges found: values by name, and for what they could not judge the reason in words."""

    values: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, dict[str, float] | dict[str, str]]:
        return asdict(self)


def judge(evidence: Evidence, only: Sequence[str] | None = None) -> Verdict:
    """Run all judges, or those named, whose needs the evidence meets.

    With a label column, `labels/missing` counts the samples that were left out of query and reference for lack of one.
    With usable labels, `labels/samples` and `labels/classes` count what was judged, and `labels/largest_class` is the
    base rate, the share of the largest class: so often is right who always names that.

    Raises:
        ConfigError: There is no judge of this name.
    """
    verdict = Verdict()
    if evidence.label is not None:
        verdict.values["labels/missing"] = float(evidence.missing_labels)
        if evidence.label_problem is None:
            verdict.values.update(_of_labels(evidence.labelled.classes))
    for judge_name in members("evaluation") if only is None else only:
        module = find("evaluation", judge_name)
        if reason := unmet(evidence, module.NEEDS):
            verdict.skipped[judge_name] = reason
            continue
        for name, value in module.run(evidence):
            if isinstance(value, Skip):
                verdict.skipped[name] = value.reason
            else:
                verdict.values[name] = value
    return verdict


def _of_labels(classes: np.ndarray) -> dict[str, float]:
    counts = np.unique(classes, return_counts=True)[1]
    found = {"samples": counts.sum(), "classes": len(counts), "largest_class": counts.max() / counts.sum()}
    return {f"labels/{name}": float(value) for name, value in found.items()}


def unmet(evidence: Evidence, needs: Iterable[str]) -> str | None:
    """The first need that the evidence does not meet, in words; None if it meets all."""
    for need in sorted(needs):
        if need == "labels" and evidence.label_problem:
            return evidence.label_problem
        if need == "variance" and "ambiguity" not in evidence.query:
            return "the embeddings have no variance: the method is deterministic"
        if need in _WANTED and getattr(evidence, need) is None:
            return _WANTED[need]
    return None
