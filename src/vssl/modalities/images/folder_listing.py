"""The pictures below a folder: found in the same way by the library and by the runtime, which has no Arrow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vssl.errors import BrokenFileError, EmptyDataError
from vssl.modalities import folders
from vssl.modalities.folders import FileState
from vssl.modalities.images import decode, masks
from vssl.modalities.images.names import SUFFIXES, hidden_notes, is_image, skipped_notes


@dataclass(frozen=True)
class FolderListing:
    """Pictures in natural order.

    Attributes:
        names: Relative to the folder, with /.
        states: Of the same files.
        ignored: How many files were left aside because of their suffix, by suffix.
        remarks: What else was left out, for a person.
    """

    names: list[str]
    states: list[FileState]
    ignored: Mapping[str, int]
    remarks: tuple[str, ...]

    @property
    def notes(self) -> list[str]:
        """All that was left out."""
        return [*self.remarks, *skipped_notes(self.ignored)]


def list_pictures(root: Path) -> FolderListing:
    """The pictures of a folder, at any depth, without masks.

    Raises:
        DataError: A folder cannot be listed, or a name is not UTF-8.
        EmptyDataError: There is none.
    """
    found = folders.list_files(root, is_image)
    order = folders.natural_order(found.names)
    names = [found.names[row] for row in order]
    check_not_empty(root, names, found.ignored)
    aside, notes = masks.find_masks(names, lambda row: read(root, names[row]))
    kept = [place for place in range(len(order)) if place not in aside]
    states = [found.states[order[place]] for place in kept]
    remarks = (*hidden_notes(found.hidden, found.links), *notes)
    return FolderListing([names[place] for place in kept], states, found.ignored, remarks)


def check_not_empty(source: Path, names: list[str], ignored: Mapping[str, int]) -> None:
    """Refuse a source without pictures.

    Raises:
        EmptyDataError: Says what was looked for, and what is there.
    """
    if not names:
        known = " ".join(SUFFIXES)
        raise EmptyDataError(f"There is no image in {source}: looked for {known}; {folders.describe_others(ignored)}.")


def read(root: Path, name: str) -> bytes:
    """The bytes of a file, not many more than an image may have.

    Raises:
        BrokenFileError: It cannot be read.
    """
    try:
        with (root / name).open("rb") as file:
            return file.read(decode.MAX_BYTES + 1)
    except OSError as error:
        raise BrokenFileError(name, error.strerror or str(error)) from error
