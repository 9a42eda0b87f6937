"""From files to samples: how the lines are to be read is recognised once and stored; then they are grouped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from vssl.errors import DataError, EmptyDataError
from vssl.modalities import lengths
from vssl.modalities.events import Config, ParserSpec, file_encodings, formats, grouping, time_windows
from vssl.modalities.events.files import LogFile, RawLine, Tally, log_name, read_lines
from vssl.modalities.events.grouping import Item, LogLines, Tokens
from vssl.modalities.events.json_fields import TIME_FIELDS, detect_time
from vssl.modalities.events.line_counts import count_lines
from vssl.modalities.events.line_sampling import Stretch, sample_stretches
from vssl.modalities.events.lines import JsonLineParser, Line, TextLineParser, split_label
from vssl.modalities.events.regexes import compile_setting
from vssl.modalities.events.timestamps import TimestampLayout
from vssl.modalities.events.timestamps import detect as recognise_clock

MAX_FIRST_LINES = 200

Parser = Callable[[RawLine], Line]


def detect_parser(files: Sequence[LogFile], config: Config) -> ParserSpec:
    """How the lines of these files are to be read, from lines all over them.

    Raises:
        EmptyDataError: No file has a line that is not empty.
        DataError: There are windows of time but no time stamps in order, or files of several formats.
    """
    forced = "" if config.encoding == "auto" else config.encoding
    known = file_encodings.detect_encodings([file.path for file in files], forced)
    found = sample_stretches(files, forced, known) or _first_lines(files, forced, known)
    if not found:
        names = ", ".join(file.name for file in files[:5])
        raise EmptyDataError(f"There is no line in {names}: every file is empty, or has empty lines only.")
    kind = formats.detect_format(found) if config.format == "auto" else config.format
    header, delimiter = formats.detect_header(found, kind)
    field, clock = _detect_timestamps(found, kind, header, config)
    reading = ParserSpec(
        format=kind,
        clock=clock.format,
        session=config.session,
        window=config.window,
        stride=config.stride or config.window,
        message=config.message,
        time_field=field,
        line_label=config.line_label,
        places=clock.places,
        tail=clock.tail,
        example=clock.example,
        doubt=clock.doubt,
        like_sessions=kind == "lines" and not clock.format and formats.resembles_sessions(found),
        header=header,
        delimiter=delimiter if kind == "lines" and not config.message else "",
        encoding=forced,
        encodings=known,
    )
    _check_timestamps(reading, found, config, clock)
    return reading


def _first_lines(files: Sequence[LogFile], forced: str, known: Sequence[str]) -> list[Stretch]:
    """Where no sample can be taken: what is wrong with a file is raised here."""
    read = [(file, read_lines(file, encoding=file_encodings.file_encoding(file.path, forced, known))) for file in files]
    return [
        Stretch(file, texts, True)
        for file, lines in read
        if (texts := [r.text for r in islice(lines, MAX_FIRST_LINES)])
    ]


def _detect_timestamps(
    found: Sequence[Stretch], kind: formats.LineFormat, header: str, config: Config
) -> tuple[str, TimestampLayout]:
    if kind == "sessions":
        return "", TimestampLayout()
    if kind == "jsonl":
        return detect_time([stretch.texts for stretch in found], config.time_field, config.date_format)
    label = compile_setting(config.line_label, "line_label")
    runs = [[split_label(text, label)[1] for text in stretch.texts if text != header] for stretch in found]
    return "", recognise_clock(runs, config.date_format)


def _check_timestamps(reading: ParserSpec, found: Sequence[Stretch], config: Config, clock: TimestampLayout) -> None:
    by_time = lengths.parse(reading.window, "window").is_time and not reading.session and reading.format != "sessions"
    first = found[0]
    if config.time_field and reading.format == "jsonl" and not clock.format:
        raise DataError(
            f"{first.file.name}: no time is recognised in the field {config.time_field} (--time-field). The first "
            f"lines are: {time_windows.quote_lines(first.texts)}."
        )
    if by_time and not clock.format:
        fields = f" in any of the fields {', '.join(TIME_FIELDS)}" if reading.format == "jsonl" else ""
        raise DataError(
            f"{first.file.name}: --window {reading.window} needs the time of the lines, and no time stamp is recognised"
            f"{fields}. The lines tried begin with: {time_windows.quote_lines(first.texts)}. {time_windows.REMEDY}"
        )
    if by_time and clock.falling:
        raise DataError(
            f"{first.file.name}: --window {reading.window} needs lines in the order of time, and those of this log, "
            f"such as {clock.example!r}, run backwards or in no order. Sort them from the oldest to the newest, or "
            "take a window of lines, such as --window 20."
        )


def read_samples(
    files: Sequence[LogFile],
    reading: ParserSpec,
    tokens: Tokens,
    length: int,
    keep: tuple[str, ...] = (),
    tally: Tally | None = None,
) -> Iterator[Item]:
    """The samples of these files, and what is broken between them, in their order.

    Args:
        tokens: The number that stands for an event's message.
        length: L, the most events of a sample that are looked at.
        keep: Fields of JSON lines that are kept as metadata.
        tally: Counts what is read.
    """
    tally = Tally() if tally is None else tally
    sources = _sources(files, reading, keep, tally)
    if reading.format == "sessions":
        return grouping.presplit(sources, tokens, length)
    if reading.session:
        return grouping.by_key(sources, tokens, length, tally)
    window, stride = _steps(reading)
    if window.is_time:
        return time_windows.by_time(sources, tokens, length, window, stride)
    return grouping.by_lines(sources, tokens, length, window, stride)


def _sources(files: Sequence[LogFile], reading: ParserSpec, keep: tuple[str, ...], tally: Tally) -> Iterator[LogLines]:
    log, parse = None, make_parser(reading, keep)
    for file in files:
        # The parts of a rotated log go on from year to year; another log begins anew.
        if log_name(file.name) != log:
            log, parse = log_name(file.name), make_parser(reading, keep)
        encoding = file_encodings.file_encoding(file.path, reading.encoding, reading.encodings)
        yield (
            file,
            count_lines(file, map(parse, _without_header(read_lines(file, tally, encoding), reading.header)), tally),
        )


def _without_header(read: Iterator[RawLine], header: str) -> Iterator[RawLine]:
    first = next(read, None)
    if first is not None and not (header and first.text == header):
        yield first
    yield from read


def overlapping_window(reading: ParserSpec) -> lengths.Length | None:
    """The length of the windows where they overlap, and None where they do not, or where there are sessions."""
    window, stride = _steps(reading)
    return None if reading.format == "sessions" or reading.session or stride.size >= window.size else window


def _steps(reading: ParserSpec) -> tuple[lengths.Length, lengths.Length]:
    return lengths.parse(reading.window, "window"), lengths.parse(reading.stride, "stride")


def make_parser(reading: ParserSpec, keep: tuple[str, ...] = ()) -> Parser:
    """What makes lines of rows; it remembers the time of the last one, so each log gets one of its own."""
    if reading.format == "jsonl":
        return JsonLineParser(reading, keep)
    return TextLineParser(reading) if reading.format == "lines" else _parse_whole


def _parse_whole(row: RawLine) -> Line:
    return Line(row.number, row.text, row.text, damaged=row.cut or row.undecodable)
