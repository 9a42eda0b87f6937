"""From files to samples: how the lines are to be read is recognised once and stored; then they are grouped."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from vssl.errors import DataError, EmptyDataError
from vssl.modalities import lengths
from vssl.modalities.events import PARSER_SETTINGS, Config, ParserSpec, file_encodings, formats, grouping, time_windows
from vssl.modalities.events.files import LogFile, RawLine, Tally, log_name, read_lines
from vssl.modalities.events.grouping import Item, LogLines, Tokens
from vssl.modalities.events.json_fields import TIME_FIELDS, detect_time
from vssl.modalities.events.line_counts import count_lines
from vssl.modalities.events.line_sampling import Stretch, sample_stretches
from vssl.modalities.events.lines import JsonLineParser, Line, TextLineParser, split_label
from vssl.modalities.events.regexes import compile_setting
from vssl.modalities.events.timestamps import TimestampLayout
from vssl.modalities.events.timestamps import detect as detect_timestamps

MAX_FIRST_LINES = 200

Parser = Callable[[RawLine], Line]


def detect_parser(files: Sequence[LogFile], config: Config) -> ParserSpec:
    """Detect how the lines of these files are to be read, from lines sampled all over them.

    Raises:
        EmptyDataError: No file has a line that is not empty.
        DataError: There are windows of time but no time stamps in order, or files of several formats.
    """
    forced = config.forced_encoding
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
        timestamp_format=clock.format,
        time_field=field,
        settings=Config(**{name: getattr(config, name) for name in PARSER_SETTINGS}),
        positions=clock.positions,
        tail=clock.tail,
        example=clock.example,
        alternative=clock.alternative,
        resembles_sessions=kind == "lines" and not clock.format and formats.resembles_sessions(found),
        header=header,
        delimiter=delimiter if kind == "lines" and not config.message else "",
        encodings=known,
    )
    _check_timestamps(reading, found, config, clock)
    return reading


def _first_lines(files: Sequence[LogFile], forced: str, known: Sequence[str]) -> list[Stretch]:
    """Where no sample can be taken: what is wrong with a file is raised here."""
    found = []
    for file in files:
        lines = read_lines(file, encoding=file_encodings.file_encoding(file.path, forced, known))
        found.append(Stretch(file, [line.text for line in islice(lines, MAX_FIRST_LINES)], True))
    return [stretch for stretch in found if stretch.texts]


def _detect_timestamps(
    found: Sequence[Stretch], kind: formats.LineFormat, header: str, config: Config
) -> tuple[str, TimestampLayout]:
    if kind == "sessions":
        return "", TimestampLayout()
    if kind == "jsonl":
        return detect_time([stretch.texts for stretch in found], config.time_field, config.date_format)
    label = compile_setting(config.line_label, "line_label")
    runs = [[split_label(text, label)[1] for text in stretch.texts if text != header] for stretch in found]
    return "", detect_timestamps(runs, config.date_format)


def _check_timestamps(reading: ParserSpec, found: Sequence[Stretch], config: Config, clock: TimestampLayout) -> None:
    by_time = reading.has_windows and reading.window_and_stride[0].is_time
    first = found[0]
    if config.time_field and reading.format == "jsonl" and not clock.format:
        raise DataError(
            f"{first.file.name}: no time is recognised in the field {config.time_field} (--time-field). The first "
            f"lines are: {time_windows.quote_lines(first.texts)}."
        )
    if by_time and not clock.format:
        fields = f" in any of the fields {', '.join(TIME_FIELDS)}" if reading.format == "jsonl" else ""
        raise DataError(
            f"{first.file.name}: --window {config.window} needs the time of the lines, and no time stamp is recognised"
            f"{fields}. The lines tried begin with: {time_windows.quote_lines(first.texts)}. {time_windows.REMEDY}"
        )
    if by_time and clock.falling:
        raise DataError(
            f"{first.file.name}: --window {config.window} needs lines in the order of time, and those of this log, "
            f"such as {clock.example!r}, run backwards or in no order. Sort them from the oldest to the newest, or "
            "take a window of lines, such as --window 20."
        )


def read_samples(
    files: Sequence[LogFile],
    reading: ParserSpec,
    tokens: Tokens,
    length: int,
    fields: tuple[str, ...] = (),
    tally: Tally | None = None,
) -> Iterator[Item]:
    """The samples of these files, and what is broken between them, in their order.

    Args:
        tokens: The number that stands for an event's message.
        length: L, the most events of a sample that are looked at.
        fields: Fields of JSON lines that are kept as metadata.
        tally: Counts what is read.
    """
    tally = Tally() if tally is None else tally
    sources = _sources(files, reading, fields, tally)
    if reading.format == "sessions":
        return grouping.presplit(sources, tokens, length)
    if not reading.has_windows:
        return grouping.by_key(sources, tokens, length, tally)
    window, stride = reading.window_and_stride
    if window.is_time:
        return time_windows.by_time(sources, tokens, length, window, stride)
    return grouping.by_lines(sources, tokens, length, window, stride)


def _sources(
    files: Sequence[LogFile], reading: ParserSpec, fields: tuple[str, ...], tally: Tally
) -> Iterator[LogLines]:
    log, parse = None, make_parser(reading, fields)
    for file in files:
        # The parts of a rotated log go on from year to year; the years of another log begin again.
        if log_name(file.name) != log:
            log, parse = log_name(file.name), make_parser(reading, fields)
        encoding = file_encodings.file_encoding(file.path, reading.settings.forced_encoding, reading.encodings)
        rows = _without_header(read_lines(file, tally, encoding), reading.header)
        yield file, count_lines(file, map(parse, rows), tally)


def _without_header(read: Iterator[RawLine], header: str) -> Iterator[RawLine]:
    first = next(read, None)
    if first is not None and not (header and first.text == header):
        yield first
    yield from read


def overlapping_window(reading: ParserSpec) -> lengths.Length | None:
    """The length of the windows where they overlap, and None where they do not, or where there are sessions."""
    window, stride = reading.window_and_stride
    return window if reading.has_windows and stride.size < window.size else None


def make_parser(reading: ParserSpec, fields: tuple[str, ...] = ()) -> Parser:
    """What makes lines of rows; it remembers the time of the last one, so each log gets one of its own."""
    if reading.format == "jsonl":
        return JsonLineParser(reading, fields)
    if reading.format == "lines":
        return TextLineParser(reading)
    return lambda row: Line(row.number, row.text, row.text, damaged=row.cut or row.undecodable)
