"""Which columns are channels, which one holds the times, and which are left out and why."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from vssl.errors import ConfigError, DataError
from vssl.modalities.sensors import Config, column_patterns
from vssl.modalities.sensors.column import Column
from vssl.modalities.sensors.column_patterns import NumberPattern
from vssl.modalities.sensors.numeric_time import UNKNOWN, is_time_name
from vssl.modalities.sensors.profiles import Profile, the_only

Described = tuple[Path, str, Profile]
"""A file, its name within the source, and its profile."""
UNNAMED_COLUMN = "a column without a name"
SPLIT_DATE_NAMES = [
    names.split() for names in ("year month day", "yyyy mm dd", "jahr monat tag", "année mois jour", "年 月 日")
]
"""Names of the columns that a date is divided into, without regard to capitals."""


def common_decimal(known: Sequence[Described]) -> str:
    """The decimal sign of the files; empty where they show none, or both."""
    return the_only(file.decimal for _, _, file in known)


def common_date_order(known: Sequence[Described]) -> str:
    """The order of day, month and year in the files; empty where they show none, or several."""
    columns = [part for _, _, file in known for one in file.columns for part in (one, *one.parts)]
    return the_only(column.datetime_format.order for column in columns if column.datetime_format is not None)


def choose_time_column(
    known: Sequence[Described], columns: dict[str, Column], config: Config
) -> tuple[str | None, tuple[str, ...]]:
    """The column with the times, and what is left out for it: the first one that rises, or that may be sorted.

    Raises:
        DataError: The one named is not there, a date may be read in two ways, or a text is named as times are.
    """
    _, name, first = known[0]
    _check_one_column(name, first, config)
    if config.time_column:
        if config.time_column not in first.schema.names:
            raise DataError(f"{name} has no column {config.time_column!r}; it has: {', '.join(first.schema.names)}.")
        chosen = columns[config.time_column]
    else:
        taken = {*config.labels, *config.channels}
        candidates = [columns[one] for one in first.schema.names if columns[one].is_time and one not in taken]
        if not candidates and config.date_format:
            raise DataError(
                f"{name}: no column is recognised as the times of --date-format {config.date_format}: name it with "
                f"--time-column; it has: {', '.join(first.schema.names)}."
            )
        if not candidates:
            _check_no_unknown(name, first, config)
            return None, ()
        chosen = min(
            candidates, key=lambda one: (one.is_time_of_day, one.name not in first.rising, one.name not in first.moving)
        )
    if chosen.problem:
        raise DataError(f"{name}: {chosen.problem}.")
    taken = {chosen.name, *config.labels, *config.channels, config.series_by}
    others = [one for one, column in columns.items() if column.is_time and one not in taken]
    return chosen.name, tuple(f"{one}: another column with times; --time-column {one!r} takes it" for one in others)


def _check_one_column(name: str, first: Profile, config: Config) -> None:
    """Refuse year, month and day in columns of their own and no times: rows would be counted, no gap be seen."""
    known = {one.name.strip().lower(): one.name for one in first.columns if one.name not in config.labels}
    parts = next((names for names in SPLIT_DATE_NAMES if known.keys() >= set(names)), None)
    if parts and not config.time_column and not first.rising:
        found = ", ".join(known[one] for one in parts)
        raise DataError(
            f"{name}: the date stands in several columns ({found}): write date and time into one, such as 2026-01-05 "
            f"08:00:00, or name them all with --labels {known[parts[0]]} and so on, and rows are counted."
        )


def _check_no_unknown(name: str, first: Profile, config: Config) -> None:
    """Refuse a column of unknown values that is called as times are: rows would be counted, and no gap be seen."""
    for column in first.columns:
        one = column.name
        if one in (*config.labels, *config.channels, config.series_by):
            continue
        called = f"{name}: the column {one!r} is called as times are, but"
        if column.numeric_time is not None and column.numeric_time.unit == UNKNOWN:
            raise DataError(
                f"{called} its numbers do not rise, or are none of the years 1990 to 2100 in s, ms, us or ns: correct "
                f"them, or, if they are no times, name the column with --channels {one} or --labels {one}."
            )
        example = first.examples.get(one, "")
        if pa.types.is_string(column.type) and is_time_name(one) and sum(map(str.isdigit, example)) >= 4:
            raise DataError(
                f"{called} {example!r} is none that is known: give its form with --date-format, such as "
                f"%d.%m.%Y %H:%M:%S, or, if it holds no times, --labels {one}."
            )


def check_one_series(known: Sequence[Described], config: Config) -> None:
    """Check that no file holds several series, unless a person said by which column they are distinguished.

    Raises:
        ConfigError: There is no such column.
        DataError: A file seems to hold several.
    """
    if config.series_by:
        _, name, first = known[0]
        names = first.schema.names
        if config.series_by not in names:
            raise ConfigError(f"--series-by {config.series_by}: {name} has no such column; it has: {', '.join(names)}.")
        return
    for _, name, file in known:
        if problem := mixed_series_problem(file, (*config.labels, *config.channels)):
            raise DataError(f"{name}: {problem}.")


def mixed_series_problem(file: Profile, known: Sequence[str]) -> str:
    """Why a file seems to hold several series; empty where it does not.

    Args:
        known: Columns of which a person said what they are.
    """
    for one, values in file.machines.items():
        if one not in known:
            numbers = _numbers(file, (one, *known))
            long = ""
            if len(numbers) == 1:
                long = f" If each is a channel of its own, --long-format {one}:{numbers[0]} does so."
            channel = f", or use it as a channel with --channels {one}" if file.column(one).is_number else ""
            return (
                f"the column {one!r} ({values}) tells several series in one file apart: divide them with --series-by "
                f"{one}.{long} If all rows belong to one series, keep it as a label with --labels {one}{channel}"
            )
    return ""


def _numbers(file: Profile, known: Sequence[str]) -> list[str]:
    """The columns of numbers that are neither known, times nor such as `column_patterns.exclusion_reason` says."""
    plain = [one.name for one in file.columns if one.is_number and not one.is_time and one.name not in known]
    facts = {one: file.facts.get(one, NumberPattern()) for one in plain}
    return [one for one, fact in facts.items() if not column_patterns.exclusion_reason(one, fact, several=True)]


def choose_channels(
    known: Sequence[Described], columns: dict[str, Column], config: Config, time: str | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns that are channels, and those that are not, each with the reason.

    Raises:
        ConfigError: A column of --channels is not there, or holds no numbers.
        DataError: The numbers of a column cannot be read.
    """
    apart = {time, *config.labels, config.series_by or None}
    channels, left_out = [], []
    for one, column in columns.items():
        # Empty columns without a name stand at the end of many a table.
        nothing = not one and pa.types.is_null(column.type)
        is_time = column.is_time and one not in config.channels
        if nothing or one in apart or (is_time and pa.types.is_temporal(column.type)):
            continue
        if why := _exclusion_reason(known, column, config):
            left_out.append(f"{one or UNNAMED_COLUMN}: {why}")
        elif not is_time or time is None:  # the others are noted as other columns with times
            channels.append(one)
    for one in config.channels:
        if one not in channels:
            numbers = ", ".join(key for key, column in columns.items() if column.is_number)
            raise ConfigError(f"--channels {one}: {known[0][1]} has no such column of numbers; it has these: {numbers}")
    return tuple(channels), tuple(left_out)


