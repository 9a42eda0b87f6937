"""The dialect of a text table, recognised from its beginning: encoding, delimiter, names, lines that are no rows."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from dataclasses import dataclass, field

from vssl.errors import BrokenFileError, ConfigError
from vssl.modalities import encodings
from vssl.modalities.sensors import Config
from vssl.modalities.sensors.cell_types import cell_type
from vssl.modalities.sensors.datetime_text import from_strptime
from vssl.modalities.sensors.header import Heading, parse_heading
from vssl.modalities.sensors.numeric_time import DAY_EPOCHS, RELATIVE_UNITS_NS

SAMPLE_BYTES = 2**18
"""Bytes at the beginning of a file that tell how it is written."""
SAMPLE_LINES = 300
CERTAIN_SCORE = 1.1
"""The score of a delimiter that divides all lines, and whose values are numbers and times, but for the names."""
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
DELIMITER_NAMES = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "\\t": "\t",
    "pipe": "|",
    "bar": "|",
    "blank": " ",
    "space": " ",
}

Table = list[list[str]]
"""The values of each line; of one without any it has none."""


READ_SETTINGS = ("delimiter", "decimal", "encoding", "date_format", "time_column")
"""The settings of `Config` that say how a file is written."""


@dataclass(frozen=True)
class ReadOptions:
    """How files are read: what a person says of them, and what the training files say where a file alone is unclear.

    Attributes:
        settings: The settings named in `READ_SETTINGS`; all others have their defaults.
        usual_decimal: The decimal sign of the training files.
        usual_order: The order of day, month and year in the training files: dmy, mdy or ymd.
    """

    settings: Config = field(default_factory=Config)
    usual_decimal: str = ""
    usual_order: str = ""

    @classmethod
    def of(cls, config: Config, usual_decimal: str = "", usual_order: str = "") -> ReadOptions:
        """The options by the settings of a run and what its training files say."""
        settings = Config(**{name: getattr(config, name) for name in READ_SETTINGS})
        return cls(settings, usual_decimal, usual_order)


@dataclass(frozen=True)
class Dialect:
    """How a text file writes its table.

    Attributes:
        encoding: Python's name of it.
        begin: The byte at which the rows begin.
        delimiter: Between two values; a blank stands for any number of blanks and tabs.
        heading: Names of the columns, and the lines that are no rows.
    """

    encoding: str
    begin: int
    delimiter: str
    heading: Heading

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.heading.names

    @property
    def is_unclear(self) -> bool:
        """Whether 1.234 may be a thousand: where values stand between commas the point is the decimal sign."""
        return self.delimiter in ";\t|"


def check_settings(config: Config) -> None:
    """Check the settings that say how files are written.

    Raises:
        ConfigError: One is unknown.
    """
    if len(DELIMITER_NAMES.get(config.delimiter.lower(), config.delimiter)) > 1:
        raise ConfigError(
            f"--delimiter {config.delimiter!r} is no single character, nor one of {', '.join(DELIMITER_NAMES)}."
        )
    if config.decimal not in ("", ".", ","):
        raise ConfigError(f"--decimal {config.decimal!r}: it is '.' or ','.")
    if config.encoding and not encodings.is_known(config.encoding):
        raise ConfigError(
            f"--encoding {config.encoding!r} is not known; such are utf-8, cp1252, cp932, euc_jp, utf-16."
        )
    if config.date_format and config.date_format not in (*RELATIVE_UNITS_NS, *DAY_EPOCHS):
        from_strptime(config.date_format)


def detect(sample: bytes, complete: bool, options: ReadOptions, name: str) -> Dialect:
    """The dialect of a file by its first bytes.

    Args:
        complete: Whether these are all of its bytes.

    Raises:
        BrokenFileError: It is empty, its encoding is unknown, or its header does not fit its rows.
    """
    encoding, mark = _encoding(sample, options, name)
    text = _text(sample[mark:], encoding, complete, name)
    if not text.strip():
        raise BrokenFileError(name, "Empty CSV file: it holds no line of text")
    forced = DELIMITER_NAMES.get(options.settings.delimiter.lower(), options.settings.delimiter) or _sep_line(text)
    delimiter = forced or _best_delimiter(text)
    table, ends = split(text, delimiter)
    found = parse_heading(table, delimiter, name)
    before = "".join(_lines(text)[: ends[found.lines - 1]]) if found.lines else ""
    begin = mark + len(before.encode(encoding))
    return Dialect(encoding, begin, delimiter, found)


def split(text: str, delimiter: str) -> tuple[Table, list[int]]:
    """The values of each line, and the number of its last line of text, as a quoted value may hold several."""
    lines = _lines(text)
    if delimiter == " ":
        return [line.split() for line in lines], list(range(1, len(lines) + 1))
    rows, ends = [], []
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for row in reader:
            rows.append(row if len(row) > 1 or any(map(str.strip, row)) else [])
            ends.append(reader.line_num)
    except csv.Error:
        return [line.strip().split(delimiter) for line in lines], list(range(1, len(lines) + 1))
    return rows, ends


def _lines(text: str) -> list[str]:
    return io.StringIO(text, newline="").readlines()


def _encoding(sample: bytes, options: ReadOptions, name: str) -> tuple[str, int]:
    found = encodings.detect(sample)
    if options.settings.encoding:
        encoding = codecs.lookup(options.settings.encoding).name
        # A byte order mark is no part of the first name.
        marked = encodings.byte_order_mark(sample)
        return marked if marked and marked[0].startswith(encoding) else (encoding, 0)
    if found is None:
        raise BrokenFileError(name, "its encoding was not recognised: name it with --encoding, such as cp932")
    return found


def _text(sample: bytes, encoding: str, complete: bool, name: str) -> str:
    """The first lines; without the last one, which may be cut."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample, complete)
    except UnicodeDecodeError as error:
        line = sample[: error.start].count(b"\n") + 1
        raise BrokenFileError(
            name, f"line {line} is not written in {encoding}: save the file as UTF-8, or name --encoding"
        ) from error
    lines = _lines(text)
    return "".join(lines[: SAMPLE_LINES if complete or len(lines) > SAMPLE_LINES else -1] or lines)


