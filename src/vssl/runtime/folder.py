"""Reads an export folder; every file is checked against its hash in the manifest before it is parsed."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vssl.errors import ExportError

FORMAT = 3
"""Format number of the folder, and of how samples are read; another one is refused."""

MANIFEST = "manifest.json"
MODEL, POLICY, KNOWN, GOLDEN, PICTURES = "model", "policy", "known", "golden", "pictures"
"""The roles of the files in the folder."""


@dataclass(frozen=True)
class Export:
    """The files of an export folder, read once and unchanged since the export.

    Attributes:
        path: The folder.
        about: The manifest: format, modality, spec, precision, backend, versions, parity.
        contents: The bytes of each file by role, except for the pictures, which decisions do not need.
    """

    path: Path
    about: dict[str, Any]
    contents: dict[str, bytes]


def read(path: str | Path) -> Export:
    """Read an export folder.

    Raises:
        ExportError: It is not an export folder, a file is missing or was changed, or its format is another.
    """
    path = Path(path)
    try:
        about = json.loads((path / MANIFEST).read_bytes())
        files = {role: (str(entry["name"]), str(entry["sha256"])) for role, entry in about["files"].items()}
    except OSError as error:
        raise ExportError(f"{path} is not an export folder: it has no {MANIFEST}. Make one: vssl export RUN") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExportError(f"{path / MANIFEST} cannot be read: {error!r}. Export again.") from error
    if about.get("format") != FORMAT:
        raise ExportError(
            f"{path} has the format {about.get('format')!r}, and this version reads {FORMAT}. "
            "Export the run again with this version: vssl export RUN"
        )
    missing = sorted({MODEL, GOLDEN} - set(files))
    if missing:
        raise ExportError(f"{path / MANIFEST} names no {missing[0]}. Export again.")
    return Export(path, about, {role: _content(path, *files[role]) for role in files if role != PICTURES})


def pictures(export: Path, about: dict[str, Any]) -> bytes | None:
    """A zip archive with thumbnails of the bank samples by row, 0.webp, 1.webp, ...; None if there is none.

    Raises:
        ExportError: It is missing or was changed.
    """
    entry = about["files"].get(PICTURES)
    return None if entry is None else _content(export, str(entry["name"]), str(entry["sha256"]))


def _content(path: Path, name: str, expected: str) -> bytes:
    if Path(name).name != name:
        raise ExportError(f"{path / MANIFEST} names a file outside the folder: {name!r}.")
    try:
        data = (path / name).read_bytes()
    except OSError as error:
        raise ExportError(f"{path / name} cannot be read: {error.strerror}. Copy the whole folder again.") from error
    if hashlib.sha256(data).hexdigest() != expected:
        raise ExportError(f"{path / name} was changed since the export. Copy the whole folder again.")
    return data
