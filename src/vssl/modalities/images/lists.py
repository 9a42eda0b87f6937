"""CSV and Parquet lists of images: a column `path`, and any columns of metadata beside it."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vssl.errors import DataError
from vssl.modalities.folders import FileState, file_state
from vssl.modalities.images import csv_cells, tiff


def read_list(path: Path) -> tuple[pa.Table, list[str]]:
    """The table of a list, with the text column `path`, and a word on how it was read where that is not plain.

    Rows are counted from 1, the heading not counted. Columns without a name and without a value are left out: commas at
    the ends of all rows make them. In a CSV list a column is of numbers if all its cells are plain ones, else of text.

    Raises:
        DataError: It cannot be read, or has no such column, two of one name, an empty or repeated path, or NaN or
            infinite numbers.
    """
    is_csv = path.suffix.lower() == ".csv"
    table, remarks = csv_cells.read_cells(path) if is_csv else (_read_parquet(path), [])
    names = enumerate(table.column_names)
    table = table.select([place for place, name in names if name or not _is_empty(table.column(place))])
    if table.column_names.count("path") != 1:
        raise DataError(f"The list {path} needs one column named 'path'; its columns are {table.column_names}.")
    if not (pa.types.is_string(table["path"].type) or pa.types.is_large_string(table["path"].type)):
        raise DataError(f"The column 'path' of {path} holds {table['path'].type}; it must hold text.")
    for name, count in Counter(table.column_names).items():
        if count > 1:
            raise DataError(f"The list {path} has {count} columns named {name!r}; each needs a name of its own.")
    for column in table.column_names if is_csv else ():
        if column != "path":
            place = table.column_names.index(column)
            table = table.set_column(place, column, csv_cells.infer_type(table[column]))
    for column in table.column_names:
        _check_numbers(path, column, table[column])
    paths = [_as_here(path.parent, name) for name in table["path"].to_pylist()]
    _check_paths(path, paths)
    return table.set_column(table.column_names.index("path"), "path", pa.array(paths, pa.string())), remarks


def _read_parquet(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"The list {path} cannot be read: {error}.") from error


def _is_empty(column: pa.ChunkedArray) -> bool:
    return column.null_count == len(column) or (
        pa.types.is_string(column.type) and not pc.any(pc.not_equal(column, "")).as_py()
    )


def _as_here(folder: Path, name: str | None) -> str | None:
    """The path as the file is called here, where another system wrote backslashes or composed letters otherwise."""
    if name is None or (name.isascii() and "\\" not in name) or os.path.lexists(folder / name):
        return name
    plain = name.replace("\\", "/")
    forms = [plain, *(unicodedata.normalize(form, plain) for form in ("NFC", "NFD"))]
    return next((form for form in forms if os.path.lexists(folder / form)), plain)


def _check_paths(source: Path, names: list[str | None]) -> None:
    first: dict[str, int] = {}
    for row, name in enumerate(names, start=1):
        if not name:
            raise DataError(f"{source}, row {row}: the column 'path' is empty.")
        if first.setdefault(name, row) != row:
            raise DataError(f"{source}, row {row}: the path {name!r} stands already in row {first[name]}.")


def _check_numbers(source: Path, column: str, values: pa.ChunkedArray) -> None:
    if not pa.types.is_floating(values.type):
        return
    bad = np.flatnonzero(pc.fill_null(pc.invert(pc.is_finite(values)), False).to_numpy())
    if len(bad):
        raise DataError(
            f"{source}, row {bad[0] + 1}: the column {column!r} holds {values[int(bad[0])].as_py()} "
            f"({len(bad)} such rows). Leave the cell empty where a number is not known."
        )


def file_states(source: Path, names: list[str]) -> list[FileState]:
    """Size and time of change of each file of a list; relative paths start at the folder of the list.

    Raises:
        DataError: Files are missing, or one cannot be looked up; the message names the rows.
    """
    states, missing = [], []
    for row, name in enumerate(names, start=1):
        try:
            status = _status(source.parent / name) or _status(source.parent / tiff.split_page_id(name)[0])
        except (OSError, ValueError) as error:
            raise DataError(f"{source}, row {row}: {name!r} cannot be looked up: {error}.") from error
        if status is None or not stat.S_ISREG(status.st_mode):
            missing.append(f"row {row}: {name}")
        else:
            states.append(file_state(status))
    if missing:
        raise DataError(
            f"{source}: {len(missing)} of {len(names)} files are missing: {'; '.join(missing[:5])}. "
            f"Paths that are not absolute are looked up from {source.parent}."
        )
    return states


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
