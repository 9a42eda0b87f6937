"""Masks that lie beside the pictures they belong to: drawings of where something is, and no pictures of it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from vssl.errors import BrokenFileError, DataError
from vssl.modalities.images import decode
from vssl.modalities.images.names import first_names

MASK_FOLDERS = {"ground_truth", "ground-truth", "groundtruth", "gt", "mask", "masks", "segmentation", "segmentations"}
MASK_ENDING = re.compile(r"(.+)[_\-. ](masks?|gt|ground_?truth|seg|segmentation|labels?)", re.IGNORECASE)
HINTS = ("mask", "gt", "ground", "seg", "label")
"""One is in every name like a mask's; a quick look for millions of names."""

SAMPLE = 5


def find_masks(names: Sequence[str], read: Callable[[int], bytes]) -> tuple[set[int], list[str]]:
    """Rows of the pictures that are masks of others by their names and by what they show, and a word on them.

    Nothing is opened where no name is like a mask's, and nothing is left aside if all names are.

    Args:
        names: Of the pictures, with /.
        read: The bytes of a row.
    """
    text = "\n".join(names).lower()
    groups = _by_name(names) if any(hint in text for hint in HINTS) else {}
    if sum(map(len, groups.values())) == len(names):
        return set(), []
    rows: set[int] = set()
    notes = []
    for where, members in sorted(groups.items()):
        shown = first_names([names[row] for row in members])
        step = -(-len(members) // SAMPLE)
        if all(_is_drawing(names[row], read, row) for row in members[::step]):
            rows.update(members)
            notes.append(
                f"Masks left aside, as they only mark what other pictures show: {len(members)} {where} ({shown}). "
                "To read them like pictures, give a list of all files."
            )
        else:
            notes.append(
                f"Pictures that may be masks of others, by their names: {len(members)} {where} ({shown}). They are "
                "read like all others; if they are masks, give the folder of the pictures alone."
            )
    return rows, notes


def _by_name(names: Sequence[str]) -> dict[str, list[int]]:
    """Rows whose names are like masks', by where they are."""
    groups: dict[str, list[int]] = defaultdict(list)
    ended: dict[int, str] = {}
    stems: set[str] = set()
    for row, name in enumerate(names):
        parent, _, last = name.rpartition("/")
        stem = last.rpartition(".")[0]
        folder = next((part for part in parent.split("/") if part.lower() in MASK_FOLDERS), None)
        if folder is not None:
            groups[f"in {folder}"].append(row)
        elif match := MASK_ENDING.fullmatch(stem):
            ended[row] = match[1]
        else:
            stems.add(stem)
    for row, stem in ended.items():
        if stem in stems:
            groups["beside the pictures of their names"].append(row)
    return groups


def _is_drawing(name: str, read: Callable[[int], bytes], row: int) -> bool:
    try:
        return decode.is_drawing(read(row), name)
    except (BrokenFileError, DataError):
        return False
