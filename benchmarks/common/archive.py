"""Data sets that come as a tar archive: unpacked into a scratch folder when they are."""

from __future__ import annotations

import tarfile
from pathlib import Path

from vssl.errors import DataError


def unpacked(data: Path, scratch: Path) -> Path:
    """`data` itself when it is a folder, or `scratch` with what the archive holds.

    Raises:
        DataError: `data` is neither a folder nor a tar archive.
    """
    if data.is_dir():
        return data
    if not (data.is_file() and tarfile.is_tarfile(data)):
        raise DataError(f"{data}: neither a folder nor a tar archive; give one of them.")
    with tarfile.open(data) as archive:
        archive.extractall(scratch, filter="data")
    return scratch
