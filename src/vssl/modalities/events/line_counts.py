"""Counts while lines are read what a person must know of a log: lines without a time, and a clock that was set."""

from collections.abc import Iterator
from datetime import UTC, datetime

from vssl.modalities.events.files import LogFile, Tally
from vssl.modalities.events.lines import Line
from vssl.modalities.events.timestamp_formats import YEAR_S
from vssl.modalities.events.timestamps import SLACK_S


def count_lines(file: LogFile, lines: Iterator[Line], tally: Tally) -> Iterator[Line]:
    """The same lines, counted in `tally`."""
    last_s: float | None = None
    last_number = count = stamped = 0
    for line in lines:
        count += not line.broken
        time_s = line.time_s
        if time_s is not None:
            stamped += 1
            if last_s is not None and not last_s - SLACK_S <= time_s <= last_s + YEAR_S:
                before, now = f"line {last_number} of {file.name} says {utc_text(last_s)}", utc_text(time_s)
                where = f"{before}, line {line.number} {now}"
                if time_s < last_s:
                    tally.falls, tally.first_fall = tally.falls + 1, tally.first_fall or where
                else:
                    tally.jumps, tally.first_jump = tally.jumps + 1, tally.first_jump or where
            last_s, last_number = time_s, line.number
        yield line
    tally.lines += count
    tally.stamped += stamped
    if count and not stamped:
        tally.unstamped.append(file.name)


def utc_text(time_s: float) -> str:
    """A second since 1970 as a person reads it."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
