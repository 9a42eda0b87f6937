"""Runs the evaluators: which of them the data suffice for, their metrics, and why the others were skipped."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from vssl.config import find, members
from vssl.evaluation.base import EvalData
from vssl.evaluation.metric import Metric, Skip

LABEL_METRICS = {
    "labels/largest_class": Metric(
        "Share of the samples in the largest class: the accuracy of always predicting that class.", ""
    ),
    "labels/samples": Metric("Number of evaluated samples that have a label.", "", (0, np.inf)),
    "labels/classes": Metric("Number of classes among the labelled samples.", "", (2, np.inf)),
    "labels/missing": Metric("Number of samples without a label; they were left out.", "lower", (0, np.inf)),
}
UNMET = {
    "reference": "there are no reference embeddings",
    "outliers": "there are no embeddings of a second data set to detect as outliers",
    "second_view": "there are no embeddings of a second view of the samples",
    "other_seed_run": "there are no embeddings by a run that was trained with another seed",
}


@dataclass(frozen=True)
class Metrics:
    """The result of an evaluation: values by name, and reasons by the name of what was skipped."""

    values: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, dict[str, float] | dict[str, str]]:
        return asdict(self)


def evaluate(data: EvalData, only: Sequence[str] | None = None) -> Metrics:
    """Run all evaluators, or those named, for which the data suffice.

    With a label column there are `LABEL_METRICS` too: always the number of missing labels, and the others if the labels
    can be used.

    Raises:
        ConfigError: There is no evaluator of this name.
    """
    metrics = Metrics()
    if data.label is not None:
        metrics.values["labels/missing"] = float(data.missing_labels)
        if data.label_problem is None:
            metrics.values.update(_label_metrics(data.labelled.classes))
    for evaluator in members("evaluation") if only is None else only:
        module = find("evaluation", evaluator)
        if reason := unmet(data, module.NEEDS):
            metrics.skipped[evaluator] = reason
            continue
        for name, value in module.run(data):
            if isinstance(value, Skip):
                metrics.skipped[name] = value.reason
            else:
                metrics.values[name] = value
    return metrics


def _label_metrics(classes: np.ndarray) -> dict[str, float]:
    counts = np.unique(classes, return_counts=True)[1]
    values = {"samples": counts.sum(), "classes": len(counts), "largest_class": counts.max() / counts.sum()}
    return {f"labels/{name}": float(value) for name, value in values.items()}


def unmet(data: EvalData, needs: Iterable[str]) -> str | None:
    """Why the data do not suffice, by the first need that they do not meet; None if they meet all."""
    for need in sorted(needs):
        if need == "labels" and data.label_problem:
            return data.label_problem
        if need == "variance" and "ambiguity" not in data.query:
            return "the embeddings have no variance: the method is deterministic"
        if need in UNMET and getattr(data, need) is None:
            return UNMET[need]
    return None


def declared_metrics() -> dict[str, Metric]:
    """All metrics of all evaluators by name; `{score}` in a name stands for any score."""
    metrics: dict[str, Metric] = {}
    for name in members("evaluation"):
        metrics |= find("evaluation", name).METRICS
    return metrics | LABEL_METRICS


def declaration_of(name: str, declared: Iterable[str]) -> str | None:
    """The declared name that stands for the name of a value, for example `ood/auroc/{score}` for `ood/auroc/knn`."""
    patterns = ((each, re.sub(r"\\{\w+\\}", "[^/]+", re.escape(each))) for each in declared)
    return next((each for each, pattern in patterns if re.fullmatch(pattern, name)), None)
