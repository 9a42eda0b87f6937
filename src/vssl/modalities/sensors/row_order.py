"""Rows whose times do not rise: newest first, out of order, or of two series in one file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from jaxtyping import Int64

from vssl.errors import BrokenFileError
from vssl.modalities.sensors.calendar_time import Times
from vssl.modalities.sensors.times import SUMMER_TIME, UnsortedError, not_rising_message

if TYPE_CHECKING:
    from vssl.modalities.sensors.rows import Layout

MAX_SORTED_ROWS = 2_000_000
"""A file of at most so many rows is sorted, in memory."""
REVERSED, SORTED = (
    "read from its end, as the newest rows stand first",
    "sorted, as its rows were not in the order of time",
)
SHUFFLED_RUN = 3
"""Runs of rising times that are no longer than this, on average, are of no order at all."""

T = TypeVar("T")


def read_in_order(reading: Callable[[Layout], T], layout: Layout) -> T:
    """Read rows as they stand or, where their times fall, sorted."""
    try:
        return reading(layout)
    except UnsortedError:
        return reading(replace(layout, sort=True))


def sort_rows(times: Times, name: str, absolute: bool) -> tuple[Int64[np.ndarray, " n"], str]:
    """The order of rows by their times, and what was done to them.

    Args:
        absolute: Whether the times have a date; what is counted from a start, or of a day, may begin again.

    Raises:
        BrokenFileError: A time stands twice, or the rows seem to be of two series or of a clock that was set back.
    """
    steps = np.diff(times)
    if (steps > 0).all():
        return np.arange(len(times)), ""
    falls = np.flatnonzero(steps < 0)
    at = int(falls[0]) if len(falls) else int(np.flatnonzero(steps == 0)[0])
    wrong = not_rising_message(times[at], times[at + 1], at + 2)
    if (steps <= 0).all():
        _check_different(times[::-1], np.arange(len(times))[::-1], name)
        return np.arange(len(times))[::-1].copy(), REVERSED
    if not absolute:
        raise BrokenFileError(
            name, f"{wrong}; its times have no date and begin again: write date and time, or one file for each part"
        )
    order = np.argsort(times, kind="stable")
    _check_different(times[order], order, name)
    if len(falls) < len(times) / SHUFFLED_RUN and _interleaved(falls, order):
        raise BrokenFileError(
            name,
            f"{wrong}. From there on times lie between those before: the clock was set back, or the file holds several "
            "series; write times in UTC, or divide the file by --series-by COLUMN",
        )
    return order, SORTED


def _check_different(times: Times, rows: Int64[np.ndarray, " n"], name: str) -> None:
    """Check that no time stands twice in sorted times, which are of these rows of the file."""
    same = np.flatnonzero(np.diff(times) == 0)
    if len(same):
        at = same[int(np.argmin(np.maximum(rows[same], rows[same + 1])))]
        first, second = sorted((int(rows[at]), int(rows[at + 1])))
        what = not_rising_message(times[at], times[at], second + 1).replace("the one before it", f"row {first + 1}", 1)
        if second != first + 1:
            what += f"{SUMMER_TIME}; if the rows are of several series, name their column with --series-by"
        raise BrokenFileError(name, what)


def _interleaved(falls: Int64[np.ndarray, " k"], order: Int64[np.ndarray, " n"]) -> bool:
    """Whether rising runs lie between each other by more than single late rows."""
    run = np.searchsorted(falls, order, side="left")
    changes = np.count_nonzero(np.diff(run))
    return bool(changes - len(falls) > 3 * len(falls))
