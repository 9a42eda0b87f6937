"""What a person must know about how tables were read: what they were recognised as, and what is left out of them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from vssl.errors import BrokenFileError
from vssl.modalities import folders
from vssl.modalities.sensors import Spec, tables
from vssl.modalities.sensors.column import STATE_WORDS, Column
from vssl.modalities.sensors.column_roles import UNNAMED_COLUMN
from vssl.modalities.sensors.dialect import DELIMITERS
from vssl.modalities.sensors.index import Index
from vssl.modalities.sensors.profiles import Profile, profile
from vssl.modalities.sensors.rows import Layout

MAX_SHOWN = 8
"""So many columns, words or kinds are named; of more the number is."""


def table_notes(source: str | Path, spec: Spec, layout: Layout, found: Index) -> list[str]:
    """Sentences on how the files of a source are read; none where all are plain and nothing is left out."""
    paths = list(dict.fromkeys(file.path for file in found.files))
    known: list[tuple[Path, Profile]] = []
    for path in paths:
        with suppress(BrokenFileError):
            known.append((path, profile(path, tables.name_in(source, path), layout.options)))
    return [
        *_dialects(known),
        *_units(known, layout),
        *_times(known, layout),
        *_orders(found),
        *_left_out(known, spec, layout),
        *_missing(found),
        *_trailing(known),
        *_aside(source),
    ]


def _dialects(known: Sequence[tuple[Path, Profile]]) -> list[str]:
    count = Counter(text for _, file in known if (text := _dialect(file)))
    return [f"{_files(number, len(known))} read with {text}." for text, number in count.most_common(MAX_SHOWN)]


def _dialect(file: Profile) -> str:
    """What is not as in a plain CSV file: commas, decimal points, UTF-8, names in the first line."""
    if file.dialect is None:
        return ""
    heading, parts = file.dialect.heading, []
    if file.dialect.delimiter not in (",", "\t") and len(heading.names) > 1:
        parts.append(f"{DELIMITERS.get(file.dialect.delimiter, repr(file.dialect.delimiter))} between values")
    commas = [one.name for one in file.columns if one.decimal == ","]
    if file.decimal == "," or commas:
        where = "" if file.decimal == "," else f" in {_join([repr(one) for one in commas])}"
        parts.append(f"decimal commas{where}")
    if file.dialect.encoding != "utf-8":
        parts.append(f"the encoding {file.dialect.encoding}")
    if not heading.given:
        parts.append("no column names (they are called column_1 and so on)")
    if heading.preamble:
        parts.append(f"{heading.preamble} line{'s' * (heading.preamble > 1)} above the column names skipped")
    if heading.units:
        parts.append(f"{heading.units} line{'s' * (heading.units > 1)} of units below the column names skipped")
    return ", ".join(parts)


def _units(known: Sequence[tuple[Path, Profile]], layout: Layout) -> list[str]:
    used = {*layout.channels, *(layout.long_format or ())}
    units = {(one.name, one.unit): 1 for _, file in known for one in file.columns if one.unit and one.name in used}
    told = [f"{unit} in {name!r}" for name, unit in units]
    pairs = {(one.name, one.states): 1 for _, file in known for one in file.columns if one.name in used}
    states = [f"{' and '.join(words)} in {name!r}" for name, words in pairs if words != STATE_WORDS[0]]
    return [
        *([f"Units behind the numbers are taken off: {_join(told)}."] if told else []),
        *([f"Words for two states are read as 1 and 0: {_join(states)}."] if states else []),
    ]


def _times(known: Sequence[tuple[Path, Profile]], layout: Layout) -> list[str]:
    if layout.time is None:
        return []
    texts: Counter[str] = Counter()
    for _, file in known:
        with suppress(KeyError):
            texts.update(filter(None, [_shown(file.column(layout.time))]))
    return [f"Times are read from {text}." for text in list(texts)[:MAX_SHOWN]]


def _shown(column: Column) -> str:
    """How times are written; empty where they are ISO texts, or Arrow's own."""
    if column.parts:
        parts = [_shown(part) or repr(part.name) for part in column.parts]
        return f"two columns, {parts[0]} and {parts[1]}"
    if column.datetime_format is not None:
        # Two files differ in their examples, and not in their form.
        return f"{column.name!r}, {column.datetime_format.shown}"
    if column.numeric_time is not None:
        return f"{column.name!r}, {column.numeric_time.shown}"
    if pa.types.is_time(column.type):
        return f"{column.name!r}, which holds the time of day without a date"
    return ""


