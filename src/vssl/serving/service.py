"""From samples to stored decisions, a batch at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from threading import Lock
from time import monotonic
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from vssl.errors import BrokenFileError, ConfigError
from vssl.runtime.decider import Decider, Decision, unreadable
from vssl.serving.batching import Batcher
from vssl.serving.samples import Samples, is_drawn
from vssl.serving.store import Record, Store, storable


@dataclass(frozen=True)
class Sample:
    """A sample that waits for its decision.

    Attributes:
        id: Its name.
        group: Where the policy has thresholds by group.
        content: SHA-256 of what was sent.
        data: The bytes that were sent.
        raw: As the model takes it; None if it cannot be read.
        reason: Why it cannot.
    """

    id: str
    group: str
    content: str
    data: bytes
    raw: np.ndarray | None
    reason: str = ""


@dataclass(frozen=True)
class Stored:
    """A decision with its number in the database, and the SHA-256 of the policy that it was made by."""

    number: int
    decision: Decision
    policy: str


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
    """Decides by an export and keeps every decision, and of those that a person is to look at the sample too.

    Attributes:
        decider: The export.
        store: The database.
        samples: What was sent.
        metrics: Counted here.
        batcher: Call it with samples; start and stop it with the event loop.
        base: SHA-256 of the export's own policy.
        policy: SHA-256 of the one in force: that, or the last version that a person has made of it.
    """

    def __init__(self, decider: Decider, store: Store, samples: Samples, audit: float = 0.0, most: int = 64) -> None:
        """
        Args:
            audit: Share of the samples that is drawn at random for a person to look at, 0..1.
            most: Largest batch; 1 decides on one sample after the other.

        Raises:
            ExportError: The export has no policy in force.
            ConfigError: `audit` is no share.
        """
        if not 0 <= audit <= 1:
            raise ConfigError(f"--audit-rate is {audit}; it is a share, 0 to 1.")
        self.decider, self.store, self.samples, self.metrics = decider, store, samples, Metrics()
        # Decisions wait while a policy is put in force, and not while a change of it is stored.
        self._audit, self._lock, self._changes = audit, Lock(), Lock()
        files = decider.about["files"]
        self.model: str = files["model"]["sha256"]
        self.base: str = files["policy"]["sha256"]
        self.policy = self.base
        for version in store.policies(self.base)[:1]:
            self.policy, decider.policy = version["policy"], version["body"]
        decider.check_policy()
        self.batcher: Batcher[Sample, Stored] = Batcher(self._decide, most)
        self.metrics.waiting.set_function(lambda: self.batcher.waiting)

    def image(self, data: bytes, name: str, group: str) -> Sample:
        """The sample of an image file's bytes, readable or not."""
        content, name, group = hashlib.sha256(data).hexdigest(), storable(name), storable(group)
        try:
            return Sample(name, group, content, data, self.decider.image(data, name))
        except BrokenFileError as error:
            return Sample(name, group, content, data, None, error.reason)

    def window(self, values: np.ndarray, name: str, group: str) -> Sample:
        """The sample of a window of series, float64 [C, T] in the units of the data."""
        data = values.astype("<f8").tobytes()
        return Sample(storable(name), storable(group), hashlib.sha256(data).hexdigest(), data, values)

    def log(self, lines: Sequence[str], name: str, group: str) -> Sample:
        """The sample of the lines of a session or window, usable or not."""
        texts = [storable(" ".join(line.splitlines())) for line in lines]
        data, name, group = "\n".join(texts).encode(), storable(name), storable(group)
        content = hashlib.sha256(data).hexdigest()
        try:
            return Sample(name, group, content, data, self.decider.lines(texts, name))
        except BrokenFileError as error:
            return Sample(name, group, content, data, None, error.reason)

    def change_policy(self, change: Callable[[dict[str, Any]], dict[str, Any]], by: str, why: str) -> str:
        """Put a new version of the policy on record and in force; its SHA-256. Of two at once one follows the other.

        Args:
            change: From the policy in force to the new one.

        Raises:
            StorageError: It could not be stored, and the one before stays in force.
        """
        with self._changes:
            body = change(self.decider.policy or {})
            policy = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
            self.store.add_policy(self.base, policy, body, by, why)
            with self._lock:
                self.policy, self.decider.policy = policy, body
        return policy

    def _decide(self, samples: Sequence[Sample]) -> list[Stored]:
        started = monotonic()
        records: list[Record] = []
        with self._lock:
            policy = self.policy
            for readable, some in groupby(samples, lambda sample: sample.raw is not None):
                run = list(some)
                records += self._judged(run, policy) if readable else [self._unread(sample, policy) for sample in run]
        for record, sample in zip(records, samples, strict=True):
            if record.ask:
                self.samples.keep(sample.content, sample.data)
        numbers = self.store.add(records)
        for record in records:
            self.metrics.decisions.labels(record.decision.decision).inc()
        self.metrics.batch.observe(len(samples))
        self.metrics.seconds.observe(monotonic() - started)
        return [Stored(number, record.decision, policy) for number, record in zip(numbers, records, strict=True)]

    def _judged(self, samples: Sequence[Sample], policy: str) -> Iterator[Record]:
        found = self.decider.outputs(np.stack([sample.raw for sample in samples if sample.raw is not None]))
        decisions = self.decider.judge(found, [s.id for s in samples], [s.group for s in samples])
        for row, (decision, sample) in enumerate(zip(decisions, samples, strict=True)):
            x, y = (_number(value) for value in found["map"][row])
            record = self._record(sample, decision, policy, (x, y))
            heat = found["heat"][row].round(4).tolist() if record.ask and "heat" in found else None
            yield replace(record, heat=heat)

    def _unread(self, sample: Sample, policy: str) -> Record:
        return self._record(sample, unreadable(sample.id, sample.reason), policy, (None, None))

    def _record(
        self, sample: Sample, decision: Decision, policy: str, place: tuple[float | None, float | None]
    ) -> Record:
        drawn = is_drawn(sample.content, self._audit)
        return Record(decision, sample.group, sample.content, self.model, policy, drawn, place)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
