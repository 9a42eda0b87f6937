"""Leakage and copies: calibration samples that are in the training data or the bank, and copies among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int

from vssl.errors import DataError, RunError
from vssl.modalities.copies import CopyDetector, CopyMatches, ExactCopyDetector, Memory, SampleMarks, window_spans
from vssl.training.model import Model
from vssl.training.training_index import read_training_index
from vssl.types import Embeddings

if TYPE_CHECKING:
    from vssl.decisions.calibrate import ScoredSet

MAX_EXACT_SHARE = 0.01
"""Up to this share of exactly leaked samples is dropped; a larger share is refused."""
MAX_LEAKED_SHARE = 0.25
"""The same for all leaked samples, near copies included: similar samples may be mistaken for copies."""


@dataclass(frozen=True)
class CalibrationSet:
    """Samples to calibrate with.

    Attributes:
        samples: N samples.
        units: For each a number that it shares with its copies and with nothing else.
    """

    samples: Embeddings
    units: Int[np.ndarray, " N"]

    def __len__(self) -> int:
        return len(self.samples)

    def where(self, mask: Bool[np.ndarray, " N"]) -> CalibrationSet:
        """The samples whose entry is True."""
        return CalibrationSet(self.samples.where(mask), self.units[mask])


@dataclass(frozen=True)
class CopyFinder:
    """Finds copies of samples of a run.

    Attributes:
        copies: How copies are found in this kind of data.
        memory: What the run has kept of its training samples; None if it has kept nothing.
        doubts: What could not be checked, in sentences.
    """

    copies: CopyDetector
    memory: Memory | None
    doubts: Sequence[str] = ()

    @classmethod
    def of(cls, model: Model) -> CopyFinder:
        try:
            memory, reason = read_training_index(model.run), "the run has no training_index.safetensors"
        except RunError as error:
            memory, reason = None, str(error)
        if memory is None:
            doubt = f"Whether samples were in the training data could not be checked: {reason}"
            return cls(ExactCopyDetector(None), None, [f"{doubt.removesuffix('.')}."])
        copies = model.modality.copies(memory) or ExactCopyDetector(memory)
        return cls(copies, memory, copies.doubts)

    def calibration_set(self, samples: Embeddings) -> CalibrationSet:
        """The samples, with one unit per sample and its copies."""
        return CalibrationSet(samples, self._for(samples).first(marks(samples)))

    def drop_leaked(
        self, given: CalibrationSet, bank: Embeddings | None, what: str, caveats: list[str]
    ) -> CalibrationSet:
        """The samples that are not in the bank, or, without one, not in the training data.

        Args:
            what: Name of the samples in messages.
            caveats: Sentences on dropped samples are appended.

        Raises:
            DataError: Too many are leaked; see `refuse_leakage`.
        """
        if not len(given):
            return given
        where, copies = "the training data" if bank is None else "the bank", self._for(given.samples, bank)
        own = marks(given.samples)
        leaked = copies.seen(own) if bank is None else copies.among(own, marks(bank))
        refuse_leakage(given.samples.ids, leaked, what, where)
        exact, near = int(leaked.exact.sum()), int(leaked.near.sum())
        if exact:
            caveats.append(f"{exact} {what} were left out because they are in {where}.")
        if near:
            caveats.append(
                f"{near} {what} were left out because near copies of them (cropped elsewhere, saved again) are in "
                f"{where}."
            )
        return given.where(~(leaked.exact | leaked.near))

    def _for(self, *tables: Embeddings | None) -> CopyDetector:
        """Exact copies only, unless all tables hold the signatures that near copies are found by."""
        has_signatures = all(table is None or "signature" in table for table in tables)
        return self.copies if has_signatures else ExactCopyDetector(self.memory)


def marks(samples: Embeddings) -> SampleMarks:
    """The marks by which samples are recognised, from their stored columns."""
    signatures = samples.table["signature"].to_pylist() if "signature" in samples else [b""] * len(samples)
    return SampleMarks(samples.table["content"].to_pylist(), signatures, window_spans(samples.table))


def refuse_leakage(ids: Sequence[str], leaked: CopyMatches, what: str, where: str) -> None:
    """Refuse samples of which too many are leaked.

    The encoder or the bank makes a leaked sample look more familiar than a new one, so its score guarantees nothing.

    Raises:
        DataError: More than `MAX_EXACT_SHARE` are leaked exactly, more than `MAX_LEAKED_SHARE` at all, or all.
    """
    mask = leaked.exact | leaked.near
    exact, count, total = int(leaked.exact.sum()), int(mask.sum()), len(mask)
    if not count or (exact <= MAX_EXACT_SHARE * total and count <= MAX_LEAKED_SHARE * total and count < total):
        return
    first = ", ".join(np.array(ids)[mask][:3])
    near = f", {count - exact} of them as near copies (cropped elsewhere, saved again)" if exact < count else ""
    raise DataError(
        f"{count} of {total} {what} are in {where} too ({first}{', ...' if count > 3 else ''}){near}. They score lower "
        "than new samples will, so thresholds from them guarantee nothing. Give samples that are not in it."
    )


def copies_caveats(sets: Iterable[ScoredSet]) -> list[str]:
    """How many of the samples, or blocks, are copies of others."""
    caveats = []
    for item in sets:
        total, what = item.count_with_copies(), "samples" if item.blocks is None else "blocks"
        copies, copied_samples = total - item.count, len(item.units) - len(set(item.units.tolist()))
        if copies:
            caveats.append(
                f"{copies:,} of the {total:,} {item.role} {what} are copies of others, exact or nearly so. Each is "
                f"counted once with its copies, by the highest score among them; {item.count:,} differ."
            )
        elif item.blocks is not None and copied_samples:
            caveats.append(
                f"{copied_samples:,} of the {len(item.units):,} {item.role} samples are copies of others, exact or "
                "nearly so. Blocks that share only some of their samples are counted separately: check that they are "
                "independent."
            )
    return caveats


def merge_copied_blocks(blocks: np.ndarray, units: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
    """The number of each sample's block; blocks share a number if most samples of one are copies from the other."""
    names, block = np.unique(blocks.astype(str), return_inverse=True)
    _, first, unit = np.unique(units, return_index=True, return_inverse=True)
    home = block[first][unit]
    parent = np.arange(len(names))
    order = {number: rank for rank, number in enumerate(dict.fromkeys(block.tolist()))}
    for number in order:
        votes = np.bincount(home[block == number], minlength=len(names))
        other = int(votes.argmax())
        if other != number and 2 * votes[other] >= votes.sum() and order[other] < order[number]:
            parent[number] = parent[other]
    return parent[block]
