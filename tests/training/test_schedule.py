"""Progress, learning rates, clocks."""

from types import SimpleNamespace

import pytest

from vssl.training import schedule
from vssl.training.schedule import Clock, Schedule, learning_rate_factor
from vssl.training.settings import Budget


@pytest.mark.parametrize(
    ("progress", "factor"),
    [(0.0, 0.0), (0.05, 0.5), (0.1, 1.0), (0.325, 0.8535534), (0.55, 0.5), (1.0, 0.0), (1.2, 0.0)],
)
def test_the_learning_rate_warms_up_and_falls_by_half_a_cosine(progress: float, factor: float):
    assert learning_rate_factor(progress, warmup=0.1) == pytest.approx(factor, abs=1e-6)


def test_without_a_warm_up_the_run_starts_at_the_peak():
    assert learning_rate_factor(0.0, warmup=0.0) == 1.0


@pytest.mark.parametrize(
    ("budget", "step", "seconds", "progress"),
    [
        (Budget(steps=40), 10, 1e9, 0.25),
        (Budget(epochs=2), 5, 1e9, 0.25),
        (Budget(epochs=0.01), 1, 1e9, 1.0),
        (Budget(minutes=2), 10**9, 30.0, 0.25),
    ],
)
def test_the_progress_of_the_run_follows_from_its_budget(budget: Budget, step: int, seconds: float, progress: float):
    assert Schedule.of(budget, steps_per_epoch=10).progress(step, seconds) == progress


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time, to be set."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(schedule, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def test_a_clock_goes_on_from_where_the_run_was_stopped(now: SimpleNamespace):
    clock = Clock(seconds_before=30.0)
    now.seconds += 5
    assert clock.seconds == 35
    assert clock.since_checkpoint == 5
    clock.mark_checkpoint()
    assert clock.since_checkpoint == 0


def test_rates_are_those_since_the_last_question(now: SimpleNamespace):
    clock = Clock(samples_before=50)
    with clock.waiting():
        now.seconds += 1
    now.seconds += 3
    assert clock.rates(samples=90) == {"samples_per_s": 10.0, "data_wait": 0.25}
    now.seconds += 2
    assert clock.rates(samples=190) == {"samples_per_s": 50.0, "data_wait": 0.0}
