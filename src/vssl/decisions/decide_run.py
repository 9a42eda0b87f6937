"""`vssl decide`: from data and a run folder to the table of decisions, RUN/decisions/NAME.parquet."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from vssl.decisions import bounds, episodes, policy_file
from vssl.decisions.core import NORMAL, UNGROUPED, decide, decide_unreadable
from vssl.decisions.explanation import ScoringContext, explain
from vssl.decisions.metrics import DecisionMetrics, LabelledDecisions, compute_metrics
from vssl.decisions.policy import Policy
from vssl.decisions.policy_file import Reference
from vssl.decisions.result import Decisions
from vssl.decisions.samples import Condition, metadata_column, parse_source
from vssl.embedding import embed, read_header, table_name
from vssl.errors import ConfigError, TooManyBrokenError
from vssl.files import atomic
from vssl.scores.base import pairs_of
from vssl.scores.neighbours import neighbours
from vssl.training.model import Model
from vssl.types import Embeddings

NEAREST = 3


def decide_run(
    model: Model,
    data: str | Path,
    name: str | None = None,
    normal: str | None = None,
    false_discoveries: float | None = None,
    terminal: Console | None = None,
) -> Decisions:
    """Decide on the samples of `data` by the policy of the run; see `vssl.api.decide`."""
    run = model.run
    policy, reference = policy_file.read(run)
    policy.check(policy_file.binding_of(model), date.today())
    if false_discoveries is not None and (policy.block is not None or not policy.guaranteed):
        raise ConfigError(
            "False discoveries can be controlled only where each sample has a valid p-value: not with blocks, and not "
            "where the policy has no guarantee."
        )
    labels = None if normal is None else Condition.parse(normal)
    source, condition = parse_source(data)
    name = name or table_name(run, source)
    try:
        samples = embed(model, source, name, terminal, pairs=pairs_of(policy.score.config))
    except TooManyBrokenError:
        # The table of the readable samples is kept; every unreadable sample is reviewed, however many there are.
        samples = run.embeddings(name)
    if condition is not None:
        samples = samples.where(condition.matches(samples, source))
    table = _table(model, policy, reference, samples, source)
    if false_discoveries is not None:
        p_values = table["p_value"].to_numpy()
        reported, valid = np.zeros(len(p_values), dtype=bool), np.isfinite(p_values)
        reported[valid] = bounds.false_discoveries(p_values[valid], false_discoveries)
        table = table.append_column("reported", pa.array(reported))
    reference_contents = set(reference.table["content"].to_pylist())
    decisions = Decisions(
        table=pa.concat_tables([table, _unreadable_rows(read_header(run, name).broken, condition, table.schema)]),
        policy=policy,
        metrics=None if labels is None else _metrics(policy, samples, table, labels, source),
        in_reference=sum(content in reference_contents for content in samples.table["content"].to_pylist()),
        episodes=episodes.merge_windows(samples, table),
        path=run.path / "decisions" / f"{name}.parquet",
        notes=read_header(run, name).notes,
    )
    _write(decisions, source)
    return decisions


def _table(model: Model, policy: Policy, reference: Reference, samples: Embeddings, source: str) -> pa.Table:
    """The decisions on the readable samples; see `Decisions.table`."""
    score = policy.score.fit(reference.bank)
    scores = score(samples) if len(samples) else np.empty(0)
    ungrouped = np.full(len(samples), UNGROUPED, dtype=object)
    groups = ungrouped if policy.group is None else metadata_column(samples, policy.group, source)
    calibration = {group: reference.scores(NORMAL, group) for group in policy.thresholds}
    nearest = _nearest(samples, reference.bank, NEAREST)
    decisions = decide(policy, calibration, samples.ids, groups.tolist(), scores, nearest)
    limits = np.array([policy.thresholds[g].accept_up_to if g in policy.thresholds else np.nan for g in groups])
    context = ScoringContext(model, pairs_of(policy.score.config), score, reference.bank)
    nearest_defects = [names[0] if names else None for names in _nearest(samples, reference.defects, 1)]
    return pa.table(
        {
            "id": pa.array(samples.ids, pa.string()),
            "decision": pa.array([each.decision for each in decisions], pa.string()),
            "p_value": pa.array([each.p_value for each in decisions], pa.float64()),
            "score": pa.array(scores),
            "group": pa.array(groups, pa.string()),
            "explanation": pa.array(explain(context, samples, scores, limits, source), pa.string()),
            "nearest": pa.array(nearest, pa.list_(pa.string())),
            "nearest_defect": pa.array(nearest_defects, pa.string()),
            "reason": pa.array([each.reason for each in decisions], pa.string()),
        }
    )


def _nearest(samples: Embeddings, others: Embeddings, count: int) -> list[list[str]]:
    """Ids of the nearest of the other samples, for each sample; empty lists where there are no others."""
    if not (len(samples) and len(others)):
        return [[] for _ in range(len(samples))]
    names = others.ids
    rows = neighbours(samples, others, count, exclude_same_id=False).rows.tolist()
    return [[names[row] for row in nearest] for nearest in rows]


def _unreadable_rows(broken: Sequence[dict[str, str]], condition: Condition | None, schema: pa.Schema) -> pa.Table:
    # Their metadata are unknown, so whether they meet the condition is too: rather one too many than one lost.
    unknown = "" if condition is None else f"; not known whether {condition.column}={condition.value}"
    rows = []
    for item in broken:
        decision = decide_unreadable(item["id"], item["reason"] + unknown)
        rows.append({"id": decision.id, "decision": decision.decision, "reason": decision.reason, "reported": False})
    return pa.Table.from_pylist(rows, schema)


def _metrics(policy: Policy, samples: Embeddings, table: pa.Table, labels: Condition, source: str) -> DecisionMetrics:
    labelled = LabelledDecisions(
        scores=table["score"].to_numpy(),
        outcomes=np.array(table["decision"].to_pylist(), dtype=object),
        is_normal=labels.matches(samples, source),
        classes=metadata_column(samples, labels.column, source),
    )
    if policy.block is not None:
        labelled = labelled.by_block(metadata_column(samples, policy.block, source))
    return compute_metrics(labelled)


def _write(decisions: Decisions, source: str) -> None:
    policy = decisions.policy
    header: dict[str, Any] = {"policy": policy.reference, "made": policy.made, "source": str(Path(source).absolute())}
    header |= {**decisions.counts(), "summary": decisions.summary()}
    if decisions.episodes is not None:
        episodes.write_csv(decisions.path.with_suffix(".episodes.csv"), decisions.episodes)
    with atomic(decisions.path) as file:
        pq.write_table(decisions.table.replace_schema_metadata({"vssl": json.dumps(header)}), file)
