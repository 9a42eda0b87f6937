"""Samples that are known again, whichever way they were cut or saved: what each kind of data says of it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Int
from torch import Tensor

Memory = Mapping[str, np.ndarray]
"""What is kept of the training, by name; `contents` are the first 8 bytes of the hash of each sample."""


def content_hashes(raw: Tensor) -> list[str]:
    """A hash of each raw sample, by which the same sample is known under another name."""
    # 16 bytes: no two of 10^9 different samples meet.
    return [hashlib.blake2b(sample.tobytes(), digest_size=16).hexdigest() for sample in raw.numpy()]


def hash_prefixes(contents: Sequence[str]) -> np.ndarray:
    """The first 8 bytes of each hash, uint64."""
    return np.array([int(content[:16], 16) for content in contents], np.uint64)


@dataclass(frozen=True)
class SampleMarks:
    """What N samples are known again by.

    Attributes:
        contents: A hash of each raw sample.
        signatures: As `Modality.signatures` gives them.
        spans: Of windows of a series: its name, and where each begins and ends, in anything that sorts; else None.
    """

    contents: Sequence[str]
    signatures: Sequence[bytes]
    spans: Sequence[tuple[str, Any, Any]] | None = None

    def __len__(self) -> int:
        return len(self.contents)


def window_spans(metadata: pa.Table) -> list[tuple[str, Any, Any]] | None:
    """The series, start and end of each window, from its metadata; None where samples are no windows of series."""
    names = ("series", "start", "end")
    if not set(names) <= set(metadata.column_names):
        return None
    return list(zip(*(metadata[name].to_pylist() for name in names), strict=True))


@dataclass(frozen=True)
class CopyMatches:
    """Which samples are known: exactly as they are, or otherwise (cut at another place, saved again)."""

    exact: Bool[np.ndarray, " N"]
    near: Bool[np.ndarray, " N"]


class CopyDetector(Protocol):
    """Finds samples again by their marks."""

    @property
    def doubts(self) -> Sequence[str]:
        """What cannot be found with what is kept of this training, in sentences."""

    def seen(self, marks: SampleMarks) -> CopyMatches:
        """Which samples the training had."""

    def among(self, marks: SampleMarks, others: SampleMarks) -> CopyMatches:
        """Which samples are among the others."""

    def first(self, marks: SampleMarks) -> Int[np.ndarray, " N"]:
        """For each sample the number of the first one that it is a copy of; its own where it is none."""


@dataclass(frozen=True)
class ExactCopyDetector:
    """Knows samples by their content alone: where nothing else is kept of the training, or known of the kind of data.

    Attributes:
        memory: What is kept of the training; None where nothing is.
    """

    memory: Memory | None
    doubts: Sequence[str] = ()

    def seen(self, marks: SampleMarks) -> CopyMatches:
        known = np.empty(0, np.uint64) if self.memory is None else self.memory["contents"]
        return _exact_matches(np.isin(hash_prefixes(marks.contents), known))

    def among(self, marks: SampleMarks, others: SampleMarks) -> CopyMatches:
        return _exact_matches(np.isin(np.array(marks.contents), np.array(others.contents)))

    def first(self, marks: SampleMarks) -> Int[np.ndarray, " N"]:
        rows: dict[str, int] = {}
        return np.array([rows.setdefault(content, row) for row, content in enumerate(marks.contents)], int)


def _exact_matches(known: Bool[np.ndarray, " N"]) -> CopyMatches:
    return CopyMatches(known, np.zeros_like(known))


def chain_roots(parent: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
    """The first of the chain that each row's parent leads to; a parent is never behind its row."""
    found = parent.copy()
    for row, before in enumerate(parent.tolist()):
        found[row] = found[before]
    return found
