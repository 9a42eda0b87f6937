"""What a log's lines are: raw text, JSON objects or ready sessions; and whether its first line names columns."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from vssl.errors import BrokenFileError, DataError
from vssl.modalities.events.samples import Stretch
from vssl.modalities.events.stamps import recognise

Kind = Literal["lines", "jsonl", "sessions"]
MOST = 0.5
DISTINCT_IDS = 0.9
FEW = 20
"""Sessions of which the ids need not show that they are distinct nearly all."""
SINGLE = 0.05
"""Share of events that occur only once: those of sessions come again and again, numbers in messages do not."""

# Each word behind a blank of its own: otherwise a long word can be divided in too many ways to be tried.
_SESSION = re.compile(r"[^\s,]+,\s*(?:[^\s,]+(?:\s+[^\s,]+)*\s*)?")
_NAME = re.compile(r"[\"']?[^\W\d][\w .#()/-]{0,40}[\"']?")
_DELIMITERS = ",;\t|"
_COLUMNS = frozenset(
    [
        "time",
        "timestamp",
        "date",
        "datetime",
        "ts",
        "level",
        "severity",
        "loglevel",
        "priority",
        "message",
        "msg",
        "text",
        "log",
        "event",
        "events",
        "eventid",
        "event_sequence",
        "eventsequence",
        "sequence",
        "session",
        "session_id",
        "sessionid",
        "blockid",
        "block_id",
        "id",
        "host",
        "hostname",
        "source",
        "component",
        "logger",
        "process",
        "thread",
        "label",
        "lineid",
    ]
)


def recognise_format(stretches: Sequence[Stretch]) -> Kind:
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
    kinds = {name: "jsonl" if _share(texts, _is_object) > MOST else "text" for name, texts in of_files.items()}
    objects = [name for name, kind in kinds.items() if kind == "jsonl"]
    others = [name for name, kind in kinds.items() if kind != "jsonl"]
    if objects and others:
        raise DataError(
            f"{objects[0]} holds JSON lines and {others[0]} does not: give logs of one format at a time, or say which "
            "one with --format."
        )
    if objects:
        return "jsonl"
    return "sessions" if _are_sessions([text for texts in of_files.values() for text in texts]) else "lines"


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


def header(stretches: Sequence[Stretch], kind: Kind) -> str:
    """The first line of the files where it only names columns; empty where it does not."""
    firsts = Counter(stretch.texts[0] for stretch in stretches if stretch.first)
    for text, count in firsts.most_common(1):
        if kind != "jsonl" and 2 * count >= sum(firsts.values()) and _names_columns(text):
            return text
    return ""


def _names_columns(text: str) -> bool:
    for delimiter in _DELIMITERS:
        names = text.strip().split(delimiter)
        if len(names) > 1:
            words = {re.sub(r"[\"' _]", "", name).lower() for name in names}
            return all(_NAME.fullmatch(name.strip()) for name in names) and bool(
                words & {name.replace("_", "") for name in _COLUMNS}
            )
    return False


def _share(texts: Sequence[str], is_one: object) -> float:
    assert callable(is_one)
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
    if len(found) <= (MOST if len(texts) < FEW else DISTINCT_IDS) * len(texts):
        return False
    # 2015-10-18T18:01:47,978 INFO has no blank before its comma either.
    if recognise([[text.partition(",")[0] for text in found]]).format:
        return False
    ids = {text.partition(",")[0].strip() for text in found}
    if len(found) < FEW:
        return 2 * len(ids) >= len(found)
    events = Counter(event for text in found for event in text.partition(",")[2].split())
    single = sum(count == 1 for count in events.values())
    return single <= SINGLE * sum(events.values()) and len(ids) >= DISTINCT_IDS * len(found)
