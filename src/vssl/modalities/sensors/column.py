"""Detects what a column holds (numbers, times, states or text) and how its values are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from vssl.modalities.sensors import datetime_text, numeric_time, unit_suffixes
from vssl.modalities.sensors.cell_types import MISSING_WORDS
from vssl.modalities.sensors.csv_errors import decorated_number_message, not_a_number_message
from vssl.modalities.sensors.datetime_text import DatetimeFormat
from vssl.modalities.sensors.dialect import ReadOptions
from vssl.modalities.sensors.numbers import NotANumberError, NumberFormats, clean_cells, number_formats
from vssl.modalities.sensors.numeric_time import NumericTime

NUMBER, TIME, OF_DAY = pa.float64(), pa.timestamp("ns"), pa.time64("ns")
_PAIRS = "true false;on off;yes no;wahr falsch;ein aus;ja nein;vrai faux;oui non"
STATE_WORDS = tuple((first, second) for first, second in map(str.split, _PAIRS.split(";")))
"""Words for two states, in lower case; the first is read as 1."""


@dataclass(frozen=True, eq=False)
class Column:
    """What a column is and how its values are written.

    Attributes:
        name: Its name in the file; both names for a date and a time of day in two columns.
        type: Type of its values: as parsed, or float64, bool, timestamp or time of day where texts are converted.
        parsed: Type that it is parsed as.
        decimal: Decimal sign that its values show; empty where they show none.
        datetime_format: Format of its times, where they are texts.
        numeric_time: How its numbers are times, if they may be.
        problem: Why its values cannot be read as numbers or times before a person says how.
        parts: The two columns with the date and the time of day, where it is made of them.
        unit: Unit that follows each of its numbers, such as %; empty without one.
        states: The words for 1 and 0, where it holds two states.
    """

    name: str
    type: pa.DataType
    parsed: pa.DataType
    decimal: str = ""
    datetime_format: DatetimeFormat | None = None
    numeric_time: NumericTime | None = None
    problem: str = ""
    parts: tuple[Column, ...] = ()
    unit: str = ""
    states: tuple[str, str] = STATE_WORDS[0]

    @property
    def is_time(self) -> bool:
        """Whether it may be the column with the times."""
        known = self.numeric_time is not None and self.numeric_time.unit != numeric_time.UNKNOWN
        return known or pa.types.is_temporal(self.type)

    @property
    def is_time_of_day(self) -> bool:
        """Whether it holds times of day without a date."""
        return bool(pa.types.is_time(self.type))

    @property
    def is_number(self) -> bool:
        """Whether it may be a channel."""
        kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
        return any(test(self.type) for test in kinds)


@dataclass(frozen=True)
class FileContext:
    """What is known of a file when one of its columns is detected.

    Attributes:
        options: How files are read.
        decimal: The decimal sign that the columns of the file show; empty where none does.
        strict: Whether 1.234 may be a thousand, as in files whose values are not divided by commas.
    """

    options: ReadOptions
    decimal: str
    strict: bool

    def ambiguity(self, name: str, values: pa.ChunkedArray | pa.Array, formats: NumberFormats) -> str:
        """Why the numbers of a column can be read in two ways; empty where they cannot."""
        sign = self.options.settings.decimal or formats.decimal or self.decimal or self.options.usual_decimal
        return ambiguity(name, values, formats, sign, self.strict)


def detect(name: str, typed: pa.ChunkedArray, text: Callable[[], pa.ChunkedArray], file: FileContext) -> Column:
    """What a column is, by the values of a sample.

    Args:
        typed: The values as they were parsed.
        text: Gives them as the file writes them.
    """
    kind, settings = typed.type, file.options.settings
    if pa.types.is_null(kind):
        return Column(name, kind, pa.string())
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if _is_text(kind):
        return _of_text(name, typed, file)
    if settings.date_format and (found := _by_date_format(name, typed, text, settings.date_format)) is not None:
        return found
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        # The unit of times is none of the other columns.
        is_meant = name == settings.time_column or (not settings.time_column and numeric_time.may_be_time_name(name))
        unit = settings.date_format if "%" not in settings.date_format and is_meant else ""
        problem, sign = "", ""
        if file.strict and pa.types.is_floating(kind):
            formats = number_formats(text())
            sign, problem = formats.decimal, file.ambiguity(name, text(), formats)
        time = numeric_time.detect(typed, name, unit)
        return Column(name, kind, kind, sign, numeric_time=time, problem=problem)
    return Column(name, kind, kind)


def merge_date_and_time(columns: list[Column], midnight: Callable[[Column], bool]) -> list[Column]:
    """The columns, with a date and a time of day merged into one at the place of the date.

    Args:
        midnight: Whether all timestamps of a column are midnights, so that it holds dates.
    """
    time = next((column for column in columns if column.is_time_of_day), None)
    date = next((column for column in columns if _is_date(column) or (time is not None and midnight(column))), None)
    if time is None or date is None:
        return columns
    problem = date.problem or time.problem
    both = Column(f"{date.name} {time.name}", TIME, TIME, problem=problem, parts=(date, time))
    return [both if column is date else column for column in columns if column is not time]


def _is_date(column: Column) -> bool:
    if column.datetime_format is not None:
        return column.datetime_format.has_date and not column.datetime_format.has_clock
    return bool(pa.types.is_date(column.type))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _of_text(name: str, column: pa.ChunkedArray, file: FileContext) -> Column:
    text, date_format = pa.string(), file.options.settings.date_format
    if (found := _by_date_format(name, column, lambda: column, date_format)) is not None:
        return found
    formats = number_formats(column)
    if formats.odd is None and formats.shapes:
        return Column(name, NUMBER, text, formats.decimal, problem=file.ambiguity(name, column, formats))
    if (states := _state_words(column)) is not None:
        return Column(name, pa.bool_(), text, states=states)
    if formats.odd is not None and (form := datetime_text.detect(column, file.options.usual_order)) is not None:
        return _of_format(name, form)
    if unit := unit_suffixes.common_unit(column):
        return _with_unit(name, column, unit, file)
    problem = ""
    good, others = sum(formats.shapes.values()), len(column) - column.null_count - sum(formats.words.values())
    if formats.odd is not None and good > others / 2:
        problem = not_a_number_message(name, formats.odd + 1, column[formats.odd].as_py())
    elif (shown := unit_suffixes.mixed_examples(column)) is not None:
        problem = decorated_number_message(name, *shown)
    return Column(name, text, text, problem=problem)


def _with_unit(name: str, column: pa.ChunkedArray, unit: str, file: FileContext) -> Column:
    """A column of numbers, each followed by the unit."""
    bare = unit_suffixes.strip_unit(column, unit)
    formats = number_formats(bare)
    problem = file.ambiguity(name, bare, formats)
    if formats.odd is not None or numeric_time.is_time_name(name):
        value = column[formats.odd or 0].as_py()
        problem = decorated_number_message(name, value, value)
    return Column(name, NUMBER, pa.string(), formats.decimal, problem=problem, unit=unit)


def _of_format(name: str, form: DatetimeFormat) -> Column:
    kind = TIME if form.has_date else OF_DAY
    problem = ""
    dates, words = f"the dates in the column {name!r} ({form.shown})", {"d": "day", "m": "month", "y": "year"}
    if len(form.candidates) > 1 and not form.order:
        orders = " or ".join(", ".join(words[letter] for letter in order) for order in form.candidates)
        problem = f"{dates} may be {orders}: say which with --date-format, such as %d/%m/%Y %H:%M:%S"
    elif not form.candidates and not form.order and "(?P<a>" in form.pattern:
        problem = f"{dates} are none of the calendar: give --date-format"
    return Column(name, kind, pa.string(), datetime_format=form, problem=problem)


def _by_date_format(
    name: str, typed: pa.ChunkedArray, text: Callable[[], pa.ChunkedArray], date_format: str
) -> Column | None:
    """The column by the format of strptime that a person gave, if at least 90 % of its values have it."""
    if "%" not in date_format:
        return None
    if not (_is_text(typed.type) or pa.types.is_temporal(typed.type) or numeric_time.is_time_name(name)):
        return None
    form = datetime_text.from_strptime(date_format)
    filled = clean_cells(text()).drop_null()
    fits = pc.match_substring_regex(filled, f"^(?:{form.pattern})$")
    if not len(filled) or (pc.sum(fits).as_py() or 0) < 0.9 * len(filled):
        return None
    return _of_format(name, form)


def ambiguity(
    name: str, column: pa.ChunkedArray | pa.Array, formats: NumberFormats, sign: str, strict: bool, before: int = 0
) -> str:
    """Why the numbers of a column can be read in two ways; empty where they cannot.

    Args:
        sign: The decimal sign, if it is known.
        before: Rows of the file before these.
    """
    where = f"the column {name!r}"
    if formats.decimal == "?" and sign in ("", "?"):
        return f"{where} holds numbers with decimal points and with decimal commas: name the sign with --decimal"
    shape = formats.unclear
    if not shape or sign or (shape == "point?" and not strict):
        return ""
    row = formats.rows[shape]
    return (
        f"{where} has {column[row].as_py()!r} in row {before + row + 1}, which may be a thousand or a decimal, and no "
        "other value tells: name the sign with --decimal ('.' or ',')"
    )


def _state_words(column: pa.ChunkedArray) -> tuple[str, str] | None:
    """The words of two states that a column holds, and no others; None if it does not."""
    words = {cell.lower() for cell in clean_cells(column).unique().drop_null().to_pylist()[:64]} - MISSING_WORDS - {""}
    return next((pair for pair in STATE_WORDS if words and words <= set(pair)), None)


def parse_booleans(column: pa.Array | pa.ChunkedArray, states: tuple[str, str]) -> pa.Array:
    """True and false of texts, null for a missing one.

    Raises:
        NotANumberError: A value is neither of the states, nor a known word for a missing one.
    """
    lower = pc.utf8_lower(clean_cells(column))
    is_true, is_false = (pc.equal(lower, word).fill_null(False) for word in states)
    others = pc.is_in(lower, pa.array([None, "", *MISSING_WORDS]))
    known = pc.or_(pc.or_(is_true, is_false), others)
    if (row := pc.index(known, False).as_py()) >= 0:
        raise NotANumberError(row, column[row].as_py(), f"neither {' nor '.join(states)}")
    return pc.if_else(is_true, True, pc.if_else(is_false, False, None))
