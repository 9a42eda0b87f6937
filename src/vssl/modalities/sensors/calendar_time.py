"""From the parts of dates and times to nanoseconds since 1970."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64

Times = Int64[np.ndarray, " n"]

NS_PER_UNIT = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
MONTH_NAMES = (
    "jan gen;feb fev fév;mar mär mrz maa;apr avr abr;may mai maj mag mei;jun giu juin;jul lug juil;aug aoû ago;sep set;"
    "oct okt ott out;nov;dec dez dic déc des"
)
"""The first letters of the months' names in several languages."""
MONTH_NUMBERS = {word: month for month, words in enumerate(MONTH_NAMES.split(";"), 1) for word in words.split()}
CENTURY_PIVOT = 70
"""A year of two digits from this one on is of the last century."""


def to_nanoseconds(parts: Mapping[str, pa.Array], count: int) -> tuple[Times, Bool[np.ndarray, " n"]]:
    """The moment that the parts of each row make, and whether there is one in the calendar.

    Args:
        parts: Texts: Y m d, b (the name of a month), H M S f (with 2 behind them a second choice), p (A or P), z.
    """
    good = np.ones(count, bool)
    day = _days(parts, good) if "d" in parts else np.zeros(count, np.int64)
    hour, minute, second = (_number(parts, name, count) for name in "HMS")
    for value, most in ((hour, 23), (minute, 59), (second, 60)):
        good &= value <= most
    if "p" in parts:
        half = pc.utf8_upper(parts["p"])
        is_pm, is_am = (pc.equal(half, letter).fill_null(False).to_numpy(zero_copy_only=False) for letter in "PA")
        good &= ~(is_pm | is_am) | ((hour >= 1) & (hour <= 12))
        hour = np.where(is_pm | is_am, hour % 12 + 12 * is_pm, hour)
    seconds = ((day * 24 + hour) * 60 + minute) * 60 + second
    if "z" in parts:
        seconds = seconds - _zone(parts["z"], good)
    nanoseconds = seconds * 1_000_000_000
    if "f" in parts:
        fractions = pc.utf8_rpad(parts["f"].fill_null(""), 9, "0")
        nanoseconds = nanoseconds + pc.cast(fractions, pa.int64()).to_numpy(zero_copy_only=False)
    return nanoseconds, good


def _days(parts: Mapping[str, pa.Array], good: np.ndarray) -> Times:
    count = len(good)
    year, day = _number(parts, "Y", count), _number(parts, "d", count)
    short = pc.utf8_length(parts["Y"]).fill_null(4).to_numpy(zero_copy_only=False) <= 2
    year = np.where(short, year + np.where(year < CENTURY_PIVOT, 2000, 1900), year)
    month = _months(parts["b"]) if "b" in parts else _number(parts, "m", count)
    good &= (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1678) & (year < 2262)
    return days_since_1970(year, month, day, good)


def days_since_1970(year: Times, month: Times, day: Times, good: Bool[np.ndarray, " n"]) -> Times:
    """Days since 1970-01-01; `good`, where the month is one, becomes false where the month has no such day."""
    first = (np.where(good, (year - 1970) * 12 + month - 1, 0)).astype("datetime64[M]")
    length = ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(np.int64)
    good &= day <= length
    return np.asarray(first.astype("datetime64[D]").astype(np.int64) + day - 1)


def _months(names: pa.Array) -> np.ndarray:
    texts = [name or "" for name in pc.utf8_lower(names).to_pylist()]
    return np.array([MONTH_NUMBERS.get(text[:4], MONTH_NUMBERS.get(text[:3], 0)) for text in texts], np.int64)


def _number(parts: Mapping[str, pa.Array], name: str, count: int) -> np.ndarray:
    value = np.zeros(count, np.int64)
    for one in (name, f"{name}2"):
        if one in parts:
            texts = pc.if_else(pc.equal(parts[one], ""), "0", parts[one]).fill_null("0")
            value = value + pc.cast(texts, pa.int64()).to_numpy(zero_copy_only=False)
    return value


def _zone(zones: pa.Array, good: np.ndarray) -> np.ndarray:
    """Seconds that a zone is before UTC. Some rows with one and others without mean nothing together."""
    coded = zones.fill_null("").dictionary_encode()
    offsets, given = [], []
    for zone in coded.dictionary.to_pylist():
        digits = zone[1:].replace(":", "") if zone[:1] in ("+", "-") else ""
        size = int(digits[:2] or 0) * 3600 + int(digits[2:4] or 0) * 60
        offsets.append(-size if zone.startswith("-") else size)
        given.append(bool(zone))
    codes = coded.indices.to_numpy(zero_copy_only=False)
    has_zone = np.array(given, bool)[codes] if len(given) else np.zeros(len(codes), bool)
    if has_zone.any() and not has_zone.all():
        good &= has_zone == has_zone[0]
    return np.array(offsets, np.int64)[codes] if len(offsets) else np.zeros(len(codes), np.int64)
