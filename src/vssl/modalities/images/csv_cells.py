"""The cells of a CSV list: in which encoding, between which signs, and which columns are numbers."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from vssl.errors import DataError
from vssl.modalities import encodings

DELIMITERS = (",", ";", "\t", "|")
MISSING = ["", "NA", "N/A", "null", "NULL"]
NUMBER = r"^[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?$"
NOT_FINITE = r"^[-+]?(nan|inf|infinity)$"


def read_cells(path: Path) -> tuple[pa.Table, list[str]]:
    """All cells as text, and a word on the encoding and delimiter where they are not UTF-8 and commas.

    The delimiter is the sign between which the heading has `path`.

    Raises:
        DataError: The file cannot be read, decoded or divided into rows of equal length; the message names the row.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"The list {path} cannot be read: {error.strerror}.") from error
    # What no encoding fits is refused at its first row that is no UTF-8.
    encoding, mark = encodings.detect(data) or ("utf-8", 0)
    try:
        text = data[mark:].decode(encoding)
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, mark + error.start)
        raise DataError(
            f"The list {path}, row {row}: its encoding is not recognised ({encoding.upper()}?). Save it as UTF-8."
        ) from error
    heading = text.partition("\n")[0].rstrip("\r")
    delimiter = next((sign for sign in DELIMITERS if "path" in _split(heading, sign)), ",")
    remarks = []
    if encoding != "utf-8" or delimiter != ",":
        between = {"\t": "tabs"}.get(delimiter, f"{delimiter!r}")
        remarks = [f"{path.name} was read as {encoding.upper()} text with {between} between its cells."]
    return _table(path, text, delimiter, _split(heading, delimiter)), remarks


def infer_type(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as numbers, if all its cells are plain ones and different cells are different numbers; else as it is.

    So 007, 1E1, 1.10 beside 1.1, and dates stay text. NaN and infinite numbers among numbers are kept for a message.
    """
    missing = pc.is_in(cells, value_set=pa.array(MISSING))
    if pc.all(missing).as_py() in (True, None):
        return pa.chunked_array([pa.nulls(len(cells))])
    known = pc.if_else(missing, pa.scalar(None, pa.string()), cells)
    bad = pc.match_substring_regex(known, NOT_FINITE, ignore_case=True)
    if not pc.all(pc.or_(pc.match_substring_regex(known, NUMBER), bad)).as_py():
        return cells
    whole = not pc.any(pc.or_(bad, pc.match_substring(known, "."))).as_py()
    try:
        numbers = known.cast(pa.int64() if whole else pa.float64())
    except pa.ArrowInvalid:  # larger than any number of the type
        return cells
    is_same = not pc.any(bad).as_py() and pc.count_distinct(known).as_py() != pc.count_distinct(numbers).as_py()
    return cells if is_same else numbers


def _split(heading: str, delimiter: str) -> list[str]:
    return next(csv.reader([heading], delimiter=delimiter), [])


def _table(path: Path, text: str, delimiter: str, heading: list[str]) -> pa.Table:
    as_text = pa.csv.ConvertOptions(column_types=dict.fromkeys(heading, pa.string()))
    one_by_one = pa.csv.ReadOptions(use_threads=False)  # only then does an error name its row
    data, cells = pa.BufferReader(text.encode()), pa.csv.ParseOptions(delimiter=delimiter)
    try:
        return pa.csv.read_csv(data, one_by_one, cells, as_text)
    except pa.ArrowException as error:
        told = " Row #1 is the heading." if "Row #" in str(error) else ""
        raise DataError(f"The list {path} cannot be read: {error}.{told}") from error
