"""What the page shows of decisions: the policy, its scores and thresholds, what others would cost, and examples."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from markupsafe import Markup
from PIL import Image

from vssl.decisions import policy_file as policies
from vssl.decisions.bounds import observed_rate
from vssl.decisions.core import ACCEPT, REJECT, REVIEW, UNGROUPED, Thresholds
from vssl.decisions.describe import describe
from vssl.decisions.policy import Policy, Rate
from vssl.decisions.policy_file import Reference
from vssl.reporting.gallery import Tile, shrink, tile
from vssl.reporting.heat import Heat, heat_of
from vssl.reporting.tradeoff import Curve, curve_of, rates, spread
from vssl.run import Run
from vssl.types import Embeddings

Elsewhere = Callable[[str, Sequence[str]], Sequence[Image.Image | None]]
"""Pictures of some ids of a source."""

SHOWN = 6


def nowhere(_source: str, ids: Sequence[str]) -> list[None]:
    """No pictures at all."""
    return [None] * len(ids)


@dataclass(frozen=True)
class Group:
    """A group's thresholds, and how its own normals fared."""

    name: str
    limits: Thresholds
    normals: int
    rejected: Rate


@dataclass(frozen=True)
class Example:
    """A sample beside the known samples that are nearest to it, and what would have to change for accept."""

    sample: Tile
    explanation: str | None
    heat: Tile | None
    normal: Tile
    defect: Tile | None


@dataclass(frozen=True)
class Gallery:
    """Examples of one decision."""

    decision: str
    look_for: str
    total: int
    examples: list[Example]


@dataclass(frozen=True)
class Decided:
    """What the page shows of a policy, and of the decisions on one data set.

    Attributes:
        guaranteed: Whether the policy guarantees anything.
        words: The policy.
        histogram: Scores of the known samples, with the thresholds.
        rates: False alarms and misses against the threshold, with their bounds.
        curve: The same as numbers, for the slider.
        groups: One row each; empty where there are no groups.
        on: The name of the decisions shown; None if there are none.
        found: What was decided, in sentences.
        galleries: Examples by decision.
    """

    guaranteed: bool
    words: list[str]
    histogram: Markup
    rates: Markup
    curve: Curve
    groups: list[Group]
    on: str | None
    found: list[str]
    galleries: list[Gallery]

    @property
    def numbers(self) -> Markup:
        """The curve as JSON that can stand in a page."""
        return Markup(json.dumps(self.curve.to_dict()).replace("<", "\\u003c"))


def decided(run: Run, name: str, pictures: Elsewhere) -> Decided | None:
    """Gather the policy of the run and the decisions on the embeddings `name`, if there are any; None without policy.

    Raises:
        PolicyError: The policy or its samples are not what they were.
    """
    if not (run.path / "policy.json").exists():
        return None
    policy, reference = policies.read(run)
    normal = reference.normal.numpy("score")
    defects = reference.defects.numpy("score") if len(reference.defects) else None
    limits = policy.thresholds.get(UNGROUPED)
    curve = curve_of(normal, defects, policy.costs, limits)
    record = _record(run, name)
    return Decided(
        guaranteed=policy.guaranteed,
        words=describe(policy),
        histogram=spread(normal, defects, limits),
        rates=rates(curve, policy.guarantee),
        curve=curve,
        groups=_groups(policy, reference),
        on=None if record is None else name,
        found=[] if record is None else record["summary"],
        galleries=[] if record is None else _galleries(run, name, record["source"], reference, pictures),
    )


def _record(run: Run, name: str) -> dict[str, Any] | None:
    path = run.path / "decisions" / f"{name}.parquet"
    return json.loads(pq.read_schema(path).metadata[b"vssl"]) if path.exists() else None


def _groups(policy: Policy, reference: Reference) -> list[Group]:
    if policy.group is None:
        return []
    found = []
    for name, limits in policy.thresholds.items():
        scores = reference.normal_scores(name)
        found.append(Group(name, limits, len(scores), observed_rate(scores > limits.reject_above)))
    return found


def _galleries(run: Run, name: str, source: str, reference: Reference, pictures: Elsewhere) -> list[Gallery]:
    table = pq.read_table(run.path / "decisions" / f"{name}.parquet")
    decisions, scores = np.array(table["decision"].to_pylist()), table["score"].to_numpy(zero_copy_only=False)
    order = np.argsort(-scores, kind="stable")
    order = order[np.isfinite(scores[order])]
    rows = {
        REJECT: (order[decisions[order] == REJECT], "The highest scores. Look for what makes them unlike the normals."),
        REVIEW: (order[decisions[order] == REVIEW], "The highest scores among them: too odd to accept unseen."),
        ACCEPT: (order[decisions[order] == ACCEPT], "The highest scores among them. Look for defects that slipped by."),
    }
    chosen = {decision: every[:SHOWN] for decision, (every, _) in rows.items()}
    columns = {column: table[column].to_pylist() for column in ("id", "explanation", "nearest", "nearest_defect")}
    shown = [row for some in chosen.values() for row in some]
    ids = {columns["id"][row] for row in shown}
    samples = run.embeddings(name)
    heat = heat_of(samples.where(np.array([name in ids for name in samples.ids], dtype=bool)), reference)
    show = _Shop(pictures, reference, source, shown, columns, heat)
    return [
        Gallery(decision, look_for, len(every), [show.example(row, scores[row]) for row in chosen[decision]])
        for decision, (every, look_for) in rows.items()
        if len(every)
    ]


class _Shop:
    """The pictures of some samples and of the known ones nearest to them, each source opened once."""

    def __init__(
        self,
        pictures: Elsewhere,
        reference: Reference,
        source: str,
        rows: Sequence[int],
        columns: dict[str, list[Any]],
        heat: Heat | None,
    ) -> None:
        self._columns = columns
        self._heat = heat
        self._samples = shrink((columns["id"][row] for row in sorted(rows)), lambda ids: pictures(source, ids))
        nearest = sorted({columns["nearest"][row][0] for row in rows})
        defects = sorted({columns["nearest_defect"][row] for row in rows} - {None})
        # Two sources may both hold a "0001.png".
        self._normals = shrink(nearest, lambda ids: pictures(_place(reference.bank), ids))
        self._defects = shrink(defects, lambda ids: pictures(_place(reference.defects), ids))

    def example(self, row: int, score: float) -> Example:
        name, normal, defect = (self._columns[key][row] for key in ("id", "nearest", "nearest_defect"))
        return Example(
            tile(name, self._samples[name], f"{score:.4g}"),
            self._columns["explanation"][row],
            None if self._heat is None else tile(name, self._heat.over(name, self._samples[name])),
            tile(normal[0], self._normals[normal[0]]),
            None if defect is None else tile(defect, self._defects[defect]),
        )


def _place(samples: Embeddings) -> str:
    return samples.table["source"][0].as_py()
