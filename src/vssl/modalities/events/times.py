"""Time stamps of log lines: recognised, read, and taken out of the line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
LEAP_YEAR = 2000  # syslog names no year, and 29 February must be a day
MILLISECONDS = 1e11  # an epoch above this is in milliseconds


@dataclass(frozen=True)
class Format:
    """A way to write time: where it stands in a line, and which second since 1970 it says."""

    pattern: re.Pattern[str]
    seconds: Callable[[re.Match[str]], float]


def _iso(found: re.Match[str]) -> float:
    zone = found["zone"] or "Z"
    offset = 0 if zone == "Z" else int(zone[:3]) * 60 + int(zone[0] + zone[-2:])
    return _utc(found, found["fraction"]) - offset * 60.0


def _dotted(found: re.Match[str]) -> float:
    return _utc(found, found["fraction"])


def _utc(found: re.Match[str], fraction: str | None) -> float:
    parts = [int(found[name]) for name in ("year", "month", "day", "hour", "minute", "second")]
    # A leap second is second 60, which Python's clock does not have.
    moment = datetime(*parts[:5], tzinfo=UTC) + timedelta(seconds=parts[5])  # type: ignore[arg-type,misc]
    return moment.timestamp() + (float(f"0.{fraction}") if fraction else 0.0)


def _syslog(found: re.Match[str]) -> float:
    hour, minute, second = (int(found[name]) for name in ("hour", "minute", "second"))
    day = datetime(LEAP_YEAR, MONTHS[found["month"]], int(found["day"]), tzinfo=UTC)
    return day.timestamp() + 3600 * hour + 60 * minute + second


def _epoch(found: re.Match[str]) -> float:
    return epoch(float(found[0]))


def epoch(value: float) -> float:
    """Seconds since 1970 of an epoch in seconds or in milliseconds."""
    return value / 1000 if value > MILLISECONDS else value


_DATE = r"(?P<year>\d{4})[-/](?P<month>\d\d)[-/](?P<day>\d\d)"
FORMATS: dict[str, Format] = {
    "iso": Format(
        re.compile(
            rf"\b{_DATE}[T ](?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,](?P<fraction>\d{{1,9}}))?"
            r"(?: ?(?P<zone>Z|[+-]\d\d:?\d\d)\b)?"
        ),
        _iso,
    ),
    "dotted": Format(
        re.compile(rf"\b{_DATE}-(?P<hour>\d\d)\.(?P<minute>\d\d)\.(?P<second>\d\d)(?:\.(?P<fraction>\d{{1,9}}))?\b"),
        _dotted,
    ),
    "syslog": Format(
        re.compile(
            rf"\b(?P<month>{'|'.join(MONTHS)}) (?P<day>[ \d]?\d) (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)\b"
        ),
        _syslog,
    ),
    "epoch": Format(re.compile(r"(?<![\w.-])1\d{9}(?:\d{3}|\.\d+)?(?![\w-])"), _epoch),
}
"""In the order in which they are looked for."""


def recognise(lines: Sequence[str]) -> str:
    """The name of the format that at least half of the lines have a time in; empty where there is none."""
    for name, known in FORMATS.items():
        if lines and 2 * sum(known.pattern.search(line) is not None for line in lines) >= len(lines):
            return name
    return ""


def read(found: re.Match[str], name: str) -> float | None:
    """The second that a match says; None where there is no such day or hour."""
    try:
        return FORMATS[name].seconds(found)
    except ValueError:
        return None


def anyhow(text: str) -> float | None:
    """The second that a text says in any of the formats; None where it says none."""
    for name, known in FORMATS.items():
        if found := known.pattern.search(text):
            return read(found, name)
    return None
