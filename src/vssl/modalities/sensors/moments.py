"""The times of parsed rows, however their columns write them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vssl.errors import BrokenFileError
from vssl.modalities.sensors import clocks, stamps
from vssl.modalities.sensors.civil import Times
from vssl.modalities.sensors.column import Column
from vssl.modalities.sensors.faults import no_time
from vssl.modalities.sensors.stamps import NoTimeError
from vssl.modalities.sensors.times import of_column


def read(table: pa.Table, column: Column, name: str, row: int) -> Times:
    """The times of rows in nanoseconds since 1970, or since midnight or a start where there is no date.

    Args:
        table: The rows as they were parsed.
        row: Of the file, that the first of them is, counted from 0.

    Raises:
        BrokenFileError: A time is missing, or is none.
    """
    if column.parts:
        date, of_day = column.parts
        whole = _one(table[date.name], date, name, row)
        return whole - whole % stamps.DAY_NS + _one(table[of_day.name], of_day, name, row)
    return _one(table[column.name], column, name, row)


def _one(values: pa.ChunkedArray, column: Column, name: str, row: int) -> Times:
    if not len(values):
        return np.empty(0, np.int64)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    _check_there(values, column, name, row)
    shown = "that is known"
    try:
        if column.stamp is not None:
            shown = column.stamp.shown
            return stamps.parse(values.cast(pa.string()), column.stamp)
        if column.clock is not None and not pa.types.is_temporal(values.type):
            shown = column.clock.shown
            return clocks.parse(values, column.clock)
    except NoTimeError as error:
        raise BrokenFileError(name, no_time(column.name, row + error.row + 1, error.value, shown)) from error
    if not pa.types.is_temporal(values.type):
        raise BrokenFileError(name, no_time(column.name, row + 1, str(values[0]), shown))
    return of_column(values, name, row)


def _check_there(values: pa.ChunkedArray, column: Column, name: str, row: int) -> None:
    missing = values.is_null()
    if column.stamp is not None and pa.types.is_string(values.type):
        missing = pc.or_(missing, pc.equal(pc.utf8_trim_whitespace(values), "").fill_null(True))
    first = pc.index(missing, True).as_py()
    if first >= 0:
        raise BrokenFileError(name, f"row {row + first + 1} has no time")
