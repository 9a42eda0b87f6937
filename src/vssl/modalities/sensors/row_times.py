"""The times of parsed rows, however their columns write them."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vssl.errors import BrokenFileError
from vssl.modalities.sensors import datetime_text, numeric_time
from vssl.modalities.sensors.calendar_time import NS_PER_UNIT, Times
from vssl.modalities.sensors.column import Column
from vssl.modalities.sensors.csv_errors import not_a_time_message
from vssl.modalities.sensors.datetime_text import NotATimeError


def row_times(table: pa.Table, column: Column, name: str, row: int) -> Times:
    """The times of rows in nanoseconds since 1970, or since midnight or a start where there is no date.

    Args:
        table: The rows as they were parsed.
        row: Of the file, that the first of them is, counted from 0.

    Raises:
        BrokenFileError: A time is missing, or is none.
    """
    if column.parts:
        date, of_day = column.parts
        whole = _column_times(table[date.name], date, name, row)
        return np.asarray(whole - whole % datetime_text.DAY_NS + _column_times(table[of_day.name], of_day, name, row))
    return _column_times(table[column.name], column, name, row)


def _column_times(values: pa.ChunkedArray, column: Column, name: str, row: int) -> Times:
    if not len(values):
        return np.empty(0, np.int64)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    missing = values.is_null()
    if column.datetime_format is not None and pa.types.is_string(values.type):
        missing = pc.or_(missing, pc.equal(pc.utf8_trim_whitespace(values), "").fill_null(True))
    if (first := pc.index(missing, True).as_py()) >= 0:
        raise BrokenFileError(name, f"row {row + first + 1} has no time")
    shown = "that is known"
    try:
        if column.datetime_format is not None:
            shown = column.datetime_format.shown
            return datetime_text.parse(values.cast(pa.string()), column.datetime_format)
        if column.numeric_time is not None and not pa.types.is_temporal(values.type):
            shown = column.numeric_time.shown
            return numeric_time.parse(values, column.numeric_time)
    except NotATimeError as error:
        raise BrokenFileError(name, not_a_time_message(column.name, row + error.row + 1, error.value, shown)) from error
    if not pa.types.is_temporal(values.type):
        raise BrokenFileError(name, not_a_time_message(column.name, row + 1, str(values[0]), shown))
    return arrow_times(values)


def arrow_times(column: pa.ChunkedArray) -> Times:
    """Arrow's own times, none missing, as nanoseconds since 1970; of a time of day since midnight."""
    if pa.types.is_time(column.type) or pa.types.is_duration(column.type):
        ticks = column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())
        return np.asarray(ticks).astype(np.int64) * NS_PER_UNIT[column.type.unit]
    column = column.cast(pa.timestamp("ns", column.type.tz if pa.types.is_timestamp(column.type) else None))
    return np.asarray(column.cast(pa.int64()))
