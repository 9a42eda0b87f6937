"""Things that are costly to make again, kept on disk: decoded pixels, unpacked archives, their tables of contents."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from vssl.errors import StorageError

LIMIT_BYTES = 50 * 10**9
STALE_S = 86400.0
"""A draft that nobody wrote to for so long belongs to a process that was killed: a living one writes all the time."""

_OURS = re.compile(r"\.?(pixels|archive)-[0-9a-f]{32}(\.\w+)?")
"""Entries and drafts. The folder may be one that the user keeps other things in."""

_in_use: set[Path] = set()


def cache_folder() -> Path:
    """The folder of the cache, made on demand: $VSSL_CACHE, else $XDG_CACHE_HOME/vssl, else ~/.cache/vssl.

    Raises:
        StorageError: It cannot be made or written.
    """
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(os.environ.get("VSSL_CACHE") or f"{base}/vssl").expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unwritable(folder, PermissionError("no permission"))
    return folder


def cached_entry(name: str, build: Callable[[Path], None], refresh: bool = False) -> Path:
    """The folder of a finished entry; made first, where it is missing, by `build(folder)`.

    An entry appears whole or not at all, also when two processes build it at once. The entries used longest ago go
    when all together pass `LIMIT_BYTES`, never those that this process uses; so do drafts that a kill left behind.

    Raises:
        StorageError: The entry cannot be written: no permission, or the disk is full.
    """
    final = cache_folder() / name
    _in_use.add(final)
    try:
        if refresh:
            _discard(final)
        if not final.exists():
            _sweep(final.parent)
            _make(final, build)
            _evict(final.parent)
        os.utime(final)
    except OSError as error:
        raise _unwritable(final.parent, error) from error
    return final


def find_entry(name: str) -> Path | None:
    """The folder of an entry that is there already, or None; nothing is made, and nothing raised."""
    with suppress(StorageError, OSError):
        final = cache_folder() / name
        os.utime(final)
        _in_use.add(final)
        return final
    return None


def _make(final: Path, build: Callable[[Path], None]) -> None:
    draft = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
    try:
        build(draft)
        for path in [*draft.iterdir(), draft]:
            _to_disk(path)
        _publish(draft, final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _publish(draft: Path, final: Path) -> None:
    try:
        draft.rename(final)
    except OSError:
        if not final.exists():
            raise
        return  # another process was first; its entry is as good as ours
    _to_disk(final.parent)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(folder: Path) -> None:
    """Remove an entry so that nobody ever sees half of it."""
    with (
        tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as grave,
        suppress(FileNotFoundError),  # another process was first
    ):
        folder.rename(Path(grave) / folder.name)


def _evict(root: Path) -> None:
    entries = {path for path in _ours(root) if not path.name.startswith(".")}
    sizes = {path: sum(file.stat().st_size for file in path.iterdir()) for path in entries}
    total = sum(sizes.values())
    for path in sorted(entries - _in_use, key=lambda path: path.stat().st_mtime_ns):
        if total <= LIMIT_BYTES:
            break
        _discard(path)
        total -= sizes[path]


def _sweep(root: Path) -> None:
    for draft in _ours(root):
        if draft.name.startswith(".") and time.time() - _last_written(draft) > STALE_S:
            shutil.rmtree(draft, ignore_errors=True)


def _ours(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if path.is_dir() and _OURS.fullmatch(path.name)]


def _last_written(draft: Path) -> float:
    try:
        return max(path.stat().st_mtime for path in [draft, *draft.iterdir()])
    except FileNotFoundError:  # it has just been finished
        return time.time()


def _unwritable(folder: Path, error: OSError) -> StorageError:
    reason = error.strerror or str(error)
    return StorageError(
        f"The cache folder {folder} cannot be written: {reason}. "
        "Free some space or get permission there, or name another folder in the environment variable VSSL_CACHE."
    )
