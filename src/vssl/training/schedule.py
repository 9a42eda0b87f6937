"""The schedule of a run: its progress from 0 to 1 by steps or by the clock, the learning rate, and throughput."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vssl.training.settings import Budget


@dataclass(frozen=True)
class Schedule:
    """The length of a run, in steps or in seconds.

    Attributes:
        steps: Length in optimiser steps; None for a budget in minutes.
        seconds: Length in seconds; None for a budget in steps or epochs.
    """

    steps: int | None
    seconds: float | None

    @classmethod
    def of(cls, budget: Budget, steps_per_epoch: int) -> Schedule:
        if budget.minutes is not None:
            return cls(None, budget.minutes * 60)
        if budget.steps is not None:
            return cls(budget.steps, None)
        assert budget.epochs is not None
        return cls(max(1, round(budget.epochs * steps_per_epoch)), None)

    def progress(self, step: int, seconds: float) -> float:
        """The fraction of the run that is done after `step` steps and `seconds` seconds; from 1 on it is finished."""
        if self.steps is not None:
            return step / self.steps
        assert self.seconds is not None
        return seconds / self.seconds


def learning_rate_factor(progress: float, warmup: float) -> float:
    """Linear warm-up to 1, then cosine decay to 0 (Loshchilov and Hutter 2017, arXiv 1608.03983).

    Args:
        progress: Fraction of the run that is done, 0..1.
        warmup: Fraction of the run for the warm-up, 0 to below 1.
    """
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup))))


class Clock:
    """Time and throughput of a run.

    Args:
        seconds_before, samples_before: Time and samples of the earlier sessions of a resumed run.
    """

    def __init__(self, seconds_before: float = 0.0, samples_before: int = 0) -> None:
        now = time.monotonic()
        self._origin = now - seconds_before
        self._checkpoint = self._window = self._lap = now
        self._samples = samples_before
        self._waited = 0.0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._origin

    @property
    def since_checkpoint(self) -> float:
        return time.monotonic() - self._checkpoint

    def mark_checkpoint(self) -> None:
        self._checkpoint = time.monotonic()

    def lap(self) -> float:
        """Seconds since the last call, or since the start."""
        now = time.monotonic()
        seconds, self._lap = now - self._lap, now
        return seconds

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time spent in this context as waiting for data."""
        start = time.monotonic()
        yield
        self._waited += time.monotonic() - start

    def rates(self, samples: int) -> dict[str, float]:
        """Samples per second and the fraction of time spent waiting for data, since the last call.

        Args:
            samples: Samples processed since the start of the run.
        """
        now = time.monotonic()
        elapsed = max(now - self._window, 1e-9)
        rates = {"samples_per_s": (samples - self._samples) / elapsed, "data_wait": self._waited / elapsed}
        self._window, self._samples, self._waited = now, samples, 0.0
        return rates
