"""TIFF files of several pages as samples of their own, by the directories of the files alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from vssl.errors import DataError
from vssl.modalities.images import tiff
from vssl.modalities.images.names import first_names
from vssl.modalities.images.tiff import Page

if TYPE_CHECKING:
    from vssl.modalities.images.index import Index

PagesOf = Callable[["Index", int, str], Sequence[Page]]
"""The pages of the file of a row, by its name."""


def split_pages(index: Index, pages_of: PagesOf) -> Index:
    """The index with a row for each page; pages that are copies of others are left out, with a word on both.

    A file of one picture keeps its name, whatever thumbnails it has; pages are called file.tif#page=3.

    Raises:
        DataError: A list names a page that is not there, or names one twice.
    """
    if not any(tiff.PAGE_MARK in name or name.lower().endswith(tiff.SUFFIXES) for name in index.ids):
        return index
    rows: list[int] = []
    ids: list[str] = []
    places: list[tuple[int, int]] = []
    stacks, aside = set[str](), list[str]()
    for row, name in enumerate(index.ids):
        file, number = tiff.split_page_id(name)
        found = pages_of(index, row, file) if file.lower().endswith(tiff.SUFFIXES) else ()
        own = tiff.own_pages(found)
        if number:
            own = [_named(index, row, found, number)]
        elif len(own) < len(found):
            aside += [tiff.page_id(file, page) for page in found if page not in own]
        if number or len(own) > 1:
            stacks.add(file)
            rows += [row] * len(own)
            ids += [tiff.page_id(file, page) for page in own]
            places += [(page.offset, page.next_at) for page in own]
        else:
            rows.append(row)
            ids.append(name)
            places.append((0, 0))
    if not stacks and not aside:
        return index
    if twice := [name for name, count in Counter(ids).items() if count > 1]:
        raise DataError(f"{index.source} names the page {twice[0]} and its whole file too: name the one or the other.")
    remarks = (*index.remarks, *_notes(places, stacks, aside))
    return replace(index.select(rows), ids=ids, pages=np.array(places, np.int64), remarks=remarks)


def _notes(places: Sequence[tuple[int, int]], stacks: set[str], aside: list[str]) -> list[str]:
    notes = []
    if stacks:
        pages = sum(offset > 0 for offset, _ in places)
        files = f"{len(stacks)} TIFF file{'s' if len(stacks) > 1 else ''}"
        notes.append(f"Pages read as samples of their own: {pages} of {files} ({first_names(list(stacks))}).")
    if aside:
        notes.append(
            f"TIFF pages left aside, as they are thumbnails, reduced copies or masks of others: {len(aside)} "
            f"({first_names(aside)})."
        )
    return notes


def _named(index: Index, row: int, found: Sequence[Page], number: int) -> Page:
    if number > len(found):
        raise DataError(f"{index.source}, row {row + 1}: {index.ids[row]!r}: the file has {len(found)} pages.")
    return found[number - 1]
