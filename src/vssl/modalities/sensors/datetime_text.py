"""Dates and times as people write them: which form a column has, and reading it."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vssl.errors import ConfigError
from vssl.modalities.sensors.calendar_time import Times, to_nanoseconds
from vssl.modalities.sensors.numbers import clean_cells

SAMPLE_VALUES = 400
DAY_NS = 86_400_000_000_000

CLOCK = (
    r"(?P<H>\d{1,2})(?:(?:[:h](?P<M>\d{2})(?:[:.](?P<S>\d{2})(?:[.,:](?P<f>\d{1,9}))?)?)"
    r"|時(?P<M2>\d{1,2})分(?:(?P<S2>\d{1,2})秒)?)"
    r"(?:\s?(?P<p>[AaPp])\.?[Mm]\.?)?(?:\s?(?P<z>Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?"
)
DOTTED = r"(?P<H>[01]?\d|2[0-3])\.(?P<M>[0-5]\d)\.(?P<S>[0-5]\d)"
"""A time of day, if it is no date."""
WEEKDAY = r"(?:[A-Za-z]{2,9}\.?,? +)?"
DATES = {
    "numbers": r"(?P<a>\d{1,4})(?P<s>[-./])(?P<b>\d{1,2})[-./](?P<c>\d{1,4})\.?",
    "signs": r"(?P<Y>\d{4})年(?P<m>\d{1,2})月(?P<d>\d{1,2})日",
    "day name": r"(?P<d>\d{1,2})[-./ ]?\.? ?(?P<b>[A-Za-zäéûô]{3,9})\.?[-./, ]{0,2}(?P<Y>\d{4}|\d{2})",
    "name day": r"(?P<b>[A-Za-zäéûô]{3,9})\.? (?P<d>\d{1,2}),? (?P<Y>\d{4})",
}
ORDERS = {"dmy": "day first", "mdy": "month first", "ymd": "year first"}
DIRECTIVES = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<Y>\d{2})",
    "m": r"(?P<m>\d{1,2})",
    "d": r"(?P<d>\d{1,2})",
    "b": r"(?P<b>[A-Za-zäéûô]{3,9})\.?",
    "B": r"(?P<b>[A-Za-zäéûô]{3,9})",
    "H": r"(?P<H>\d{1,2})",
    "I": r"(?P<H>\d{1,2})",
    "M": r"(?P<M>\d{1,2})",
    "S": r"(?P<S>\d{1,2})",
    "f": r"(?P<f>\d{1,9})",
    "p": r"(?P<p>[AaPp])\.?[Mm]\.?",
    "z": r"(?P<z>Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)",
    "a": r"[A-Za-z]{2,4}\.?",
    "A": r"[A-Za-z]{3,9}",
    "%": "%",
}


@dataclass(frozen=True)
class DatetimeFormat:
    """How a column writes dates and times.

    Attributes:
        pattern: Matches one, with a group for each part.
        shown: For a person.
        has_date, has_clock: Whether there is a date; a time of day.
        order: Of day, month and year where all are numbers; empty where it may be dmy or mdy (or ymd).
        candidates: The orders that all values allow.
    """

    pattern: str
    shown: str
    has_date: bool
    has_clock: bool
    order: str = ""
    candidates: tuple[str, ...] = ()


class NotATimeError(Exception):
    """A value is no time of the form. Holds its row within the column, from 0, and the value."""

    def __init__(self, row: int, value: str) -> None:
        super().__init__(row, value)
        self.row, self.value = row, value


def from_strptime(text: str) -> DatetimeFormat:
    """The form that a format of strptime describes, such as %d.%m.%Y %H:%M.

    Raises:
        ConfigError: A directive is unknown, or one stands twice.
    """
    parts = re.split(r"%(.)", text)
    unknown = [letter for letter in parts[1::2] if letter not in DIRECTIVES]
    if unknown or len(parts) < 3:
        known = " ".join(f"%{letter}" for letter in DIRECTIVES)
        what = f"%{unknown[0]} is not known" if unknown else "it has no directive"
        raise ConfigError(
            f"--date-format {text!r}: {what}. Known are {known}, or s, ms, us, ns, excel and datenum for numbers."
        )
    pieces = [re.escape(part) if at % 2 == 0 else DIRECTIVES[part] for at, part in enumerate(parts)]
    pattern = "".join(pieces)
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise ConfigError(f"--date-format {text!r}: a part stands in it twice.") from error
    return DatetimeFormat(pattern, text, "Y" in groups or "d" in groups, "H" in groups)


def detect(column: pa.Array | pa.ChunkedArray, usual_order: str = "") -> DatetimeFormat | None:
    """The form of the dates and times in a column of texts, recognised from all of its values; None if they are none.

    Args:
        usual_order: Of day, month and year, where the values themselves do not tell.
    """
    cells = clean_cells(column).drop_null()
    cells = cells.filter(pc.not_equal(cells, ""))
    if not len(cells):
        return None
    some = cells.take(np.unique(np.linspace(0, len(cells) - 1, SAMPLE_VALUES).astype(int))).to_pylist()
    for kind, date in {**DATES, "": ""}.items():
        joint = r"(?:,?\s+|[Tt]|-|:)" if date else ""
        for clock in (CLOCK, "") if date else (CLOCK,):
            pattern = (WEEKDAY if date else "") + date + (joint + clock if clock else "")
            matcher = re.compile(pattern)
            fitting = sum(matcher.fullmatch(cell) is not None for cell in some)
            if fitting >= 0.9 * len(some):
                found = DatetimeFormat(pattern, f"as in {some[0]!r}", bool(date), bool(clock))
                if kind != "numbers":
                    return found
                ordered = _ordered(found, cells, usual_order)
                is_clock = not clock and not ordered.candidates and all(re.fullmatch(DOTTED, cell) for cell in some)
                return DatetimeFormat(DOTTED, found.shown, False, True) if is_clock else ordered
    return None


def parse(column: pa.Array | pa.ChunkedArray, form: DatetimeFormat) -> Times:
    """Nanoseconds since 1970, in UTC where there are zones; of a time of day alone since midnight; NaT for missing.

    Raises:
        NotATimeError: A value is no time of this form, or none of the calendar.
    """
    cells = clean_cells(column)
    cells = pc.if_else(pc.equal(cells, ""), None, cells)
    parts = pc.extract_regex(cells, f"^(?:{form.pattern})$")
    known = cells.is_valid().to_numpy(zero_copy_only=False)
    _check_all(~known | parts.is_valid().to_numpy(zero_copy_only=False), cells)
    found = {parts.type.field(at).name: parts.field(at) for at in range(parts.type.num_fields)}
    if form.order and "a" in found:
        found |= {letter.replace("y", "Y"): found.pop(group) for letter, group in zip(form.order, "abc", strict=True)}
    times, good = to_nanoseconds(found, len(cells))
    _check_all(~known | good, cells)
    times[~known] = np.iinfo(np.int64).min
    return times


def _check_all(good: np.ndarray, cells: pa.Array) -> None:
    if not good.all():
        row = int(good.argmin())
        raise NotATimeError(row, cells[row].as_py())


def _ordered(form: DatetimeFormat, cells: pa.Array, usual_order: str) -> DatetimeFormat:
    """The form with the order of day, month and year, if the values tell."""
    cells = cells.filter(pc.match_substring_regex(cells, f"^(?:{form.pattern})$"))
    parts = pc.extract_regex(cells, f"^(?:{form.pattern})$")
    groups = [pc.struct_field(parts, letter) for letter in "abc"]
    numbers = [pc.cast(group.drop_null(), pa.int64()).to_numpy() for group in groups]
    wide = [pc.max(pc.utf8_length(group)).as_py() or 0 for group in groups]
    candidates = [order for order in ORDERS if _fits(order, numbers, wide)]
    if "dmy" in candidates and pc.struct_field(parts, "s")[0].as_py() == ".":
        candidates = ["dmy"]
    if len(candidates) > 1 and (sure := _order_by_midnight(form, cells, candidates)):
        candidates = [sure]
    if len(candidates) > 1 and usual_order in candidates:
        candidates = [usual_order]
    order = candidates[0] if len(candidates) == 1 else ""
    example = cells[0].as_py()
    shown = f"as in {example!r}, {ORDERS[order]}" if order else f"as in {example!r}"
    return DatetimeFormat(form.pattern, shown, True, form.has_clock, order, tuple(candidates))


def _fits(order: str, numbers: list[np.ndarray], wide: list[int]) -> bool:
    at = {letter: place for place, letter in enumerate(order)}
    if wide[at["d"]] > 2 or wide[at["m"]] > 2 or wide[at["y"]] in (1, 3):
        return False
    day, month = numbers[at["d"]], numbers[at["m"]]
    return bool(len(day)) and day.min() >= 1 and day.max() <= 31 and month.min() >= 1 and month.max() <= 12


def _order_by_midnight(form: DatetimeFormat, cells: pa.Array, candidates: list[str]) -> str:
    """The one order in which some next day begins a usual step after the one before; empty where none or several do."""
    good = []
    for order in candidates:
        try:
            times = parse(cells, DatetimeFormat(form.pattern, "", True, form.has_clock, order))
        except NotATimeError:
            continue
        steps = np.abs(np.diff(times))
        usual = np.median(steps) if len(steps) else 0
        crossing = np.diff(times // DAY_NS) != 0
        if 0 < usual < DAY_NS / 2 and (steps[crossing] <= 1.5 * usual).any():
            good.append(order)
    return good[0] if len(good) == 1 else ""
