"""Judges: each says with numbers how good embeddings and their uncertainties are; only judges may read labels.

A newcomer adds one file with a docstring, `NEEDS` and a generator `run(evidence)` of (name, value); no list is edited.
"""

from vssl.evaluation.base import Evidence, Skip
from vssl.evaluation.verdict import Verdict, judge

__all__ = ["Evidence", "Skip", "Verdict", "judge"]