def _exclusion_reason(known: Sequence[Described], column: Column, config: Config) -> str:
    """Why a column is no channel; empty if it is one."""
    _, name, first = known[0]
    if column.name not in first.schema.names:
        return f"not in {name}"
    if column.problem and not pa.types.is_temporal(column.type):
        where = next(at for _, at, file in known if any(one is column for one in file.columns))
        raise DataError(f"{where}: {column.problem}.")
    if pa.types.is_null(column.type):
        return "no value at all"
    if not column.is_number:
        others = [at for _, at, file in known for one in file.columns if one.name == column.name and one.is_number]
        return f"not numeric ({column.type}){f', though in {others[0]} it is' if others else ''}"
    if column.name in config.channels:
        return ""
    reasons, is_short = set(), False
    for _, _, file in known:
        # A file without a value in it says nothing.
        if column.name in file.filled:
            pattern = file.facts.get(column.name, NumberPattern())
            unnamed = file.dialect is not None and not file.dialect.heading.given and file.columns[0] is column
            reasons.add(column_patterns.exclusion_reason(column.name, pattern, bool(config.series_by), unnamed))
            is_short |= pattern.short
    # In a file of few rows it need not be seen that a column counts.
    reasons -= {""} if len(reasons) > 1 and is_short else set()
    why = reasons.pop() if len(reasons) == 1 else ""
    return f"{why}; --channels {column.name!r} makes it a channel" if why else ""
