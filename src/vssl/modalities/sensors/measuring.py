"""What is measured on the training series: channels, step, lengths in rows, middle and spread."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from vssl.errors import BrokenFileError, DataError, EmptyDataError
from vssl.modalities.sensors import Config, Spec, tables
from vssl.modalities.sensors.rows import Layout, read
from vssl.modalities.sensors.times import ENOUGH_ROWS, check_rising, duration_s, is_time, rows

SAMPLED_ROWS = 200_000
"""Enough for the quarters of every channel."""
# The distance between the quarters of a standard normal.
QUARTERS = 1.349


def measure(source: str | Path, config: Config) -> Spec:
    """Look at the columns of the first file that can be read, and at rows of all; see `sensors.measure`."""
    files = tables.files_of(source)
    named = [(file, tables.name_in(source, file)) for file in files]
    first, name, schema = _first_readable(named)
    time = _time_column(schema, config, name)
    channels, left_out = _channels(first, name, schema, config, time)
    long = _long(config)
    resample_s = duration_s(config.resample, "resample") if config.resample else None
    layout = Layout(channels, time, config.labels, long, resample_s)
    values, step_s = _sampled(named, layout)
    empty = np.isnan(values).all(0)
    left_out += tuple(f"{channel}: no value at all" for channel, none in zip(channels, empty, strict=True) if none)
    values, channels = values[:, ~empty], tuple(np.array(channels, dtype=object)[~empty])
    if not channels:
        raise DataError(f"{name} has no numeric column with values. Left out: {'; '.join(left_out) or 'none'}.")
    centre, scale = _spread(values)
    window = rows(config.window, "window", step_s)
    stride = rows(config.stride, "stride", step_s) if config.stride else max(1, window // 4)
    block = rows(config.block, "block", step_s) if config.block else 8 * window
    return Spec(channels, left_out, time, long, resample_s, step_s, window, stride, block, centre, scale)


def _long(config: Config) -> tuple[str, str] | None:
    if not config.long:
        return None
    sensor, value = config.long.split(":")
    return sensor, value


def _first_readable(named: list[tuple[Path, str]]) -> tuple[Path, str, pa.Schema]:
    broken = None
    for file, name in named:
        try:
            return file, name, tables.schema_of(file, name)
        except BrokenFileError as error:
            broken = broken or error
    raise EmptyDataError(f"None of {len(named)} files can be read; the first: {broken}") from broken


def _time_column(schema: pa.Schema, config: Config, name: str) -> str | None:
    if config.time:
        if config.time not in schema.names:
            raise DataError(f"{name} has no column {config.time!r}; it has: {', '.join(schema.names)}.")
        return config.time
    return next((field.name for field in schema if is_time(field) and field.name not in config.labels), None)


def _channels(
    file: Path, name: str, schema: pa.Schema, config: Config, time: str | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if config.long:
        sensor, _ = config.long.split(":")
        pieces = tables.pieces(file, name, {sensor: pa.string()})
        return tuple(sorted({value for piece in pieces for value in piece[sensor].to_pylist() if value})), ()
    others = [field for field in schema if field.name != time and field.name not in config.labels]
    numeric = [field for field in others if _is_number(field.type)]
    for field in others:
        if pa.types.is_string(field.type) or pa.types.is_binary(field.type):
            _check_no_numbers(file, name, field.name)
    left_out = tuple(f"{field.name}: {_kind(field.type)}" for field in others if field not in numeric)
    return tuple(field.name for field in numeric), left_out


def _check_no_numbers(file: Path, name: str, column: str) -> None:
    """A column of numbers with a text among them is a channel that would be lost without a word.

    Raises:
        DataError: Most of its first values are numbers.
    """
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


def _sampled(named: list[tuple[Path, str]], layout: Layout) -> tuple[np.ndarray, float | None]:
    """Rows of all files that can be read, thinned out evenly, and the usual step in seconds."""
    values: list[np.ndarray] = []
    steps: list[float] = []
    every, broken = 1, None
    for file, name in named:
        try:
            thinned, times, coarser = _thinned(file, name, layout, every)
        except BrokenFileError as error:
            # All of them are named, with the reasons, when the data are loaded.
            broken = broken or error
            continue
        values, every = [part[:: coarser // every] for part in values] + [thinned], coarser
        if times is not None and len(times) > 1:
            steps.append(float(np.median(np.diff(times))) / 1e9)
        while sum(map(len, values)) > 2 * SAMPLED_ROWS:
            values, every = [part[::2] for part in values], 2 * every
    if not sum(map(len, values)):
        if broken is not None:
            raise EmptyDataError(f"None of {len(named)} files can be used; the first: {broken}") from broken
        raise EmptyDataError(f"{named[0][1]}: there are no rows, only a header.")
    return np.concatenate(values), float(np.median(steps)) if steps else None


def _thinned(file: Path, name: str, layout: Layout, every: int) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Each so many-th row of a file, its first times, and every how many-th it became: a long file is thinned more."""
    values, times, seen = [np.empty((0, len(layout.channels)), np.float32)], [], 0
    for piece in read(file, name, layout):
        # A copy: a view would hold the whole piece.
        values.append(piece.values[-seen % every :: every].copy())
        if piece.times is not None and seen < ENOUGH_ROWS:
            times.append(piece.times)
        seen += len(piece)
        if sum(map(len, values)) > 2 * SAMPLED_ROWS:
            values, every = [np.concatenate(values)[::2].copy()], 2 * every
    if times:
        # Of times that stand still no step can be told, and of others a wrong one.
        check_rising(np.concatenate(times), name)
    sampled = np.concatenate(values)
    # An infinite value would be the spread of its channel.
    sampled[np.isinf(sampled)] = np.nan
    return sampled, np.concatenate(times) if times else None, every


def _spread(values: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Median and spread of each channel; 1 where a channel never moves, as nothing can be divided by 0."""
    low, centre, high = np.nanquantile(values.astype(np.float64), [0.25, 0.5, 0.75], axis=0)
    quarters, deviation = (high - low) / QUARTERS, np.nanstd(values.astype(np.float64), axis=0)
    # A channel that rests most of the time has no distance between its quarters.
    spread = np.where(quarters > 0.1 * deviation, quarters, deviation)
    return tuple(centre.tolist()), tuple(np.where(spread > 1e-9 * (1 + np.abs(centre)), spread, 1.0).tolist())
