"""Time stamps of log lines: the formats in which they are written, and which second since 1970 each of them says."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

_NAMES = (
    "jan january januar januari janv janvier janeiro jän jänner ene enero gen gennaio",
    "feb february februar februari fév févr février fevrier fev fevereiro febrero febbraio",
    "mar march mär märz mrz mars mrt maart março marzo",
    "apr april avr avril abr abril aprile",
    "may mai mayo mag maggio mei maio maj",
    "jun june juni juin junio junho giu giugno",
    "jul july juli juil juillet julio julho lug luglio",
    "aug august août aout augustus ago agosto",
    "sep sept september septembre set setembro septiembre settembre",
    "oct october okt oktober octobre octubre ott ottobre out outubro",
    "nov november novembre noviembre novembro",
    "dec december dez dezember déc décembre decembre dic diciembre dicembre dezembro",
)
MONTHS = {name: number for number, names in enumerate(_NAMES, 1) for name in names.split()}
"""Names of months in English, German, French, Italian, Spanish, Portuguese and Dutch."""

LEAP_YEAR = 2000
"""The year of stamps that name none: 29 February must be a day."""
YEAR_S = 366 * 86400.0
_CENTURY = 69  # of two digits: 69 is 1969 and 68 is 2068, as POSIX has it

# Offsets in hours of the names that are not read in two ways; RFC 822 for those of America.
ZONES = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "KST": 9, "JST": 9, "AEST": 10, "AEDT": 11, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7, "MEZ": 1, "MESZ": 2,
}  # fmt: skip


@dataclass(frozen=True)
class Format:
    """A way to write time.

    Attributes:
        title: For a person.
        pattern: The regular expression without its tail: groups year, month, day, hour, minute, second, or value.
        tail: Whether a fraction, AM or PM, and a zone may follow.
        scale: Of `value`: so many in a second; 0 where the stamp is a date.
        named: Whether the stamp names its year, or whether one must be added from New Year's Eve to New Year's Eve.
        since_1970: Whether it is a time at all, or the seconds since a machine was started.
        family: Of formats that look alike, such as day/month and month/day: the values of many lines decide.
    """

    title: str
    pattern: str
    tail: bool = True
    scale: float = 0.0
    named: bool = True
    since_1970: bool = True
    family: str = ""


_YEAR, _YY = r"(?P<year>(?:19|20|21)\d\d)", r"(?P<year>\d\d)"
_M, _D = r"(?P<month>\d\d?)", r"(?P<day>\d\d?)"
_CLOCK = r"(?P<hour>\d\d?):(?P<minute>\d\d):(?P<second>\d\d)"
_NAME = rf"(?P<month>{'|'.join(sorted(MONTHS, key=len, reverse=True))})(?![^\W\d_])\.?"
_WEEKDAY = (
    r"(?:(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*|mo|di|mi|do|fr|sa|so|lun|mar|mer|jeu|ven|sam|dim"
    r"|(?:diens|donners|frei|sams|sonn)tag|mittwoch)\.?,?\s+)?"
)
# Japanese logs name the day of the week behind the date: 2024/05/06(月) 08:00:00.
_BETWEEN = r"(?:T|[ ]?\([月火水木金土日]\)[ ]?|[ \t]{1,2}|[ ]-[ ]|\"?[,;|\t][ ]?\"?|_)"
_FREE = r"(?<![\w.:/+-])"  # nothing of a longer number, name or path stands in front
_EPOCH = r"(?<![\d.:/+-])(?P<value>(?:1\d|2[0-3])\d{8}"
_ZONE_NAME = "|".join(sorted(ZONES, key=len, reverse=True))
_FROM_UTC = r"(?:UTC|GMT)(?:[+-](?:0?\d|1[0-4])(?::?[0-5]\d)?(?![\d:])|\b)"


def _numeric(first: str, second: str, third: str, between: str = "[./-]") -> str:
    return rf"{_FREE}{_WEEKDAY}{first}(?P<between>{between}){second}(?P=between){third}{_BETWEEN}{_CLOCK}"


FORMATS: dict[str, Format] = {
    "iso": Format(
        "year, month, day",
        rf"{_FREE}{_WEEKDAY}{_YEAR}(?P<between>[-/.:]){_M}(?P=between){_D}(?:{_BETWEEN}|:){_CLOCK}",
    ),
    "kanji": Format(
        "2024年5月6日 8時00分00秒",
        rf"{_FREE}{_YEAR}年[ ]?{_M}月[ ]?{_D}日(?:[ ]?\(.\))?[ ]?(?P<hour>\d\d?)[:時](?P<minute>\d\d?)[:分]"
        r"(?P<second>\d\d?)秒?",
    ),
    "dotted": Format(
        "2005-06-03-15.42.50",
        rf"{_FREE}{_YEAR}-{_M}-{_D}-(?P<hour>\d\d)\.(?P<minute>\d\d)\.(?P<second>\d\d)(?:\.(?P<dot>\d{{1,9}}))?(?!\d)",
        tail=False,
    ),
    "access": Format(
        "10/Oct/2000:13:55:36",
        rf"{_FREE}{_WEEKDAY}{_D}\.?(?P<between>[-/ ]){_NAME}(?P=between)(?P<year>\d{{4}}|\d\d)[: ]{_CLOCK}",
    ),
    "ctime": Format(
        "Thu Jun 09 06:07:04 2005",
        rf"{_FREE}{_WEEKDAY}{_NAME} [ ]?{_D} {_CLOCK}(?:\.(?P<dot>\d{{1,9}}))?"
        rf"(?: (?P<zone>{_FROM_UTC}|{_ZONE_NAME}))? {_YEAR}(?!\d)",
        tail=False,
    ),
    "syslog year": Format("Jun 09 2005 06:07:04", rf"{_FREE}{_WEEKDAY}{_NAME} [ ]?{_D},? {_YEAR},?:? {_CLOCK}"),
    "health": Format(
        "20171224-19:3:52:164",
        rf"{_FREE}{_YEAR}(?P<month>\d\d)(?P<day>\d\d)-(?P<hour>\d\d?):(?P<minute>\d\d?):(?P<second>\d\d?)"
        r":(?P<ms>\d{1,3})(?!\d)",
        tail=False,
    ),
    "compact": Format(
        "20171224 190352",
        rf"{_FREE}{_YEAR}(?P<month>\d\d)(?P<day>\d\d)[-T _](?P<hour>\d\d):?(?P<minute>\d\d):?(?P<second>\d\d)(?!\d)",
    ),
    "digits": Format(
        "20171224190352",
        rf"{_FREE}{_YEAR}(?P<month>\d\d)(?P<day>\d\d)(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)"
        r"(?:\.?(?P<ms>\d{3}))?(?![\d:])",
        tail=False,
    ),
    "dmy": Format("day, month, year", _numeric(_D, _M, _YEAR), family="year last"),
    "mdy": Format("month, day, year", _numeric(_M, _D, _YEAR, "[/-]"), family="year last"),
    "yy md": Format("year (two digits), month, day", _numeric(_YY, _M, _D, "[/-]"), family="two digits"),
    "dm yy": Format("day, month, year (two digits)", _numeric(_D, _M, _YY), family="two digits"),
    "md yy": Format("month, day, year (two digits)", _numeric(_M, _D, _YY, "[/-]"), family="two digits"),
    "hdfs": Format(
        "081109 203518",
        rf"{_FREE}{_YY}(?P<month>\d\d)(?P<day>\d\d) (?:(?=\d{{6}}(?!\d))|(?=[ ]?\d\d?:\d\d:)[ ]?)"
        r"(?P<hour>\d\d?):?(?P<minute>\d\d):?(?P<second>\d\d)(?![\w.:-])",
        tail=False,
    ),
    "syslog": Format("Dec 10 06:55:46, without a year", rf"{_FREE}{_WEEKDAY}{_NAME} [ ]?{_D} {_CLOCK}", named=False),
    "android": Format(
        "03-17 16:13:38.811, without a year", rf"{_FREE}(?P<month>\d\d)-(?P<day>\d\d) {_CLOCK}", named=False
    ),
    "glog": Format(
        "I0317 16:13:38.811, without a year",
        rf"(?<=\b[IWEFD])(?P<month>\d\d)(?P<day>\d\d) {_CLOCK}",
        named=False,
    ),
    "epoch": Format(
        "seconds since 1970", rf"{_EPOCH}(?:\.\d{{1,9}})?)(?![\w/-]|:(?!\d+\)))", tail=False, scale=1
    ),
    "epoch ms": Format(
        "milliseconds since 1970", rf"{_EPOCH}\d{{3}}(?:\.\d{{1,6}})?)(?![\w:/-])", tail=False, scale=1e3
    ),
    "epoch us": Format("microseconds since 1970", rf"{_EPOCH}\d{{6}})(?![\w:/-])", tail=False, scale=1e6),
    "epoch ns": Format("nanoseconds since 1970", rf"{_EPOCH}\d{{9}})(?![\w:/-])", tail=False, scale=1e9),
    "uptime": Format(
        "seconds since the start", r"\[\s*(?P<value>\d{1,9}\.\d{3,9})\]", tail=False, scale=1, since_1970=False
    ),
}  # fmt: skip
"""In the order in which they are preferred where several fit equally well."""

EPOCHS = tuple(name for name, item in FORMATS.items() if item.scale and item.since_1970)

_HALF = r"(?i:[ \u202f]?(?P<half>[AP])(?:M\b|\.M\.))?"
_OFFSET = r"[+-](?:0\d|1[0-4])"
_DOT = r"(?:\.(?P<dot>\d{1,9})(?!\d))"
_COLON = r":(?P<ms>\d{3})(?![\d:])"
_COMMA = r"(?:,(?P<comma>\d{3,9})(?!\d))?"
_TIGHT = rf"(?P<zone>Z\b|{_OFFSET}(?::?[0-5]\d)?(?![\d:])|{_FROM_UTC})"
_SPACED = rf" (?P<spaced>{_OFFSET}:?[0-5]\d(?![\d:.])|{_FROM_UTC}|(?:{_ZONE_NAME})\b)"
_PLACE = r"(?:\[[A-Z]\w+/[\w/+-]+\])?"  # 2024-05-06T08:00:00+02:00[Europe/Berlin]


def timestamp_regex(name: str, tail: str) -> str:
    """The regular expression of a stamp with its fraction and zone.

    Args:
        name: Of one of `FORMATS`.
        tail: "," where a comma stands in front of the fraction, " " where a blank stands in front of the zone, or both:
            8:00:00,125 may be two columns, and 8:00:00 -0200 a value; so they are read where the log has them all over.
    """
    known = FORMATS[name]
    if not known.tail:
        return f"(?i:{known.pattern})"
    comma = _COMMA if "," in tail else ""
    zone = f"(?:{_TIGHT}|{_SPACED})?" if " " in tail else f"{_TIGHT}?"
    return rf"(?i:{known.pattern})(?!\d)(?:{_DOT}|{_COLON})?{comma}{_HALF}{zone}{_PLACE}"


@lru_cache(maxsize=4096)
def _midnight(year: str, month: str, day: str) -> float | None:
    number = int(month) if month.isdigit() else MONTHS[month.lower()]
    full = int(year) if len(year) != 2 else int(year) + (1900 if int(year) >= _CENTURY else 2000)
    try:
        return datetime(full, number, int(day), tzinfo=UTC).timestamp()
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def _offset_s(zone: str) -> float:
    named = ZONES.get(zone.upper())
    if named is not None:
        return 3600.0 * named
    if zone[:3].upper() in ("UTC", "GMT"):
        zone = zone[3:]
    sign, digits = zone[0], zone[1:].replace(":", "")
    hours, minutes = (digits, "0") if len(digits) < 3 else (digits[:-2], digits[-2:])
    return float(f"{sign}1") * (3600 * int(hours) + 60 * int(minutes))


def to_seconds(found: Mapping[str, str | None], known: Format) -> float | None:
    """The second since 1970 (since the start for an uptime) that a match's groups say; None where no clock shows that.

    Args:
        found: The groups of a match by name.
    """
    if known.scale:
        return float(found["value"] or 0) / known.scale
    start = _midnight(found.get("year") or str(LEAP_YEAR), found["month"] or "", found["day"] or "")
    hour, minute, second = int(found["hour"] or 0), int(found["minute"] or 0), int(found["second"] or 0)
    if half := found.get("half"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (half in "Pp")
    # A leap second is second 60.
    if start is None or hour > 23 or minute > 59 or second > 60:
        return None
    value = start + 3600 * hour + 60 * minute + second
    if fraction := found.get("dot") or found.get("comma"):
        value += float(f"0.{fraction}")
    if thousandths := found.get("ms"):
        value += int(thousandths) / 1000
    zone = found.get("zone") or found.get("spaced")
    return value - _offset_s(zone) if zone else value


class YearRollover:
    """Adds the year to stamps that name none: each is taken to lie within half a year of the one before it."""

    def __init__(self) -> None:
        self._last: float | None = None

    def __call__(self, time_s: float) -> float:
        if self._last is not None:
            time_s += YEAR_S * round((self._last - time_s) / YEAR_S)
        self._last = time_s
        return time_s
