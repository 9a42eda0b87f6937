"""What pyarrow says about a piece of a text file, repeated with the file, the row, the column and the remedy."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from vssl.errors import BrokenFileError

RAGGED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
CONVERSION = re.compile(
    r"In CSV column #(\d+): (?:Row #(\d+): )?CSV conversion error to ([^:]+): (?:invalid value '(.*)')?", re.S
)


@contextmanager
def naming_row(name: str, columns: Sequence[str], rows: int = 0) -> Iterator[None]:
    """Name the row that a piece of text cannot be parsed at.

    Args:
        columns: Of the file.
        rows: Before this piece.

    Raises:
        BrokenFileError: pyarrow failed in the block.
    """
    try:
        yield
    except pa.ArrowInvalid as error:
        text = str(error)
        if found := RAGGED.search(text):
            what = f"has {found[3]} values, and the others have {found[2]}: correct or remove it"
            raise BrokenFileError(name, f"row {rows + int(found[1])} {what}") from error
        if (found := CONVERSION.search(text)) and found[2]:
            what = columns[int(found[1])] if int(found[1]) < len(columns) else f"number {found[1]}"
            raise BrokenFileError(name, f"row {rows + int(found[2])}: {_value(what, found[3], found[4])}") from error
        raise BrokenFileError(name, text.splitlines()[0]) from error


def is_conversion(error: pa.ArrowInvalid) -> bool:
    """Whether a value was not of the type of its column."""
    return CONVERSION.search(str(error)) is not None


def not_a_number_message(column: str, row: int, value: str) -> str:
    """What is wrong with a text among numbers."""
    return (
        f"the column {column!r} holds numbers, but row {row} has {value!r}. Correct it, leave it empty, or, if it is "
        f"no channel, name the column with --labels {column}"
    )


def decorated_number_message(column: str, one: str, other: str) -> str:
    """What is wrong with a column of numbers that have other things around them."""
    values = repr(one) if one == other else f"{one!r} and {other!r}"
    return (
        f"the column {column!r} has values such as {values}: write the numbers alone, all in one unit, or, if it is no "
        f"channel, name the column with --labels {column}"
    )


def not_a_time_message(column: str, row: int, value: str, shown: str) -> str:
    """What is wrong with a value among times."""
    return (
        f"row {row} has {value!r} in the column {column!r}, which is no time {shown}: correct it, or give --date-format"
    )


def _value(column: str, kind: str, value: str | None) -> str:
    where = f"the column {column!r}"
    if kind == "string":
        return f"{where} holds a character that is not of the encoding: save it as UTF-8, or name --encoding"
    kinds = {"bool": "true or false", "double": "numbers"}
    known = "times" if kind.startswith(("time", "date")) else kinds.get(kind, "whole numbers")
    return f"{where} has {value!r}, where the rows before have {known}: correct it, or leave it empty"
