"""From samples to stored decisions, a batch at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from time import monotonic

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from vssl.errors import BrokenFileError
from vssl.runtime.decider import Decider, Decision, unreadable
from vssl.serve.batching import Batcher
from vssl.serve.store import Record, Store


@dataclass(frozen=True)
class Sample:
    """A sample that waits for its decision.

    Attributes:
        id: Its name.
        group: Where the policy has thresholds by group.
        content: SHA-256 of what was sent.
        raw: As the model takes it; None if it cannot be read.
        reason: Why it cannot.
    """

    id: str
    group: str
    content: str
    raw: np.ndarray | None
    reason: str = ""


@dataclass(frozen=True)
class Stored:
    """A decision with its number in the database."""

    number: int
    decision: Decision


class Metrics:
    """What Prometheus reads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.decisions = Counter("vssl_decisions", "Decisions stored.", ["decision"], registry=self.registry)
        self.refused = Counter("vssl_refused", "Requests refused because too many wait.", registry=self.registry)
        self.waiting = Gauge("vssl_waiting", "Samples that wait for a decision.", registry=self.registry)
        self.batch = Histogram(
            "vssl_batch_samples",
            "Samples decided on together.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        self.seconds = Histogram("vssl_batch_seconds", "Deciding on a batch and storing it.", registry=self.registry)


class Service:
    """Decides by an export and keeps every decision.

    Attributes:
        decider: The export.
        store: The database.
        metrics: Counted here.
        batcher: Call it with samples; start and stop it with the event loop.
    """

    def __init__(self, decider: Decider, store: Store, most: int = 64) -> None:
        """
        Args:
            most: Largest batch; 1 decides on one sample after the other.

        Raises:
            ExportError: The export has no policy in force.
        """
        decider.check_policy()
        self.decider, self.store, self.metrics = decider, store, Metrics()
        self.batcher: Batcher[Sample, Stored] = Batcher(self._decide, most)
        self.metrics.waiting.set_function(lambda: self.batcher.waiting)

    def image(self, data: bytes, name: str, group: str) -> Sample:
        """The sample of an image file's bytes, readable or not."""
        content = hashlib.sha256(data).hexdigest()
        try:
            return Sample(name, group, content, self.decider.image(data, name))
        except BrokenFileError as error:
            return Sample(name, group, content, None, error.reason)

    def _decide(self, samples: Sequence[Sample]) -> list[Stored]:
        started = monotonic()
        found: list[Decision] = []
        for readable, some in groupby(samples, lambda sample: sample.raw is not None):
            run = list(some)
            if readable:
                raw = np.stack([sample.raw for sample in run if sample.raw is not None])
                found += self.decider.decide(raw, [sample.id for sample in run], [sample.group for sample in run])
            else:
                found += [unreadable(sample.id, sample.reason) for sample in run]
        records = [
            Record(decision, sample.group, sample.content) for decision, sample in zip(found, samples, strict=True)
        ]
        numbers = self.store.add(records)
        for decision in found:
            self.metrics.decisions.labels(decision.decision).inc()
        self.metrics.batch.observe(len(samples))
        self.metrics.seconds.observe(monotonic() - started)
        return [Stored(number, decision) for number, decision in zip(numbers, found, strict=True)]
