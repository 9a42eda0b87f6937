"""What one column of a file is: numbers, times or text, and how its values are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vssl.modalities.sensors import datetime_text, numbers, numeric_time, unit_suffixes
from vssl.modalities.sensors.cell_types import MISSING_WORDS
from vssl.modalities.sensors.csv_errors import decorated_number_message, not_a_number_message
from vssl.modalities.sensors.datetime_text import DatetimeFormat
from vssl.modalities.sensors.dialect import ReadOptions
from vssl.modalities.sensors.numbers import NotANumberError, NumberFormats
from vssl.modalities.sensors.numeric_time import NumericTime

NUMBER, TIME, OF_DAY = pa.float64(), pa.timestamp("ns"), pa.time64("ns")
STATE_WORDS = (
    ("true", "false"),
    ("on", "off"),
    ("yes", "no"),
    ("wahr", "falsch"),
    ("ein", "aus"),
    ("ja", "nein"),
    ("vrai", "faux"),
    ("oui", "non"),
)
"""Words of two states, in small letters, the one that is read as 1 first."""
DECIMAL_ADVICE = "name the sign with --decimal"


@dataclass(frozen=True, eq=False)
class Column:
    """What a column is.

    Attributes:
        name: As the file calls it; of a date and a time of day in two columns, both names.
        type: Of its values: as they are parsed, or float64, bool, timestamp or time of day where texts are converted.
        parsed: The type that it is parsed as.
        decimal: The decimal sign that its values show; empty where they show none.
        stamp: The form of its times, where they are texts.
        clock: How its numbers are times, if they may be.
        problem: Why its values cannot be read as numbers or times without a word from a person.
        parts: The columns with the date and the time of day that it is made of.
        unit: What stands behind each of its numbers, such as %; empty where nothing does.
        states: The words for 1 and 0, where it holds two states.
    """

    name: str
    type: pa.DataType
    parsed: pa.DataType
    decimal: str = ""
    stamp: DatetimeFormat | None = None
    clock: NumericTime | None = None
    problem: str = ""
    parts: tuple[Column, ...] = ()
    unit: str = ""
    states: tuple[str, str] = STATE_WORDS[0]

    @property
    def is_time(self) -> bool:
        """Whether it may be the column with the times."""
        return pa.types.is_temporal(self.type) or (self.clock is not None and self.clock.unit != numeric_time.UNKNOWN)

    @property
    def is_number(self) -> bool:
        """Whether it may be a channel."""
        kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
        return any(test(self.type) for test in kinds)


def detect(
    name: str,
    typed: pa.ChunkedArray,
    text: Callable[[], pa.ChunkedArray],
    reading: ReadOptions,
    decimal: str,
    strict: bool,
) -> Column:
    """What a column is, by the values of a sample.

    Args:
        typed: The values as they were parsed.
        text: Gives them as the file writes them.
        decimal: The decimal sign that other columns of the file show; empty where none does.
        strict: Whether 1.234 may be a thousand, as in files whose values are not divided by commas.
    """
    kind = typed.type
    if pa.types.is_null(kind):
        return Column(name, kind, pa.string())
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if _is_text(kind):
        return _of_text(name, typed, reading, decimal, strict)
    if reading.date_format and (found := _by_date_format(name, typed, text, reading)) is not None:
        return found
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        # The unit of times is none of the other columns.
        is_meant = name == reading.time_column or (not reading.time_column and numeric_time.may_be_time_name(name))
        unit = reading.date_format if "%" not in reading.date_format and is_meant else ""
        clock = numeric_time.detect(typed, name, unit)
        problem, sign = "", ""
        if strict and pa.types.is_floating(kind):
            evidence = numbers.number_formats(text())
            sign = evidence.decimal
            problem = ambiguous_number_problem(
                name, text(), evidence, reading.decimal or sign or decimal or reading.usual_decimal
            )
        return Column(name, kind, kind, sign, clock=clock, problem=problem)
    return Column(name, kind, kind)


def merge_date_and_time(columns: list[Column], midnight: Callable[[Column], bool]) -> list[Column]:
    """The columns, a date and a time of day as one, in the place of the date."""
    clock = next((column for column in columns if is_time_of_day(column)), None)
    date = next((column for column in columns if _is_date(column) or (clock is not None and midnight(column))), None)
    if clock is None or date is None:
        return columns
    problem = date.problem or clock.problem
    both = Column(f"{date.name} {clock.name}", TIME, TIME, problem=problem, parts=(date, clock))
    return [both if column is date else column for column in columns if column is not clock]


def is_time_of_day(column: Column) -> bool:
    """Whether a column holds times of day without a date."""
    return pa.types.is_time(column.type)


def _is_date(column: Column) -> bool:
    if column.stamp is not None:
        return column.stamp.has_date and not column.stamp.has_clock
    return pa.types.is_date(column.type)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _of_text(name: str, column: pa.ChunkedArray, reading: ReadOptions, decimal: str, strict: bool) -> Column:
    text = pa.string()
    if (found := _by_date_format(name, column, lambda: column, reading)) is not None:
        return found
    evidence = numbers.number_formats(column)
    if evidence.odd is None and evidence.shapes:
        sign = reading.decimal or evidence.decimal or decimal or reading.usual_decimal
        return Column(
            name, NUMBER, text, evidence.decimal, problem=ambiguous_number_problem(name, column, evidence, sign, strict)
        )
    if (states := _state_words(column)) is not None:
        return Column(name, pa.bool_(), text, states=states)
    if evidence.odd is not None and (stamp := datetime_text.detect(column, reading.usual_order)) is not None:
        return _of_format(name, stamp)
    if unit := unit_suffixes.common_unit(column):
        return _with_unit(name, column, unit, reading, decimal, strict)
    problem = ""
    good, others = sum(evidence.shapes.values()), len(column) - column.null_count - sum(evidence.words.values())
    if evidence.odd is not None and good > others / 2:
        value = column[evidence.odd].as_py()
        problem = not_a_number_message(name, evidence.odd + 1, value)
    elif (shown := unit_suffixes.mixed_examples(column)) is not None:
        problem = decorated_number_message(name, *shown)
    return Column(name, text, text, problem=problem)


def _with_unit(
    name: str, column: pa.ChunkedArray, unit: str, reading: ReadOptions, decimal: str, strict: bool
) -> Column:
    """A column of numbers, each with the unit behind it."""
    bare = unit_suffixes.strip_unit(column, unit)
    evidence = numbers.number_formats(bare)
    sign = reading.decimal or evidence.decimal or decimal or reading.usual_decimal
    problem = ambiguous_number_problem(name, bare, evidence, sign, strict)
    if evidence.odd is not None or numeric_time.is_time_name(name):
        value = column[evidence.odd or 0].as_py()
        problem = decorated_number_message(name, value, value)
    return Column(name, NUMBER, pa.string(), evidence.decimal, problem=problem, unit=unit)


def _of_format(name: str, stamp: DatetimeFormat) -> Column:
    kind = TIME if stamp.has_date else OF_DAY
    problem = ""
    if len(stamp.candidates) > 1 and not stamp.order:
        problem = (
            f"the dates in the column {name!r} ({stamp.shown}) may be {' or '.join(map(_spelt, stamp.candidates))}: "
            "say which with --date-format, such as %d/%m/%Y %H:%M:%S"
        )
    elif not stamp.candidates and not stamp.order and "(?P<a>" in stamp.pattern:
        problem = f"the dates in the column {name!r} ({stamp.shown}) are none of the calendar: give --date-format"
    return Column(name, kind, pa.string(), stamp=stamp, problem=problem)


def _spelt(order: str) -> str:
    words = {"d": "day", "m": "month", "y": "year"}
    return ", ".join(words[letter] for letter in order)


def _by_date_format(
    name: str, typed: pa.ChunkedArray, text: Callable[[], pa.ChunkedArray], reading: ReadOptions
) -> Column | None:
    """The column by the format that a person gave, if most of its values have it."""
    if "%" not in reading.date_format:
        return None
    if not (_is_text(typed.type) or pa.types.is_temporal(typed.type) or numeric_time.is_time_name(name)):
        return None
    stamp = datetime_text.from_strptime(reading.date_format)
    column = text()
    filled = numbers.clean_cells(column).drop_null()
    fits = pc.match_substring_regex(filled, f"^(?:{stamp.pattern})$")
    if not len(filled) or (pc.sum(fits).as_py() or 0) < 0.9 * len(filled):
        return None
    return _of_format(name, stamp)


def ambiguous_number_problem(
    name: str, column: pa.ChunkedArray, evidence: NumberFormats, sign: str, strict: bool = True, before: int = 0
) -> str:
    """Why the numbers of a column may be two things; empty where they may not."""
    if evidence.decimal == "?" and sign in ("", "?"):
        return f"the column {name!r} holds numbers with decimal points and with decimal commas: {DECIMAL_ADVICE}"
    shape = evidence.unclear
    if not shape or sign or (shape == "point?" and not strict):
        return ""
    row = evidence.rows[shape]
    return (
        f"the column {name!r} has {column[row].as_py()!r} in row {before + row + 1}, which may be a thousand "
        "or a decimal, and no other value tells: "
        f"{DECIMAL_ADVICE} ('.' or ',')"
    )


def _state_words(column: pa.ChunkedArray) -> tuple[str, str] | None:
    """The words of two states that a column holds, and no others; None if it does not."""
    words = (
        {cell.lower() for cell in numbers.clean_cells(column).unique().drop_null().to_pylist()[:64]}
        - MISSING_WORDS
        - {""}
    )
    return next((pair for pair in STATE_WORDS if words and words <= set(pair)), None)


def parse_booleans(column: pa.Array | pa.ChunkedArray, states: tuple[str, str]) -> pa.Array:
    """True and false of texts, null for a missing one.

    Raises:
        NoNumberError: A value is neither of the states, nor a known word for a missing one.
    """
    lower = pc.utf8_lower(numbers.clean_cells(column))
    is_true, is_false = (pc.equal(lower, word).fill_null(False) for word in states)
    others = pc.is_in(lower, pa.array([None, "", *MISSING_WORDS]))
    known = pc.or_(pc.or_(is_true, is_false), others)
    if (row := pc.index(known, False).as_py()) >= 0:
        raise NotANumberError(row, column[row].as_py(), f"neither {' nor '.join(states)}")
    return pc.if_else(is_true, True, pc.if_else(is_false, False, None))


def all_midnight(times: np.ndarray) -> bool:
    """Whether times have a date alone."""
    return bool(len(times)) and not (times % datetime_text.DAY_NS).any()
