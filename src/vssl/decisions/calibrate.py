"""From known normals, and known defects if there are any, to a policy: which samples, which score, which limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from vssl.config import find, name_of
from vssl.decisions.copies import Given, merged
from vssl.decisions.costs import Expected, expected
from vssl.decisions.episodes import SPAN
from vssl.decisions.exchangeability import differing_groups, serial_dependence, worst_of_each
from vssl.decisions.guarantee import Costs, Guarantee
from vssl.decisions.measure import Rate
from vssl.decisions.policy import BANK, BLOCKS, DEFECT, DIFFERENT, EVERYTHING, NORMAL, Binding, Policy, Reference
from vssl.decisions.samples import column_of
from vssl.decisions.thresholds import ACCEPT, REJECT, REVIEW, Thresholds, thresholds
from vssl.errors import ConfigError, DataError, EmptyDataError, NotEnoughDataError
from vssl.scores import novelty
from vssl.types import Embeddings


@dataclass(frozen=True)
class Request:
    """What a policy shall be like.

    Attributes:
        guarantee: What is to be guaranteed.
        score: The configuration of the score.
        group: Metadata column; each of its values gets thresholds and a guarantee of its own.
        block: Metadata column; samples of one block (a shift, an episode, a lot) depend on each other, so the guarantee
            is made of blocks.
        time: Metadata column that sorts like time, to find out whether samples depend on those before them.
        costs: To state what the decisions will cost.
        valid_days: Days until the policy expires, 1 or more.
    """

    guarantee: Guarantee = field(default_factory=Guarantee)
    score: Any = field(default_factory=novelty.Config)
    group: str | None = None
    block: str | None = None
    time: str | None = None
    costs: Costs | None = None
    valid_days: int = 90

    def __post_init__(self) -> None:
        if self.valid_days < 1:
            raise ConfigError(f"valid_days is {self.valid_days}; a policy is valid for a day at least.")
        if self.group is not None and self.block is not None:
            raise ConfigError("Groups and blocks cannot be combined: a guarantee is made of each group, or of blocks.")


@dataclass(frozen=True)
class Known:
    """The scored samples of a calibration.

    Attributes:
        samples: N of them.
        scores: Of each.
        units: As in `Given`.
    """

    samples: Embeddings
    scores: np.ndarray
    units: np.ndarray

    def column(self, name: str, what: str) -> np.ndarray:
        return column_of(self.samples, name, what)


def calibrate(
    request: Request,
    bank: Embeddings,
    normal: Given,
    defects: Given | None,
    caveats: list[str],
    today: date,
    scorer: Callable[[Embeddings], np.ndarray] | None = None,
) -> tuple[Policy, Reference]:
    """Make a policy, bound to nothing yet, and the reference that it stands on.

    Args:
        scorer: What gives the score of each sample, where that is not torch.

    Raises:
        NotEnoughDataError: Too few samples for the guarantee, of all or of a group.
        DataError: Scores that are not finite or all the same, or samples that are normal and a defect.
        ConfigError: Levels that contradict each other or the data.
    """
    if not len(normal):
        raise EmptyDataError("There are no normal samples to calibrate with.")
    if defects is not None:
        _check_apart(normal.samples, defects.samples)
    score = scorer or find("scores", name_of(request.score)).fit(request.score, bank)
    known = {NORMAL: _scored(score, normal, "normal samples")}
    if defects is not None:
        known[DEFECT] = _scored(score, defects, "defects")
    groups = {role: _groups(request, item, role) for role, item in known.items()}
    limits = _by_group(request, known, groups)
    doubts = _dependence(request, known[NORMAL])
    counts = {BANK: len(bank)} | {role: len(item.samples) for role, item in known.items()}
    for role, item in known.items():
        counted = len(set(_numbers(request, item, role).tolist()))
        if request.block is not None:
            counts[f"{role} {BLOCKS}"] = counted
        elif counted < len(item.samples):
            counts[f"{role} {DIFFERENT}"] = counted
    decisions = {role: decide(limits, groups[role], item.scores) for role, item in known.items()}
    policy = Policy(
        guarantee=request.guarantee,
        guaranteed=not doubts,
        score=request.score,
        thresholds=limits,
        group=request.group,
        block=request.block,
        samples=counts,
        expected=_expected(decisions),
        caveats=(
            *doubts,
            *caveats,
            *_copies(request, known, counts),
            *_differences(request, known[NORMAL], decisions[NORMAL]),
        ),
        costs=request.costs,
        expected_costs=_costs(request, limits, known),
        binding=Binding("", "", ""),
        reference="",
        made=today.isoformat(),
        expires=(today + timedelta(days=request.valid_days)).isoformat(),
    )
    return policy, _reference(bank, known, groups)


def decide(limits: Mapping[str, Thresholds], groups: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """accept, review or reject for each sample by the thresholds of its group; review where the group has none."""
    decisions = np.full(len(scores), REVIEW, dtype=object)
    for group, each in limits.items():
        own = groups == group
        decisions[own] = each.decide(scores[own])
    return decisions


def _scored(score: Any, given: Given, what: str) -> Known:
    samples, scores = given.samples, score(given.samples)
    broken = np.flatnonzero(~np.isfinite(scores))
    if len(broken):
        raise DataError(
            f"{len(broken)} of {len(scores)} {what} have a score that is not a finite number; the first is "
            f"{samples.ids[broken[0]]}. The encoder is broken, or the sample: vssl evaluate RUN."
        )
    return Known(samples, scores, given.units)


def _check_apart(normal: Embeddings, defects: Embeddings) -> None:
    both = set(normal.table["content"].to_pylist()) & set(defects.table["content"].to_pylist())
    if both:
        ids = [
            name
            for name, content in zip(defects.ids, defects.table["content"].to_pylist(), strict=True)
            if content in both
        ]
        raise DataError(
            f"{len(both)} samples are given as normal and as a defect ({', '.join(ids[:3])}): decide which they are."
        )


def _groups(request: Request, known: Known, what: str) -> np.ndarray:
    if request.group is None:
        return np.full(len(known.scores), EVERYTHING, dtype=object)
    return known.column(request.group, f"The list of {what} samples")


def _by_group(request: Request, known: dict[str, Known], groups: dict[str, np.ndarray]) -> dict[str, Thresholds]:
    found = {}
    for group in sorted(set(groups[NORMAL])):
        own = {role: groups[role] == group for role in known}
        scores = {role: _units(request, item, own[role], role) for role, item in known.items()}
        given = {role: _counted(request, item, own[role], role) for role, item in known.items()}
        try:
            found[group] = thresholds(
                scores[NORMAL], scores.get(DEFECT), request.guarantee, (given[NORMAL], given.get(DEFECT))
            )
        except NotEnoughDataError as error:
            counted = "" if request.block is None else f", counted in blocks by {request.block}"
            where = "" if request.group is None else f" in the group {request.group} = {group}"
            raise NotEnoughDataError(
                error.given, error.needed, error.guarantee + counted + where, of=error.of
            ) from error
    return found


def _numbers(request: Request, known: Known, role: str) -> np.ndarray:
    """For each sample the number of what the guarantee counts: the sample with its copies, or its block with its."""
    if request.block is None:
        return known.units
    return merged(known.column(request.block, f"The list of {role} samples"), known.units)


def _units(request: Request, known: Known, own: np.ndarray, role: str) -> np.ndarray:
    """The scores of what the guarantee counts, each by its worst sample."""
    return worst_of_each(known.scores[own], _numbers(request, known, role)[own])


def _counted(request: Request, known: Known, own: np.ndarray, role: str) -> int:
    """How many there are with their copies: samples, or blocks."""
    if request.block is None:
        return int(own.sum())
    return len(set(known.column(request.block, f"The list of {role} samples")[own]))


def _dependence(request: Request, normal: Known) -> list[str]:
    if request.block is not None:
        return []
    if _overlap(normal.samples):
        return [
            "The samples are windows that overlap, so they are not independent. Take each stretch of time as one: "
            "--block block."
        ]
    if request.time is None:
        return []
    order = (
        normal.samples.numpy(request.time)
        if request.time in normal.samples
        else normal.column(request.time, "The list of normal samples")
    )
    found = serial_dependence(normal.scores, order)
    if found is None:
        return []
    return [
        f"The samples are not exchangeable: by {request.time}, scores have a rank correlation of {found:.2f} with "
        "those before them or with time. Name the column of what belongs together (a shift, an episode, a lot): "
        "--block COLUMN."
    ]


def _overlap(samples: Embeddings) -> bool:
    """Whether some of them are windows of one series that share rows."""
    if not all(name in samples for name in SPAN):
        return False
    rows = samples.table.select(list(SPAN)).sort_by([("series", "ascending"), ("start", "ascending")]).to_pylist()
    return any(one["series"] == next_["series"] and next_["start"] < one["end"] for one, next_ in pairwise(rows))


def _copies(request: Request, known: dict[str, Known], counts: Mapping[str, int]) -> list[str]:
    found = []
    for role, item in known.items():
        samples, differ = len(item.units), len(set(item.units.tolist()))
        if request.block is None:
            alike, of, what = samples - differ, samples, f"{role} samples"
        else:
            of = _counted(request, item, np.ones(samples, bool), role)
            alike, what = of - counts[f"{role} {BLOCKS}"], f"{role} blocks"
        if alike:
            found.append(
                f"{alike:,} of the {of:,} {what} are copies of others, exact ones or nearly the same: each is counted "
                f"once, with its copies, by the worst of them. {of - alike:,} differ."
            )
        elif request.block is not None and samples > differ:
            found.append(
                f"{samples - differ:,} of the {samples:,} {role} samples are copies of others, exact ones or nearly "
                "the same. Blocks that share some of their samples are counted each: see whether they are independent."
            )
    return found


def _differences(request: Request, normal: Known, decisions: np.ndarray) -> list[str]:
    if request.block is not None:
        return []
    found = differing_groups(normal.samples, decisions == REJECT, request.guarantee.false_alarm)
    return [
        f"Uneven: normal samples with {item.column} = {item.value} were rejected in {item.alarms} of cases. The "
        f"policy is about all samples together, not about these alone; --group {item.column} treats each by itself."
        for item in found
        if item.column != request.group
    ]


def _expected(decisions: dict[str, np.ndarray]) -> dict[str, Rate]:
    return {
        f"{role} {decision}": Rate.counted(made == decision)
        for role, made in decisions.items()
        for decision in (ACCEPT, REVIEW, REJECT)
    }


def _costs(request: Request, limits: dict[str, Thresholds], known: dict[str, Known]) -> tuple[Expected, ...]:
    if request.costs is None:
        return ()
    if DEFECT not in known:
        raise ConfigError("Costs need known defects, to count the misses: give some, or leave the costs out.")
    if request.group is not None:
        raise ConfigError("Costs are stated for one pair of thresholds; leave out the group or the costs.")
    return expected(limits[EVERYTHING], known[NORMAL].scores, known[DEFECT].scores, request.costs)


def _reference(bank: Embeddings, known: dict[str, Known], groups: dict[str, np.ndarray]) -> Reference:
    every = np.full(len(bank), EVERYTHING, dtype=object)
    tables = [_kept(bank, BANK, every, np.full(len(bank), np.nan), np.arange(len(bank)))]
    tables += [_kept(item.samples, role, groups[role], item.scores, item.units) for role, item in known.items()]
    return Reference(pa.concat_tables(tables, promote_options="default"))


def _kept(samples: Embeddings, role: str, groups: np.ndarray, scores: np.ndarray, units: np.ndarray) -> pa.Table:
    columns = [name for name in Embeddings.COLUMNS if name in samples]
    table = samples.table.select(columns).replace_schema_metadata(None)
    for name, value in (("role", role), ("source", samples.source)):
        table = table.append_column(name, pa.array([value] * len(samples), pa.string()))
    table = table.append_column("group", pa.array(groups, pa.string())).append_column("score", pa.array(scores))
    return table.append_column("unit", pa.array(units, pa.int64()))
