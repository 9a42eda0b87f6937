"""What a line says: when, in which session, with which label, and the message that is left."""

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vssl.modalities.events import ParserSpec
from vssl.modalities.events.files import RawLine
from vssl.modalities.events.json_fields import TimeField, get_field
from vssl.modalities.events.regexes import compile_setting, first_group
from vssl.modalities.events.timestamps import TimestampReader, strip_colours

SESSION_MASK = "<session>"
MESSAGE_FIELDS = (
    "message", "msg", "log", "event", "text", "Message", "MESSAGE", "@m", "@mt", "body.stringValue", "body",
    "short_message", "textPayload",
)  # fmt: skip
"""Usual names; the last ones are those of .NET, journald, Serilog, OpenTelemetry, GELF and Google's cloud."""
MAX_FIELDS_SHOWN = 12  # fields of an object that is refused
# JSON can spell half a character, \ud800, which nothing can be written down with.
_HALF = re.compile("[\ud800-\udfff]")
# A position with letters or digits on both sides, or with a dot, comma or colon within a number.
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
        damaged: Whether it was cut, or held what is no character: undecodable bytes, half a character of JSON.
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


class TextLineParser:
    """Reads raw lines. What varies from sample to sample, time, label and session, is taken out of the message."""

    def __init__(self, reading: ParserSpec) -> None:
        settings, name = reading.settings, reading.timestamp_format
        self._stamp = TimestampReader(name, reading.positions, reading.tail) if name else None
        self._session = compile_setting(settings.session, "session")
        self._message = compile_setting(settings.message, "message")
        self._label = compile_setting(settings.line_label, "line_label")
        self._delimiter = reading.delimiter

    def __call__(self, row: RawLine) -> Line:
        label, text = split_label(row.text, self._label)
        time_s, session, at = None, "", -1
        if self._stamp and (stamp := self._stamp(text)):
            time_s, start, end = stamp
            text = text[:start] + text[end:]
        if self._session and (found := self._session.search(text)):
            session, at = found[first_group(found)] or "", found.start(first_group(found))
        if self._message and (found := self._message.search(text)):
            text, at = found[first_group(found)] or "", at - found.start(first_group(found))
        text = _space_columns(_mask_session(text, session, at), self._delimiter)
        return Line(row.number, row.text, text.strip(), time_s, session, label, row.cut or row.undecodable)


def split_label(text: str, pattern: re.Pattern[str] | None) -> tuple[str | None, str]:
    """A line's label, and the line without it and without the codes that colour it."""
    text = strip_colours(text)
    if pattern is None or not (found := pattern.search(text)):
        return None, text
    start, end = found.span(first_group(found))
    return text[start:end], text[:start] + text[end:] if start else text[end:].lstrip()


class JsonLineParser:
    """Reads one JSON object per line, whose fields may be nested: `a.b` is the field b of the field a."""

    def __init__(self, reading: ParserSpec, fields: tuple[str, ...] = ()) -> None:
        settings = reading.settings
        self._messages = (settings.message,) if settings.message else MESSAGE_FIELDS
        self._time = TimeField(reading.time_field, reading.timestamp_format, reading.positions, reading.tail)
        self._session, self._label, self._fields = settings.session, settings.line_label, fields

    def __call__(self, row: RawLine) -> Line:
        try:
            data = json.loads(row.text)
        except (ValueError, RecursionError) as error:  # also for a number of more than 4,300 digits
            return Line(row.number, row.text, f"no JSON: {error}", broken=True)
        if not isinstance(data, dict):
            return Line(row.number, row.text, "no JSON object: it must stand in {...}", broken=True)
        message = next((value for name in self._messages if (value := get_field(data, name)) is not None), None)
        if message is None:
            names, own = ", ".join(self._messages), ", ".join(list(data)[:MAX_FIELDS_SHOWN])
            reason = f"it has no field {names}; its fields are {own}: say which holds the text, --message FIELD"
            return Line(row.number, row.text, reason, broken=True)
        found = get_field(data, self._session) if self._session else None
        session, text = "" if found is None else _text(found), _text(message)
        label = get_field(data, self._label) if self._label else None
        return Line(
            number=row.number,
            text=row.text,
            message=_mask_session(strip_colours(text), session).strip(),
            time_s=self._time(data),
            session=session,
            label=None if label is None else _text(label),
            damaged=row.cut or row.undecodable or "\ufffd" in text,
            fields={name: _text(value) for name in self._fields if (value := get_field(data, name)) is not None},
        )


def _mask_session(text: str, session: str, at: int = -1) -> str:
    """The text without its session's name, which stands at `at` and is not sought inside other words and numbers."""
    pieces, kept = [], 0
    position = text.find(session) if session else -1
    while position >= 0:
        end = position + len(session)
        if position != at and (_INSIDE.match(text, position) or _INSIDE.match(text, end)):
            end = position + 1
        else:
            pieces += [text[kept:position], SESSION_MASK]
            kept = end
        position = text.find(session, end)
    return "".join([*pieces, text[kept:]])


def _space_columns(text: str, delimiter: str) -> str:
    """The text with a blank behind each delimiter and without quotes, so that columns hold no word together."""
    if not delimiter:
        return text
    columns = next(csv.reader([text], delimiter=delimiter), []) if '"' in text else text.split(delimiter)
    return f"{delimiter} ".join(columns)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _HALF.sub("\ufffd", text)
