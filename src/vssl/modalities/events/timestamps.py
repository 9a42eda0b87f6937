"""Where the stamps of a log stand, and in which format: decided once, from many lines, and then read only there."""

import re
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from vssl.modalities.events import TimestampPosition
from vssl.modalities.events.timestamp_formats import FORMATS, Format, YearRollover, timestamp_regex, to_seconds

MAX_CHARS = 300  # characters of a line
MAX_WORDS, MAX_PREFIX, MAX_POSITIONS = 12, 24, 8
MIN_SHARE = 0.5  # share of the lines that have a stamp; behind it stack signatures may be longer than the log
MIN_SHARE_RISING = 0.05  # the same, where the stamps open their lines and only ever rise
AS_GOOD = 0.9
NEARLY_ALL = 0.9
# Step from line to line beside that over half of the lines; in lines without any order they are alike.
NEAR_FACTOR = 0.35
MIN_CONSTANT = 10  # lines in a row that say the same date: an expiry, and no clock
LARGEST_ZONE_S, SUMMER_S = 15 * 3600.0, 3600.0 + 60
AMERICAN = ("mdy", "md yy")  # where both fit, dates with AM and PM are taken to have the month first
SLACK_S = 60.0
"""How far the stamps of several threads may be out of order."""

BREAK = re.compile(r"\s*[,;|]\s*|\s+")
_WORDS = r"(?:[^\s,;|]*(?>\s*[,;|]\s*|\s+)){%d}"
_OPENING = re.compile(r"[\[({<\"'*]*$")
_NAMES_TIME = re.compile(r"(?i)(?:.*[_.=-])?(?:ts|t|time|timestamp|datetime|date|epoch|at|audit)[=:(\[\"']*")
_WORD = re.compile(r"[A-Za-z]+[:=]?")
COLOUR_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class TimestampLayout:
    """What was recognised.

    Attributes:
        format: Name of one of `timestamp_formats.FORMATS`; empty where there is no clock.
        positions: Where in a line a stamp may stand, the most frequent position first.
        tail: As in `timestamp_formats.timestamp_regex`.
        example: A stamp as it stands in the log.
        alternative: Name of another format that fits as well; empty where there is none.
        falling: Whether the lines stand from the newest to the oldest, or in no order of time.
    """

    format: str = ""
    positions: tuple[TimestampPosition, ...] = ()
    tail: str = ""
    example: str = ""
    alternative: str = ""
    falling: bool = False


class TimestampReader:
    """Reads the stamp of a line at its position, and says which part of the line it is, its brackets included."""

    def __init__(self, clock: str, positions: Sequence[TimestampPosition], tail: str) -> None:
        self._format = FORMATS[clock]
        stamp = timestamp_regex(clock, tail)
        where = "|".join(map(_position_regex, sorted(positions, key=lambda position: position.word)))
        self._pattern = re.compile(rf"(?:{where})(?P<stamp>{stamp})")
        self._years = None if self._format.named else YearRollover()
        self._last: tuple[str, float | None] = ("", None)

    def __call__(self, text: str) -> tuple[float, int, int] | None:
        """The second that the stamp says, and where it begins and ends in the text; None where there is none."""
        found = self._pattern.match(text)
        if found is None:
            return None
        stamp = found["stamp"]
        if stamp != self._last[0]:
            self._last = stamp, to_seconds(found.groupdict(), self._format)
        time_s = self._last[1]
        if time_s is None:
            return None
        begin, end = _with_brackets(text, *found.span("stamp"))
        return (self._years(time_s) if self._years else time_s), begin, end


_CLOSING = {"[": "]", "(": ")", "{": "}", "<": ">", '"': '"', "'": "'"}


def _with_brackets(text: str, begin: int, end: int) -> tuple[int, int]:
    while begin and _CLOSING.get(text[begin - 1], "\0") == text[end : end + 1]:
        begin, end = begin - 1, end + 1
    return begin, end + (text[end : end + 1] in (",", ";", "|", ":"))


def _position_regex(position: TimestampPosition) -> str:
    words = _WORDS % position.word if position.word else ""
    prefix = re.sub("0", r"\\d+", re.escape(position.prefix))
    return words + ("[IWEFD]" if position.prefix == "I" else prefix)


def strip_colours(text: str) -> str:
    """The text without the codes that colour it on a terminal."""
    return COLOUR_CODES.sub("", text) if "\x1b" in text else text


@dataclass
class _Stamps:
    """The stamps of one format at one position."""

    at: list[tuple[int, int]]  # run and line of each; a run is a stretch of neighbouring lines
    times_s: list[float]
    stamps: list[re.Match[str]]  # fraction and zone included
    before: Counter[str]  # the words before them


@dataclass(frozen=True)
class _Candidate:
    name: str
    position: TimestampPosition
    seen: _Stamps
    share: float
    rises: float
    ordered: bool

    @property
    def known(self) -> Format:
        return FORMATS[self.name]


