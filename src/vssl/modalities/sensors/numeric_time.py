"""Times that are written as numbers: seconds since 1970, days of a spreadsheet, seconds since a start."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vssl.modalities.sensors.calendar_time import NS_PER_UNIT, Times, days_since_1970
from vssl.modalities.sensors.datetime_text import NotATimeError

UNKNOWN = "?"
"""The unit of numbers that are called as times are, and are none."""
RELATIVE_UNITS_NS = {"min": 60_000_000_000, "h": 3_600_000_000_000, "d": 86_400_000_000_000} | NS_PER_UNIT
UNIT_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
SHOWN = {
    UNKNOWN: "of the years 1990 to 2100 in s, ms, us or ns",
    "excel": "as days of a spreadsheet (1 is 1900-01-01)",
    "datenum": "as days of MATLAB (1 is the first day of year 0)",
    "digits": "as digits of year, month, day and time",
}
DAY_S = 86_400
DAY_EPOCHS = {"excel": 25_569, "datenum": 719_529}
"""How many days before 1970 a spreadsheet and MATLAB begin to count them."""
FIRST_S, LAST_S = 631_152_000, 4_133_980_800
"""The years 1990 to 2100: another one is no time of a series."""

TIME_NAMES = re.compile(
    r"time|date|stamp|epoch|unix|utc|clock|(^|[^a-z])(ts|dt|t)([^a-z]|$)|when|zeit|datum|uhr|heure|temps|horod|fecha|hora|"
    r"data$|^data[^a-z]|ora$|tijd|dato|klok|tid$|czas|日時|日付|時刻|時間|年月日|时间|日期|날짜|시간|время|дата",
    re.I,
)
"""Parts of names of columns with times."""
SURE_ELAPSED_WORDS = (
    "time timestamp uptime elapsed seconds secs zeit temps laufzeit epoch unix clock millis milliseconds"
)
POSSIBLE_ELAPSED_WORDS = "t ts dt s sec ms us ns min h since start rel relative run"
ELAPSED_WORDS = frozenset(f"{SURE_ELAPSED_WORDS} {POSSIBLE_ELAPSED_WORDS}".split())
"""A column that is named of these words alone may count from a start; its last word may be the unit."""
LABVIEW = ["x", "value"]
"""As LabVIEW calls the seconds of a measurement."""
DATE_NAMES = re.compile(r"date|datum|stamp|stempel|日|fecha|дата", re.I)
UNIT_WORDS = {
    "ms": "ms millis millisecond milliseconds msec",
    "us": "us µs μs micros microseconds",
    "ns": "ns nanoseconds",
    "min": "min minutes",
    "h": "h hours hour std",
    "d": "d days",
    "s": "s sec secs seconds second",
}


@dataclass(frozen=True)
class NumericTime:
    """How numbers are times.

    Attributes:
        unit: s, ms, us or ns since 1970; one of `DAY_EPOCHS`; "digits" as in 20240506080000; one of
            `RELATIVE_UNITS_NS` since a start; or `UNKNOWN`.
        relative: Whether they count from a start that nobody names.
    """

    unit: str
    relative: bool = False

    @property
    def shown(self) -> str:
        """For a person."""
        if self.unit in SHOWN:
            return SHOWN[self.unit]
        start = "a start that the file does not name, shown as 1970-01-01" if self.relative else "1970"
        return f"as {UNIT_NAMES.get(self.unit, self.unit)} since {start}"


def is_time_name(name: str) -> bool:
    """Whether a column's name says that it holds times."""
    return TIME_NAMES.search(name) is not None


def may_be_time_name(name: str) -> bool:
    """Whether a column's name says that it holds times, or the time since a start."""
    return is_time_name(name) or _counts_from_start(re.findall(r"[^\W\d_]+", name.lower()))


def _counts_from_start(words: list[str]) -> bool:
    return (bool(words) and set(words) <= ELAPSED_WORDS) or words == LABVIEW


