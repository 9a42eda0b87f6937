"""Event logs: raw lines, JSON lines or presplit sessions; the templates of their events; views of them in batches.

A newcomer adds a mask of what varies within a line to `masks.MASKS`, or a timestamp format to
`timestamp_formats.FORMATS` (and an example of it to `tests/stamped_lines.py`). `clusters` finds the templates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
        format: Format of the files: lines (raw text), jsonl (one JSON object per line), sessions (one presplit session
            per line: id,event event ...), or auto (detected).
        session: What keeps the lines of a session together: a regular expression such as blk_-?[0-9]+, whose first
            group, if it has one, is the session's name; or a field of JSON lines. By default there are no sessions,
            and samples are windows.
        window: Length of a window, in lines (20) or as a time (30s, 5min, 2h, 1d); ignored with sessions.
        stride: Distance from the start of one window to the next, in lines or as a time like the window. By default
            the length of the window. If windows overlap, stretches of 8 windows become the column `block`, for vssl
            calibrate --block block.
        message: Field of JSON lines that holds the text; or, for raw lines, a regular expression whose first group
            is the text. By default the usual fields, or all of the line but its timestamp.
        time_field: Field of JSON lines that holds the time. By default the usual fields are tried.
        date_format: Order of day, month and year in dates such as 05/06/2024: dmy, mdy or ymd; auto: the order that
            fits most lines.
        encoding: Encoding of the files that are not UTF-8, such as cp932 or euc_jp; auto: detected per file.
        line_label: Label of a line: a regular expression whose first group is the label, or a field of JSON lines.
            It is removed from the line, and training never sees it.
        metadata_fields: Fields of JSON lines that become metadata columns, taken from the first line of each sample.
        label_from: Label of a sample: the name of its file (file), of the folder of its file (folder), or no label
            (none).
        length: Largest number of events per sample; of longer samples the middle is replaced by one event that holds
            its size.
        vocabulary: Largest number of event templates, the most frequent ones; all other events are unknown.
        similarity: Smallest share of a template's words, 0 to 1, that must be equal in all its lines; words of digits
            alone do not count.
        max_broken: Largest allowed share of unreadable samples, 0 to 1. With more, the data are refused.
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
    metadata_fields: tuple[str, ...] = ()
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

    @property
    def forced_encoding(self) -> str:
        """The encoding of files that are not UTF-8; empty where it is detected."""
        return "" if self.encoding == "auto" else self.encoding


MAX_LISTED = 200
"""Kinds of events that a page lists."""


PARSER_SETTINGS = ("format", "session", "window", "stride", "message", "encoding", "line_label")
"""The settings of `Config` that say how lines become samples."""


@dataclass(frozen=True)
class TimestampPosition:
    """Where a timestamp is in its line.

    Attributes:
        word: Number of words before it; blanks and the signs , ; | divide words.
        prefix: What precedes it in its own word, such as [ or time=; 0 stands for any number.
    """

    word: int
    prefix: str


@dataclass(frozen=True)
class ParserSpec:
    """How lines become samples: the settings for it, and what was detected in the training data.

    Attributes:
        format: lines, jsonl or sessions.
        timestamp_format: A key of `timestamp_formats.FORMATS`; empty where no timestamp was detected.
        time_field: Field of JSON lines in which the time was detected.
        settings: The settings named in `PARSER_SETTINGS`; all others have their defaults.
        positions: Where in a line the timestamp may be, and nowhere else.
        tail: "," where a comma precedes the fractions of a second, " " where a blank precedes the zone.
        example: A timestamp of the training data.
        alternative: Another format that fits the timestamps as well.
        resembles_sessions: Whether lines that are read as text have the form of presplit sessions.
        header: A first line that names columns and is no event.
        delimiter: Sign between the columns that the header names.
        encodings: Encodings other than UTF-8 that were detected in the training data.
    """

    format: Literal["lines", "jsonl", "sessions"]
    timestamp_format: str = ""
    time_field: str = ""
    settings: Config = field(default_factory=Config)
    positions: tuple[TimestampPosition, ...] = (TimestampPosition(0, ""),)
    tail: str = ""
    example: str = ""
    alternative: str = ""
    resembles_sessions: bool = False
    header: str = ""
    delimiter: str = ""
    encodings: tuple[str, ...] = ()

    @property
    def window_and_stride(self) -> tuple[lengths.Length, lengths.Length]:
        """Length and stride of the windows."""
        window, stride = self.settings.window, self.settings.stride or self.settings.window
        return lengths.parse(window, "window"), lengths.parse(stride, "stride")

    @property
    def has_windows(self) -> bool:
        """Whether samples are windows, and no sessions."""
        return self.format != "sessions" and not self.settings.session


@dataclass(frozen=True)
class Template:
    """An event template: its text, with masks such as <number> and <*> where lines vary, and its count in training."""

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
    """What was measured on the training data; it holds for every sample that the run sees later.

    Attributes:
        reading: How lines become samples.
        templates: The event templates, most frequent first: token 3 is the first of them.
        unlisted: Events of the training data that are unknown because the vocabulary was full.
        length: L, the largest number of events per sample.
        lines: Counts of the lines read.
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
