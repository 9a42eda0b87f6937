"""Calibrating a run and deciding with it: reads and writes the run folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from vssl.config import find, name_of
from vssl.decisions import bounds
from vssl.decisions import policy as policies
from vssl.decisions.calibrate import Request, calibrate, decide
from vssl.decisions.copies import Finder
from vssl.decisions.decisions import Decisions
from vssl.decisions.describe import words
from vssl.decisions.episodes import episodes
from vssl.decisions.episodes import write as write_episodes
from vssl.decisions.explanation import ScoringContext, explain
from vssl.decisions.measure import Judged, Measured, measure
from vssl.decisions.policy import EVERYTHING, Binding, Policy, Reference
from vssl.decisions.samples import Condition, column_of, divide, split, take
from vssl.decisions.summary import figures, sentences
from vssl.decisions.thresholds import REVIEW
from vssl.embedding import embed, model_hash, read_header, table_name
from vssl.errors import ConfigError, NotEnoughDataError, PolicyError, TooManyBrokenError
from vssl.files import atomic
from vssl.run import Run
from vssl.scores.base import pairs_of
from vssl.scores.neighbours import neighbours
from vssl.training.model import Model
from vssl.types import Embeddings

NEAREST = 3
# Enough for neighbours and densities, and scoring does not slow down with the data.
LARGEST_BANK = 20_000


def calibrate_run(
    model: Model,
    normal: str | Path,
    defects: str | Path | None,
    bank: str | Path | None,
    request: Request,
    overwrite: bool = False,
    terminal: Console | None = None,
    caveats: Sequence[str] = (),
) -> Policy:
    """Make the policy of a run; see `vssl.api.calibrate`. `caveats` are what a reader must know besides."""
    run = model.run
    if (run.path / "policy.json").exists() and not overwrite:
        raise PolicyError(
            f"{run.path} has a policy already. Replace it: --overwrite. Use it: vssl decide {run.path} DATA"
        )
    pairs = pairs_of(request.score)
    finder = Finder.of(model)
    known_normal = finder.given(take(model, normal, terminal, pairs=pairs))
    known_defects = None if defects is None else finder.given(take(model, defects, terminal, pairs=pairs))
    hint, caveats = "", [*caveats, *finder.doubts]
    if bank is None:
        half, known_normal = divide(known_normal, request.block)
        of_bank = half.samples
        hint = " Half of the normals are the bank; to use all, name another: --bank DATA, or --bank train."
    elif str(bank) == "policy":
        of_bank = _bank_in_force(run)
    else:
        of_bank = take(model, run.info["source"] if str(bank) == "train" else bank, terminal, pairs=pairs)
    for seen_in in (None, of_bank):
        known_normal = finder.unseen(known_normal, seen_in, "normal samples", caveats)
        if known_defects is not None:
            known_defects = finder.unseen(known_defects, seen_in, "defects", caveats)
    try:
        policy, reference = calibrate(request, _drawn(of_bank), known_normal, known_defects, caveats, date.today())
    except NotEnoughDataError as error:
        raise NotEnoughDataError(error.given, error.needed, error.guarantee, hint, error.of) from error
    policy = replace(policy, binding=binding(model), reference=policies.store(run, reference))
    policies.write(run, policy, words(policy))
    return policy


def binding(model: Model) -> Binding:
    """What the model computes with, as a policy remembers it."""
    return Binding(model_hash(model), model.preprocessing, model.backend)


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
    policy, reference = policies.read(run)
    policy.check(binding(model), date.today())
    if false_discoveries is not None and (policy.block is not None or not policy.guaranteed):
        raise ConfigError(
            "The share of false discoveries can be kept only where each sample has a p-value of its own: not with "
            "blocks, and not where the policy has no guarantee."
        )
    source, condition = split(data)
    name = name or table_name(run, source)
    try:
        samples = embed(model, source, name, terminal, pairs=pairs_of(policy.score))
    except TooManyBrokenError:
        # The table of the others is kept; here no sample is lost, however many cannot be read.
        samples = run.embeddings(name)
    if condition is not None:
        samples = samples.where(condition.holds(samples, source))
    truth = None if normal is None else Condition.parse(normal)
    table, scores = _table(model, policy, reference, samples, source)
    if false_discoveries is not None:
        table = table.append_column("reported", pa.array(_reported(table["p_value"].to_numpy(), false_discoveries)))
    measured = None if truth is None else _measured(policy, samples, table, scores, truth, source)
    known = set(reference.table["content"].to_pylist())
    own = sum(content in known for content in samples.table["content"].to_pylist())
    found = episodes(samples, table)
    table = pa.concat_tables([table, _unreadable(read_header(run, name).broken, condition, table.schema)])
    decisions = Decisions(
        table, policy, measured, own, found, run.path / "decisions" / f"{name}.parquet", read_header(run, name).notes
    )
    _write(decisions, source)
    return decisions


def _write(decisions: Decisions, source: str) -> None:
    policy = decisions.policy
    about: dict[str, Any] = {"policy": policy.reference, "made": policy.made, "source": str(Path(source).absolute())}
    about |= {**figures(decisions), "words": sentences(decisions)}
    if decisions.episodes is not None:
        write_episodes(decisions.path.with_suffix(".episodes.csv"), decisions.episodes)
    with atomic(decisions.path) as file:
        pq.write_table(decisions.table.replace_schema_metadata({"vssl": json.dumps(about)}), file)


def _bank_in_force(run: Run) -> Embeddings:
    bank = policies.read(run)[1].bank
    source = json.dumps({"source": bank.table["source"][0].as_py()})
    return Embeddings(bank.table.replace_schema_metadata({"vssl": source}))


def _drawn(bank: Embeddings) -> Embeddings:
    if len(bank) <= LARGEST_BANK:
        return bank
    rows = np.sort(np.random.default_rng(0).permutation(len(bank))[:LARGEST_BANK])
    return bank.take(rows)


def _table(
    model: Model, policy: Policy, reference: Reference, samples: Embeddings, source: str
) -> tuple[pa.Table, np.ndarray]:
    score = find("scores", name_of(policy.score)).fit(policy.score, reference.bank)
    scores = score(samples) if len(samples) else np.empty(0)
    if policy.group is None:
        groups = np.full(len(samples), EVERYTHING, dtype=object)
    else:
        groups = column_of(samples, policy.group, source)
    limits = np.array([policy.thresholds[g].accept_up_to if g in policy.thresholds else np.nan for g in groups])
    context = ScoringContext(model, pairs_of(policy.score), score, reference.bank)
    columns: dict[str, Any] = {
        "id": pa.array(samples.ids, pa.string()),
        "decision": pa.array(decide(policy.thresholds, groups, scores), pa.string()),
        "p_value": pa.array(_p_values(reference, groups, scores)),
        "score": pa.array(scores),
        "group": pa.array(groups, pa.string()),
        "explanation": pa.array(explain(context, samples, scores, limits, source), pa.string()),
        "nearest": _nearest(samples, reference.bank, NEAREST),
        "nearest_defect": _first(_nearest(samples, reference.defects, 1)),
        "reason": pa.array([_reason(policy, g, s) for g, s in zip(groups, scores, strict=True)], pa.string()),
    }
    return pa.table(columns), scores


def _p_values(reference: Reference, groups: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Conformal p-values against the normals of the own group; NaN where there is no group or no score."""
    found = np.full(len(scores), np.nan)
    for group in set(groups):
        own, calibration = (groups == group) & np.isfinite(scores), reference.normal_scores(group)
        if len(calibration):
            found[own] = bounds.conformal_p_values(calibration, scores[own])
    return found


