"""The decisions on some data: what `vssl decide` gives back and keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from vssl.decisions.episodes import Episode
from vssl.decisions.measure import Measured
from vssl.decisions.policy import Policy


@dataclass(frozen=True)
class Decisions:
    """The decisions on some data.

    Attributes:
        table: One row a sample: id, decision (accept, review, reject), p_value, score, group, explanation (what would
            have to change for accept; of those with the highest scores), nearest (ids of the nearest samples of the
            bank), nearest_defect (id; empty without known defects) and reason (why a sample was reviewed that has no
            score or no threshold); `reported` where a share of false discoveries was asked for.
        policy: What decided.
        measured: How the decisions compare with the truth, where it is known.
        episodes: Rejected windows of a series put together, kept beside the file as CSV; None without series.
        own: How many of the samples belong to the policy's own bank or calibration.
        path: The Parquet file.
        notes: How the data were read: what they were recognised as, and what was left out.
    """

    table: pa.Table
    policy: Policy
    measured: Measured | None
    own: int
    episodes: list[Episode] | None
    path: Path
    notes: Sequence[str] = ()

    def count(self, decision: str) -> int:
        return self.table["decision"].to_pylist().count(decision)