def detect(column: pa.Array | pa.ChunkedArray, name: str, forced: str = "") -> NumericTime | None:
    """How the numbers of a column are times, by all of them; None if they are none.

    Args:
        forced: The unit that a person named.
    """
    values = pc.cast(column.drop_null(), pa.float64(), safe=False).to_numpy()
    if not len(values) or not np.isfinite(values).all():
        return None
    low, high = values.min(), values.max()
    plausible = [
        unit for unit, size in NS_PER_UNIT.items() if low * size / 1e9 >= FIRST_S and high * size / 1e9 <= LAST_S
    ]
    if forced:
        return NumericTime(forced, forced in RELATIVE_UNITS_NS and forced not in plausible)
    steps = np.diff(values)
    # 2024050608 as seconds since 1970 would be in the year 2034.
    if plausible == ["s"] and low > 1_990_010_100 and is_time_name(name) and _is_digits(values):
        return NumericTime("digits")
    if plausible and (is_time_name(name) or (len(steps) > 8 and (steps > 0).all() and _is_regular(steps))):
        return NumericTime(plausible[0])
    words = re.findall(r"[^\W\d_]+", name.lower())
    is_start, is_sure = _counts_from_start(words), bool(set(words) & set(SURE_ELAPSED_WORDS.split()))
    if len(steps) == 0 or not (is_time_name(name) or is_start):
        return None
    if _is_digits(values):
        return NumericTime("digits")
    one_way = max((steps > 0).mean(), (steps < 0).mean())
    if (unit := _day_epoch(values, steps, words)) and (one_way >= 0.9 or DATE_NAMES.search(name)):
        return NumericTime(unit)
    if is_start and is_sure and high > FIRST_S:
        return NumericTime(UNKNOWN)
    # T may be a temperature, and s1 a sensor.
    if is_start and (one_way >= 0.9 if is_sure else one_way == 1 and _is_regular(np.abs(steps))):
        return NumericTime(next((unit for unit, names in UNIT_WORDS.items() if words[-1] in names.split()), "s"), True)
    return NumericTime(UNKNOWN) if set(words) & {"time", "timestamp", "zeit", "epoch"} and is_start else None


def _day_epoch(values: np.ndarray, steps: np.ndarray, words: list[str]) -> str:
    """As which of `DAY_EPOCHS` numbers are days: parts of days, or one after the other; empty where they are none."""
    if set(words) & {"uptime", "elapsed", "since", "relative", "rel", "laufzeit", "seconds", "sec", "secs"}:
        return ""
    usual = np.median(np.abs(steps))
    if not (usual == 1 if (values == np.floor(values)).all() else usual < 1):
        return ""
    low, high = values.min() * DAY_S, values.max() * DAY_S
    known = (
        unit for unit, start in DAY_EPOCHS.items() if low >= start * DAY_S + FIRST_S and high <= start * DAY_S + LAST_S
    )
    return next(known, "")


def parse(column: pa.Array | pa.ChunkedArray, form: NumericTime) -> Times:
    """Nanoseconds since 1970, or since the start.

    Raises:
        NotATimeError: A time is missing, or its year is not one of 1990 to 2100.
    """
    if form.unit == UNKNOWN:
        raise NotATimeError(0, str(column[0]))
    values = column.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False)
    if form.unit in DAY_EPOCHS:
        # To the millisecond, as days have eleven digits.
        seconds = np.rint((values - DAY_EPOCHS[form.unit]) * DAY_S * 1e3) * 1e-3
    else:
        digits = form.unit == "digits"
        seconds = _seconds_of_digits(values) if digits else values * RELATIVE_UNITS_NS[form.unit] / 1e9
    good = np.isfinite(seconds)
    if not form.relative:
        good &= (seconds >= FIRST_S) & (seconds <= LAST_S)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise NotATimeError(row, f"{values[row]:.15g}")
    if form.unit not in RELATIVE_UNITS_NS:
        return np.asarray(np.rint(seconds * 1e3).astype(np.int64) * 1_000_000)
    if pa.types.is_integer(column.type):
        # 64 bits of floating point hold no nanoseconds since 1970.
        return np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False) * RELATIVE_UNITS_NS[form.unit])
    return np.asarray(np.rint(values * RELATIVE_UNITS_NS[form.unit]).astype(np.int64))


def _is_regular(steps: np.ndarray) -> bool:
    usual = np.median(steps)
    return bool((np.abs(steps - usual) <= 0.05 * usual).mean() >= 0.9)


def _is_digits(values: np.ndarray) -> bool:
    if (values != np.floor(values)).any() or not values.min() >= 19_900_101 or values.max() > 21_001_231_235_959:
        return False
    return bool(np.isfinite(_seconds_of_digits(values)).all())


def _seconds_of_digits(values: np.ndarray) -> np.ndarray:
    """Seconds since 1970 of numbers such as 20240506, 202405060800 and 20240506080000; NaN where they are none."""
    number = np.where(np.isfinite(values), values, 0).astype(np.int64)
    for least, factor in ((10**7, 10**6), (10**9, 10**4), (10**11, 100)):
        number = np.where((number >= least) & (number < 10 * least), number * factor, number)
    rest, parts = number, []
    for _ in range(5):
        parts.append(rest % 100)
        rest = rest // 100
    second, minute, hour, day, month = parts
    good = (second < 60) & (minute < 60) & (hour < 24) & (day >= 1) & (month >= 1) & (month <= 12)
    good &= (rest >= 1990) & (rest <= 2100)
    days = days_since_1970(rest, month, day, good)
    return np.where(good, ((days * 24 + hour) * 60 + minute) * 60 + second, np.nan)
