"""Files of series: CSV (also compressed) and Parquet, read piece by piece in constant memory."""

import codecs
import lzma
import re
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from vssl.errors import BrokenFileError, DataError
from vssl.files import COMPRESSED, opened
from vssl.modalities import folders
from vssl.modalities.sensors.dialect import Dialect, split

CSV_SUFFIXES, PARQUET_SUFFIXES = (".csv", ".tsv", ".txt"), (".parquet", ".pq")
BLOCK_BYTES = 2**22
"""Bytes of a CSV file that are parsed at once."""
FOOTER_BYTES, FOOTER_LINES = 2**16, 12
"""So many bytes and lines at the end of a file may be no rows, those aside in which all values are empty."""

READ_ERRORS = (
    pa.ArrowInvalid,
    pa.ArrowNotImplementedError,
    OSError,
    EOFError,
    lzma.LZMAError,
    zlib.error,
    UnicodeError,
)


def files_of(source: str | Path) -> list[Path]:
    """The files of series in a folder, at any depth, in the order of their names; or the one file.

    Raises:
        EmptyDataError: There are none.
        DataError: There is no such place, a folder cannot be listed, a name is not UTF-8, or a file is of another kind.
    """
    source, known = Path(source), (*CSV_SUFFIXES, *PARQUET_SUFFIXES)
    if source.is_file() and not is_series(source.name):
        raise DataError(
            f"{source} is no file of series: {', '.join(known)}, the first three also with {', '.join(COMPRESSED)}."
        )
    names = folders.find_files(source, is_series, "file of series", known)
    return [source] if source.is_file() else sorted(source / name for name in names)


def name_in(source: str | Path, file: Path) -> str:
    """The file's name within its source, as ids begin with it."""
    return file.name if Path(source).is_file() else file.relative_to(source).as_posix()


def file_state(file: Path) -> tuple[str, int, int]:
    """What changes when a file does; one that cannot be looked at is said to be broken when it is read."""
    try:
        return str(file), *folders.file_state(file.stat())
    except OSError:
        return str(file), *folders.DANGLING


