"""The export's own policy: calibrated again on the samples of the run's policy, with the scores of the export.

An exported model computes slightly different scores, an 8-bit one more so. Therefore its thresholds are not copied but
computed by the same rule, from the same samples, for the same guarantee, which then holds for the export itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date

import numpy as np

from vssl.decisions.calibrate import calibrate
from vssl.decisions.config import CalibrationConfig
from vssl.decisions.copies import CalibrationSet
from vssl.decisions.core import BANK, DEFECT, NORMAL
from vssl.decisions.policy import Binding, Policy
from vssl.decisions.policy_file import Reference
from vssl.errors import ExportError
from vssl.exporting.encoded import OnnxEncoder, Sample
from vssl.modalities.base import Modality
from vssl.modalities.copies import content_hashes
from vssl.scores.base import pairs_of
from vssl.types import Embeddings


@dataclass(frozen=True)
class Calibration:
    """A run's policy and the samples that it was calibrated with.

    Attributes:
        policy: The policy of the run.
        reference: Its samples, as embeddings.
        raw: The same samples as raw data, by role: bank, normal, defect. They are read again each time.
    """

    policy: Policy
    reference: Reference
    raw: Mapping[str, RawSamples]


@dataclass(frozen=True)
class RawSamples:
    """The raw data of some samples of a policy, read one after the other whenever they are iterated over."""

    modality: Modality
    samples: Embeddings

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        """The samples in the order of their sources.

        Raises:
            ExportError: Samples are gone or have changed.
        """
        missing = dict(zip(self.samples.ids, self.samples.table["content"].to_pylist(), strict=True))
        sources = self.samples.table["source"].to_pylist()
        for source in dict.fromkeys(sources):
            wanted = {name for name, origin in zip(self.samples.ids, sources, strict=True) if origin == source}
            for name, raw, metadata in self.modality.find(source, wanted):
                if content_hashes(raw[None])[0] == missing[name]:
                    del missing[name]
                    yield name, raw, metadata
        if missing:
            raise ExportError(
                f"{len(missing)} of the samples that the policy was calibrated with are gone or have changed, such as "
                f"{next(iter(missing))} of {sources[0]}. An export needs them to calibrate with its own scores: "
                "calibrate the run again with samples that exist, then export."
            )


def read_calibration(modality: Modality, policy: Policy, reference: Reference) -> Calibration:
    """The samples of a policy, which are read again from their sources.

    Raises:
        ExportError: The score cannot be part of an export.
    """
    if pairs_of(policy.score.config):
        raise ExportError(
            "The policy's score compares random views of each sample, which an export cannot draw. Calibrate with "
            "another score, such as novelty, then export."
        )
    roles = (BANK, NORMAL, DEFECT)
    return Calibration(policy, reference, {role: RawSamples(modality, reference.role(role)) for role in roles})


def recalibrate(
    graph: OnnxEncoder, bank: Embeddings, before: Calibration, binding: Binding
) -> tuple[Policy, Reference]:
    """The policy of the export and its reference, with the guarantee and the expiry date of the run's policy.

    Args:
        graph: The exported graph with the score. It computes the scores, because those of torch differ in the last
            digits, and the sample that is the threshold could be decided otherwise.
        bank: The bank, embedded by the exported encoder.
    """
    old = before.policy
    config = CalibrationConfig(
        **asdict(old.guarantee), score=old.score.config, group=old.group, block=old.block, costs=old.costs
    )
    metadata = [name for name in (old.group, old.block) if name is not None]
    given: dict[str, CalibrationSet] = {}
    scores: dict[str, float] = {}
    for role in (NORMAL, DEFECT):
        if len(before.raw[role]):
            samples, outputs = graph.embeddings(before.raw[role], metadata)
            scores |= dict(zip(samples.table["content"].to_pylist(), outputs["score"], strict=True))
            # What the guarantee counts as one unit is as in the run.
            known = before.reference.role(role)
            units = dict(zip(known.ids, known.numpy("unit").tolist(), strict=True))
            given[role] = CalibrationSet(samples, np.array([units[name] for name in samples.ids], int))
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
