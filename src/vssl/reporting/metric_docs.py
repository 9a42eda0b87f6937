"""The evaluation metrics as the report shows them: sorted, and with the meaning that their evaluator declares."""

from collections.abc import Mapping
from dataclasses import dataclass

from vssl import scores
from vssl.evaluation.evaluators import declaration_of, declared_metrics
from vssl.evaluation.metric import Metric

UNDECLARED = Metric("A metric that the installed version of vssl does not declare.", "", (0, 0), priority=1_000)
IMBALANCE = 1.5
"""If the largest class has this many times its equal share, balanced accuracies are shown before all others."""


@dataclass(frozen=True)
class MetricRow:
    """One metric as the page shows it.

    Attributes:
        name: Its key in evaluation.json.
        declared: The name under which its evaluator declares it, for example `ood/auroc/{score}`.
        value: Formatted.
        better: "higher", "lower" or "" where neither is better.
        meaning: One sentence, and another one about the score if the name ends in one.
    """

    name: str
    declared: str
    value: str
    better: str
    meaning: str


def metric_rows(values: Mapping[str, float]) -> list[MetricRow]:
    """All metrics, those with the highest priority first; next to each accuracy that of guessing."""
    declared = declared_metrics()
    order_of_metric, order_of_score = (
        {name: index for index, name in enumerate(names)} for names in (declared, scores.evaluated())
    )
    imbalanced = values.get("labels/largest_class", 0.0) * values.get("labels/classes", 0.0) > IMBALANCE

    def position(row: MetricRow) -> tuple[bool, int, int, int]:
        priority = declared.get(row.declared, UNDECLARED).priority
        score = order_of_score.get(row.name.rpartition("/")[2], 0)
        balanced_first = imbalanced and "balanced_accuracy" in row.name
        return not balanced_first, priority, order_of_metric.get(row.declared, 0), score

    return sorted((_row(name, values, declared) for name in values), key=position)


def _row(name: str, values: Mapping[str, float], declared: Mapping[str, Metric]) -> MetricRow:
    key = declaration_of(name, declared) or name
    metric, score = declared.get(key, UNDECLARED), scores.evaluated().get(name.rpartition("/")[2])
    meaning = metric.meaning if score is None else f"{metric.meaning} Score: {score.meaning}"
    return MetricRow(name, key, f"{values[name]:.4g}{_chance(name, values)}", metric.direction, meaning)


def _chance(name: str, values: Mapping[str, float]) -> str:
    """The accuracy to compare with: that of the largest class, or for balanced accuracies that of guessing."""
    if "accuracy" not in name or "labels/largest_class" not in values:
        return ""
    if "balanced" in name:
        return f" (guessing: {1 / values['labels/classes']:.4g})"
    return f" (largest class: {values['labels/largest_class']:.4g})"