def is_series(name: str) -> bool:
    """Whether a file's name is that of a table, compressed ones included."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    packed = bool(suffixes) and suffixes[-1] in COMPRESSED
    last = suffixes[-2:-1] if packed else suffixes[-1:]
    return bool(last) and (last[0] in CSV_SUFFIXES or (last[0] in PARQUET_SUFFIXES and not packed))


def is_parquet(file: Path) -> bool:
    """Whether a file is Parquet, by its suffix."""
    return file.suffix.lower() in PARQUET_SUFFIXES


@contextmanager
def naming_file(name: str) -> Iterator[None]:
    """Say which file it is that cannot be read.

    Raises:
        BrokenFileError: Something in the block failed as files that are damaged or of another kind do.
    """
    try:
        yield
    except BrokenFileError:
        raise
    except KeyError as error:
        raise BrokenFileError(name, f"it has no column {error}") from error
    except READ_ERRORS as error:
        raise BrokenFileError(name, str(error).splitlines()[0] if str(error) else type(error).__name__) from error


def read_head(file: Path, size: int) -> bytes:
    """The first bytes of a text file, decompressed."""
    with opened(file) as data:
        return data.read(size)


def text_blocks(file: Path, name: str, dialect: Dialect) -> Generator[bytes, None, None]:
    """The rows of a text file in UTF-8, in pieces of whole lines; without lines at the end that are no rows.

    Blanks between values are written as tabs. Nothing reads ahead: a reader in the background that outlives an error
    would end the whole process.

    Raises:
        BrokenFileError: A character is not of the encoding.
    """
    decoder = codecs.getincrementaldecoder(dialect.encoding)() if dialect.encoding != "utf-8" else None
    rest = b""
    with opened(file) as data:
        data.read(dialect.begin)
        text = _decoded(decoder, data.read(BLOCK_BYTES), name, dialect)
        while read := data.read(BLOCK_BYTES):
            end = b"\n" if b"\n" in text else b"\r"
            # The last lines may be no rows, which is known at the end only.
            cut = text.rfind(end, 0, max(0, len(text) - min(FOOTER_BYTES, BLOCK_BYTES))) + 1
            if cut:
                yield _blanks_to_tabs(b"".join((rest, memoryview(text)[:cut])), dialect)
                rest = text[cut:]
            else:
                rest += text
            text = _decoded(decoder, read, name, dialect)
    rest = b"".join((rest, text, _decoded(decoder, b"", name, dialect)))
    yield _blanks_to_tabs(rest[: len(rest) - sum(map(len, footer_lines(rest, dialect)))], dialect)


def footer_lines(end: bytes, dialect: Dialect) -> list[bytes]:
    """The last lines of a file that are no rows, by its last bytes in UTF-8."""
    lines = end[-FOOTER_BYTES:].splitlines(keepends=True)[1 if len(end) > FOOTER_BYTES else 0 :]
    nothing = (dialect.delimiter + ' \t"\r\n').encode()
    filled = next((count for count, line in enumerate(reversed(lines)) if line.strip(nothing)), len(lines))
    last = lines[: len(lines) - filled][-FOOTER_LINES:]
    table, _ = split(b"".join(last).decode("utf-8", "replace"), dialect.delimiter)
    count = dialect.heading.trailing(table) if len(table) == len(last) else 0
    return lines[len(lines) - filled - count :]


def read_footer(file: Path, dialect: Dialect) -> list[str]:
    """The last lines of a file that are no rows."""
    end = b""
    with opened(file) as data, suppress(*READ_ERRORS):
        if data.seekable() and file.suffix.lower() not in COMPRESSED:
            data.seek(max(dialect.begin, data.seek(0, 2) - 4 * FOOTER_BYTES))
        while read := data.read(BLOCK_BYTES):
            end = (end + read)[-4 * FOOTER_BYTES :]
    text = end.decode(dialect.encoding, "replace").encode()
    blank = dialect.delimiter + ' \t"'
    return [line for found in footer_lines(text, dialect) if (line := found.decode().strip()).strip(blank)]


def parse_csv(
    text: bytes,
    dialect: Dialect,
    decimal: str,
    types: dict[str, pa.DataType] | None = None,
    columns: list[str] | None = None,
) -> pa.Table:
    """The columns of a piece of text, in these types, or in those that its values have.

    Raises:
        pa.ArrowInvalid: A line has another number of values, or a value is not of its type; the message names the row.
    """
    names = unique_names(dialect.names)
    if not text.strip():
        wanted = names if columns is None else columns
        return pa.table({one: pa.nulls(0, (types or {}).get(one, pa.null())) for one in wanted})
    return pyarrow.csv.read_csv(
        pa.BufferReader(text),
        # Not in parallel: only then does an error name its row.
        read_options=pyarrow.csv.ReadOptions(block_size=len(text) + 1, use_threads=False, column_names=names),
        parse_options=pyarrow.csv.ParseOptions(delimiter="\t" if dialect.delimiter == " " else dialect.delimiter),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=types,
            include_columns=columns or [],
            null_values=[""],
            strings_can_be_null=True,
            decimal_point=decimal,
        ),
    )


def unique_names(names: Sequence[str]) -> list[str]:
    """Names of columns, those of empty ones that stand more than once with their place."""
    return [one if names.count(one) == 1 else f"{one}\0{at}" for at, one in enumerate(names)]


def parquet_batches(file: Path, columns: list[str]) -> Iterator[pa.Table]:
    """Columns of a Parquet file, piece by piece."""
    with opened(file) as data:
        # Without reading ahead, which keeps the whole file in memory.
        for batch in pq.ParquetFile(data, pre_buffer=False).iter_batches(columns=columns):
            yield _plain(pa.Table.from_batches([batch]))


def _plain(table: pa.Table) -> pa.Table:
    """The table with views of texts as texts, which everything can be done with."""
    views = [at for at, field in enumerate(table.schema) if pa.types.is_string_view(field.type)]
    for at in views:
        table = table.set_column(at, table.schema[at].name, table[at].cast(pa.string()))
    return table


def parquet_schema(file: Path) -> tuple[pa.Schema, int]:
    """The columns of a Parquet file and the number of its rows."""
    with opened(file) as data:
        found = pq.ParquetFile(data)
        return _plain(found.schema_arrow.empty_table()).schema, found.metadata.num_rows


def _decoded(decoder: codecs.IncrementalDecoder | None, read: bytes, name: str, dialect: Dialect) -> bytes:
    if decoder is None:
        return read
    try:
        return decoder.decode(read, not read).encode()
    except UnicodeDecodeError as error:
        raise BrokenFileError(
            name,
            f"a part of it is not written in {dialect.encoding} ({read[error.start : error.end]!r}): save it as UTF-8, "
            "or name --encoding",
        ) from error


def _blanks_to_tabs(text: bytes, dialect: Dialect) -> bytes:
    if dialect.delimiter != " ":
        return text
    return re.sub(rb"[ \t]+", b"\t", re.sub(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)", b"", text))
