"""Times and lengths of time: reading them, and where a series has gaps."""

import re

import numpy as np

from vssl.errors import BrokenFileError, ConfigError
from vssl.modalities.lengths import parse
from vssl.modalities.sensors.calendar_time import Times

STEP_ROWS = 200_000
"""Of a long series so many rows tell the usual step."""
HOUR = 3_600_000_000_000
SUMMER_TIME = "; if it is the hour that comes twice at the end of summer time, write times with their zone or in UTC"


class UnsortedError(BrokenFileError):
    """Some time is earlier than the one before it; the rows may be sorted."""


def duration_s(text: str, setting: str) -> float:
    """A length of time in seconds.

    Raises:
        ConfigError: It is none, or has no unit.
    """
    span = parse(text, setting)
    if not span.is_time:
        raise ConfigError(f"--{setting} {text!r}: add the unit of the time, such as {text}s.")
    return span.size


def length_in_rows(text: str, setting: str, step_s: float | None) -> int:
    """A length in rows.

    Raises:
        ConfigError: A time, where there are no times, or less than a row.
    """
    span = parse(text, setting)
    if not span.is_time:
        return int(span.size)
    if step_s is None:
        raise ConfigError(f"--{setting} {text}: the series have no times; give a number of rows.")
    count = round(span.size / step_s)
    if count < 1:
        raise ConfigError(f"--{setting} {text} is less than a row: there is one every {step_s:g} s.")
    return count


def iso_text(time: int) -> str:
    """A time for a person: ISO 8601 without what is 0 at its end."""
    return re.sub(r"(\.\d*?)0*$", r"\1", str(np.datetime64(int(time), "ns"))).rstrip(".")


def check_rising(times: Times, name: str, row: int = 0, before: int | None = None, may_repeat: bool = False) -> None:
    """Check that times rise; the first is that of this row, counted from 0, and `before` is the one before it.

    Raises:
        BrokenFileError: One is earlier than the one before it or, unless they may repeat, the same; an `UnsortedError`
            where they may.
    """
    whole = times if before is None else np.concatenate([[before], times])
    wrong = np.flatnonzero(whole[1:] < whole[:-1] if may_repeat else whole[1:] <= whole[:-1])
    if len(wrong):
        at, error = int(wrong[0]), UnsortedError if may_repeat else BrokenFileError
        raise error(name, not_rising_message(whole[at], whole[at + 1], row + at + (2 if before is None else 1)))


def not_rising_message(before: int, time: int, number: int) -> str:
    """What is wrong with the time of a row, the first being 1, and what to do."""
    what = "the same time as" if time == before else "an earlier time than"
    advice = SUMMER_TIME if 0 < before - time <= HOUR else ""
    return (
        f"row {number} has {what} the one before it ({iso_text(before)}): sort the rows, and keep one of each{advice}"
    )
