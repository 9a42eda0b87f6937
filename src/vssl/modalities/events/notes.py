"""What a person must know of how a log is read, in sentences."""

import re
from collections.abc import Mapping

from vssl.modalities import folders
from vssl.modalities.events import ParserSpec
from vssl.modalities.events.files import Tally
from vssl.modalities.events.line_counts import utc_text
from vssl.modalities.events.timestamp_formats import FORMATS, timestamp_regex, to_seconds

NOTABLE_SHARE = 0.1  # share of lines without a time, above which it is said
MAX_FILES_SHOWN = 5
PLAIN_FORMATS = ("iso", "syslog")
DATE_ORDERS = {"dmy": "day/month/year", "mdy": "month/day/year", "yy md": "year/month/day", "dm yy": "day/month/year",
          "md yy": "month/day/year"}  # fmt: skip


def notes(reading: ParserSpec, tally: Tally, aside: Mapping[str, int]) -> list[str]:
    """The sentences on some logs.

    Args:
        reading: How they are read.
        tally: What was seen while they were read.
        aside: Suffixes of the files that were not read, counted.
    """
    found = [_format(reading), *_clock(reading), *_times(reading, tally), *_lines(tally)]
    if tally.shared:
        found.append(
            f"{tally.shared:,} names of sessions occur in several logs: each log has a session of its own under such a "
            "name, NAME@FILE. If they belong together, put the lines of these logs into one file."
        )
    if aside:
        suffixes = folders.count_text(aside)
        found.append(f"Files that are not read, as they have no suffix of a log: {suffixes}.")
    return [sentence for sentence in found if sentence]


def _format(reading: ParserSpec) -> str:
    header = f" The first line, {reading.header[:80]!r}, names columns and is no event." if reading.header else ""
    if reading.format == "sessions":
        return f"Each line is read as a session: its name, a comma, its events (--format lines: raw text).{header}"
    if reading.resembles_sessions:
        header += " If a line is a session, its name, a comma, its events, say --format sessions."
    return f"Each line is read as text.{header}" if header else ""


def _clock(reading: ParserSpec) -> list[str]:
    if reading.format == "sessions":
        return []
    if not reading.timestamp_format:
        return ["No time stamp is recognised in the lines, so times and pauses are not seen."]
    known = FORMATS[reading.timestamp_format]
    found = []
    is_plain = reading.timestamp_format in PLAIN_FORMATS and all(not position.word for position in reading.positions)
    if not is_plain:  # otherwise nobody need look whether it is read rightly
        where = f"in the field {reading.time_field}" if reading.time_field else _where(reading)
        found.append(f"The time is read {where}: {reading.example!r} is {_meaning(reading)}.")
    if not known.named:
        found.append(
            "The time stamps name no year: times are given in the year 2000, and from New Year's Eve on in 2001."
        )
    if reading.alternative:
        found.append(
            f"Dates such as {reading.example!r} are read as {DATE_ORDERS[reading.timestamp_format]}, and "
            f"{DATE_ORDERS[reading.alternative]} fits as well: say which with --date-format dmy, mdy or ymd."
        )
    return found


def _meaning(reading: ParserSpec) -> str:
    """What the example of a time stamp says."""
    known = FORMATS[reading.timestamp_format]
    pattern = re.compile(timestamp_regex(reading.timestamp_format, reading.tail))
    found = pattern.match(reading.example) or pattern.match(f"I{reading.example}", 1)  # a level opens glog's stamps
    time_s = to_seconds(found.groupdict(), known) if found else None
    if found is None or time_s is None or not known.since_1970:
        return known.title
    date = utc_text(time_s) if known.named else utc_text(time_s)[len("2000-") :]
    groups = found.groupdict()
    return f"{date} UTC" if known.scale or groups.get("zone") or groups.get("spaced") else date


def _where(reading: ParserSpec) -> str:
    *words, last = sorted({position.word for position in reading.positions})
    if not words and last < 2:
        return "behind the first word of each line" if last else "at the start of each line"
    numbers = f"{', '.join(map(str, words))} or {last}" if words else f"{last}"
    return f"behind the first {numbers} words of each line"


def _times(reading: ParserSpec, tally: Tally) -> list[str]:
    found = []
    missing = tally.lines - tally.stamped
    if reading.timestamp_format and tally.lines and missing > NOTABLE_SHARE * tally.lines:
        late = "" if reading.window_and_stride[0].is_time else ", so their pauses are not seen"
        found.append(
            f"{missing:,} of {tally.lines:,} lines have no time stamp at that position: they are as late as the line "
            f"before{late}."
        )
    if reading.timestamp_format and tally.unstamped:
        names = folders.first_and_more(tally.unstamped, MAX_FILES_SHOWN, " and ")
        found.append(
            f"Not one line has such a time stamp in {len(tally.unstamped)} of the files: {names}. If their stamps are "
            "written in another way, they stay in the text, and the lines may count as unknown."
        )
    found += _clock_steps(
        "jumps ahead",
        tally.jumps,
        "a year",
        tally.first_jump,
        "What stands before may be of a clock that was not set yet.",
    )
    found += _clock_steps(
        "falls back", tally.falls, "a minute", tally.first_fall, "The times of other lines are not moved."
    )
    return found


def _clock_steps(steps: str, count: int, least: str, first: str, advice: str) -> list[str]:
    times, place = ("once", first) if count == 1 else (f"{count:,} times", f"{first} first")
    return [f"The clock {steps} {times} by more than {least}: {place}. {advice}"] if count else []


def _lines(tally: Tally) -> list[str]:
    found = []
    by_name: dict[str, list[str]] = {}
    for file, name in tally.encodings.items():
        by_name.setdefault(name, []).append(file)
    for name, files in sorted(by_name.items()):
        names = folders.first_and_more(files, MAX_FILES_SHOWN, " and ")
        found.append(f"Read as {name}: {names} (--encoding, if that is wrong).")
    if tally.undecodable:
        found.append(f"{tally.undecodable:,} of {tally.read:,} lines hold undecodable bytes, shown as U+FFFD.")
    if tally.zeros:
        found.append(
            f"{tally.zeros:,} of {tally.read:,} lines hold zero bytes, as a loss of power leaves them: they are taken "
            "out, and the lines count as damaged."
        )
    if tally.cut:
        found.append(f"{tally.cut:,} of {tally.read:,} lines are longer than 65,536 characters and cut there.")
    return found
