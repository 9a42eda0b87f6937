"""From files to samples: how the lines are to be read is recognised once and stored; then they are grouped."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Literal

from vssl.errors import EmptyDataError
from vssl.modalities import spans
from vssl.modalities.events import Config, Reading, grouping, times
from vssl.modalities.events.files import LogFile, Row, rows
from vssl.modalities.events.grouping import Item, Tokens
from vssl.modalities.events.lines import JsonLines, Line, TextLines

LOOKED_AT = 200
# Each word behind a blank of its own: otherwise a long word can be divided in too many ways to be tried.
_SESSION = re.compile(r"[^\s,]+,\s*(?:[^\s,]+(?:\s+[^\s,]+)*\s*)?")

Parser = Callable[[Row], Line]


def recognise(files: Sequence[LogFile], config: Config) -> Reading:
    """How the lines of these files are to be read, from the first ones of the first file that has any.

    Raises:
        EmptyDataError: No file has a line that is not empty.
    """
    first = next((texts for file in files if (texts := _first_lines(file))), None)
    if first is None:
        names = ", ".join(file.name for file in files[:5])
        raise EmptyDataError(f"There is no line in {names}: every file is empty, or has empty lines only.")
    kind = _format(first) if config.format == "auto" else config.format
    clock = times.recognise(first) if kind == "lines" else ""
    return Reading(
        format=kind,
        clock=clock,
        session=config.session,
        window=config.window,
        stride=config.stride or config.window,
        message=config.message,
        time_field=config.time_field,
        line_label=config.line_label,
    )


def items(
    files: Sequence[LogFile],
    reading: Reading,
    tokens: Tokens,
    length: int,
    keep: tuple[str, ...] = (),
    counts: Counter[str] | None = None,
) -> Iterator[Item]:
    """The samples of these files, and what is broken between them, in their order.

    Args:
        tokens: The number that stands for an event's message.
        length: L, the most events of a sample that are looked at.
        keep: Fields of JSON lines that are kept as metadata.
        counts: As in `files.rows`.
    """
    sources = ((file, map(parser(reading, keep), rows(file, counts))) for file in files)
    if reading.format == "sessions":
        return grouping.ready(sources, tokens, length)
    if reading.session:
        return grouping.by_key(sources, tokens, length)
    window, stride = _steps(reading)
    cut = grouping.by_time if window.seconds else grouping.by_lines
    return cut(sources, tokens, length, window, stride)


def overlap(reading: Reading) -> spans.Span | None:
    """The length of the windows where they overlap, and None where they do not, or where there are sessions."""
    window, stride = _steps(reading)
    return None if reading.format == "sessions" or reading.session or stride.size >= window.size else window


def _steps(reading: Reading) -> tuple[spans.Span, spans.Span]:
    return spans.parse(reading.window, "window"), spans.parse(reading.stride, "stride")


def parser(reading: Reading, keep: tuple[str, ...] = ()) -> Parser:
    """What makes lines of rows; it remembers the time of the last one, so each log gets one of its own."""
    if reading.format == "jsonl":
        return JsonLines(reading, keep)
    return TextLines(reading) if reading.format == "lines" else _whole


def _whole(row: Row) -> Line:
    return Line(row.number, row.text, row.text, damaged=row.cut or row.undecodable)


def _first_lines(file: LogFile) -> list[str]:
    return [row.text for row in islice(rows(file), LOOKED_AT)]


def _format(texts: Sequence[str]) -> Literal["lines", "jsonl", "sessions"]:
    """What most of the lines are."""
    if 2 * sum(_is_object(text) for text in texts) > len(texts):
        return "jsonl"
    if 2 * sum(_is_session(text) for text in texts) > len(texts):
        return "sessions"
    return "lines"


def _is_object(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_session(text: str) -> bool:
    # 2015-10-18T18:01:47,978 has no blank before its comma either.
    return _SESSION.fullmatch(text) is not None and times.anyhow(text.partition(",")[0]) is None
