"""Times and lengths of time: reading them, and where a series has gaps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from vssl.errors import BrokenFileError, ConfigError

NAMES = ("timestamp", "time", "datetime", "date", "ts")
SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
LENGTH = re.compile(rf"(\d+(?:\.\d+)?)\s*({'|'.join(SECONDS)})?")
# A step so many times the usual one is a gap, and no window crosses it.
GAP = 1.5

Times = Int64[np.ndarray, " n"]


def seconds(text: str, setting: str) -> tuple[float, bool]:
    """A length as its number, and whether it is one of rows: "64" gives (64, True), "10min" (600, False).

    Raises:
        ConfigError: It is no length, or 0.
    """
    found = LENGTH.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0:
        raise ConfigError(f"--{setting} {text!r}: write a number of rows (64) or a time (10min; {', '.join(SECONDS)}).")
    if found[2] is None and not float(found[1]).is_integer():
        raise ConfigError(f"--{setting} {text!r}: a number of rows is a whole number; for a time add its unit.")
    return float(found[1]) * SECONDS.get(found[2], 1.0), found[2] is None


def duration_s(text: str, setting: str) -> float:
    """A length of time in seconds.

    Raises:
        ConfigError: It is none, or has no unit.
    """
    length, is_rows = seconds(text, setting)
    if is_rows:
        raise ConfigError(f"--{setting} {text!r}: add the unit of the time, such as {text}s.")
    return length


def rows(text: str, setting: str, step_s: float | None) -> int:
    """A length in rows.

    Raises:
        ConfigError: A time, where there are no times, or less than a row.
    """
    length, is_rows = seconds(text, setting)
    if is_rows:
        return int(length)
    if step_s is None:
        raise ConfigError(f"--{setting} {text}: the series have no times; give a number of rows.")
    count = round(length / step_s)
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


@dataclass(frozen=True)
class Stretch:
    """Rows without a gap between them: from `first` on, `stop` excluded."""

    first: int
    stop: int


def stretches(times: Times, step_ns: float | None, name: str) -> list[Stretch]:
    """Where a series goes on without a gap.

    Raises:
        BrokenFileError: The times are not sorted, or one stands twice.
    """
    differences = np.diff(times)
    wrong = np.flatnonzero(differences <= 0)
    if len(wrong):
        row = int(wrong[0]) + 2
        what = "the same time as" if differences[wrong[0]] == 0 else "an earlier time than"
        raise BrokenFileError(
            name,
            f"row {row} has {what} the one before it ({text(times[row - 1])}): sort the rows, and keep one of each",
        )
    if step_ns is None:
        return [Stretch(0, len(times))]
    cuts = [0, *(np.flatnonzero(differences > GAP * step_ns) + 1).tolist(), len(times)]
    return [Stretch(first, stop) for first, stop in pairwise(cuts)]
