"""Calibration: from scored normal samples, and defects if there are any, to a policy and its reference."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pyarrow as pa

from vssl.config import find, member, name_of
from vssl.decisions.bounds import observed_rate
from vssl.decisions.config import CalibrationConfig
from vssl.decisions.copies import CalibrationSet, copies_caveats, merge_copied_blocks
from vssl.decisions.core import BANK, DEFECT, NORMAL, OUTCOMES, UNGROUPED, Thresholds, decide_by_group, worst_of_each
from vssl.decisions.costs import expected_costs
from vssl.decisions.describe import BLOCKS, DIFFERENT
from vssl.decisions.exchangeability import dependence_caveats, group_caveats
from vssl.decisions.policy import Binding, ExpectedCost, Policy, Rate, ScoreSpec
from vssl.decisions.policy_file import Reference
from vssl.decisions.samples import metadata_column
from vssl.decisions.thresholds import compute_thresholds
from vssl.errors import ConfigError, DataError, EmptyDataError, NotEnoughDataError
from vssl.types import Embeddings


@dataclass(frozen=True)
class ScoredSet:
    """The calibration samples of one role, with their scores.

    Attributes:
        role: normal or defect.
        samples: N samples.
        scores: Score of each.
        units: As in `CalibrationSet`.
        groups: Group of each.
        blocks: Block of each; None if the guarantee counts samples.
    """

    role: str
    samples: Embeddings
    scores: np.ndarray
    units: np.ndarray
    groups: np.ndarray
    blocks: np.ndarray | None

    @cached_property
    def counted_units(self) -> np.ndarray:
        """For each sample the number of what the guarantee counts once: a sample, or a block, with its copies."""
        return self.units if self.blocks is None else merge_copied_blocks(self.blocks, self.units)

    @property
    def count(self) -> int:
        """How many the guarantee counts."""
        return len(set(self.counted_units.tolist()))

    def group_scores(self, group: str) -> np.ndarray:
        """The scores of a group, one per counted unit."""
        members = self.groups == group
        return worst_of_each(self.scores[members], self.counted_units[members])

    def count_with_copies(self, group: str | None = None) -> int:
        """The number of samples, or of blocks, copies included."""
        members = np.ones(len(self.groups), bool) if group is None else self.groups == group
        return int(members.sum()) if self.blocks is None else len(set(self.blocks[members]))


def calibrate(
    config: CalibrationConfig,
    bank: Embeddings,
    normal: CalibrationSet,
    defects: CalibrationSet | None,
    caveats: Sequence[str],
    today: date,
    scorer: Callable[[Embeddings], np.ndarray] | None = None,
) -> tuple[Policy, Reference]:
    """Make a policy that is not bound to a model yet, and its reference.

    Args:
        scorer: Computes the score of each sample; by default the score of `config`, fitted to the bank.

    Raises:
        NotEnoughDataError: Too few samples for the guarantee, overall or in a group.
        DataError: Scores that are not finite or all the same, or samples that are both normal and a defect.
        ConfigError: Settings that contradict each other or the data.
    """
    if not len(normal):
        raise EmptyDataError("There are no normal samples to calibrate with.")
    if defects is not None:
        _refuse_common(normal.samples, defects.samples)
    score = member("scores", config.score)
    bank = score.condense(bank)
    scorer = scorer or find("scores", name_of(score)).fit(score, bank)
    sets = {NORMAL: _scored_set(config, scorer, normal, NORMAL)}
    if defects is not None:
        sets[DEFECT] = _scored_set(config, scorer, defects, DEFECT)
    thresholds = _thresholds_by_group(config, sets)
    outcomes = {role: decide_by_group(thresholds, item.groups, item.scores) for role, item in sets.items()}
    dependence = dependence_caveats(config, sets[NORMAL])
    policy = Policy(
        guarantee=config.guarantee,
        guaranteed=not dependence,
        score=ScoreSpec.of(score),
        thresholds=thresholds,
        group=config.group,
        block=config.block,
        samples={BANK: len(bank)} | _sample_counts(sets),
        expected=_expected_rates(outcomes),
        caveats=(
            *dependence,
            *caveats,
            *copies_caveats(sets.values()),
            *group_caveats(config, sets[NORMAL], outcomes[NORMAL]),
        ),
        costs=config.costs,
        expected_costs=_expected_costs(config, thresholds, sets),
        binding=Binding("", "", ""),
        reference="",
        made=today.isoformat(),
        expires=(today + timedelta(days=config.valid_days)).isoformat(),
    )
    return policy, _reference(bank, sets)


def _scored_set(
    config: CalibrationConfig, scorer: Callable[[Embeddings], np.ndarray], given: CalibrationSet, role: str
) -> ScoredSet:
    samples, scores, source = given.samples, scorer(given.samples), f"The list of {role} samples"
    broken = np.flatnonzero(~np.isfinite(scores))
    if len(broken):
        raise DataError(
            f"{len(broken)} of {len(scores)} {role} samples have a score that is not a finite number; the first is "
            f"{samples.ids[broken[0]]}. The encoder is broken, or the sample: vssl evaluate RUN."
        )
    ungrouped = np.full(len(samples), UNGROUPED, dtype=object)
    groups = ungrouped if config.group is None else metadata_column(samples, config.group, source)
    blocks = None if config.block is None else metadata_column(samples, config.block, source)
    return ScoredSet(role, samples, scores, given.units, groups, blocks)


def _refuse_common(normal: Embeddings, defects: Embeddings) -> None:
    common = set(normal.table["content"].to_pylist()) & set(defects.table["content"].to_pylist())
    if common:
        contents = defects.table["content"].to_pylist()
        ids = [name for name, content in zip(defects.ids, contents, strict=True) if content in common]
        raise DataError(
            f"{len(common)} samples are given as normal and as a defect ({', '.join(ids[:3])}): decide which they are."
        )


def _thresholds_by_group(config: CalibrationConfig, sets: Mapping[str, ScoredSet]) -> dict[str, Thresholds]:
    thresholds = {}
    for group in sorted(set(sets[NORMAL].groups)):
        scores = {role: item.group_scores(group) for role, item in sets.items()}
        counts = {role: item.count_with_copies(group) for role, item in sets.items()}
        try:
            thresholds[group] = compute_thresholds(
                scores[NORMAL], scores.get(DEFECT), config.guarantee, (counts[NORMAL], counts.get(DEFECT))
            )
        except NotEnoughDataError as error:
            counted = "" if config.block is None else f", counted in blocks by {config.block}"
            where = "" if config.group is None else f" in the group {config.group} = {group}"
            what = error.guarantee + counted + where
            raise NotEnoughDataError(error.given, error.needed, what, of=error.of) from error
    return thresholds


def _sample_counts(sets: Mapping[str, ScoredSet]) -> dict[str, int]:
    counts = {role: len(item.samples) for role, item in sets.items()}
    for role, item in sets.items():
        if item.blocks is not None:
            counts[f"{role} {BLOCKS}"] = item.count
        elif item.count < len(item.samples):
            counts[f"{role} {DIFFERENT}"] = item.count
    return counts


def _expected_rates(outcomes: Mapping[str, np.ndarray]) -> dict[str, Rate]:
    return {
        f"{role} {outcome}": observed_rate(decided == outcome)
        for role, decided in outcomes.items()
        for outcome in OUTCOMES
    }


def _expected_costs(
    config: CalibrationConfig, thresholds: Mapping[str, Thresholds], sets: Mapping[str, ScoredSet]
) -> tuple[ExpectedCost, ...]:
    if config.costs is None:
        return ()
    if DEFECT not in sets:
        raise ConfigError("Costs need known defects, to count the misses: give some, or leave the costs out.")
    if config.group is not None:
        raise ConfigError("Costs are stated for one pair of thresholds; leave out the group or the costs.")
    return expected_costs(thresholds[UNGROUPED], sets[NORMAL].scores, sets[DEFECT].scores, config.costs)


def _reference(bank: Embeddings, sets: Mapping[str, ScoredSet]) -> Reference:
    ungrouped, no_scores = np.full(len(bank), UNGROUPED, dtype=object), np.full(len(bank), np.nan)
    tables = [_reference_rows(bank, BANK, ungrouped, no_scores, np.arange(len(bank)))]
    tables += [_reference_rows(item.samples, role, item.groups, item.scores, item.units) for role, item in sets.items()]
    return Reference(pa.concat_tables(tables, promote_options="default"))


def _reference_rows(
    samples: Embeddings, role: str, groups: np.ndarray, scores: np.ndarray, units: np.ndarray
) -> pa.Table:
    columns = [name for name in Embeddings.COLUMNS if name in samples and name != "dense_patches"]
    table = samples.table.select(columns).replace_schema_metadata(None)
    for name, value in (("role", role), ("source", samples.source)):
        table = table.append_column(name, pa.array([value] * len(samples), pa.string()))
    table = table.append_column("group", pa.array(groups, pa.string())).append_column("score", pa.array(scores))
    return table.append_column("unit", pa.array(units, pa.int64()))