def detect(runs: Sequence[Sequence[str]], date_format: str = "auto") -> TimestampLayout:
    """The clock of a log; one without a format where no position has stamps in most lines, or none that are in order.

    Args:
        runs: Stretches of neighbouring lines from all over the log, colours taken out.
        date_format: dmy, mdy or ymd where the user said so.
    """
    heads = sum(not text[:1].isspace() for run in runs for text in run)
    seen = {name: _stamps(name, runs) for name in FORMATS if _allowed(name, date_format)}
    found = [
        candidate
        for name, positions in seen.items()
        for position, stamps in positions.items()
        if _eligible(candidate := _candidate(name, position, stamps, heads))
    ]
    if not found:
        return TimestampLayout()
    best = max(item.share for item in found)
    rank = {name: number for number, name in enumerate(FORMATS)}
    near = [item for item in found if item.share >= AS_GOOD * best]
    by_worth = sorted(
        near, key=lambda item: (not item.ordered and item.position.word > 0, item.position.word, rank[item.name])
    )
    dates = (item for item in by_worth if not item.known.scale and _says_the_same(by_worth[0], item))
    chosen, alternative = _resolve_family(next(dates, by_worth[0]), near)
    positions, merged = _further_positions(chosen, seen[chosen.name], heads)
    return _layout(chosen, positions, merged, alternative)


def _allowed(name: str, date_format: str) -> bool:
    order = {"dmy": "dmy", "dm yy": "dmy", "mdy": "mdy", "md yy": "mdy", "yy md": "ymd"}.get(name)
    return date_format == "auto" or order in (None, date_format)


def _stamps(name: str, runs: Sequence[Sequence[str]]) -> dict[TimestampPosition, _Stamps]:
    """All stamps of a format, by their positions."""
    pattern = re.compile(timestamp_regex(name, ", "))
    found: dict[TimestampPosition, _Stamps] = defaultdict(lambda: _Stamps([], [], [], Counter()))
    for number, run in enumerate(runs):
        for line, text in enumerate(run):
            for match in pattern.finditer(text[:MAX_CHARS]):
                time_s = to_seconds(match.groupdict(), FORMATS[name])
                where = _position(text[: match.start()])
                if time_s is None or where is None:
                    continue
                seen = found[where[0]]
                if seen.at and seen.at[-1] == (number, line):
                    continue
                seen.at.append((number, line))
                seen.times_s.append(time_s)
                seen.stamps.append(match)
                seen.before[where[1]] += 1
    return found


def _position(before: str) -> tuple[TimestampPosition, str] | None:
    breaks = list(BREAK.finditer(before))
    prefix = before[breaks[-1].end() :] if breaks else before
    if len(breaks) > MAX_WORDS or len(prefix) > MAX_PREFIX:
        return None
    start = breaks[-2].end() if len(breaks) > 1 else 0
    word = before[start : breaks[-1].start()] if breaks else ""
    prefix = re.sub(r"\d+", "0", prefix)
    return TimestampPosition(len(breaks), "I" if prefix in ("I", "W", "E", "F", "D") else prefix), word


def _candidate(name: str, position: TimestampPosition, seen: _Stamps, heads: int) -> _Candidate:
    times_s = seen.times_s if FORMATS[name].named else list(map(YearRollover(), seen.times_s))
    rises, ordered = _order(seen.at, times_s)
    seen = replace(seen, times_s=times_s)
    return _Candidate(name, position, seen, len(times_s) / max(heads, len(times_s), 1), rises, ordered)


def _order(at: Sequence[tuple[int, int]], times_s: Sequence[float]) -> tuple[float, bool]:
    """The share of neighbours whose time does not fall, and whether they are in order: neighbours are close in time."""
    both = zip(pairwise(times_s), pairwise(at), strict=True)
    pairs = [b - a for (a, b), ((run, _), (other, _)) in both if run == other]
    if not pairs:
        return 1.0, True
    rises = sum(step >= -SLACK_S for step in pairs) / len(pairs)
    half = len(times_s) // 2
    apart = median(abs(b - a) for a, b in zip(times_s, times_s[half:], strict=False)) if half else 0.0
    is_constant = len(times_s) >= MIN_CONSTANT and min(times_s) == max(times_s)
    return rises, not is_constant and (rises >= NEARLY_ALL or median(map(abs, pairs)) <= NEAR_FACTOR * apart)


def _eligible(item: _Candidate) -> bool:
    opens = item.position.word == 0
    if item.known.scale:
        return item.share >= MIN_SHARE and item.ordered and (opens or not _named(item)) and _bare(item)
    if item.share >= MIN_SHARE:
        return opens or item.ordered
    return opens and item.share >= MIN_SHARE_RISING and len(item.seen.at) > 2 and item.rises >= NEARLY_ALL


