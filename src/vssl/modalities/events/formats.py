"""What a log's lines are: raw text, JSON objects or ready sessions; and whether its first line names columns."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

from vssl.errors import BrokenFileError, DataError
from vssl.modalities.events.line_sampling import Stretch
from vssl.modalities.events.timestamps import detect

LineFormat = Literal["lines", "jsonl", "sessions"]
MIN_SHARE = 0.5
MAX_OTHER_LINES = 200
DISTINCT_IDS = 0.9
FEW_SESSIONS = 20
"""Sessions of which the ids need not show that they are distinct nearly all."""
MAX_SINGLE_SHARE = 0.05
"""Share of events that occur only once: those of sessions come again and again, numbers in messages do not."""

# Each word behind a blank of its own: otherwise a long word can be divided in too many ways to be tried.
_SESSION = re.compile(r"[^\s,]+,\s*(?:[^\s,]+(?:\s+[^\s,]+)*\s*)?")
_NAME = re.compile(r"[\"']?[^\W\d][\w .#()/-]{0,40}[\"']?")
_DELIMITERS = ",;\t|"
MESSAGE_NAMES = frozenset(
    {"message", "msg", "text", "log", "description", "details", "meldung", "meldetext", "nachricht"}
)
_COLUMNS = (
    "time timestamp date datetime ts level severity loglevel priority event events eventid eventsequence sequence "
    "session sessionid blockid id host hostname source component logger process thread label lineid type class code "
    "state status user zeit datum uhrzeit zeitstempel stufe klasse quelle ereignis nummer nr dateandtime taskcategory "
    "date/time"
)
COLUMN_NAMES = frozenset(_COLUMNS.split())
"""Usual names of columns, in small letters and without blanks and underscores."""


def detect_format(stretches: Sequence[Stretch]) -> LineFormat:
    """What the lines of most files are.

    Raises:
        BrokenFileError: A file is one piece of JSON over several lines.
        DataError: Some files hold JSON objects and others do not.
    """
    of_files: dict[str, list[str]] = {}
    for stretch in stretches:
        if stretch.first:
            refuse_whole_json(stretch)
        of_files.setdefault(stretch.file.name, []).extend(stretch.texts)
    kinds = {name: "jsonl" if _share(texts, _is_object) > MIN_SHARE else "text" for name, texts in of_files.items()}
    objects = [name for name, kind in kinds.items() if kind == "jsonl"]
    others = [name for name, kind in kinds.items() if kind != "jsonl"]
    if objects and others:
        raise DataError(
            f"{objects[0]} holds JSON lines and {others[0]} does not: give logs of one format at a time, or say which "
            "one with --format."
        )
    if objects:
        return "jsonl"
    firsts = [stretch.texts[0] for stretch in stretches if stretch.first]
    if any(_normal_name(text.partition(",")[2]) in MESSAGE_NAMES for text in firsts):
        return "lines"
    return "sessions" if _are_sessions([text for texts in of_files.values() for text in texts]) else "lines"


def resembles_sessions(stretches: Sequence[Stretch]) -> bool:
    """Whether most lines could be `id,event event ...` by their form."""
    texts = [text for stretch in stretches for text in stretch.texts]
    return _share(texts, lambda text: _SESSION.fullmatch(text) is not None) > MIN_SHARE


def refuse_whole_json(stretch: Stretch) -> None:
    """Refuse a file that is one array or one object of JSON, with the advice how to make lines of it.

    Raises:
        BrokenFileError: It is.
    """
    first = stretch.texts[0].strip()
    several = len(stretch.texts) > 1 and first in ("[", "{", "[{")
    if several or (first.startswith(("[{", "[ {")) and not _is_object(first)):
        raise BrokenFileError(
            str(stretch.file.path),
            "it is JSON over several lines, or an array of it, and not a JSON object per line. "
            f"Convert it: jq -c '{'.[]' if first.startswith('[') else '.'}' {stretch.file.path.name} > log.jsonl",
        )


def detect_header(stretches: Sequence[Stretch], kind: LineFormat) -> tuple[str, str]:
    """The first line of the files where it only names columns, and what divides these; empty where it does not."""
    firsts = Counter(stretch.texts[0] for stretch in stretches if stretch.first)
    others = [text for stretch in stretches for text in stretch.texts if text not in firsts][:MAX_OTHER_LINES]
    for text, count in firsts.most_common(1):
        if kind != "jsonl" and 2 * count >= sum(firsts.values()) and (delimiter := _column_delimiter(text, others)):
            return text, delimiter
    return "", ""


def _column_delimiter(text: str, others: Sequence[str]) -> str:
    """The delimiter of a line that holds usual names of columns, or names where other lines have numbers."""
    for delimiter in _DELIMITERS:
        names = text.strip().split(delimiter)
        if len(names) < 2 or not all(_NAME.fullmatch(name.strip()) for name in names):
            continue
        if {_normal_name(name) for name in names} & (COLUMN_NAMES | MESSAGE_NAMES):
            return delimiter
        rows = [row for other in others if len(row := other.split(delimiter)) >= len(names)]
        has_numbers = [sum(any(map(str.isdigit, row[position])) for row in rows) for position in range(len(names))]
        free = [position for position, name in enumerate(names) if not any(map(str.isdigit, name))]
        if len(rows) >= DISTINCT_IDS * max(1, len(others)) and any(
            has_numbers[position] >= DISTINCT_IDS * max(1, len(rows)) for position in free
        ):
            return delimiter
    return ""


def _normal_name(name: str) -> str:
    return re.sub(r"[\"' _]", "", name).lower()


def _share(texts: Sequence[str], is_one: Callable[[str], bool]) -> float:
    return sum(is_one(text) for text in texts) / max(1, len(texts))


def _is_object(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _are_sessions(texts: Sequence[str]) -> bool:
    """Whether nearly all lines are `id,event event ...`, the ids distinct and the events of few kinds."""
    found = [text for text in texts if _SESSION.fullmatch(text)]
    if len(found) <= (MIN_SHARE if len(texts) < FEW_SESSIONS else DISTINCT_IDS) * len(texts):
        return False
    # 2015-10-18T18:01:47,978 INFO has no blank before its comma either.
    if detect([[text.partition(",")[0] for text in found]]).format:
        return False
    ids = {text.partition(",")[0].strip() for text in found}
    if len(found) < FEW_SESSIONS:
        return 2 * len(ids) >= len(found)
    events = Counter(event for text in found for event in text.partition(",")[2].split())
    single = sum(count == 1 for count in events.values())
    return single <= MAX_SINGLE_SHARE * sum(events.values()) and len(ids) >= DISTINCT_IDS * len(found)
