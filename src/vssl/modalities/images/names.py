"""Which files are pictures, by their names: the same for the library, the runtime and the service."""

from __future__ import annotations

from collections.abc import Mapping

from vssl.modalities import folders

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jif", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff")
UNSUPPORTED = (
    *(".gif", ".heic", ".heif", ".avif", ".jp2", ".j2k", ".jxl"),
    *(".psd", ".dng", ".cr2", ".nef", ".exr", ".svg"),
)
"""Pictures too, but of formats that are not read."""


def is_image(name: str) -> bool:
    """Whether a file is taken for a picture."""
    return folders.suffix(name) in SUFFIXES


def skipped_notes(ignored: Mapping[str, int]) -> list[str]:
    """The note on files of other suffixes: nothing where there is none."""
    if not ignored:
        return []
    foreign = [kind for kind in ignored if kind in UNSUPPORTED]
    advice = f" Save pictures such as {foreign[0]} as PNG or JPEG to have them read." if foreign else ""
    return [f"Files left aside because of their suffix: {folders.count_text(ignored)}.{advice}"]


def hidden_notes(hidden: list[str], links: list[str]) -> list[str]:
    """The note on hidden pictures and folders, and on links to what was found anyway."""
    notes = []
    if hidden:
        notes.append(f"Hidden files and folders left aside: {len(hidden)} ({first_names(hidden)}).")
    if links:
        notes.append(
            f"Links passed over, as the files they point at are read under their own names: {len(links)} "
            f"({first_names(links)})."
        )
    return notes


def first_names(names: list[str], most: int = 3) -> str:
    """The first of some names, in their order as text."""
    first = sorted(names)[:most]
    return ", ".join(first) + (", ..." if len(names) > most else "")
