"""Which files of one kind lie below a folder, and in which order they come."""

import errno
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vssl.errors import DataError, EmptyDataError

FileState = tuple[int, int]  # size in bytes, time of change in ns
DANGLING: FileState = (0, 0)
"""Of a file that cannot be looked at, such as a link that points nowhere."""

SYSTEM_FILES = frozenset({"__MACOSX", ".DS_Store", ".git", ".ipynb_checkpoints", "Thumbs.db", "desktop.ini"})
"""What systems leave everywhere: hidden, and nobody needs to hear of it."""


@dataclass
class FolderContents:
    """What lies below a folder.

    Attributes:
        names: Of the wanted files, relative to the folder, with /.
        states: Of the same files.
        ignored: The other files' suffixes, counted.
        hidden: Hidden files of wanted names and hidden folders, but for those that operating systems leave everywhere.
        links: Links that were passed over, as what they point at was found under its own name.
    """

    names: list[str] = field(default_factory=list)
    states: list[FileState] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    hidden: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


def find_files(source: str | Path, is_wanted: Callable[[str], bool], what: str, suffixes: Sequence[str]) -> list[str]:
    """Names of the wanted files below a folder, in no order, or of the one file.

    Args:
        is_wanted: As in `list_files`.
        what: What the files are, for error messages, for example "log file".
        suffixes: What was looked for, for error messages.

    Raises:
        EmptyDataError: The folder holds none.
        DataError: There is no such path, or as in `list_files`.
    """
    path = Path(source)
    if path.is_file():
        check_name(path.parent, path.name)
        return [path.name]
    if not path.is_dir():
        raise DataError(f"{path} does not exist. Give a {what}, or a folder of them.")
    found = list_files(path, is_wanted)
    if not found.names:
        known = " ".join(suffixes)
        raise EmptyDataError(f"There is no {what} in {path}: looked for {known}; {describe_others(found.ignored)}.")
    return found.names


def skipped_files(source: str | Path, is_wanted: Callable[[str], bool]) -> Counter[str]:
    """Suffixes of the other files below a folder, counted; those of hidden files are not."""
    return list_files(Path(source), is_wanted).ignored if Path(source).is_dir() else Counter()


def list_files(root: Path, is_wanted: Callable[[str], bool]) -> FolderContents:
    """Find the wanted files below a folder.

    Hidden files and folders are passed over. Links are followed where they lead to something that is not found under
    its own name too: a folder or file has the same name whatever the order of the listing. A link that points nowhere,
    or to itself, keeps its name, so that it is counted as a broken file later and does not vanish.

    Args:
        is_wanted: Whether a file is, by its name.

    Raises:
        DataError: A folder cannot be listed, a link not be followed, or a wanted name is not UTF-8.
    """
    found, seen = FolderContents(), set()
    pending, linked_folders, linked_files = [""], list[str](), list[os.DirEntry[str]]()
    while pending or linked_folders:
        # Real folders first, so that a link to one of them is known as such.
        is_link = not pending
        folder = linked_folders.pop() if is_link else pending.pop()
        identity, items = _listing(root / folder)
        if identity in seen:  # links between folders can form a circle
            found.links += [folder.rstrip("/")] * is_link
            continue
        seen.add(identity)
        folders_below: list[str] = []
        for item in items:
            if item.name.startswith(".") or item.name in SYSTEM_FILES:
                if not is_system_file(item.name) and (is_wanted(item.name) or _is_folder(item)):
                    found.hidden.append(folder + item.name)
            elif _is_folder(item):
                (folders_below if item.is_symlink() else pending).append(f"{folder}{item.name}/")
            elif not is_wanted(item.name):
                found.ignored[suffix(item.name)] += 1
            elif item.is_symlink():
                linked_files.append(item)
            else:
                _add(found, root, folder + item.name, _item_state(item))
        linked_folders = sorted([*linked_folders, *folders_below], reverse=True)
    _add_links(found, root, linked_files, is_wanted)
    return found


def _add(found: FolderContents, root: Path, name: str, own: FileState | None) -> None:
    if own is not None:
        check_name(root, name)
        found.names.append(name)
        found.states.append(own)


def _add_links(
    found: FolderContents, root: Path, links: list[os.DirEntry[str]], is_wanted: Callable[[str], bool]
) -> None:
    """Keep the linked files that are not found under a name of their own."""
    top, targets = os.path.realpath(root), set[str]()
    for link in sorted(links, key=lambda link: link.path):
        name, own = os.path.relpath(link.path, root), _item_state(link)
        target = os.path.realpath(link.path)
        inside = os.path.relpath(target, top)
        is_own = not inside.startswith("..") and not is_hidden(inside) and is_wanted(inside)
        if own not in (None, DANGLING) and (is_own or target in targets):
            found.links.append(name)
        else:
            targets.add(target)
            _add(found, root, name, own)


def file_state(status: os.stat_result) -> FileState:
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


def describe_others(ignored: Mapping[str, int]) -> str:
    """What there is where nothing wanted was found, for a message."""
    return f"there are other files: {count_text(ignored)}" if ignored else "it holds no file"


def count_text(ignored: Mapping[str, int]) -> str:
    """The most frequent suffixes with their counts, for a message."""
    kinds = Counter(ignored).most_common()
    text = ", ".join(f"{count} {kind or 'without a suffix'}" for kind, count in kinds[:10])
    return text if len(kinds) <= 10 else f"{text}, {sum(count for _, count in kinds[10:])} others"


def first_and_more(texts: Sequence[str], most: int, before_more: str) -> str:
    """The first texts of a list and the number of the others, for a sentence."""
    shown = ", ".join(texts[:most])
    return shown if len(texts) <= most else f"{shown}{before_more}{len(texts) - most} more"


def is_hidden(path: str) -> bool:
    """Whether a part of the path starts with a dot or is what macOS adds to archives; `.` and `..` are no names."""
    return any((part.startswith(".") and part not in (".", "..")) or part in SYSTEM_FILES for part in path.split("/"))


def is_system_file(path: str) -> bool:
    """Whether a hidden path is what operating systems leave everywhere, and no word is to be lost on it."""
    parts = path.split("/")
    return any(part in SYSTEM_FILES for part in parts) or parts[-1].startswith("._")


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
    return file_state(status) if stat.S_ISREG(status.st_mode) else None
