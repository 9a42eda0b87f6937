"""The values of a file, piece by piece: times, numbers and labels, from however they are written."""

from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from vssl.errors import BrokenFileError
from vssl.modalities.sensors import numbers, row_times, tables
from vssl.modalities.sensors.calendar_time import Times
from vssl.modalities.sensors.column import Column, ambiguity, parse_booleans
from vssl.modalities.sensors.csv_errors import is_conversion, naming_row, not_a_number_message
from vssl.modalities.sensors.dialect import Dialect, ReadOptions
from vssl.modalities.sensors.numbers import NotANumberError, number_formats
from vssl.modalities.sensors.profiles import DEFAULT_OPTIONS, Profile, profile
from vssl.modalities.sensors.unit_suffixes import strip_unit

MISSING_TEXTS = pa.array(["#N/A", "#N/A N/A", "#NA", "N/A", "NA", "NULL", "NaN", "n/a", "nan", "null"])
"""Texts of a label that stand for a missing one."""
TEXT = pa.string()


@dataclass(frozen=True, eq=False)
class Piece:
    """Some consecutive rows of a file.

    Attributes:
        table: The columns asked for, in the types asked for.
        times: In nanoseconds since 1970; None where no column with times was asked for.
        words: How often each word stood for a missing number.
    """

    table: pa.Table
    times: Times | None
    words: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.table) if self.times is None else len(self.times)


def read_pieces(
    file: Path,
    name: str,
    types: Mapping[str, pa.DataType],
    time: str | None = None,
    options: ReadOptions = DEFAULT_OPTIONS,
) -> Generator[Piece, None, None]:
    """Columns of a file in these types, and the times, piece by piece.

    Raises:
        BrokenFileError: It cannot be read, has no such column, or a value of another type; the reason names the row.
    """
    found = profile(file, name, options)
    with tables.naming_file(name):
        columns = {one: found.column(one) for one in types}
        times = None if time is None else found.column(time)
    for column in columns.values():
        if column.problem and pa.types.is_floating(types[column.name]):
            raise BrokenFileError(name, column.problem)
    if times is not None and times.problem:
        raise BrokenFileError(name, times.problem)
    reader = _Reader(name, found, columns, dict(types), times, options)
    with tables.naming_file(name):
        if found.dialect is None:
            yield from map(reader.to_piece, tables.parquet_batches(file, list(reader.parsed)))
        else:
            with closing(tables.text_blocks(file, name, found.dialect)) as texts:
                for text in texts:
                    yield reader.to_piece(reader.parse(text, found.dialect))


class _Reader:
    """Makes pieces of what was parsed, and counts the rows."""

    def __init__(
        self,
        name: str,
        found: Profile,
        columns: dict[str, Column],
        types: dict[str, pa.DataType],
        times: Column | None,
        options: ReadOptions,
    ) -> None:
        self._name, self._found, self._columns, self._types, self._times = name, found, columns, types, times
        self._sign = options.settings.decimal or found.decimal or options.usual_decimal
        self._forced = options.settings.decimal
        self._row = 0
        self.parsed = {one: self._parse_type(column) for one, column in columns.items()}
        for part in () if times is None else times.parts or (times,):
            # To the nanosecond, as the first times may be whole seconds.
            is_stamp = pa.types.is_timestamp(part.parsed)
            self.parsed[part.name] = pa.timestamp("ns", part.parsed.tz) if is_stamp else part.parsed

    def parse(self, text: bytes, dialect: Dialect) -> pa.Table:
        names, sign = list(self.parsed), self._found.decimal or "."
        with naming_row(self._name, dialect.names, self._row):
            try:
                return tables.parse_csv(text, dialect, sign, self.parsed, names)
            except pa.ArrowInvalid as error:
                if not is_conversion(error):
                    raise
                # Some number is written in another way, or is missing with a word.
                return tables.parse_csv(text, dialect, sign, self._as_text(), names)

    def _parse_type(self, column: Column) -> pa.DataType:
        wanted, dialect = self._types[column.name], self._found.dialect
        if pa.types.is_null(column.type):
            return wanted
        if column.parsed == TEXT or pa.types.is_string(wanted):
            return TEXT
        # 1.234 among whole numbers may be a thousand; as whole numbers it is noticed.
        careful = dialect is not None and dialect.delimiter != "," and pa.types.is_integer(column.parsed)
        return pa.int64() if careful and pa.types.is_floating(wanted) else wanted

    def _as_text(self) -> dict[str, pa.DataType]:
        times = [] if self._times is None else [part.name for part in self._times.parts or (self._times,)]
        numeric = [one for one in self._types if pa.types.is_floating(self._types[one]) and one not in times]
        return self.parsed | dict.fromkeys(numeric, TEXT)

    def to_piece(self, table: pa.Table) -> Piece:
        words: Counter[str] = Counter()
        found = {one: self._values(table[one], one, words) for one in self._types}
        times = None if self._times is None else row_times.row_times(table, self._times, self._name, self._row)
        self._row += len(table)
        return Piece(pa.table(found) if found else pa.table({}), times, words)

    def _values(self, values: pa.ChunkedArray, one: str, words: Counter[str]) -> pa.ChunkedArray | pa.Array:
        wanted = self._types[one]
        if pa.types.is_dictionary(values.type):
            values = pa.chunked_array([values.combine_chunks().dictionary_decode()])
        is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
        if values.type == wanted and not is_text:
            return values
        if is_text and pa.types.is_floating(wanted):
            return self._numbers(values, one, words)
        if is_text and pa.types.is_boolean(wanted):
            return self._bools(values, one)
        if pa.types.is_string(wanted):
            texts = values.cast(TEXT)
            return pc.if_else(pc.is_in(texts, MISSING_TEXTS), None, texts) if is_text else texts
        return self._cast(values, one, wanted)

    def _numbers(self, values: pa.ChunkedArray, one: str, words: Counter[str]) -> pa.Array:
        column = self._columns[one]
        values = strip_unit(values, column.unit) if column.unit else values
        sign = self._forced or column.decimal
        if sign in ("", "?"):
            evidence = number_formats(values)
            sign = evidence.decimal.replace("?", "") or self._sign
            strict = self._found.dialect is not None and self._found.dialect.is_unclear
            if problem := ambiguity(one, values, evidence, sign, strict, self._row):
                raise BrokenFileError(self._name, problem)
        try:
            found, missing = numbers.parse_numbers(values, sign or ".")
        except NotANumberError as error:
            message = not_a_number_message(one, self._row + error.row + 1, error.value)
            raise BrokenFileError(self._name, message) from error
        words.update(missing)
        return pa.array(found)

    def _bools(self, values: pa.ChunkedArray, one: str) -> pa.Array:
        try:
            return parse_booleans(values, self._columns[one].states)
        except NotANumberError as error:
            what = f"row {self._row + error.row + 1} has {error.value!r} in the column {one!r}, which is {error.why}"
            raise BrokenFileError(self._name, f"{what}: correct it, or leave it empty") from error

    def _cast(self, values: pa.ChunkedArray, one: str, wanted: pa.DataType) -> pa.ChunkedArray:
        try:
            return values.cast(wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            text = str(error).splitlines()[0]
            channel = f"as decimals or, if it is no channel, name it with --labels {one}"
            how = channel if pa.types.is_floating(wanted) else "as text"
            raise BrokenFileError(self._name, f"the column {one!r}: {text}. Write it {how}") from error