def _sep_line(text: str) -> str:
    """The delimiter that the first line names for a spreadsheet program: sep=;"""
    first = text.partition("\n")[0].strip().strip('"')
    return first[4:5] if first.lower().startswith("sep=") else ""


def _best_delimiter(text: str) -> str:
    """The delimiter that divides the lines best; commas without a look at the others where they leave no doubt."""
    commas = _delimiter_score(text, ",")
    if commas[0] >= CERTAIN_SCORE and commas[1] > 1:
        return ","
    return max([commas, *(_delimiter_score(text, delimiter) for delimiter in DELIMITERS if delimiter != ",")])[2]


def _delimiter_score(text: str, delimiter: str) -> tuple[float, int, str]:
    """How well a delimiter divides the lines into as many values each, which are numbers and times; and how many."""
    table, _ = split(text, delimiter)
    widths = Counter(len(row) for row in table[-100:] if row)
    if not widths:
        return 0.0, 0, delimiter
    width = max(widths, key=lambda number: (widths[number], number))
    first = next(at for at, row in enumerate(table) if len(row) == width)
    rest = [row for row in table[first:] if row]
    fitting = [row for row in rest[-100:] if len(row) == width]
    cells = [cell for row in fitting for cell in row]
    good = sum(1 for cell in cells if cell_type(cell) != "t") / max(1, len(cells))
    share = sum(len(row) == width for row in rest) / max(1, len(rest))
    # Lines before the table are rarer than a delimiter that is none; of text alone the delimiter tells by its number.
    # A blank also stands between the date and the time of day, and around other delimiters.
    return round(share * (0.2 + good) - 0.001 * min(first, 50) - 0.06 * (delimiter == " "), 4), width, delimiter
