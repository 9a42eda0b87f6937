"""Which files of one kind lie below a folder, and in which order they come."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from vssl.errors import DataError

FileState = tuple[int, int]  # size in bytes, time of change in ns
DANGLING: FileState = (0, 0)
"""Of a file that cannot be looked at, such as a link that points nowhere."""


def scan(root: Path, is_wanted: Callable[[str], bool]) -> tuple[list[str], list[FileState], Counter[str]]:
    """Names (relative to root, with /) and states of the wanted files below root, and the others' suffixes, counted.

    Hidden files and folders are passed over. Links are followed; one that points nowhere, or to itself, keeps its name,
    so that it is counted as a broken file later and does not vanish.

    Args:
        is_wanted: Whether a file is, by its name.

    Raises:
        DataError: A folder cannot be listed, a link not be followed, or a wanted name is not UTF-8.
    """
    names: list[str] = []
    states: list[FileState] = []
    ignored: Counter[str] = Counter()
    pending, seen = [""], set()
    while pending:
        folder = pending.pop()
        identity, items = _listing(root / folder)
        if identity in seen:  # links between folders can form a circle
            continue
        seen.add(identity)
        for item in items:
            if item.name.startswith("."):
                continue
            if _is_folder(item):
                pending.append(f"{folder}{item.name}/")
            elif not is_wanted(item.name):
                ignored[suffix(item.name)] += 1
            elif (found := _item_state(item)) is not None:
                check_name(root, folder + item.name)
                names.append(folder + item.name)
                states.append(found)
    return names, states, ignored


def state(status: os.stat_result) -> FileState:
    """What tells one content of a file from the next."""
    return status.st_size, status.st_mtime_ns


def check_name(folder: Path, name: str) -> None:
    """Check that a file's name is text, as ids and tables hold it.

    Raises:
        DataError: It is not UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{folder} has a file name that is not UTF-8: {name!a}. Rename the file.") from error


def suffix(name: str) -> str:
    """The suffix in small letters, with its dot; empty where there is none."""
    last = name.rpartition("/")[2]
    stem, _, end = last.rpartition(".")
    return f".{end.lower()}" if stem else ""


def others(ignored: Mapping[str, int]) -> str:
    """What there is where nothing wanted was found, for a message."""
    kinds = ", ".join(f"{count} {kind or 'without a suffix'}" for kind, count in Counter(ignored).most_common(10))
    return f"there are other files: {kinds}" if kinds else "it holds no file"


def is_hidden(path: str) -> bool:
    """Whether a part of the path starts with a dot; `.` and `..` are no names."""
    return any(part.startswith(".") and part not in (".", "..") for part in path.split("/"))


def natural_order(names: list[str]) -> list[int]:
    """Rows in the order a person expects: `part2` before `part10`."""
    keys = [re.sub(r"\d+", lambda digits: digits[0].zfill(20), name) + "\0" + name for name in names]
    return sorted(range(len(names)), key=keys.__getitem__)


def _listing(folder: Path) -> tuple[tuple[int, int], list[os.DirEntry[str]]]:
    try:
        status = folder.stat()
        with os.scandir(folder) as items:
            return (status.st_dev, status.st_ino), list(items)
    except OSError as error:
        raise DataError(f"The folder {folder} cannot be listed: {error.strerror}.") from error


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise DataError(f"The link {item.path} cannot be followed: {error.strerror}.") from error


def _item_state(item: os.DirEntry[str]) -> FileState | None:
    try:
        status = item.stat()
    except OSError:  # what it was is said when it is read
        return DANGLING
    return state(status) if stat.S_ISREG(status.st_mode) else None
