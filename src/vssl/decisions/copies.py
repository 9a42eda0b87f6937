"""Calibration samples that the training or the bank has seen, and copies among them: left out, or counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from vssl.errors import DataError, RunError
from vssl.modalities.copies import CopyDetector, CopyMatches, ExactCopyDetector, Memory, SampleMarks, window_spans
from vssl.training.model import Model
from vssl.training.training_index import read_training_index
from vssl.types import Embeddings

SMALL_SHARE = 0.01
"""So few samples that were seen before, exactly as they are, are left out; more are refused."""
NEAR_SHARE = 0.25
"""So many may have been seen before cut elsewhere or saved again: what is alike may be told apart wrongly."""


@dataclass(frozen=True)
class Given:
    """Samples of a calibration.

    Attributes:
        samples: N of them.
        units: For each a number that it shares with its copies, and with nothing else.
    """

    samples: Embeddings
    units: Int[np.ndarray, " N"]

    def __len__(self) -> int:
        return len(self.samples)

    def where(self, kept: Bool[np.ndarray, " N"]) -> Given:
        """The samples whose entry is True."""
        return Given(self.samples.where(kept), self.units[kept])


@dataclass(frozen=True)
class Finder:
    """Finds copies of samples of a run.

    Attributes:
        copies: How, for this kind of data.
        memory: What is kept of the training; None where nothing is.
        doubts: What could not be checked, in sentences.
    """

    copies: CopyDetector
    memory: Memory | None
    doubts: Sequence[str] = ()

    @classmethod
    def of(cls, model: Model) -> Finder:
        try:
            memory, reason = read_training_index(model.run), "the run has no training_index.safetensors"
        except RunError as error:
            memory, reason = None, str(error)
        if memory is None:
            doubt = f"Whether samples were seen in the training could not be checked: {reason}"
            return cls(ExactCopyDetector(None), None, [f"{doubt.removesuffix('.')}."])
        copies = model.modality.copies(memory) or ExactCopyDetector(memory)
        return cls(copies, memory, copies.doubts)

    def given(self, samples: Embeddings) -> Given:
        """Samples, those that are copies of each other with one number."""
        return Given(samples, self._for(samples).first(marks(samples)))

    def unseen(self, given: Given, bank: Embeddings | None, what: str, caveats: list[str]) -> Given:
        """The samples that the training has not seen, or, where there is one, that are not in the bank.

        Raises:
            DataError: More of them than may be.
        """
        if not len(given):
            return given
        where, copies = "the training data" if bank is None else "the bank", self._for(given.samples, bank)
        own = marks(given.samples)
        found = copies.seen(own) if bank is None else copies.among(own, marks(bank))
        check(given.samples.ids, found, what, where)
        exact, near = int(found.exact.sum()), int(found.near.sum())
        if exact:
            caveats.append(f"{exact} {what} were left out: the same are in {where}.")
        if near:
            caveats.append(
                f"{near} {what} were left out: {where} {'have' if bank is None else 'has'} them too, cut at another "
                "place, saved again or nearly the same."
            )
        return given.where(~(found.exact | found.near))

    def _for(self, *tables: Embeddings | None) -> CopyDetector:
        """What can be found with what the tables hold: those of samples that came otherwise have no signatures."""
        whole = all(table is None or "signature" in table for table in tables)
        return self.copies if whole else ExactCopyDetector(self.memory)


def marks(samples: Embeddings) -> SampleMarks:
    """What stored samples are known again by."""
    signatures = samples.table["signature"].to_pylist() if "signature" in samples else [b""] * len(samples)
    return SampleMarks(samples.table["content"].to_pylist(), signatures, window_spans(samples.table))


def check(ids: Sequence[str], found: CopyMatches, what: str, where: str) -> None:
    """Refuse samples of which too many are known.

    A sample that the encoder or the bank has seen looks more familiar than a new one, so its score guarantees nothing.

    Raises:
        DataError: More than `SMALL_SHARE` of them are known exactly, more than `NEAR_SHARE` at all, or all.
    """
    known = found.exact | found.near
    exact, count, total = int(found.exact.sum()), int(known.sum()), len(known)
    if not count or (exact <= SMALL_SHARE * total and count <= NEAR_SHARE * total and count < total):
        return
    first = ", ".join(np.array(ids)[known][:3])
    how = "" if exact == count else ", cut at another place, saved again or nearly the same"
    how = how if exact == 0 or exact == count else f"; {count - exact} of them{how[1:]}"
    raise DataError(
        f"{count} of {total} {what} are in {where} too ({first}{', ...' if count > 3 else ''}){how}: they look more "
        "familiar than new samples will, so a threshold from them guarantees nothing. Give samples that were kept "
        "apart."
    )


def merged(blocks: np.ndarray, units: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
    """Numbers of blocks, the same for those of which most samples are copies of samples of one other block."""
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
