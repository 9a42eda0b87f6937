"""Files of series: CSV (also compressed) and Parquet, read piece by piece in constant memory."""

from __future__ import annotations

import lzma
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from vssl.errors import BrokenFileError, DataError, EmptyDataError
from vssl.files import COMPRESSED, opened
from vssl.modalities import folders

CSV, PARQUET = (".csv", ".tsv", ".txt"), (".parquet", ".pq")
BLOCK = 2**22
"""Bytes of a CSV file that are parsed at once."""

DAMAGES = (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, EOFError, lzma.LZMAError, UnicodeDecodeError)


def files_of(source: str | Path) -> list[Path]:
    """The files of series in a folder, at any depth, in the order of their names; or the one file.

    Raises:
        EmptyDataError: There are none.
        DataError: There is no such place, a folder cannot be listed, a name is not UTF-8, or a file is of another kind.
    """
    source = Path(source)
    if source.is_file():
        if not _is_series(source.name):
            known = ", ".join((*CSV, *PARQUET))
            raise DataError(
                f"{source} is no file of series: {known}, the first three also with {', '.join(COMPRESSED)}."
            )
        folders.check_name(source.parent, source.name)
        return [source]
    if not source.is_dir():
        raise DataError(f"{source} does not exist.")
    names, _, ignored = folders.scan(source, _is_series)
    if not names:
        known = " ".join((*CSV, *PARQUET))
        raise EmptyDataError(f"There are no series in {source}: looked for {known}; {folders.others(ignored)}.")
    return sorted(source / name for name in names)


def name_in(source: str | Path, file: Path) -> str:
    """The file's name within its source, as ids begin with it."""
    return file.name if Path(source).is_file() else file.relative_to(source).as_posix()


def state(file: Path) -> tuple[str, int, int]:
    """What changes when a file does; one that cannot be looked at is said to be broken when it is read."""
    try:
        return str(file), *folders.state(file.stat())
    except OSError:
        return str(file), *folders.DANGLING


def schema_of(file: Path, name: str) -> pa.Schema:
    """The columns of a file; of a CSV file as its beginning has them, and where that is empty, as the rest has.

    Raises:
        BrokenFileError: It cannot be read, or two columns have one name.
    """
    return _schema(state(file), name)


# Each reading asks for it, and where a column is empty to its end that is a reading of its own.
@lru_cache(maxsize=4096)
def _schema(state: tuple[str, int, int], name: str) -> pa.Schema:
    file = Path(state[0])
    with _damage(name), _opened(file) as (data, is_parquet):
        schema = pq.ParquetFile(data).schema_arrow if is_parquet else _reader(data, file, None, None).schema
    count = Counter(schema.names)
    # Empty columns without a name stand at the end of many a table.
    twice = [field.name for field in schema if count[field.name] > 1 and not pa.types.is_null(field.type)]
    if twice:
        raise BrokenFileError(name, f"{count[twice[0]]} columns are called {twice[0]!r}: rename or remove all but one")
    return schema if is_parquet else _with_late_types(file, name, schema)


def _with_late_types(file: Path, name: str, schema: pa.Schema) -> pa.Schema:
    """The columns, those that are empty so far with the type of their first values."""
    empty = {field.name for field in schema if pa.types.is_null(field.type) and schema.names.count(field.name) == 1}
    for piece in pieces(file, name, dict.fromkeys(empty, pa.string())) if empty else ():
        for column in list(empty):
            if len(values := piece[column].drop_null()):
                schema = schema.set(schema.get_field_index(column), pa.field(column, _type_of(values)))
                empty.remove(column)
        if not empty:
            break
    return schema


def _type_of(values: pa.StringArray) -> pa.DataType:
    for kind in (pa.int64(), pa.float64(), pa.bool_()):
        with suppress(pa.ArrowInvalid):
            values.cast(kind)
            return kind
    return pa.string()


def has_rows(file: Path, name: str) -> bool:
    """Whether there is more than the names of columns.

    Raises:
        BrokenFileError: It cannot be read.
    """
    with _damage(name), _opened(file) as (data, is_parquet):
        if is_parquet:
            return pq.ParquetFile(data).metadata.num_rows > 0
        return any(len(piece) for piece in _reader(data, file, None, None))


def pieces(file: Path, name: str, types: dict[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    """The columns named, piece by piece, in these types.

    Raises:
        BrokenFileError: It cannot be read, has no such column, or a value of another type; the reason names the row.
    """
    with _damage(name), _opened(file) as (data, is_parquet):
        if not is_parquet:
            yield from _reader(data, file, list(types), types)
            return
        # Without reading ahead, which keeps the whole file in memory.
        table = pq.ParquetFile(data, pre_buffer=False)
        missing = [column for column in types if column not in table.schema_arrow.names]
        if missing:
            raise BrokenFileError(name, f"it has no column {missing[0]!r}")
        wanted = pa.schema(list(types.items()))
        for batch in table.iter_batches(columns=list(types)):
            yield from pa.Table.from_batches([batch]).select(list(types)).cast(wanted).combine_chunks().to_batches()


def _is_series(name: str) -> bool:
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    packed = bool(suffixes) and suffixes[-1] in COMPRESSED
    last = suffixes[-2:-1] if packed else suffixes[-1:]
    return bool(last) and (last[0] in CSV or (last[0] in PARQUET and not packed))


@contextmanager
def _opened(file: Path) -> Iterator[tuple[BinaryIO, bool]]:
    with opened(file) as data:
        yield data, file.suffix.lower() in PARQUET


def _reader(
    data: BinaryIO, file: Path, columns: list[str] | None, types: dict[str, pa.DataType] | None
) -> pyarrow.csv.CSVStreamingReader:
    tab = ".tsv" in [suffix.lower() for suffix in file.suffixes]
    return pyarrow.csv.open_csv(
        data,
        # Not in parallel: only then does an error name its row.
        read_options=pyarrow.csv.ReadOptions(block_size=BLOCK, use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(delimiter="\t" if tab else ","),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=types, include_columns=columns or [], strings_can_be_null=True
        ),
    )


@contextmanager
def _damage(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenFileError:
        raise
    except KeyError as error:
        raise BrokenFileError(name, f"it has no column {error}") from error
    except DAMAGES as error:
        raise BrokenFileError(name, str(error).splitlines()[0] if str(error) else type(error).__name__) from error
