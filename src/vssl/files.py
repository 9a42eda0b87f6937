"""Atomic writing of files, so that a kill at any moment leaves the previous file, and reading of compressed files."""

import bz2
import gzip
import json
import lzma
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from vssl.errors import StorageError

COMPRESSED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
"""How to open a compressed file, by its suffix."""


def opened(path: Path) -> BinaryIO:
    """Open a file for reading its uncompressed bytes, whether it is compressed or not."""
    return cast(BinaryIO, COMPRESSED.get(path.suffix.lower(), open)(path, "rb"))


@contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """A file that replaces `path` when the block ends without error and the data are on the disk.

    Raises:
        StorageError: The folder cannot be written, or the disk is full; an existing file is unchanged.
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
            f"{path} cannot be written: {error.strerror or error}. Free some space or choose a writable folder."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, data: Any) -> None:
    """Write JSON atomically."""
    with atomic(path) as file:
        file.write((json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode())
