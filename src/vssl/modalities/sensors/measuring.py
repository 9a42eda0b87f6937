"""What is measured on the training series: columns, step, lengths in rows."""

import difflib
import re
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from vssl.errors import BrokenFileError, DataError, EmptyDataError
from vssl.modalities.sensors import Config, Spec, tables
from vssl.modalities.sensors.channels import measure_channels
from vssl.modalities.sensors.column import Column
from vssl.modalities.sensors.column_roles import (
    Described,
    check_one_series,
    choose_channels,
    choose_time_column,
    common_date_order,
    common_decimal,
)
from vssl.modalities.sensors.dialect import ReadOptions
from vssl.modalities.sensors.profiles import profile
from vssl.modalities.sensors.rows import Layout
from vssl.modalities.sensors.times import duration_s, length_in_rows
from vssl.modalities.sensors.values import read_pieces


def measure(source: str | Path, config: Config) -> Spec:
    """Look at the columns and at rows of all files that can be read; see `sensors.measure`."""
    named = [(file, tables.name_in(source, file)) for file in tables.files_of(source)]
    layout, left_out = _layout(named, config)
    found = measure_channels(named, layout)
    left_out += tuple(f"{channel}: no value at all" for channel in layout.channels if channel not in found.names)
    if not found.names:
        name = named[0][1]
        raise DataError(f"{name} has no numeric column with values. Left out: {'; '.join(left_out) or 'none'}.")
    step_s = found.step_s
    window = length_in_rows(config.window, "window", step_s)
    stride = length_in_rows(config.stride, "stride", step_s) if config.stride else max(1, window // 4)
    block = length_in_rows(config.block, "block", step_s) if config.block else 8 * window
    return Spec(
        found.names,
        left_out,
        layout.time,
        layout.long_format,
        layout.resample_s,
        step_s,
        window,
        stride,
        block,
        found.centre,
        found.scale,
        usual_decimal=layout.options.usual_decimal,
        usual_order=layout.options.usual_order,
        sentinels=found.sentinels,
        units=tuple(layout.units[layout.channels.index(one)] for one in found.names) if layout.units else (),
        counters=found.counters,
        channel_stats=found.stats,
        subsampled=found.subsampled,
    )


def _layout(named: list[tuple[Path, str]], config: Config) -> tuple[Layout, tuple[str, ...]]:
    """How the files are read, and the columns that are left out, each with the reason."""
    known = _profiles(named, ReadOptions.of(config))
    options = ReadOptions.of(config, common_decimal(known), common_date_order(known))
    if any(one.problem for _, _, file in known for one in file.columns):
        # What one file leaves open another one may tell.
        known = _profiles(named, options)
    columns = _columns(known)
    time, other_times = choose_time_column(known, columns, config)
    sensor, _, value = config.long_format.partition(":")
    long = (sensor, value) if config.long_format else None
    channels, others = (
        (_channel_names(named, sensor, options), ()) if long else choose_channels(known, columns, config, time)
    )
    left_out = (*others, *other_times, *_labels_not_there(columns, config, known[0][1]))
    if not long:
        check_one_series(known, config)
    if not channels:
        raise DataError(f"{known[0][1]} has no numeric column. Left out: {'; '.join(left_out) or 'none'}.")
    resample_s = duration_s(config.resample, "resample") if config.resample else None
    units = () if long else tuple(columns[one].unit for one in channels)
    by = config.series_by or None
    return Layout(channels, time, config.labels, long, resample_s, by, options, units=units), left_out


def _profiles(named: list[tuple[Path, str]], options: ReadOptions) -> list[Described]:
    """The files that can be read and have rows: a header alone says nothing about the kinds of its columns."""
    found, broken = [], None
    for file, name in named:
        try:
            if (known := profile(file, name, options)).has_rows:
                found.append((file, name, known))
        except BrokenFileError as error:
            broken = broken or error
    if not found and broken is not None:
        raise EmptyDataError(f"None of {len(named)} files can be used; the first: {broken}") from broken
    if not found:
        raise EmptyDataError(f"{named[0][1]}: there are no rows, only a header.")
    return found


def _columns(known: list[Described]) -> dict[str, Column]:
    """The columns of all files, each as it is in the first one that has values in it."""
    found: dict[str, Column] = {}
    for _, _, file in known:
        for column in file.columns:
            if column.name not in found or pa.types.is_null(found[column.name].type):
                found[column.name] = column
    return found


def _labels_not_there(columns: dict[str, Column], config: Config, name: str) -> tuple[str, ...]:
    """Labels that no file has: training data may have none. A misspelt one would make the right one a channel."""
    missing = [label for label in config.labels if label not in columns]
    others = [column for column in columns if column not in config.labels]
    for label in missing:
        if close := [column for column in others if _nearly_the_same(label, column)]:
            raise DataError(
                f"{name} has no column {label!r} for --labels; it has: {', '.join(columns)}. If {close[0]!r} "
                "is meant, name it so; if it is a channel, rename one of the two."
            )
    return tuple(f"{label}: named with --labels, not in these files, and not needed here" for label in missing)


def _nearly_the_same(one: str, other: str) -> bool:
    """Whether two names differ in capitals, spaces, hyphens and underscores, or one letter: digits tell names apart."""
    one, other = (re.sub(r"[\s_-]", "", name).lower() for name in (one, other))
    if re.sub(r"\D", "", one) != re.sub(r"\D", "", other):
        return False
    blocks = difflib.SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    alike, longest = sum(block.size for block in blocks), max(len(one), len(other))
    # Of a name of three letters another one is a third of it.
    return alike == longest or (alike == longest - 1 and alike >= 4)


def _channel_names(named: list[tuple[Path, str]], sensor: str, options: ReadOptions) -> tuple[str, ...]:
    """The channels of files with one value per row."""
    found: set[str] = set()
    for file, name in named:
        with suppress(BrokenFileError):
            for piece in read_pieces(file, name, {sensor: pa.string()}, None, options):
                found |= set(piece.table[sensor].unique().to_pylist())
    return tuple(sorted(found - {None, ""}))