def _orders(found: Index) -> list[str]:
    count = Counter(file.order for file in found.files if file.order)
    first = {file.order: file.name for file in reversed(found.files)}
    return [
        f"{first[order]} was {order}." if number == 1 else f"{number} series, the first {first[order]}, were {order}."
        for order, number in count.items()
    ]


def _left_out(known: Sequence[tuple[Path, Profile]], spec: Spec, layout: Layout) -> list[str]:
    """The columns that are neither channel nor time nor label, each with the reason."""
    names = {part.name for _, file in known for one in file.columns for part in (one, *one.parts)}
    used = {*layout.channels, *layout.labels, layout.time, layout.series_by, *(layout.long_format or ())}
    parts = {part.name for _, file in known for one in file.columns if one.name == layout.time for part in one.parts}
    reasons = {}
    for text in spec.left_out:
        name = max(
            (one for one in (*names, UNNAMED_COLUMN) if one and text.startswith(f"{one}: ")), key=len, default=""
        )
        if name not in layout.labels:
            reasons[name] = text.removeprefix(f"{name}: ")
    others = [name for name in names - used - parts if name not in reasons]
    empty = {one.name for _, file in known for one in file.columns if pa.types.is_null(one.type)}
    filled = {one.name for _, file in known for one in file.columns if not pa.types.is_null(one.type)}
    others = [name for name in others if name or "" in filled]
    told = [f"{name!r} ({why})" for name, why in reasons.items() if name and name in names]
    told += [f"{UNNAMED_COLUMN} ({reasons[UNNAMED_COLUMN]})"] if UNNAMED_COLUMN in reasons and "" in names else []
    told += [f"{name!r} (not in the training files)" for name in sorted(others) if name not in empty and name]
    told += [f"{UNNAMED_COLUMN} (not in the training files)"] if "" in others and UNNAMED_COLUMN not in reasons else []
    return [f"Columns that are not used as channels: {_join(told)}."] if told else []


def _missing(found: Index) -> list[str]:
    words: Counter[str] = Counter()
    for file in found.files:
        words.update(file.words)
    if not words:
        return []
    told = ", ".join(f"{word!r} ({count:,})" for word, count in words.most_common(MAX_SHOWN))
    return [f"{words.total():,} values are words that stand for a missing number: {told}."]


def _trailing(known: Iterable[tuple[Path, Profile]]) -> list[str]:
    lines, first = 0, ""
    for path, file in known:
        if file.dialect is not None and (own := tables.read_footer(path, file.dialect)):
            lines += len(own)
            first = first or f"the first, in {path.name}: {own[0][:60]!r}"
    return [f"{lines} line{'s' * (lines > 1)} at the end of files are no rows and left out; {first}."] if lines else []


def _aside(source: str | Path) -> list[str]:
    ignored = folders.skipped_files(source, tables.is_series)
    names = folders.count_text(ignored)
    return [f"Files left aside, as they are no tables by their names: {names}."] if ignored else []


def _files(number: int, total: int) -> str:
    if number == total:
        return "The file is" if total == 1 else f"All {total} files are"
    return f"{number} of {total} files {'is' if number == 1 else 'are'}"


def _join(texts: Sequence[str]) -> str:
    return folders.first_and_more(texts, MAX_SHOWN, " and ")
