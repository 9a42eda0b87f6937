"""What the columns of a file are and how they are written, recognised once from its beginning."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vssl.errors import BrokenFileError
from vssl.modalities.sensors import column, column_patterns, dialect, row_times, tables
from vssl.modalities.sensors.calendar_time import Times
from vssl.modalities.sensors.column import Column, FileContext
from vssl.modalities.sensors.column_patterns import NumberPattern
from vssl.modalities.sensors.csv_errors import naming_row
from vssl.modalities.sensors.datetime_text import DAY_NS
from vssl.modalities.sensors.dialect import Dialect, ReadOptions
from vssl.modalities.sensors.numbers import number_formats
from vssl.modalities.sensors.row_times import arrow_times

DEFAULT_OPTIONS = ReadOptions()


@dataclass(frozen=True, eq=False)
class Profile:
    """What a file is.

    Attributes:
        dialect: How its text is written; None of Parquet.
        decimal: The decimal sign of its numbers; empty where none shows.
        columns: In their order.
        has_rows: Whether there is more than the names of columns.
        facts: What whole numbers do, by column.
        filled: The columns that have a value in the first rows.
        rising: Of the columns that may be the times, those whose times rise, or fall, from row to row.
        moving: Of the columns that may be the times, those with more than one.
        machines: The columns that tell several series in the file apart, and some of their values.
        examples: Of the columns of texts, the first value.
    """

    dialect: Dialect | None
    decimal: str
    columns: tuple[Column, ...]
    has_rows: bool
    facts: Mapping[str, NumberPattern]
    filled: frozenset[str]
    rising: frozenset[str]
    moving: frozenset[str]
    machines: Mapping[str, str]
    examples: Mapping[str, str]

    @property
    def schema(self) -> pa.Schema:
        """The columns and the types of their values."""
        return pa.schema([(one.name, one.type) for one in self.columns])

    def column(self, name: str) -> Column:
        """The column of this name, also one that is a part of another.

        Raises:
            KeyError: There is none.
        """
        every = {one.name: one for whole in self.columns for one in (*whole.parts, whole)}
        return every[name]


def profile(file: Path, name: str, options: ReadOptions = DEFAULT_OPTIONS) -> Profile:
    """What a file is, by its beginning; of columns that are empty there, by their first values.

    Raises:
        BrokenFileError: It cannot be read, or two columns have one name.
    """
    return _profile(tables.file_state(file), name, options)


def label_type(file: Path, name: str, one: Column, options: ReadOptions = DEFAULT_OPTIONS) -> pa.DataType:
    """As what a column about the samples is read: text unless all values of the sample are plain numbers.

    Raises:
        BrokenFileError: It cannot be read.
    """
    if one.parsed == pa.string():
        is_plain = pa.types.is_boolean(one.type) and one.states == column.STATE_WORDS[0]
        return one.type if is_plain or pa.types.is_null(one.type) else pa.string()
    is_number = pa.types.is_integer(one.type) or pa.types.is_floating(one.type)
    is_code = (
        is_number and not tables.is_parquet(file) and _holds_codes(tables.file_state(file), name, one.name, options)
    )
    return pa.string() if is_code else one.type


@lru_cache(maxsize=4096)
def _holds_codes(state: tuple[str, int, int], name: str, one: str, options: ReadOptions) -> bool:
    """Whether some value is written with zeros before it, or with an exponent, as lots are called."""
    file = Path(state[0])
    with tables.naming_file(name):
        found = profile(file, name, options).dialect
        assert found is not None
        text = tables.parse_csv(_first_block(file, name, found), found, ".", {one: pa.string()}, [one])
    return pc.any(pc.match_substring_regex(text[one], r"^\s*[+-]?(?:0\d|[\d.]+[eE])")).as_py() or False


# Each reading asks for it, and where a column is empty to its end that is a reading of its own.
@lru_cache(maxsize=4096)
def _profile(state: tuple[str, int, int], name: str, options: ReadOptions) -> Profile:
    file = Path(state[0])
    with tables.naming_file(name):
        return _profile_parquet(file, name, options) if tables.is_parquet(file) else _profile_csv(file, name, options)


def _profile_parquet(file: Path, name: str, options: ReadOptions) -> Profile:
    schema, rows = tables.parquet_schema(file)
    _check_unique(schema, name)
    first = next(tables.parquet_batches(file, schema.names), schema.empty_table()) if rows else schema.empty_table()
    texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    decimal = options.settings.decimal or _one_sign({number_formats(first[one]).decimal for one in texts})
    context = FileContext(options, decimal, False)
    found = [column.detect(one, first[one], partial(_as_text, first[one]), context) for one in schema.names]
    return _profile_values(None, decimal, _merge_dates(found, first), first, name)


def _profile_csv(file: Path, name: str, options: ReadOptions) -> Profile:
    begin = tables.read_head(file, dialect.SAMPLE_BYTES + 1)
    found = dialect.detect(begin[: dialect.SAMPLE_BYTES], len(begin) <= dialect.SAMPLE_BYTES, options, name)
    text = _first_block(file, name, found)
    with naming_row(name, found.names):
        typed = tables.parse_csv(text, found, options.settings.decimal or ".")
        _check_unique(typed.schema, name, found.heading.preamble)
        as_text: list[pa.Table] = []

        def written(one: str) -> pa.ChunkedArray:
            if not as_text:
                as_text.append(tables.parse_csv(text, found, ".", dict.fromkeys(typed.column_names, pa.string())))
            return as_text[0][one]

        decimal = options.settings.decimal or _decimal_sign(typed, written, found.delimiter != ",")
        if decimal == "," and not options.settings.decimal:
            typed = tables.parse_csv(text, found, decimal)
        context = FileContext(options, decimal, found.is_unclear)
        known = {one: column.detect(one, typed[one], partial(written, one), context) for one in typed.column_names}
        empty = [one for one, what in known.items() if pa.types.is_null(what.type) and "\0" not in one]
        known |= _detect_late_columns(file, name, found, empty, options, decimal)
    columns = [what for one, what in known.items() if "\0" not in one]
    return _profile_values(found, decimal, _merge_dates(columns, typed), typed, name)


def _as_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values.cast(pa.string())


def _first_block(file: Path, name: str, found: Dialect) -> bytes:
    with closing(tables.text_blocks(file, name, found)) as pieces:
        return next(pieces, b"")


def _check_unique(schema: pa.Schema, name: str, above: int = 0) -> None:
    """Check that no two columns have one name; `above` is the number of lines above the names."""
    count = Counter(field.name.partition("\0")[0] for field in schema)
    # Empty columns without a name stand at the end of many a table.
    named = [field.name.partition("\0")[0] for field in schema if not pa.types.is_null(field.type)]
    if twice := [one for one in named if count[one] > 1]:
        what = f"are called {twice[0]!r}" if twice[0] else "have no name"
        levels = "; if pandas wrote names in several lines (multi-level columns), join them in one line"
        levels = levels if above else ""
        raise BrokenFileError(name, f"{count[twice[0]]} columns {what}: rename or remove all but one{levels}")


def _decimal_sign(typed: pa.Table, written: Callable[[str], pa.ChunkedArray], strict: bool) -> str:
    """The decimal sign that the columns of a file show; empty where they show none, or both."""
    texts = [field.name for field in typed.schema if pa.types.is_string(field.type)]
    signs = {number_formats(typed[one]).decimal for one in texts}
    if strict or signs - {""} or any(number_formats(typed[one]).unclear for one in texts):
        floats = [field.name for field in typed.schema if pa.types.is_floating(field.type)]
        signs |= {number_formats(written(one)).decimal for one in floats}
    return _one_sign(signs)


def _one_sign(signs: set[str]) -> str:
    return the_only(signs).replace("?", "")


def the_only(values: Iterable[str]) -> str:
    """The one text besides empty ones; empty where there is none, or several."""
    known = {*values} - {""}
    return known.pop() if len(known) == 1 else ""


def _detect_late_columns(
    file: Path, name: str, found: Dialect, empty: list[str], options: ReadOptions, decimal: str
) -> dict[str, Column]:
    """The columns that are empty at first, by their first values."""
    late: dict[str, Column] = {}
    pieces = tables.text_blocks(file, name, found) if empty else iter(())
    for text in pieces:
        table = tables.parse_csv(text, found, ".", dict.fromkeys(empty, pa.string()), empty)
        for one in list(empty):
            if len(values := table[one].drop_null()):
                typed = values.cast(_type_of(values))
                late[one] = column.detect(one, typed, partial(_as_text, values), FileContext(options, decimal, False))
                empty.remove(one)
        if not empty:
            break
    return late


def _type_of(values: pa.ChunkedArray) -> pa.DataType:
    for kind in (pa.int64(), pa.float64(), pa.bool_(), pa.timestamp("ns")):
        with suppress(pa.ArrowInvalid):
            values.cast(kind)
            return kind
    return pa.string()


def _merge_dates(columns: list[Column], typed: pa.Table) -> tuple[Column, ...]:
    def at_midnight(one: Column) -> bool:
        times = arrow_times(typed[one.name].drop_null()) if pa.types.is_timestamp(one.parsed) else np.empty(0)
        return bool(len(times)) and not (times % DAY_NS).any()

    return tuple(column.merge_date_and_time(columns, at_midnight))


def _profile_values(
    found: Dialect | None, decimal: str, columns: tuple[Column, ...], first: pa.Table, name: str
) -> Profile:
    """The profile, with what the values of the first rows do."""
    plain = {one.name: first[one.name] for one in columns if not one.parts and one.parsed == first[one.name].type}
    plain |= {
        one.name: pa.chunked_array([column.parse_booleans(first[one.name], one.states)])
        for one in columns
        if pa.types.is_boolean(one.type) and pa.types.is_string(first[one.name].type)
    }
    known = {one: fact for one, values in plain.items() if (fact := column_patterns.number_pattern(values)) is not None}
    seen = {
        one.name: taken for one in columns if one.is_time and (taken := _sample_times(one, first, name)) is not None
    }
    rising = frozenset(one for one, taken in seen.items() if column_patterns.is_monotonic(taken))
    moving = frozenset(one for one, taken in seen.items() if len(taken) and taken.min() < taken.max())
    counters = [np.asarray(plain[one].cast(pa.int64())) for one, fact in known.items() if fact.restarts]
    # The first that rises, else the first that moves.
    best = sorted(seen, key=lambda one: (one not in rising, one not in moving))
    times = seen[best[0]] if best else next(iter(counters), None)
    telling = {
        one: values
        for one, values in plain.items()
        if one not in seen and not pa.types.is_floating(values.type) and not pa.types.is_nested(values.type)
    }
    texts = {one: values.drop_null() for one, values in telling.items() if pa.types.is_string(values.type)}
    examples = {one: values[0].as_py() for one, values in texts.items() if len(values)}
    filled = frozenset(one.name for one in columns if one.parts or first[one.name].null_count < len(first))
    machines = column_patterns.series_columns(telling, times)
    return Profile(found, decimal, columns, len(first) > 0, known, filled, rising, moving, machines, examples)


def _sample_times(one: Column, first: pa.Table, name: str) -> Times | None:
    """The times of the first rows; None where they are none after all."""
    with suppress(BrokenFileError):
        return row_times.row_times(first, one, name, 0) if len(first) and not one.problem else None
    return None
