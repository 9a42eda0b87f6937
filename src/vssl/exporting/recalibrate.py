"""A policy of the export's own: the samples of the run's policy, scored with the export's own numbers.

An exported model computes a little differently, an 8-bit one more so. So its thresholds are not copied: they are found
again, by the same rule, from the same samples, for the same guarantee. What is guaranteed holds for the export as it
is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import torch

from vssl.decisions.calibrate import calibrate
from vssl.decisions.config import CalibrationConfig
from vssl.decisions.copies import CalibrationSet
from vssl.decisions.core import BANK, DEFECT, NORMAL
from vssl.decisions.policy import Binding, Policy
from vssl.decisions.policy_file import Reference
from vssl.errors import ExportError
from vssl.exporting.encoded import Encoded
from vssl.modalities.base import Modality
from vssl.modalities.copies import content
from vssl.scores.base import pairs_of
from vssl.types import Embeddings


@dataclass(frozen=True)
class Calibration:
    """A run's policy and the samples that it stands on, with their raw data.

    Attributes:
        policy: The run's.
        reference: The run's.
        raw: By role the samples as `Modality.find` gives them.
    """

    policy: Policy
    reference: Reference
    raw: dict[str, list[tuple[str, torch.Tensor, dict[str, Any]]]]


def gather(modality: Modality, policy: Policy, reference: Reference) -> Calibration:
    """Read the samples of a policy again.

    Raises:
        ExportError: Some are gone or have changed, or the score cannot be part of an export.
    """
    if pairs_of(policy.score.config):
        raise ExportError(
            "The policy's score compares random views of each sample, which an export cannot draw. Calibrate with "
            "another score, such as novelty, then export."
        )
    roles = (BANK, NORMAL, DEFECT)
    return Calibration(policy, reference, {role: list(_again(modality, reference.role(role))) for role in roles})


def _again(modality: Modality, samples: Embeddings) -> Iterator[tuple[str, torch.Tensor, dict[str, Any]]]:
    known = dict(zip(samples.ids, samples.table["content"].to_pylist(), strict=True))
    sources = samples.table["source"].to_pylist()
    for source in dict.fromkeys(sources):
        wanted = {name for name, place in zip(samples.ids, sources, strict=True) if place == source}
        for name, raw, metadata in modality.find(source, wanted):
            if content(raw[None])[0] == known[name]:
                del known[name]
                yield name, raw, metadata
    if known:
        raise ExportError(
            f"{len(known)} of the samples that the policy stands on are gone or have changed, such as "
            f"{next(iter(known))} of {sources[0]}. An export needs them, to calibrate with its own numbers: calibrate "
            "again with samples that are there."
        )


def recalibrate(whole: Encoded, bank: Embeddings, before: Calibration, binding: Binding) -> tuple[Policy, Reference]:
    """The policy of the export and its reference; it guarantees what the run's did, and expires with it.

    Args:
        whole: The graph that will decide. The scores are its own: those of torch differ in the last digits, and the
            sample that is the threshold could be decided otherwise.
        bank: The known samples, by the export's encoder.
    """
    old = before.policy
    config = CalibrationConfig(
        **asdict(old.guarantee), score=old.score.config, group=old.group, block=old.block, costs=old.costs
    )
    kept = tuple(name for name in (old.group, old.block) if name is not None)
    given: dict[str, CalibrationSet] = {}
    scores: dict[str, float] = {}
    for role, raw in before.raw.items():
        if raw and role != BANK:
            samples = whole.embeddings(raw, (*kept, "score"))
            scores |= dict(zip(samples.table["content"].to_pylist(), samples.numpy("score"), strict=True))
            given[role] = CalibrationSet(
                Embeddings(samples.table.drop_columns("score")), _units(before.reference.role(role), samples)
            )
    policy, reference = calibrate(
        config,
        bank,
        given[NORMAL],
        given.get(DEFECT),
        [],
        date.fromisoformat(old.made),
        scorer=lambda samples: np.array([scores[content] for content in samples.table["content"].to_pylist()]),
    )
    policy = replace(policy, guaranteed=old.guaranteed, caveats=old.caveats, expires=old.expires, binding=binding)
    return policy, reference


def _units(before: Embeddings, samples: Embeddings) -> np.ndarray:
    """What counts as one among the samples, as it did in the run."""
    units = dict(zip(before.ids, before.numpy("unit").tolist(), strict=True))
    return np.array([units[name] for name in samples.ids], int)