def _named(item: _Candidate) -> bool:
    """Whether one and the same word stands before all numbers, and says what they are: a card, an order, a size."""
    word, count = item.seen.before.most_common(1)[0]
    names_other = _WORD.fullmatch(word) is not None and not _NAMES_TIME.fullmatch(word)
    return names_other and count >= NEARLY_ALL * len(item.seen.at)


def _bare(item: _Candidate) -> bool:
    """Whether nothing but brackets, or a name of time, stands directly before the number: no `card=` and no `T1`."""
    prefix = item.position.prefix
    if item.name == "uptime":
        return item.position.word == 0 and re.fullmatch(r"(?:<0>)?", prefix) is not None
    return _OPENING.match(prefix) is not None or _NAMES_TIME.fullmatch(prefix.rpartition(" ")[2]) is not None


def _says_the_same(first: _Candidate, other: _Candidate) -> bool:
    """Whether a date stands behind an epoch and says the same but for a zone: it is what people read."""
    if first is other:
        return True
    if not first.known.scale or not other.ordered:
        return False
    dates = dict(zip(other.seen.at, other.seen.times_s, strict=True))
    apart = [time_s - dates[at] for at, time_s in zip(first.seen.at, first.seen.times_s, strict=True) if at in dates]
    return bool(apart) and max(map(abs, apart)) <= LARGEST_ZONE_S and max(apart) - min(apart) <= SUMMER_S


def _resolve_family(chosen: _Candidate, near: Sequence[_Candidate]) -> tuple[_Candidate, str]:
    """Of the formats that look alike the one that reads most lines, and then the one in which time moves least."""
    if not chosen.known.family:
        return chosen, ""
    family = [item for item in near if item.known.family == chosen.known.family and item.position == chosen.position]
    most = max(len(item.seen.at) for item in family)
    family = [item for item in family if len(item.seen.at) == most]
    moves = {item.name: sum(abs(b - a) for a, b in pairwise(item.seen.times_s)) for item in family}
    best = min(family, key=lambda item: moves[item.name])  # of equals the first
    fitting = [item for item in family if item is best or moves[item.name] <= 1.5 * moves[best.name]]
    if sum(stamp.groupdict().get("half") is not None for stamp in best.seen.stamps) >= NEARLY_ALL * most:
        best = next((item for item in fitting if item.name in AMERICAN), best)
    others = [item.name for item in fitting if item is not best]
    return best, others[0] if others else ""


def _further_positions(
    chosen: _Candidate, positions: dict[TimestampPosition, _Stamps], heads: int
) -> tuple[list[TimestampPosition], _Stamps]:
    """Other positions at which other lines have stamps of this format that fit in time between their neighbours'."""
    found, merged = [chosen.position], replace(chosen.seen)
    if chosen.rises < NEARLY_ALL:
        return found, merged
    for position, seen in sorted(positions.items(), key=lambda item: -len(item[1].at)):
        taken = set(merged.at)
        stamped = zip(seen.at, seen.times_s, seen.stamps, strict=True)
        new = [row for row in stamped if row[0] not in taken]
        if position in found or len(found) >= MAX_POSITIONS or len(new) < max(3, 0.01 * heads):
            continue
        if sum(_fits(merged, at, time_s, chosen.known) for at, time_s, _ in new) < NEARLY_ALL * len(new):
            continue
        found.append(position)
        rows = sorted([*zip(merged.at, merged.times_s, merged.stamps, strict=True), *new], key=lambda row: row[0])
        merged = _Stamps([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows], merged.before)
    return found, merged


def _fits(seen: _Stamps, at: tuple[int, int], time_s: float, known: Format) -> bool:
    row = bisect(seen.at, at)
    before = seen.times_s[row - 1] if row and seen.at[row - 1][0] == at[0] else None
    after = seen.times_s[row] if row < len(seen.at) and seen.at[row][0] == at[0] else None
    if before is None and after is None:
        return False
    if not known.named:
        nearest = YearRollover()
        nearest(before if before is not None else after or 0.0)
        time_s = nearest(time_s)
    return (before is None or before - SLACK_S <= time_s) and (after is None or time_s <= after + SLACK_S)


def _layout(
    chosen: _Candidate, positions: Sequence[TimestampPosition], seen: _Stamps, alternative: str
) -> TimestampLayout:
    groups = [stamp.groupdict() for stamp in seen.stamps] if chosen.known.tail else []
    tail, first = "", seen.stamps[0]
    for mark, group in ((",", "comma"), (" ", "spaced")):
        if groups and sum(item[group] is not None for item in groups) >= NEARLY_ALL * len(groups):
            tail += mark
    example = re.match(timestamp_regex(chosen.name, tail), first.string[first.start() :]) or first
    falling = chosen.rises < NEARLY_ALL
    return TimestampLayout(chosen.name, tuple(positions), tail, example[0], alternative, falling)
