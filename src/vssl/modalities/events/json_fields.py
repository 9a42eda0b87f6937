"""The fields of JSON lines, and which of them holds the time, in which format: decided once for all lines."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from vssl.modalities.events import TimestampPosition
from vssl.modalities.events.timestamp_formats import EPOCHS, FORMATS
from vssl.modalities.events.timestamps import TimestampLayout, TimestampReader, detect

TIME_FIELDS = (
    "timestamp", "@timestamp", "time", "ts", "datetime", "Timestamp", "@t", "__REALTIME_TIMESTAMP", "timeUnixNano",
    "eventTime",
)  # fmt: skip
"""Usual names; the last ones are those of .NET, Serilog, journald, OpenTelemetry and CloudTrail."""
EARLIEST_S, LATEST_S = 631_152_000.0, 4_102_444_800.0
"""1990 to 2100: numbers outside of it are no seconds since 1970 but, perhaps, of another unit or of a start."""


def get_field(data: Mapping[str, Any], name: str) -> Any:
    """The value of a field, or, for a.b, of the field b of the field a; None where there is none."""
    if name in data:
        return data[name]
    value: Any = data
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


class TimeField:
    """Reads the time of an object: in one field, one format and one unit."""

    def __init__(self, name: str, clock: str, positions: Sequence[TimestampPosition], tail: str) -> None:
        self._name = name
        self._scale = FORMATS[clock].scale if clock else 0.0
        self._stamp = TimestampReader(clock, positions, tail) if clock else None

    def __call__(self, data: Mapping[str, Any]) -> float | None:
        if self._stamp is None:
            return None
        value = get_field(data, self._name)
        if isinstance(value, str):
            found = self._stamp(value)
            return found[0] if found else None
        number = _number(value)
        if number is None or not self._scale or not EARLIEST_S <= number / self._scale <= LATEST_S:
            return None
        return number / self._scale


def detect_time(runs: Sequence[Sequence[str]], name: str, date_format: str) -> tuple[str, TimestampLayout]:
    """The field of JSON lines that holds the time, and its format; empty names where there is none.

    Args:
        runs: Stretches of neighbouring lines.
        name: The field that the user names; empty where the usual ones are tried.
    """
    objects = [[item for text in run if (item := _object(text)) is not None] for run in runs]
    count = sum(map(len, objects))
    for field in (name,) if name else TIME_FIELDS:
        values = [[get_field(item, field) for item in run] for run in objects]
        numbers = [number for run in values for value in run if (number := _number(value)) is not None]
        if 2 * len(numbers) >= max(1, count):
            usual = median(numbers)
            fits = (name for name in EPOCHS if EARLIEST_S <= usual / FORMATS[name].scale <= LATEST_S)
            if unit := next(fits, ""):
                start, example = (TimestampPosition(0, ""),), f"{numbers[0]:.15g}"
                return field, TimestampLayout(unit, start, example=example, falling=_falls(values))
            continue
        texts = [[value if isinstance(value, str) else "" for value in run] for run in values]
        clock = detect(texts, date_format)
        if clock.format and all(position.word == 0 for position in clock.positions):
            return field, clock
    return "", TimestampLayout()


def _falls(values: Sequence[Sequence[Any]]) -> bool:
    runs = [[number for value in run if (number := _number(value)) is not None] for run in values]
    steps = [b - a for run in runs for a, b in pairwise(run)]
    return sum(step >= 0 for step in steps) < 0.5 * len(steps)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) < 1e300 else None


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None
