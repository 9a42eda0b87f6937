"""Where a run stands: its share from 0 to 1, from steps or from the clock, and what follows from it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vssl.training.settings import Budget


@dataclass(frozen=True)
class Schedule:
    """A run's length, in steps or in seconds.

    Attributes:
        steps: Length in steps, or None where the clock decides.
        seconds: Length in seconds, or None where the steps decide.
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

    def share(self, step: int, seconds: float) -> float:
        """The share of the run done after `step` steps and `seconds` seconds; 1 or more means finished."""
        if self.steps is not None:
            return step / self.steps
        assert self.seconds is not None
        return seconds / self.seconds


def learning_rate_factor(share: float, warmup: float) -> float:
    """Linear warm-up to 1, then half a cosine to 0 (Loshchilov and Hutter 2017, arXiv 1608.03983)."""
    if share < warmup:
        return share / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (share - warmup) / (1 - warmup))))


class Clock:
    """Measures a run: seconds of training over all its parts, share of waiting for data, images a second."""

    def __init__(self, seconds_before: float = 0.0, images_before: int = 0) -> None:
        now = time.monotonic()
        self._origin = now - seconds_before
        self._checkpoint = self._window = self._lap = now
        self._images = images_before
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
        """Seconds since the last lap, or since the start."""
        now = time.monotonic()
        seconds, self._lap = now - self._lap, now
        return seconds

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time spent inside counts as waiting for data."""
        start = time.monotonic()
        yield
        self._waited += time.monotonic() - start

    def rates(self, images: int) -> dict[str, float]:
        """Images a second and the share of time spent waiting for data, since the last call."""
        now = time.monotonic()
        elapsed = max(now - self._window, 1e-9)
        rates = {"images_per_s": (images - self._images) / elapsed, "data_wait": self._waited / elapsed}
        self._window, self._images, self._waited = now, images, 0.0
        return rates
