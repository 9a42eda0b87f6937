"""What is measured on the training series: columns, step, lengths in rows."""

from __future__ import annotations

import difflib
import re
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from vssl.errors import BrokenFileError, DataError, EmptyDataError
from vssl.modalities.sensors import Config, Spec, tables
from vssl.modalities.sensors.channels import measured
from vssl.modalities.sensors.rows import Layout
from vssl.modalities.sensors.times import duration_s, is_time, rows

Described = tuple[Path, str, pa.Schema]
"""A file, its name within the source, and its columns."""


def measure(source: str | Path, config: Config) -> Spec:
    """Look at the columns and at rows of all files that can be read; see `sensors.measure`."""
    files = tables.files_of(source)
    named = [(file, tables.name_in(source, file)) for file in files]
    schemas = _schemas(named)
    _, name, schema = schemas[0]
    columns = _columns(schemas)
    time = _time_column({column: columns[column] for column in schema.names}, config, name)
    long = _long(config)
    channels, left_out = _channels(schemas, columns, config, time) if long is None else (_names(named, long[0]), ())
    left_out += _labels_not_there(columns, config, name)
    resample_s = duration_s(config.resample, "resample") if config.resample else None
    layout = Layout(channels, time, config.labels, long, resample_s)
    found = measured(named, layout)
    left_out += tuple(f"{channel}: no value at all" for channel in channels if channel not in found.names)
    if not found.names:
        raise DataError(f"{name} has no numeric column with values. Left out: {'; '.join(left_out) or 'none'}.")
    step_s = found.step_s
    window = rows(config.window, "window", step_s)
    stride = rows(config.stride, "stride", step_s) if config.stride else max(1, window // 4)
    block = rows(config.block, "block", step_s) if config.block else 8 * window
    return Spec(
        found.names,
        left_out,
        time,
        long,
        resample_s,
        step_s,
        window,
        stride,
        block,
        found.centre,
        found.scale,
        sentinels=found.sentinels,
        counters=found.counters,
        about=found.about,
        thinned=found.thinned,
    )


def _long(config: Config) -> tuple[str, str] | None:
    if not config.long:
        return None
    sensor, value = config.long.split(":")
    return sensor, value


def _schemas(named: list[tuple[Path, str]]) -> list[Described]:
    """The files that can be read and have rows, with their columns: a header alone says nothing about their kinds."""
    found, broken = [], None
    for file, name in named:
        try:
            schema = tables.schema_of(file, name)
            if tables.has_rows(file, name):
                found.append((file, name, schema))
        except BrokenFileError as error:
            broken = broken or error
    if not found and broken is not None:
        raise EmptyDataError(f"None of {len(named)} files can be used; the first: {broken}") from broken
    if not found:
        raise EmptyDataError(f"{named[0][1]}: there are no rows, only a header.")
    return found


def _columns(schemas: list[Described]) -> dict[str, pa.DataType]:
    """The columns of all files, each with its type in the first one that has values in it."""
    found: dict[str, pa.DataType] = {}
    for _, _, schema in schemas:
        for field in schema:
            if pa.types.is_null(found.get(field.name, pa.null())):
                found[field.name] = field.type
    return found


def _labels_not_there(columns: dict[str, pa.DataType], config: Config, name: str) -> tuple[str, ...]:
    """Labels that no file has: training data may have none. A misspelt one would make the right one a channel.

    Raises:
        DataError: A column is called nearly so.
    """
    missing = [label for label in config.labels if label not in columns]
    others = [column for column in columns if column not in config.labels]
    for label in missing:
        if close := [column for column in others if _nearly_the_same(label, column)]:
            raise DataError(
                f"{name} has no column {label!r} for --labels; it has: {', '.join(columns)}. If {close[0]!r} "
                "is meant, name it so; if it is a channel, rename one of the two."
            )
    return tuple(f"{label}: named with --labels, but in no file" for label in missing)


def _nearly_the_same(one: str, other: str) -> bool:
    """Whether two names differ in capitals, spaces, hyphens and underscores, or one letter: digits tell names apart."""
    one, other = (re.sub(r"[\s_-]", "", name).lower() for name in (one, other))
    if re.sub(r"\D", "", one) != re.sub(r"\D", "", other):
        return False
    blocks = difflib.SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    alike, longest = sum(block.size for block in blocks), max(len(one), len(other))
    # Of a name of three letters another one is a third of it.
    return alike == longest or (alike == longest - 1 and alike >= 4)


def _time_column(columns: dict[str, pa.DataType], config: Config, name: str) -> str | None:
    if config.time:
        if config.time not in columns:
            raise DataError(f"{name} has no column {config.time!r}; it has: {', '.join(columns)}.")
        return config.time
    times = (column for column, kind in columns.items() if is_time(pa.field(column, kind)))
    return next((column for column in times if column not in config.labels), None)


def _names(named: list[tuple[Path, str]], sensor: str) -> tuple[str, ...]:
    """The channels of files with one value a row."""
    found: set[str] = set()
    for file, name in named:
        with suppress(BrokenFileError):
            for piece in tables.pieces(file, name, {sensor: pa.string()}):
                found |= set(piece[sensor].unique().to_pylist())
    return tuple(sorted(found - {None, ""}))


def _channels(
    schemas: list[Described], columns: dict[str, pa.DataType], config: Config, time: str | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    _, name, schema = schemas[0]
    others = {column: kind for column, kind in columns.items() if column != time and column not in config.labels}
    later = [column for column in others if column not in schema.names]
    own = {column: kind for column, kind in others.items() if column not in later}
    for column, kind in own.items():
        if pa.types.is_string(kind) or pa.types.is_binary(kind):
            _check_no_numbers(schemas, column)
    left_out = [f"{column}: {_kind(kind)}" for column, kind in own.items() if not _is_number(kind)]
    left_out += [f"{column}: not in {name}" for column in later]
    return tuple(column for column, kind in own.items() if _is_number(kind)), tuple(left_out)


def _check_no_numbers(schemas: list[Described], column: str) -> None:
    """A column of numbers with a text among them is a channel that would be lost without a word.

    Raises:
        DataError: Most of its first values are numbers.
    """
    file, name = next(
        (file, name)
        for file, name, schema in schemas
        if any(field.name == column and not pa.types.is_null(field.type) for field in schema)
    )
    values = next(tables.pieces(file, name, {column: pa.string()}))[column].to_pylist()
    wrong = [row for row, value in enumerate(values, 1) if value and not _reads_as_number(value)]
    if wrong and len(wrong) < sum(1 for value in values if value) / 2:
        row = wrong[0]
        raise DataError(
            f"{name}: the column {column!r} holds numbers, but row {row} has {values[row - 1]!r}. Correct it, leave it "
            f"empty, or, if it is no channel, name the column with --labels {column}."
        )


def _reads_as_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _is_number(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean))


def _kind(kind: pa.DataType) -> str:
    return "no value at all" if pa.types.is_null(kind) else f"not numeric ({kind})"
