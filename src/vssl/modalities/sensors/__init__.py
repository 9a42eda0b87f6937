"""Sensor series: windows of CSV and Parquet files, with or without times, and views of them in batches.

A newcomer adds a preset of views to `presets.PRESETS`, and its name to `Config.views`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vssl.errors import ConfigError
from vssl.modalities.data_summary import DataSummary

if TYPE_CHECKING:
    from vssl.modalities.sensors.modality import SensorModality

DEFAULT_ENCODER = "temporal"


@dataclass(frozen=True)
class Config:
    """Sensor series.

    Attributes:
        views: Preset of the augmented views: process (slow signals, whose level and amplitude carry meaning) or
            vibration (fast signals, whose phase carries none).
        window: Length of a sample, in rows (64) or as a time (10min); the units are ms, s, min, h and d.
        stride: Distance from the start of one window to the next, in rows or as a time. By default a quarter of the
            window.
        block: Length of the stretches that count as one unit of evidence, in rows or as a time; they become the column
            `block`, for vssl calibrate --block block. By default 8 windows.
        time_column: Name of the column with the times. By default the first column whose times rise; without one, rows
            are counted.
        series_by: Column whose values tell the series of one file apart, such as machine. Each series gets windows of
            its own.
        labels: Columns with labels, which are no channels. The label of a window is the largest value in it.
        channels: Columns that are channels although they look like row numbers, labels or times.
        long_format: For files with one value per row: the columns with the channel's name and with the value, such as
            sensor:value.
        resample: Length of the bins that rows are averaged in, such as 10s. By default rows are used as they are.
        delimiter: Character between the values of a text file, such as ; or tab. By default it is detected per file.
        decimal: Decimal sign of numbers, . or a comma. By default it is detected per file.
        encoding: Encoding of text files, such as cp932. By default it is detected per file.
        date_format: Format of the times in the directives of strptime, such as %d.%m.%Y %H:%M, or the unit of times
            that are numbers: s, ms, us, ns, excel or datenum (MATLAB). By default it is detected per file.
        max_broken: Largest allowed share of unreadable files, 0 to 1. With more, the data are refused.
    """

    views: Literal["process", "vibration"] = "process"
    window: str = "64"
    stride: str = ""
    block: str = ""
    time_column: str = ""
    series_by: str = ""
    labels: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    long_format: str = ""
    resample: str = ""
    delimiter: str = ""
    decimal: str = ""
    encoding: str = ""
    date_format: str = ""
    max_broken: float = 0.01

    def __post_init__(self) -> None:
        if self.long_format and self.long_format.count(":") != 1:
            raise ConfigError(f"--long-format {self.long_format!r}: name two columns, such as sensor:value.")
        from vssl.modalities.sensors import dialect

        dialect.check_settings(self)
        if not 0 <= self.max_broken <= 1:
            raise ConfigError(f"sensors.max_broken is {self.max_broken}; it is a share, 0 to 1.")


@dataclass(frozen=True)
class ChannelStats:
    """Statistics of the training values of a channel; of a counter those of its increments, but for `low` and `high`.

    Attributes:
        low, high: Smallest and largest value, sentinels left out.
        missing: Share of the rows without a value, 0..1; a sentinel is no value.
        sentinels: Number of rows with each of the channel's sentinels.
        outliers: Number of values farther than `robust_scale.OUTLIER_SCALES` scales from the median.
        farthest: The value farthest from the median.
        empty_files: Number of files without a value.
        constant_files: Number of files in which the channel is constant, if it varies in others.
        stuck: Share of a file's rows in its longest stretch of one value, if nearly all its other rows vary; else 0.
    """

    low: float
    high: float
    missing: float
    sentinels: tuple[int, ...]
    outliers: int
    farthest: float
    empty_files: int
    constant_files: int
    stuck: float


@dataclass(frozen=True)
class Spec:
    """What was measured on the training series; it holds for every series that the run sees later.

    Attributes:
        channels: Names of the channels, in the order of the columns.
        left_out: Columns that are no channels, each with the reason.
        time: Name of the column with the times; None where rows are counted.
        long_format: The columns with the channel's name and the value, in files with one value per row; else None.
        resample_s: Length of the bins that rows are averaged in, in seconds; None without resampling.
        step_s: Usual time from one row to the next, in seconds; None without times.
        window, stride, block: In rows.
        centre, scale: Median and robust standard deviation of each channel; of a counter, those of its increments.
        usual_decimal, usual_order: Decimal sign, and order of day, month and year (dmy), of the training files: they
            decide where a file alone is ambiguous. Empty where the training files do not show them.
        sentinels: Values of each channel that stand for a missing measurement, such as -9999.
        units: Unit that follows the numbers of each channel in the files, such as %; empty without one.
        counters: Names of the channels that only rise; the model sees their increments per row.
        channel_stats: Statistics of the training values of each channel, for reports.
        subsampled: Whether `channel_stats` were computed on a part of the rows.
    """

    channels: tuple[str, ...]
    left_out: tuple[str, ...]
    time: str | None
    long_format: tuple[str, str] | None
    resample_s: float | None
    step_s: float | None
    window: int
    stride: int
    block: int
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    usual_decimal: str = ""
    usual_order: str = ""
    sentinels: tuple[tuple[float, ...], ...] = ()
    units: tuple[str, ...] = ()
    counters: tuple[str, ...] = ()
    channel_stats: tuple[ChannelStats, ...] = ()
    subsampled: bool = False


# Imported late, as both need the two classes above.
def measure(source: str | Path, config: Config) -> Spec:
    """Measure the series of `source`.

    Raises:
        ConfigError: A length is neither a number nor a time, or less than one row.
        DataError: There are no series files, no usable rows or no numeric column, or a label is misspelt.
    """
    from vssl.modalities.sensors import measuring

    return measuring.measure(source, config)


def describe(spec: Spec) -> DataSummary:
    """The channels with their range, median, scale, missing values and outliers; and how rows became windows."""
    values = zip(spec.channels, spec.centre, spec.scale, spec.channel_stats, strict=True)
    rows = [
        (
            f"{name} (steps of a counter)" if name in spec.counters else name,
            f"{stats.low:.6g} to {stats.high:.6g}",
            f"{centre:.6g}",
            f"{scale:.4g}",
            f"{stats.missing:.1%}" if stats.missing else "0",
            f"{stats.outliers:,}",
        )
        for name, centre, scale, stats in values
    ]
    step = f", one every {spec.step_s:g} s" if spec.step_s is not None else ""
    left_out = f" Left out: {'; '.join(spec.left_out)}." if spec.left_out else ""
    note = f"Windows of {spec.window} rows{step}; a new one every {spec.stride} rows.{left_out}"
    return DataSummary("Channels", ("Channel", "Range", "Median", "Scale", "Missing", "Beyond 20 scales"), rows, note)


def build(config: Config, spec: Spec) -> SensorModality:
    """The modality for these settings and measurements."""
    from vssl.modalities.sensors.modality import SensorModality

    return SensorModality(config, spec)
