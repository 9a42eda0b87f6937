"""The events of one sample, gathered one by one in constant memory, and as the numbers that a batch is made of."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
from jaxtyping import Int16

from vssl.modalities.events.lines import Line

PADDING, UNKNOWN, TRUNCATED, FIRST_TEMPLATE = 0, 1, 2, 3
"""What a token may stand for that is no known kind of event; `FIRST_TEMPLATE` is the first that is one."""

CONTENT_HASH_COLUMNS = 2
"""Columns of a raw sample in front of its events: a hash of the text of its lines.

Two sessions of the same events are two samples, for they have other names, times and values; the same session in
another file is one.
"""

CODES_PER_DOUBLING = 16  # of the code of a gap or a number, for each doubling
MAX_CODE = 32_000
MAX_TEXT = 200
# What the usual logs write where nothing is wrong.
NORMAL_LABELS = ("-", "", "0", "false", "normal", "ok", "none")


@dataclass(frozen=True)
class Sample:
    """A session or window.

    Attributes:
        id: Unique within its source.
        codes: The stamp, then tokens and codes of the gaps before them; n is at most L.
        metadata: Where it stood, how many events it had, its label: what training never reads.
        signature: 8 bytes of hash of each of its lines; see `Modality.signatures`.
    """

    id: str
    codes: Int16[np.ndarray, "2 S+n"]
    metadata: Mapping[str, Any]
    signature: bytes = b""


def log_code(value: float) -> int:
    """A number of 0 or more on a scale of logarithms, 1 and above: 16 steps for each doubling of 1 + value."""
    return 1 + min(MAX_CODE, round(CODES_PER_DOUBLING * math.log2(1 + max(0.0, value))))


@dataclass(slots=True)
class Collector:
    """Gathers a sample's events: counts them all, keeps the first and the last ones.

    Attributes:
        source: Name of the file.
        length: L, the largest number of events that are kept.
        events: How many there were.
        first, last: Numbers of the first and of the last line.
    """

    source: str
    length: int
    events: int = 0
    first: int = 0
    last: int = 0
    _unknown: int = 0
    _damaged: int = 0
    _start_s: float | None = None
    _last_s: float | None = None
    _label: str | None = None
    _unknown_text: str | None = None
    _fields: Mapping[str, Any] = field(default_factory=dict)
    _stamp: bytes = b""
    _trace: bytearray = field(default_factory=bytearray)
    _head: array[int] = field(default_factory=lambda: array("h"))
    _tail: deque[tuple[int, int]] | None = None

    def add(self, token: int, line: Line) -> None:
        """Add an event, in the order of the log."""
        if not self.events:
            self.first, self._start_s, self._fields = line.number, line.time_s, line.fields
        gap = 0 if line.time_s is None or self._last_s is None else log_code(1000 * (line.time_s - self._last_s))
        if line.text:
            text = line.text.encode(errors="replace")
            self._stamp = blake2b(self._stamp + text, digest_size=8).digest()
            self._trace += blake2b(text, digest_size=8).digest()
        self.events += 1
        self.last = line.number
        self._last_s = line.time_s if line.time_s is not None else self._last_s
        self._damaged += line.damaged
        self._label = worse_label(self._label, line.label)
        if token == UNKNOWN:
            self._unknown += 1
            self._unknown_text = self._unknown_text or line.message[:MAX_TEXT]
        if self._tail is None and len(self._head) < 2 * self.length:
            self._head.extend((token, gap))
        else:
            self._keep_last(token, gap)

    def _keep_last(self, token: int, gap: int) -> None:
        if self._tail is None:
            half = self.length // 2
            pairs = list(zip(self._head[::2], self._head[1::2], strict=True))
            self._head, self._tail = self._head[: 2 * half], deque(pairs[half + 1 :], self.length - half - 1)
        self._tail.append((token, gap))

    def sample(self, name: str = "") -> Sample:
        """All that was gathered; where events were left out in the middle, one of token `TRUNCATED` says how many.

        Args:
            name: Id of the sample; by default that of a window, of its file and lines.
        """
        codes = np.array(self._head, np.int16).reshape(-1, 2)
        if self._tail is not None:
            hidden = self.events - len(codes) - len(self._tail)
            codes = np.concatenate([codes, [(TRUNCATED, log_code(hidden))], list(self._tail)]).astype(np.int16)
        about = {"source": self.source, "first": self.first, "last": self.last, "time": self._start_s}
        about |= {"events": self.events, "unknown": self._unknown, "unknown_text": self._unknown_text}
        about |= {"damaged": self._damaged, "label": self._label, **self._fields}
        stamp = np.frombuffer(self._stamp, "<i2").reshape(2, CONTENT_HASH_COLUMNS)
        return Sample(
            name or f"{self.source}@{self.first}-{self.last}",
            np.concatenate([stamp, codes.T], axis=1),
            about,
            bytes(self._trace),
        )


def worse_label(label: str | None, other: str | None) -> str | None:
    """Of two labels the one that is not normal; the first of two that are not."""
    if label is None or (label.strip().lower() in NORMAL_LABELS and other is not None):
        return other
    return label
