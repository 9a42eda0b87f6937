"""The result of `vssl decide`: the table of decisions on some data, with its metrics and episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from vssl.decisions.episodes import Episode
from vssl.decisions.metrics import DecisionMetrics
from vssl.decisions.policy import Policy


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

    def count(self, decision: str) -> int:
        return self.table["decision"].to_pylist().count(decision)
