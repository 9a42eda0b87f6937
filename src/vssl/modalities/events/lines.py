"""What a line says: when, in which session, with which label, and the message that is left."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vssl.modalities.events import Reading, times
from vssl.modalities.events.files import Row
from vssl.modalities.events.patterns import compiled, group_of

SESSION = "<session>"
MESSAGES = ("message", "msg", "log", "event", "text")
TIMES = ("timestamp", "@timestamp", "time", "ts", "datetime")
# JSON can spell half a character, \ud800, which nothing can be written down with.
_HALF = re.compile("[\ud800-\udfff]")
# A place with letters or digits on both sides, or with a dot, comma or colon within a number.
_INSIDE = re.compile(r"(?<=[^\W_])[^\W_]|(?<=\d[.,:])\d|(?<=\d)[.,:]\d")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log.

    Attributes:
        number: From 1 on, in its file.
        text: All of it, as it was read.
        message: The text, or the reason why the line is `broken`.
        time_s: Seconds since 1970; None where the line has no time.
        session: What it belongs to; empty where it says nothing of it.
        label: As it stands in the line; None where no label was asked for, or the line has none.
        damaged: Whether it was cut, or held what is no character: bytes that are no UTF-8, half a character of JSON.
        broken: Whether it cannot be used at all.
        fields: Further fields that are kept as metadata.
    """

    number: int
    text: str
    message: str
    time_s: float | None = None
    session: str = ""
    label: str | None = None
    damaged: bool = False
    broken: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)


class TextLines:
    """Reads raw lines. What varies from sample to sample, time, label and session, is taken out of the message."""

    def __init__(self, reading: Reading) -> None:
        self._clock = reading.clock
        self._time = times.FORMATS[reading.clock].pattern if reading.clock else None
        self._session = compiled(reading.session, "session")
        self._message = compiled(reading.message, "message")
        self._label = compiled(reading.line_label, "line_label")
        self._ticks = Ticks()

    def __call__(self, row: Row) -> Line:
        text, label, time_s, session, at = row.text, None, None, "", -1
        if self._label and (found := self._label.search(text)):
            start, end = found.span(group_of(found))
            label, text = text[start:end], text[:start] + text[end:]
        if self._time and (found := self._time.search(text)):
            time_s = times.read(found, self._clock)
            text = text[: found.start()] + text[found.end() :]
        if self._session and (found := self._session.search(text)):
            session, at = found[group_of(found)] or "", found.start(group_of(found))
        if self._message and (found := self._message.search(text)):
            text, at = found[group_of(found)] or "", at - found.start(group_of(found))
        text = _without(text, session, at)
        time_s = self._ticks(time_s)
        return Line(row.number, row.text, text.strip(), time_s, session, label, row.cut or row.undecodable)


class JsonLines:
    """Reads a JSON object a line, whose fields may be nested: `a.b` is the field b of the field a."""

    def __init__(self, reading: Reading, keep: tuple[str, ...] = ()) -> None:
        self._messages = (reading.message,) if reading.message else MESSAGES
        self._times = (reading.time_field,) if reading.time_field else TIMES
        self._session, self._label, self._keep = reading.session, reading.line_label, keep

    def __call__(self, row: Row) -> Line:
        try:
            data = json.loads(row.text)
        except (ValueError, RecursionError) as error:  # also for a number of more than 4,300 digits
            return Line(row.number, row.text, f"no JSON: {error}", broken=True)
        if not isinstance(data, dict):
            return Line(row.number, row.text, "no JSON object: it must stand in {...}", broken=True)
        message = _first(data, self._messages)
        if message is None:
            names = " or ".join(self._messages)
            return Line(row.number, row.text, f"there is no field {names} (--message FIELD)", broken=True)
        found = _field(data, self._session) if self._session else None
        session = "" if found is None else _text(found)
        label = _field(data, self._label) if self._label else None
        text = _text(message)
        return Line(
            number=row.number,
            text=row.text,
            message=_without(text, session).strip(),
            time_s=_seconds(_first(data, self._times)),
            session=session,
            label=None if label is None else _text(label),
            damaged=row.cut or row.undecodable or "\ufffd" in text,
            fields={name: _text(value) for name in self._keep if (value := _field(data, name)) is not None},
        )


class Ticks:
    """Times in their order: syslog names no year, so a clock that falls by half a year has passed New Year's Eve."""

    HALF_A_YEAR_S = 183 * 86400.0
    YEAR_S = 366 * 86400.0

    def __init__(self) -> None:
        self._added, self._last = 0.0, float("-inf")

    def __call__(self, time_s: float | None) -> float | None:
        if time_s is None:
            return None
        if time_s + self._added < self._last - self.HALF_A_YEAR_S:
            self._added += self.YEAR_S
        self._last = time_s + self._added
        return self._last


def _without(text: str, session: str, at: int = -1) -> str:
    """The text without its session's name, which stands at `at` and is not sought inside other words and numbers."""
    pieces, kept = [], 0
    place = text.find(session) if session else -1
    while place >= 0:
        end = place + len(session)
        if place != at and (_INSIDE.match(text, place) or _INSIDE.match(text, end)):
            end = place + 1
        else:
            pieces += [text[kept:place], SESSION]
            kept = end
        place = text.find(session, end)
    return "".join([*pieces, text[kept:]])


def _first(data: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((value for name in names if (value := _field(data, name)) is not None), None)


def _field(data: Mapping[str, Any], name: str) -> Any:
    if name in data:
        return data[name]
    value: Any = data
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _HALF.sub("\ufffd", text)


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return times.epoch(float(value)) if abs(value) < sys.float_info.max else None
    return times.anyhow(value) if isinstance(value, str) else None
