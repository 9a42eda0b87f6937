"""Sensor series: windows of CSV and Parquet files, with or without times, and views of them in batches.

A newcomer adds a preset of views as a function in `presets`, and its name to `Config.views`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vssl.errors import ConfigError
from vssl.modalities.data_summary import DataSummary
from vssl.modalities.sensors.channel_stats import ChannelStats

if TYPE_CHECKING:
    from vssl.modalities.sensors.modality import SensorModality

DEFAULT_ENCODER = "temporal"


@dataclass(frozen=True)
class Config:
    """Sensor series.

    Attributes:
        views: Preset of views: process (slow signals, whose level and size mean something) or vibration (fast ones,
            whose phase means nothing).
        window: Length of a sample, as rows (64) or as a time (10min); s, min, h and d are known.
        stride: From the start of one window to the next, likewise; by default a quarter of the window.
        block: Length of the stretches that belong together, likewise; by default 8 windows. They are the column
            `block`: vssl calibrate --block block.
        time_column: Column with the times; by default the first one that rises. Without one, rows are counted.
        series_by: Column that tells the series of one file apart, such as machine; each has windows of its own.
        labels: Columns about the samples, no channels: a window gets the largest value in it.
        channels: Columns that are channels although they look like row numbers, labels or times.
        long: For files with one value a row, the columns with the channel's name and the value: sensor:value.
        resample: Mean over bins of this length, such as 10s; by default rows are taken as they are.
        delimiter: Between the values of a text file: ; or tab, for example; by default each file tells.
        decimal: Decimal sign of numbers, . or a comma; by default each file tells.
        encoding: Encoding of text files, such as cp932; by default each file tells.
        date_format: Form of the times as in strptime, such as %d.%m.%Y %H:%M, or the unit of numbers: s, ms, us, ns,
            excel or datenum (MATLAB); by default each file tells.
        max_broken: Share of files that may be broken, 0..1; more, and the data are refused.
    """

    views: Literal["process", "vibration"] = "process"
    window: str = "64"
    stride: str = ""
    block: str = ""
    time_column: str = ""
    series_by: str = ""
    labels: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    long: str = ""
    resample: str = ""
    delimiter: str = ""
    decimal: str = ""
    encoding: str = ""
    date_format: str = ""
    max_broken: float = 0.01

    def __post_init__(self) -> None:
        if self.long and self.long.count(":") != 1:
            raise ConfigError(f"--long {self.long!r}: name two columns, such as sensor:value.")
        from vssl.modalities.sensors import dialect

        dialect.check_settings(self)
        if not 0 <= self.max_broken <= 1:
            raise ConfigError(f"sensors.max_broken is {self.max_broken}; it is a share, 0 to 1.")


@dataclass(frozen=True)
class Spec:
    """What was measured on the training series, and holds for every series the run sees from then on.

    Attributes:
        channels: Names of the columns that are channels, in their order.
        left_out: Columns that are none, each with the reason.
        time: The column with the times; None where rows are counted.
        long: Columns with the channel's name and the value, in files with one value a row; else None.
        resample_s: Length of the bins that rows are averaged in, in seconds; None where they are taken as they are.
        step_s: From one row to the next, in seconds; None without times.
        window, stride, block: In rows.
        usual_decimal, usual_order: Decimal sign and order of day, month and year (dmy) in the training files, for files
            that do not tell; empty where the training files do not either.
        centre, scale: Of each channel: the median and a robust standard deviation; of a counter those of its steps.
        sentinels: Of each channel the values that say that there is none, such as -9999.
        units: Of each channel what stands behind its numbers, such as %; empty where nothing does.
        counters: Names of the channels that only rise: their steps from row to row count.
        about: What the training values of each channel look like.
        thinned: Whether `about` was counted in a part of the rows.
    """

    channels: tuple[str, ...]
    left_out: tuple[str, ...]
    time: str | None
    long: tuple[str, str] | None
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
    about: tuple[ChannelStats, ...] = ()
    thinned: bool = False


# Imported late: both need the two classes above.
def measure(source: str | Path, config: Config) -> Spec:
    """Measure the series of `source`.

    Raises:
        ConfigError: A length is no number or time, or less than a row.
        DataError: There are no files of series, no rows that can be used or no numeric column, or a label is misspelt.
    """
    from vssl.modalities.sensors import measuring

    return measuring.measure(source, config)


def describe(spec: Spec) -> DataSummary:
    """The channels with their range, middle and scale, what is missing and far away, and how rows became windows."""
    values = zip(spec.channels, spec.centre, spec.scale, spec.about, strict=True)
    rows = [
        (
            f"{name} (steps of a counter)" if name in spec.counters else name,
            f"{about.low:.6g} to {about.high:.6g}",
            f"{centre:.6g}",
            f"{scale:.4g}",
            f"{about.missing:.1%}" if about.missing else "0",
            f"{about.far:,}",
        )
        for name, centre, scale, about in values
    ]
    step = f", one every {spec.step_s:g} s" if spec.step_s is not None else ""
    left_out = f" Left out: {'; '.join(spec.left_out)}." if spec.left_out else ""
    note = f"Windows of {spec.window} rows{step}; a new one every {spec.stride} rows.{left_out}"
    return DataSummary("Channels", ("Channel", "Range", "Median", "Scale", "Missing", "Beyond 20 scales"), rows, note)


def build(config: Config, spec: Spec) -> SensorModality:
    """The modality for these settings and measurements."""
    from vssl.modalities.sensors.modality import SensorModality

    return SensorModality(config, spec)
