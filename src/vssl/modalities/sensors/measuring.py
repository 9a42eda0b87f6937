"""What is measured on the training series: channels, step, lengths in rows, middle and spread."""

from __future__ import annotations

import difflib
import re
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import median_low

import numpy as np
import pyarrow as pa

from vssl.errors import BrokenFileError, DataError, EmptyDataError
from vssl.modalities.sensors import Config, Spec, tables
from vssl.modalities.sensors.choice import check_one_series, choose, time_column, usual_decimal, usual_order
from vssl.modalities.sensors.column import Column
from vssl.modalities.sensors.dialect import Reading, reading_of
from vssl.modalities.sensors.order import in_order
from vssl.modalities.sensors.profiles import Profile, profile
from vssl.modalities.sensors.rows import Layout, read, series_in
from vssl.modalities.sensors.times import ENOUGH_ROWS, check_rising, duration_s, rows
from vssl.modalities.sensors.values import pieces

SAMPLED_ROWS = 200_000
"""Enough for the quarters of every channel."""

Described = tuple[Path, str, Profile]
"""A file, its name within the source, and what it is."""

# The distance between the quarters of a standard normal.
QUARTERS = 1.349


def measure(source: str | Path, config: Config) -> Spec:
    """Look at the columns and at rows of all files that can be read; see `sensors.measure`."""
    files = tables.files_of(source)
    named = [(file, tables.name_in(source, file)) for file in files]
    reading = reading_of(config)
    known = _profiles(named, reading)
    columns, decimal, order = _columns(known), usual_decimal(known), usual_order(known)
    time, left_out = time_column(known, columns, config)
    long = _long(config)
    channels, others = choose(known, columns, config, time) if long is None else (_names(named, long[0], reading), ())
    left_out = (*others, *left_out, *_labels_not_there(columns, config, known[0][1]))
    if long is None:
        check_one_series(known, config)
    if not channels:
        raise DataError(f"{known[0][1]} has no numeric column. Left out: {'; '.join(left_out) or 'none'}.")
    resample_s = duration_s(config.resample, "resample") if config.resample else None
    reading = reading_of(config, decimal, order)
    layout = Layout(channels, time, config.labels, long, resample_s, config.series_by or None, reading)
    _, name, _ = known[0]
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
    return Spec(
        channels,
        left_out,
        time,
        long,
        resample_s,
        step_s,
        window,
        stride,
        block,
        centre,
        scale,
        usual_decimal=decimal,
        usual_order=order,
    )


def _long(config: Config) -> tuple[str, str] | None:
    if not config.long:
        return None
    sensor, value = config.long.split(":")
    return sensor, value


def _profiles(named: list[tuple[Path, str]], reading: Reading) -> list[Described]:
    """The files that can be read and have rows: a header alone says nothing about the kinds of its columns."""
    found, broken = [], None
    for file, name in named:
        try:
            if (known := profile(file, name, reading)).has_rows:
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


def _names(named: list[tuple[Path, str]], sensor: str, reading: Reading) -> tuple[str, ...]:
    """The channels of files with one value a row."""
    found: set[str] = set()
    for file, name in named:
        with suppress(BrokenFileError):
            for piece in pieces(file, name, {sensor: pa.string()}, None, reading):
                found |= set(piece.table[sensor].unique().to_pylist())
    return tuple(sorted(found - {None, ""}))


def _sampled(named: list[tuple[Path, str]], layout: Layout) -> tuple[np.ndarray, float | None]:
    """Rows of all files that can be read, thinned out evenly, and the usual step in seconds."""
    values: list[np.ndarray] = []
    steps: list[float] = []
    every, broken = 1, None
    for file, name, own in [one for at, called in named for one in series_in(at, called, layout)]:
        try:
            (thinned, times, coarser), _ = in_order(partial(_thinned, file, name, every=every), own)
        except BrokenFileError as error:
            # All of them are named, with the reasons, when the data are loaded.
            broken = broken or error
            continue
        values, every = [_folded(part, 0, coarser // every) for part in values] + [thinned], coarser
        if times is not None and len(times) > 1:
            steps.append(float(np.median(np.diff(times))) / 1e9)
        while sum(map(len, values)) > 2 * SAMPLED_ROWS:
            values, every = [_folded(part, 0, 2) for part in values], 2 * every
    if not sum(map(len, values)):
        raise EmptyDataError(f"None of {len(named)} files can be used; the first: {broken}") from broken
    # Not their mean, which no file may have.
    return np.concatenate(values), median_low(steps) if steps else None


def _thinned(file: Path, name: str, layout: Layout, *, every: int) -> tuple[np.ndarray, np.ndarray | None, int]:
    """One row for each so many of a file, its first times, and how many these became: a long file is thinned more."""
    values, times, seen = [np.empty((0, len(layout.channels)), np.float32)], [], 0
    for piece in read(file, name, layout):
        begun = seen % every
        if begun:
            values[-1], carried = values[-1][:-1], values[-1][-1:]
            values.append(_folded(np.concatenate([carried, piece.values]), begun - 1, every))
        else:
            values.append(_folded(piece.values, 0, every))
        if piece.times is not None and seen < ENOUGH_ROWS:
            times.append(piece.times)
        seen += len(piece)
        if sum(map(len, values)) > 2 * SAMPLED_ROWS:
            values, every = [_folded(np.concatenate(values), 0, 2)], 2 * every
    if times:
        # Of times that stand still no step can be told, and of others a wrong one.
        check_rising(np.concatenate(times), name)
    sampled = np.concatenate(values)
    # An infinite value would be the spread of its channel.
    sampled[np.isinf(sampled)] = np.nan
    return sampled, np.concatenate(times) if times else None, every


def _folded(values: np.ndarray, before: int, every: int) -> np.ndarray:
    """The first known value of each channel in each stretch of so many rows; `before` of the first one went before."""
    stretches, channels = -(-(before + len(values)) // every), values.shape[1]
    padded = np.full((stretches * every, channels), np.nan, np.float32)
    padded[before : before + len(values)] = values
    by_stretch = padded.reshape(stretches, every, channels)
    first = np.isfinite(by_stretch).argmax(1, keepdims=True)
    return np.take_along_axis(by_stretch, first, 1)[:, 0]


def _spread(values: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Median and spread of each channel; 1 where a channel never moves, as nothing can be divided by 0."""
    low, centre, high = np.nanquantile(values.astype(np.float64), [0.25, 0.5, 0.75], axis=0)
    quarters, deviation = (high - low) / QUARTERS, np.nanstd(values.astype(np.float64), axis=0)
    # A channel that rests most of the time has no distance between its quarters.
    spread = np.where(quarters > 0.1 * deviation, quarters, deviation)
    return tuple(centre.tolist()), tuple(np.where(spread > 1e-9 * (1 + np.abs(centre)), spread, 1.0).tolist())