def _reported(p_values: np.ndarray, false_discoveries: float) -> np.ndarray:
    """Which samples of the batch to report; never one without a p-value."""
    reported, known = np.zeros(len(p_values), dtype=bool), np.isfinite(p_values)
    reported[known] = bounds.false_discoveries(p_values[known], false_discoveries)
    return reported


def _nearest(samples: Embeddings, others: Embeddings, count: int) -> pa.Array:
    if not (len(samples) and len(others)):
        return pa.array([[]] * len(samples), pa.list_(pa.string()))
    names = np.array(others.ids, dtype=object)
    rows = neighbours(samples, others, count, exclude_same_id=False).rows.numpy()
    return pa.array([list(names[row]) for row in rows], pa.list_(pa.string()))


def _first(lists: pa.Array) -> pa.Array:
    return pa.array([names[0] if names else None for names in lists.to_pylist()], pa.string())


def _reason(policy: Policy, group: str, score: float) -> str:
    if not np.isfinite(score):
        return "the score is not a finite number"
    return "" if group in policy.thresholds else f"no threshold for {policy.group} = {group}"


def _unreadable(broken: list[dict[str, str]], condition: Condition | None, schema: pa.Schema) -> pa.Table:
    shared: dict[str, Any] = {"decision": REVIEW, "reported": False}
    # Their metadata are not kept: one too many is looked at, and none is lost.
    unknown = "" if condition is None else f"; not known whether {condition.column}={condition.value}"
    rows = [shared | {"id": item["id"], "reason": f"unreadable: {item['reason']}{unknown}"} for item in broken]
    return pa.Table.from_pylist(rows, schema)


def _measured(
    policy: Policy, samples: Embeddings, table: pa.Table, scores: np.ndarray, truth: Condition, source: str
) -> Measured:
    decisions = np.array(table["decision"].to_pylist(), dtype=object)
    judged = Judged(scores, decisions, truth.holds(samples, source), column_of(samples, truth.column, source))
    if policy.block is not None:
        judged = judged.by_block(column_of(samples, policy.block, source))
    return measure(judged)
