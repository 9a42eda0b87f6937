"""Writing files so that a kill at any moment leaves the last good state, and opening compressed ones as plain ones."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from vssl.errors import StorageError

COMPRESSED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
"""How a file is opened, by the end of its name."""


def opened(path: Path) -> BinaryIO:
    """The plain bytes of a file, compressed or not, to be read in order."""
    return COMPRESSED.get(path.suffix.lower(), open)(path, "rb")


@contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name only when it is complete and on the disk.

    Raises:
        StorageError: The folder cannot be written, or the disk is full; what stood at `path` stands there still.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}. Free some space or choose a folder you may write to."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, data: Any) -> None:
    """Write JSON, all or nothing."""
    with atomic(path) as file:
        file.write((json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode())
