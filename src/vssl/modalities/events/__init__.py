"""Event logs: raw lines, JSON lines or presplit sessions; the templates of their events; views of them in batches.

A newcomer adds a mask of what varies within a line to `masks.MASKS`, or a timestamp format to
`timestamp_formats.FORMATS` (and an example of it to `tests/stamped_lines.py`). `clusters` finds the templates.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vssl.errors import ConfigError
from vssl.modalities import lengths
from vssl.modalities.data_summary import DataSummary
from vssl.modalities.encodings import is_known
from vssl.modalities.events.regexes import compile_setting

if TYPE_CHECKING:
    from vssl.modalities.events.modality import EventModality

DEFAULT_ENCODER = "event_transformer"


@dataclass(frozen=True)
class Config:
    """Event logs.

    Attributes:
        format: lines (raw text), jsonl (a JSON object a line), sessions (id,event event ...), or auto: recognised.
        session: What keeps the lines of a session together: a regular expression such as blk_-?[0-9]+ (its first
            group, if it has one, is the session's name), or a field of JSON lines. Without it, windows are cut.
        window: Length of a window where there is no session: lines (20) or time (30s, 5min, 2h, 1d).
        stride: Step from window to window, as window; by default its length, so that windows do not overlap. If they
            do, stretches of 8 windows are the column `block`: vssl calibrate --block block.
        message: Field of JSON lines that holds the text; or, in raw lines, a regular expression whose first group does.
        time_field: Field of JSON lines that holds the time.
        date_format: Order of day, month and year in dates such as 05/06/2024: dmy, mdy, ymd; auto: as the values of
            many lines have it.
        encoding: Of the files that are not UTF-8, such as cp932 or euc_jp; auto: recognised for each file.
        line_label: A regular expression whose first group is a line's label, or a field of JSON lines. It is taken out
            of the line, and training never sees it.
        keep: Fields of JSON lines that are kept as metadata, those of the first line of each sample.
        label_from: Take the name of each file (file) or of its folder (folder) as its label, or neither (none).
        length: Most events of a sample that are looked at; of longer ones the middle is left out, and its size shown.
        vocabulary: Most kinds of events that are told apart, the most frequent ones; all others are unknown.
        similarity: Share of the words of a template, 0..1, that must be the same in all its lines; places that hold
            numbers alone do not count.
        max_broken: Share of samples that may be broken, 0..1; more, and the data are refused.
    """

    format: Literal["auto", "lines", "jsonl", "sessions"] = "auto"
    session: str = ""
    window: str = "20"
    stride: str = ""
    message: str = ""
    time_field: str = ""
    date_format: Literal["auto", "dmy", "mdy", "ymd"] = "auto"
    encoding: str = "auto"
    line_label: str = ""
    keep: tuple[str, ...] = ()
    label_from: Literal["none", "file", "folder"] = "none"
    length: int = 256
    vocabulary: int = 1000
    similarity: float = 0.5
    max_broken: float = 0.01

    def __post_init__(self) -> None:
        window, stride = lengths.parse(self.window, "window"), lengths.parse(self.stride or self.window, "stride")
        if window.is_time != stride.is_time:
            raise ConfigError(f"--window {self.window} and --stride {self.stride} must both be lines, or both time.")
        if stride.size > window.size:
            raise ConfigError(f"--stride {self.stride} is longer than --window {self.window}: lines would be lost.")
        for name, low, high in (("length", 8, 4096), ("vocabulary", 1, 30_000), ("similarity", 0, 1)):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"events.{name} is {getattr(self, name)}; it must be in {low} to {high}.")
        if not 0 <= self.max_broken <= 1:
            raise ConfigError(f"events.max_broken is {self.max_broken}; it is a share, 0 to 1.")
        if self.encoding != "auto" and not is_known(self.encoding):
            raise ConfigError(
                f"--encoding {self.encoding!r} is none that Python knows, such as utf-8, cp1252 or cp932."
            )
        if self.format != "jsonl":
            for name in ("session", "message", "line_label"):
                compile_setting(getattr(self, name), name)


MAX_LISTED = 200
"""Kinds of events that a page lists."""


@dataclass(frozen=True)
class TimestampPosition:
    """Where a time stamp stands in its line.

    Attributes:
        word: How many words are before it; blanks and the signs , ; | divide words.
        prefix: What is before it in its own word, such as [ or time=; 0 is any number.
    """

    word: int
    prefix: str


@dataclass(frozen=True)
class ParserSpec:
    """How lines become samples: the settings that matter for it, with what was recognised in the training data.

    Attributes:
        format: lines, jsonl or sessions.
        clock: Name of the format of the time stamps, of `timestamp_formats.FORMATS`; empty where none was recognised.
        session, window, stride, message: As in `Config`.
        time_field: Field of JSON lines in which the time was recognised.
        line_label: As in `Config`: what is taken out of a line changes its template.
        places: Where in a line the time stamp may stand, and nowhere else.
        tail: "," where a comma stands before the fractions of a second, " " where a blank stands before the zone.
        example: A time stamp of the training data.
        doubt: Another format that fits the time stamps as well.
        like_sessions: Whether lines that are read as text have the form of ready sessions.
        header: A first line that names columns and is no event.
        delimiter: What divides the columns that the header names.
        encoding: As in `Config`; empty where it is recognised.
        encodings: The ones other than UTF-8 that were recognised in the training data.
    """

    format: Literal["lines", "jsonl", "sessions"]
    clock: str
    session: str
    window: str
    stride: str
    message: str
    time_field: str
    line_label: str
    places: tuple[TimestampPosition, ...] = (TimestampPosition(0, ""),)
    tail: str = ""
    example: str = ""
    doubt: str = ""
    like_sessions: bool = False
    header: str = ""
    delimiter: str = ""
    encoding: str = ""
    encodings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Template:
    """A kind of event: its text, with masks such as <number> and <*> where it varies, and how often training had it."""

    text: str
    count: int


@dataclass(frozen=True)
class LineCounts:
    """Lines of the training data, and of them empty ones, ones cut as too long, and ones that cannot be decoded."""

    read: int
    empty: int
    cut: int
    undecodable: int


@dataclass(frozen=True)
class Spec:
    """What was measured on the training data, and holds for every sample that the run sees from then on.

    Attributes:
        reading: How lines become samples.
        templates: The known kinds of events, most frequent first: token 3 is the first of them.
        unlisted: Events of the training data that are unknown because the vocabulary was full.
        length: L, the most events of a sample that are looked at.
        lines: What was read for it.
    """

    reading: ParserSpec
    templates: tuple[Template, ...]
    unlisted: int
    length: int
    lines: LineCounts


# `modality` and `measuring` are imported late: they need the classes above.
def measure(source: str | Path, config: Config) -> Spec:
    """Find the templates of `source`, and how its lines are to be read.

    Raises:
        DataError: There are no log files, or no line can be used.
    """
    from vssl.modalities.events import measuring

    return measuring.measure(source, config)


def describe(spec: Spec) -> DataSummary:
    """The kinds of events that were found, the most frequent first."""
    kinds, shown = len(spec.templates), spec.templates[:MAX_LISTED]
    rare = f" {spec.unlisted:,} lines of rarer kinds count as unknown." if spec.unlisted else ""
    cut = f" These are the first {MAX_LISTED}; run.json lists them all." if kinds > MAX_LISTED else ""
    note = f"{kinds:,} kinds in {spec.lines.read:,} lines.{rare}{cut} What varies stands in angle brackets."
    return DataSummary("Kinds of events", ("Events", "Kind"), [(f"{item.count:,}", item.text) for item in shown], note)


def build(config: Config, spec: Spec) -> EventModality:
    """The modality for these settings and measurements."""
    from vssl.modalities.events.modality import EventModality

    return EventModality(config, spec)
