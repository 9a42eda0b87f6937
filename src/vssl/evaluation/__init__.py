"""Evaluators: how good embeddings, and the scores made from them, are; only they may read labels.

A newcomer adds one file: a docstring, `NEEDS`, `METRICS` and a generator `run(data)` of (name, value). No list is
edited.
"""

from vssl.evaluation.base import EvalData
from vssl.evaluation.evaluators import Metrics, evaluate
from vssl.evaluation.metric import Metric, Skip

__all__ = ["EvalData", "Metric", "Metrics", "Skip", "evaluate"]
