"""From samples to stored decisions, a batch at a time."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from threading import Lock
from time import monotonic

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from vssl.decisions.core import Decision, decide_unreadable
from vssl.decisions.policy import Policy
from vssl.errors import BrokenFileError, ConfigError
from vssl.runtime.decider import Decider
from vssl.serving.answers import StoredDecision
from vssl.serving.batching import Batcher
from vssl.serving.samples import Samples, is_drawn
from vssl.serving.store import Store, storable


@dataclass(frozen=True)
class Sample:
    """A sample that waits for its decision.

    Attributes:
        id: Name of the sample.
        group: Group of the sample, where the policy has thresholds by group; else empty.
        content: SHA-256 of `data`.
        data: Content of the sample; see `vssl.modalities.wire`.
        raw: The sample as the model takes it; None if it cannot be read.
        reason: Why it cannot be read.
    """

    id: str
    group: str
    content: str
    data: bytes
    raw: np.ndarray | None
    reason: str = ""


class Metrics:
    """Metrics that Prometheus reads."""

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
        samples: The contents that people are asked about.
        metrics: Counters and durations for Prometheus.
        batcher: Called with samples; started and stopped with the event loop.
        base: SHA-256 of the export's own policy.
        policy: SHA-256 of the policy in force: the export's own, or the last version that a person has made of it.
    """

    def __init__(
        self, decider: Decider, store: Store, samples: Samples, audit_rate: float = 0.0, max_batch: int = 64
    ) -> None:
        """
        Args:
            audit_rate: Share of the samples, 0..1, that is drawn at random for a person to look at.
            max_batch: Largest batch; 1 decides on one sample after the other.

        Raises:
            ExportError: The export has no policy in force.
            ConfigError: `audit_rate` is no share.
        """
        if not 0 <= audit_rate <= 1:
            raise ConfigError(f"--audit-rate is {audit_rate}; it is a share, 0 to 1.")
        self.decider, self.store, self.samples, self.metrics = decider, store, samples, Metrics()
        # Decisions wait while a policy is put in force, and not while a change of it is stored.
        self._audit_rate, self._lock, self._changes = audit_rate, Lock(), Lock()
        files = decider.about["files"]
        self.model: str = files["model"]["sha256"]
        self.base: str = files["policy"]["sha256"]
        self.policy = self.base
        for version in store.policies(self.base)[:1]:
            self.policy, decider.policy = version["policy"], Policy.from_dict(version["body"])
        decider.check_policy()
        self.batcher: Batcher[Sample, StoredDecision] = Batcher(self._decide, max_batch)
        self.metrics.waiting.set_function(lambda: self.batcher.waiting)

    def sample(self, content: bytes, name: str, group: str) -> Sample:
        """A sample of the content that was sent, readable or not."""
        digest, name, group = hashlib.sha256(content).hexdigest(), storable(name), storable(group)
        try:
            return Sample(name, group, digest, content, self.decider.wire.decode(content, name))
        except BrokenFileError as error:
            return Sample(name, group, digest, content, None, error.reason)

    def change_policy(self, change: Callable[[Policy], Policy], by: str, why: str) -> str:
        """Store a new version of the policy and put it in force; changes at the same time follow one another.

        Args:
            change: Makes the new policy of the one in force.

        Returns:
            SHA-256 of the new policy.

        Raises:
            StorageError: The version could not be stored, and the policy before stays in force.
        """
        with self._changes:
            changed = change(self.decider.required_policy())
            body = changed.to_dict()
            policy = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
            self.store.add_policy(self.base, policy, body, by, why)
            with self._lock:
                self.policy, self.decider.policy = policy, changed
        return policy

    def _decide(self, samples: Sequence[Sample]) -> list[StoredDecision]:
        started = monotonic()
        decisions: list[StoredDecision] = []
        with self._lock:
            for readable, some in groupby(samples, lambda sample: sample.raw is not None):
                run = list(some)
                unread = (self._stored(one, decide_unreadable(one.id, one.reason)) for one in run)
                decisions += self._by_model(run) if readable else unread
        for decision, sample in zip(decisions, samples, strict=True):
            if decision.queue:
                self.samples.keep(sample.content, sample.data)
        numbers = self.store.add(decisions)
        for decision in decisions:
            self.metrics.decisions.labels(decision.decision).inc()
        self.metrics.batch.observe(len(samples))
        self.metrics.seconds.observe(monotonic() - started)
        return [one.model_copy(update={"number": number}) for one, number in zip(decisions, numbers, strict=True)]

    def _by_model(self, samples: Sequence[Sample]) -> Iterator[StoredDecision]:
        outputs = self.decider.outputs(np.stack([sample.raw for sample in samples if sample.raw is not None]))
        decisions = self.decider.decide_outputs(outputs, [s.id for s in samples], [s.group for s in samples])
        for row, (decision, sample) in enumerate(zip(decisions, samples, strict=True)):
            x, y = (float(value) if np.isfinite(value) else None for value in outputs["map"][row])
            stored = self._stored(sample, decision, x=x, y=y)
            heat = outputs["heat"][row].round(4).tolist() if stored.queue and "heat" in outputs else None
            yield stored.model_copy(update={"heat": heat})

    def _stored(self, sample: Sample, decision: Decision, **position: float | None) -> StoredDecision:
        hashes = {"content": sample.content, "model": self.model, "policy": self.policy}
        drawn = is_drawn(sample.content, self._audit_rate)
        return StoredDecision.of(decision, group=sample.group, audit=drawn, **hashes, **position)
