"""The number of CPU threads, tuned by trials during training, because other programs may need the cores too.

The threads of one convolution wait for each other actively. When another program takes one of the cores, all of them
wait for the thread that lost it, and two threads can be many times slower than one.
"""

from collections import deque
from collections.abc import Callable
from statistics import median

import torch

TRIAL_STEPS = 3
MIN_INTERVAL, MAX_INTERVAL = 3, 400  # steps between trials
# A trial must be faster than this multiple of the usual step, which is more than the noise of a few steps.
REQUIRED_RATIO = 0.85
SLOWDOWN_RATIO = 3.0


class ThreadTuner:
    """Tries half of the threads now and then, or all of them again, and keeps the faster number.

    Trials become rare while they change nothing, and start at once when a step takes `SLOWDOWN_RATIO` times as long as
    usual.

    Args:
        maximum: Upper bound, the number that torch chose.
        set_threads: Sets the number of threads.
    """

    def __init__(self, maximum: int, set_threads: Callable[[int], None] = torch.set_num_threads) -> None:
        self.maximum = self.count = maximum
        self._set_threads = set_threads
        self._recent: deque[float] = deque(maxlen=2 * TRIAL_STEPS)
        self._trial: list[float] | None = None
        self._interval = self._steps_left = MIN_INTERVAL

    def record(self, seconds: float) -> None:
        """Record the duration of a step; may change the number of threads for the next one."""
        if self.maximum == 1:
            return
        if self._trial is not None:
            self._trial.append(seconds)
            if len(self._trial) == TRIAL_STEPS or seconds > SLOWDOWN_RATIO * median(self._recent):
                self._end_trial(median(self._trial))
            return
        slowdown = len(self._recent) == self._recent.maxlen and seconds > SLOWDOWN_RATIO * median(self._recent)
        self._recent.append(seconds)
        self._steps_left -= 1
        if self._steps_left <= 0 or slowdown:
            self._trial = []
            self._set_threads(self._alternative)

    def restore(self) -> None:
        """Set the number that torch had chosen."""
        self._set_threads(self.maximum)

    @property
    def _alternative(self) -> int:
        return max(1, self.maximum // 2) if self.count == self.maximum else self.maximum

    def _end_trial(self, seconds: float) -> None:
        if seconds < REQUIRED_RATIO * median(self._recent):
            self.count = self._alternative
            self._recent.clear()
            self._recent.append(seconds)
            self._interval = MIN_INTERVAL
        else:
            self._interval = min(2 * self._interval, MAX_INTERVAL)
        self._set_threads(self.count)
        self._trial, self._steps_left = None, self._interval
