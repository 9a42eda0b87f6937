"""Times and lengths of time: reading them, and where a series has gaps."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from vssl.errors import BrokenFileError, ConfigError
from vssl.modalities.lengths import parse
from vssl.modalities.sensors.calendar_time import Times

STEP_ROWS = 200_000
"""Of a long series so many rows tell the usual step."""
NS_PER_UNIT = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
HOUR = 3_600_000_000_000


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


def arrow_times(column: pa.ChunkedArray | pa.Array, name: str, row: int = 0) -> Times:
    """Arrow's own times as nanoseconds since 1970; of a time of day since midnight.

    Args:
        row: Of the file, that the first of them is, counted from 0.

    Raises:
        BrokenFileError: A time is missing.
    """
    if column.null_count:
        first = int(np.flatnonzero(np.asarray(column.is_null()))[0])
        raise BrokenFileError(name, f"row {row + first + 1} has no time")
    if pa.types.is_time(column.type) or pa.types.is_duration(column.type):
        ticks = column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())
        return np.asarray(ticks).astype(np.int64) * NS_PER_UNIT[column.type.unit]
    column = column.cast(pa.timestamp("ns", getattr(column.type, "tz", None)))
    return np.asarray(column.cast(pa.int64()))


def iso_text(time: int) -> str:
    """A time for a person: ISO 8601 without what is 0 at its end."""
    return re.sub(r"(\.\d*?)0*$", r"\1", str(np.datetime64(int(time), "ns"))).rstrip(".")


def check_rising(times: Times, name: str, row: int = 0, before: int | None = None) -> None:
    """Check that times rise; the first is that of this row, counted from 0, and `before` is the one before it.

    Raises:
        BrokenFileError: They are not sorted, or one stands twice.
    """
    whole = times if before is None else np.concatenate([[before], times])
    wrong = np.flatnonzero(np.diff(whole) <= 0)
    if len(wrong):
        at = int(wrong[0])
        raise BrokenFileError(
            name, not_rising_message(whole[at], whole[at + 1], row + at + (2 if before is None else 1))
        )


def not_rising_message(before: int, time: int, number: int) -> str:
    """What is wrong with the time of a row, the first being 1, and what to do."""
    what = "the same time as" if time == before else "an earlier time than"
    advice = "sort the rows, and keep one of each"
    if 0 < before - time <= HOUR:
        advice += (
            "; if it is the hour that comes twice at the end of summer time, write times with their zone or in UTC"
        )
    return f"row {number} has {what} the one before it ({iso_text(before)}): {advice}"
