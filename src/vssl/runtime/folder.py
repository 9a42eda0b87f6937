"""An export folder: what lies in it, and that it is what was exported; everything is checked before it is parsed."""

from __future__ import annotations

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
"""What the files of a folder are for."""


@dataclass(frozen=True)
class Export:
    """The files of an export folder, read once and unchanged since the export.

    Attributes:
        path: Where it lies.
        about: The manifest: format, modality, spec, precision, backend, versions, parity.
        contents: The bytes of each file by what it is for, but for the pictures, which deciding does without.
    """

    path: Path
    about: dict[str, Any]
    contents: dict[str, bytes]


def read(path: str | Path) -> Export:
    """Read an export folder.

    Raises:
        ExportError: It is none, a file is missing or was changed, or another version wrote it.
    """
    path = Path(path)
    try:
        about = json.loads((path / MANIFEST).read_bytes())
        files = {role: (str(entry["name"]), str(entry["sha256"])) for role, entry in about["files"].items()}
    except OSError as error:
        raise ExportError(f"{path} is no export folder: it has no {MANIFEST}. Make one: vssl export RUN") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExportError(f"{path / MANIFEST} cannot be read: {error!r}. Export again.") from error
    if about.get("format") != FORMAT:
        raise ExportError(
            f"{path} has the format {about.get('format')!r}, and this version reads {FORMAT}. "
            "Export the run again with it: vssl export RUN"
        )
    missing = sorted({MODEL, GOLDEN} - set(files))
    if missing:
        raise ExportError(f"{path / MANIFEST} names no {missing[0]}. Export again.")
    return Export(path, about, {role: _content(path, *files[role]) for role in files if role != PICTURES})


def pictures(export: Path, about: dict[str, Any]) -> bytes | None:
    """A zip archive with small pictures of the known samples, by their rows: 0.webp, 1.webp; None if there is none.

    Raises:
        ExportError: It is missing or was changed.
    """
    entry = about["files"].get(PICTURES)
    return None if entry is None else _content(export, str(entry["name"]), str(entry["sha256"]))


def _content(path: Path, name: str, expected: str) -> bytes:
    if Path(name).name != name:
        raise ExportError(f"{path / MANIFEST} names a file outside of the folder: {name!r}.")
    try:
        data = (path / name).read_bytes()
    except OSError as error:
        raise ExportError(f"{path / name} cannot be read: {error.strerror}. Copy the whole folder again.") from error
    if hashlib.sha256(data).hexdigest() != expected:
        raise ExportError(f"{path / name} is not what was exported. Copy the whole folder again.")
    return data
