"""The section on decisions: the policy, its scores and thresholds, the rates at other thresholds, and examples."""

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
from vssl.decisions.core import ACCEPT, NORMAL, REJECT, REVIEW, UNGROUPED, Thresholds
from vssl.decisions.describe import describe
from vssl.decisions.policy import Policy, Rate
from vssl.decisions.policy_file import Reference
from vssl.reporting.anomaly_map import AnomalyMaps, anomaly_maps
from vssl.reporting.gallery import Tile, shrink, tile
from vssl.reporting.headline import Headline, headline
from vssl.reporting.tradeoff import RateCurve, rate_curve, rate_plot, score_histogram
from vssl.run import Run
from vssl.types import Embeddings

PictureLoader = Callable[[str, Sequence[str]], Sequence[Image.Image | None]]
"""Loads the pictures of some ids of a data source; None where one is no longer there."""

EXAMPLES = 6


def no_pictures(_source: str, ids: Sequence[str]) -> list[None]:
    """Loads no picture."""
    return [None] * len(ids)


@dataclass(frozen=True)
class Group:
    """The thresholds of a group, and the false-alarm rate on its own normals."""

    name: str
    limits: Thresholds
    normals: int
    rejected: Rate


@dataclass(frozen=True)
class Example:
    """A sample with the known samples nearest to it, and the explanation of its decision."""

    sample: Tile
    explanation: str | None
    anomaly_map: Tile | None
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
class DecisionSection:
    """A policy, and the decisions on one data set.

    Attributes:
        guaranteed: Whether the policy guarantees its error rates.
        policy: The policy in sentences.
        histogram: Scores of the known samples, with the thresholds.
        rates: False-alarm and miss rate by threshold, with their bounds.
        curve: The same as numbers, for the slider.
        groups: One row per group; empty where there are no groups.
        headline: What came out, for the head of the page; None without decisions by this policy.
        table: The name of the decisions shown; None if there are none.
        decisions: The decisions in sentences.
        galleries: Examples by decision.
    """

    guaranteed: bool
    policy: list[str]
    histogram: Markup
    rates: Markup
    curve: RateCurve
    groups: list[Group]
    headline: Headline | None
    table: str | None
    decisions: list[str]
    galleries: list[Gallery]

    @property
    def numbers(self) -> Markup:
        """The curve as JSON, escaped for a page."""
        return Markup(json.dumps(self.curve.to_dict()).replace("<", "\\u003c"))


def decision_section(run: Run, name: str, load_pictures: PictureLoader) -> DecisionSection | None:
    """The policy of the run, and the decisions on the embeddings `name` if there are any; None without a policy.

    Raises:
        PolicyError: The policy or its samples have been changed.
    """
    if not (run.path / "policy.json").exists():
        return None
    policy, reference = policies.read(run)
    normal = reference.normal.numpy("score")
    defects = reference.defects.numpy("score") if len(reference.defects) else None
    limits = policy.thresholds.get(UNGROUPED)
    curve = rate_curve(normal, defects, policy.costs, limits)
    record = _record(run, name)
    return DecisionSection(
        guaranteed=policy.guaranteed,
        policy=describe(policy),
        histogram=score_histogram(normal, defects, limits),
        rates=rate_plot(curve, policy.guarantee),
        curve=curve,
        groups=_groups(policy, reference),
        headline=None if record is None else headline(record, policy),
        table=None if record is None else name,
        decisions=[] if record is None else record["summary"],
        galleries=[] if record is None else _galleries(run, name, record["source"], policy, reference, load_pictures),
    )


def _record(run: Run, name: str) -> dict[str, Any] | None:
    path = run.path / "decisions" / f"{name}.parquet"
    return json.loads(pq.read_schema(path).metadata[b"vssl"]) if path.exists() else None


def _groups(policy: Policy, reference: Reference) -> list[Group]:
    if policy.group is None:
        return []
    rows = []
    for name, limits in policy.thresholds.items():
        scores = reference.scores(NORMAL, name)
        rows.append(Group(name, limits, len(scores), observed_rate(scores > limits.reject_above)))
    return rows


def _galleries(
    run: Run, name: str, source: str, policy: Policy, reference: Reference, load_pictures: PictureLoader
) -> list[Gallery]:
    table = pq.read_table(run.path / "decisions" / f"{name}.parquet")
    decisions, scores = np.array(table["decision"].to_pylist()), table["score"].to_numpy(zero_copy_only=False)
    order = np.argsort(-scores, kind="stable")
    order = order[np.isfinite(scores[order])]
    rows = {
        REJECT: (
            order[decisions[order] == REJECT],
            "The samples with the highest scores. Look for what makes them unlike normal samples.",
        ),
        REVIEW: (order[decisions[order] == REVIEW], "The samples for review with the highest scores."),
        ACCEPT: (
            order[decisions[order] == ACCEPT],
            "The accepted samples with the highest scores. Look for defects that were missed.",
        ),
    }
    chosen = {decision: every[:EXAMPLES] for decision, (every, _) in rows.items()}
    columns = {column: table[column].to_pylist() for column in ("id", "explanation", "nearest", "nearest_defect")}
    shown = [row for some in chosen.values() for row in some]
    ids = {columns["id"][row] for row in shown}
    samples = run.embeddings(name)
    maps = anomaly_maps(samples.where(np.array([name in ids for name in samples.ids], dtype=bool)), policy, reference)
    gallery = ExampleGallery(load_pictures, reference, source, shown, columns, maps)
    return [
        Gallery(decision, look_for, len(every), [gallery.example(row, scores[row]) for row in chosen[decision]])
        for decision, (every, look_for) in rows.items()
        if len(every)
    ]


class ExampleGallery:
    """The pictures of some samples and of the known samples nearest to them; each source is opened once."""

    def __init__(
        self,
        load_pictures: PictureLoader,
        reference: Reference,
        source: str,
        rows: Sequence[int],
        columns: dict[str, list[Any]],
        maps: AnomalyMaps | None,
    ) -> None:
        self._columns = columns
        self._maps = maps
        self._samples = shrink((columns["id"][row] for row in sorted(rows)), lambda ids: load_pictures(source, ids))
        nearest = sorted({columns["nearest"][row][0] for row in rows})
        defects = sorted({columns["nearest_defect"][row] for row in rows} - {None})
        # Two sources may both hold a "0001.png", so each has thumbnails of its own.
        self._normals = shrink(nearest, lambda ids: load_pictures(_source(reference.bank), ids))
        self._defects = shrink(defects, lambda ids: load_pictures(_source(reference.defects), ids))

    def example(self, row: int, score: float) -> Example:
        name, normal, defect = (self._columns[key][row] for key in ("id", "nearest", "nearest_defect"))
        return Example(
            tile(name, self._samples[name], f"{score:.4g}"),
            self._columns["explanation"][row],
            None if self._maps is None else tile(name, self._maps.draw(name, self._samples[name])),
            tile(normal[0], self._normals[normal[0]]),
            None if defect is None else tile(defect, self._defects[defect]),
        )


def _source(samples: Embeddings) -> str:
    return str(samples.table["source"][0].as_py())
