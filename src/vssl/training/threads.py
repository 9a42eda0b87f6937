"""How many threads compute: found by trial while a run goes on, because other programs may need the cores too.

The threads of one convolution wait for each other actively. When another program takes one of the cores, all wait for
the thread that lost it, and two threads can be many times slower than one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from statistics import median

import torch

TRIAL_STEPS = 3
FIRST_INTERVAL, LONGEST_INTERVAL = 3, 400
# A trial must win by more than the noise of a few steps.
CLEARLY = 0.85
SUDDENLY = 3.0


class Threads:
    """Tries half of the threads now and then, or all of them again, and keeps what is faster.

    Trials become rare while they change nothing, and come at once when a step takes three times as long as usual.

    Args:
        most: Upper bound; the number that torch chose.
        use: Sets the number of threads.
    """

    def __init__(self, most: int, use: Callable[[int], None] = torch.set_num_threads) -> None:
        self.most = self.count = most
        self._use = use
        self._usual: deque[float] = deque(maxlen=2 * TRIAL_STEPS)
        self._trial: list[float] | None = None
        self._interval = self._left = FIRST_INTERVAL

    def step_took(self, seconds: float) -> None:
        """Note the duration of a step; may change the number of threads for the next one."""
        if self.most == 1:
            return
        if self._trial is not None:
            self._trial.append(seconds)
            if len(self._trial) == TRIAL_STEPS or seconds > SUDDENLY * median(self._usual):
                self._end_trial(median(self._trial))
            return
        sudden = len(self._usual) == self._usual.maxlen and seconds > SUDDENLY * median(self._usual)
        self._usual.append(seconds)
        self._left -= 1
        if self._left <= 0 or sudden:
            self._trial = []
            self._use(self._other)

    def restore(self) -> None:
        """Give torch back what it had."""
        self._use(self.most)

    @property
    def _other(self) -> int:
        return max(1, self.most // 2) if self.count == self.most else self.most

    def _end_trial(self, seconds: float) -> None:
        if seconds < CLEARLY * median(self._usual):
            self.count = self._other
            self._usual.clear()
            self._usual.append(seconds)
            self._interval = FIRST_INTERVAL
        else:
            self._interval = min(2 * self._interval, LONGEST_INTERVAL)
        self._use(self.count)
        self._trial, self._left = None, self._interval
