"""Times and lengths of time: reading them, and where a series has gaps."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from vssl.errors import BrokenFileError, ConfigError
from vssl.modalities.spans import parse

ENOUGH_ROWS = 200_000
"""Of a long series so many rows tell the usual step."""
NAMES = ("timestamp", "time", "datetime", "date", "ts")

Times = Int64[np.ndarray, " n"]


def duration_s(text: str, setting: str) -> float:
    """A length of time in seconds.

    Raises:
        ConfigError: It is none, or has no unit.
    """
    span = parse(text, setting)
    if not span.seconds:
        raise ConfigError(f"--{setting} {text!r}: add the unit of the time, such as {text}s.")
    return span.size


def rows(text: str, setting: str, step_s: float | None) -> int:
    """A length in rows.

    Raises:
        ConfigError: A time, where there are no times, or less than a row.
    """
    span = parse(text, setting)
    if not span.seconds:
        return int(span.size)
    if step_s is None:
        raise ConfigError(f"--{setting} {text}: the series have no times; give a number of rows.")
    count = round(span.size / step_s)
    if count < 1:
        raise ConfigError(f"--{setting} {text} is less than a row: there is one every {step_s:g} s.")
    return count


def is_time(field: pa.Field) -> bool:
    """Whether a column holds times, by its type or its name."""
    return pa.types.is_temporal(field.type) or field.name.strip().lower() in NAMES


def nanoseconds(column: pa.ChunkedArray, name: str) -> Times:
    """Times as nanoseconds since 1970: of Arrow's own times, and of numbers, which are seconds.

    Raises:
        BrokenFileError: A time is missing, or cannot be read as one.
    """
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy())[0]) + 1
        raise BrokenFileError(name, f"row {row} has no time")
    try:
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            return np.rint(column.cast(pa.float64()).to_numpy() * 1e9).astype(np.int64)
        if pa.types.is_date(column.type):
            column = column.cast(pa.timestamp("ns"))
        if not pa.types.is_timestamp(column.type):
            column = pc.cast(column, pa.timestamp("ns"))
        return column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64()).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise BrokenFileError(
            name, f"its times cannot be read ({reason}); mixed time zones, or no ISO times"
        ) from error


def text(time: int) -> str:
    """A time for a person: ISO 8601 without what is 0 at its end."""
    return re.sub(r"(\.\d*?)0*$", r"\1", str(np.datetime64(int(time), "ns"))).rstrip(".")


def check_rising(times: Times, name: str, row: int = 0, before: int | None = None) -> None:
    """Check that times rise; the first is that of this row, counted from 0, and `before` is the one before it.

    Raises:
        BrokenFileError: They are not sorted, or one stands twice.
    """
    whole = times if before is None else np.concatenate([[before], times])
    differences = np.diff(whole)
    wrong = np.flatnonzero(differences <= 0)
    if len(wrong):
        at = int(wrong[0])
        number = row + at + (2 if before is None else 1)
        what = "the same time as" if differences[at] == 0 else "an earlier time than"
        raise BrokenFileError(
            name, f"row {number} has {what} the one before it ({text(whole[at])}): sort the rows, and keep one of each"
        )
