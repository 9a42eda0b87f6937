"""Cutting rows into windows while they are read: no row is kept for longer than a window."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from vssl.errors import BrokenFileError
from vssl.modalities.sensors.rows import Rows, factorise
from vssl.modalities.sensors.times import STEP_ROWS, check_rising

# A step so many times the usual one is a gap, and no window crosses it.
GAP_FACTOR = 1.5
# Usual steps that differ by more than this factor are other rates, and windows of as many rows another length of time.
SAME_RATE_FACTOR = 1.25


@dataclass(frozen=True)
class WindowSpec:
    """How rows become windows: lengths in rows, and the usual step in nanoseconds or None."""

    window: int
    stride: int
    block: int
    step_ns: float | None


@dataclass(frozen=True, eq=False)
class WindowIndex:
    """The windows of a series.

    Attributes:
        starts: Row of the first row of each window.
        begins: Its time in nanoseconds; without times its number.
        ends: The time one step after the last row of each window; without times the number of the row after it.
        timed: Whether there are times.
        labels: Largest value of each window, by column.
    """

    starts: Int64[np.ndarray, " k"]
    begins: Int64[np.ndarray, " k"]
    ends: Int64[np.ndarray, " k"]
    timed: bool
    labels: dict[str, np.ndarray]


class Windower:
    """Takes the rows of one series in their order, and remembers where its windows begin and end."""

    def __init__(self, name: str, spec: WindowSpec) -> None:
        self._name, self._spec = name, spec
        self._rows = 0
        # The row after the last gap, and the last time.
        self._first, self._before = 0, None
        # Rows and times on which a window would begin, and those on which one ends.
        self._begins: list[tuple[np.ndarray, np.ndarray]] = []
        self._ends: list[tuple[np.ndarray, np.ndarray]] = []
        self._labels: dict[str, list[np.ndarray]] = {}
        self._tail: dict[str, np.ndarray] = {}
        self._timed = False
        self._steps = np.empty(0, np.int64)

    def add(self, rows: Rows) -> None:
        """Go on with these rows.

        Raises:
            BrokenFileError: Their times are not sorted, or one stands twice.
        """
        if not len(rows):
            return
        window, stride = self._spec.window, self._spec.stride
        numbers = np.arange(self._rows, self._rows + len(rows))
        positions = numbers if rows.times is None else rows.times
        first = np.maximum.accumulate(np.where(self._gaps(rows), numbers, self._first))
        passed = numbers - first
        begins, ends = passed % stride == 0, (passed >= window - 1) & ((passed - window + 1) % stride == 0)
        self._begins.append((numbers[begins], positions[begins]))
        self._ends.append((numbers[ends], positions[ends]))
        for column, values in rows.labels.items():
            seen = np.concatenate([self._tail.get(column, values[:0]), values])
            starts = numbers[ends] - (window - 1) - (self._rows + len(rows) - len(seen))
            self._labels.setdefault(column, []).append(_window_max(seen, starts, window))
            self._tail[column] = seen[max(0, len(seen) - window + 1) :].copy()
        self._rows, self._first = self._rows + len(rows), int(first[-1])

    def _gaps(self, rows: Rows) -> Bool[np.ndarray, " n"]:
        """Before which of these rows there is a gap."""
        if rows.times is None:
            return np.zeros(len(rows), bool)
        self._timed = True
        check_rising(rows.times, self._name, self._rows, self._before)
        before = rows.times[0] if self._before is None else self._before
        self._before = rows.times[-1]
        steps = np.diff(rows.times, prepend=before)
        if self._rows < STEP_ROWS:
            # Before the very first row there is no step.
            self._steps = np.concatenate([self._steps, steps if self._rows else steps[1:]])
        return steps > GAP_FACTOR * self._spec.step_ns if self._spec.step_ns else np.zeros(len(rows), bool)

    def check(self) -> None:
        """Check that there are rows so far, and that they have the usual step, and a window.

        Raises:
            BrokenFileError: They have not; the reason names both steps.
        """
        if not self._rows:
            raise BrokenFileError(self._name, "it has no rows")
        usual, found = self._spec.step_ns, float(np.median(self._steps)) if len(self._steps) else None
        if usual and found and not 1 / SAME_RATE_FACTOR <= found / usual <= SAME_RATE_FACTOR:
            problem = (
                f"there is a row every {found / 1e9:g} s, but one every {usual / 1e9:g} s in the series trained on"
            )
            advice = "bring all to one step, or train with --resample of at least the longer one"
            raise BrokenFileError(self._name, f"{problem}: {advice}")
        if not sum(len(numbers) for numbers, _ in self._ends):
            problem = f"its rows ({self._rows}) hold no window of {self._spec.window} rows without a gap"
            advice = "give a shorter --window in training, or close gaps with --resample"
            raise BrokenFileError(self._name, f"{problem}: {advice}")

    def index(self) -> WindowIndex:
        """The windows of the rows so far."""
        starts, begins = _concat(self._begins)
        last, ends = _concat(self._ends)
        own = last - (self._spec.window - 1)
        step = int(self._spec.step_ns or 0) if self._timed else 1
        labels = {column: np.concatenate(parts) for column, parts in self._labels.items()}
        return WindowIndex(own, begins[np.searchsorted(starts, own)], ends + step, self._timed, labels)


def _concat(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    none = np.empty(0, np.int64)
    numbers, positions = zip((none, none), *parts, strict=True)
    return np.concatenate(numbers), np.concatenate(positions)


def _window_max(values: np.ndarray, starts: np.ndarray, window: int) -> np.ndarray:
    if not len(starts):
        return values[:0]
    order, codes = factorise(values)
    views = np.lib.stride_tricks.sliding_window_view(codes, window)
    return np.asarray(order[views[starts].max(1)])
