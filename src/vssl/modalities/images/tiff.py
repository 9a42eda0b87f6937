"""Pages of TIFF files: found by their directories alone, and one of them as a file of its own; after TIFF 6.0."""

from __future__ import annotations

import ctypes
import dataclasses
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from PIL import _imaging

from vssl.errors import BrokenFileError

SUFFIXES = (".tif", ".tiff")
PAGE_MARK = "#page="
"""Between the name of a file and the number of its page, counted from 1, in the id of a sample."""

SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT = 254, 255, 256, 257
REDUCED, MASK = 1, 4
"""Bits of NewSubfileType."""

GUESS_BYTES = 512
TINY_AREA = 1 / 16
HALF = 0.51
"""Share of the sides of the largest page, with room for rounding, up to which a page of its shape is a copy of it."""

Read = Callable[[int, int], bytes]
"""Bytes from an offset on, as many as asked for, or fewer at the end."""


@dataclass(frozen=True)
class Page:
    """A page of a file.

    Attributes:
        number: Counted from 1.
        offset: Of its directory, in bytes.
        next_at: Where the offset of the next page's directory stands, in bytes.
        width, height: In pixels, as stored; 0 where they are missing.
        aside: 1 where the file calls it a reduced copy or a mask of another page, else 0.
    """

    number: int
    offset: int
    next_at: int
    width: int
    height: int
    aside: int


@dataclass(frozen=True)
class _ByteLayout:
    """How the integers of a file lie: byte order, and formats of an offset and of a number of entries."""

    order: str
    offset: str
    count: str
    entry: int

    def unpack(self, kind: str, data: bytes) -> int:
        return int(struct.unpack(self.order + kind, data[: struct.calcsize(self.order + kind)])[0])


def pages(read: Read) -> list[Page]:
    """All pages that can be found, in their order; none if it is no TIFF file.

    A chain of directories that leads out of the file or back to itself ends there.
    """
    head = read(0, 16)
    form = _byte_layout(head)
    if form is None or len(head) < 16:
        return []
    found: list[Page] = []
    seen: set[int] = set()
    offset = form.unpack(form.offset, head[8 if form.entry == 20 else 4 :])
    while offset and offset not in seen:
        seen.add(offset)
        try:
            page, offset = _page(read, form, offset, len(found) + 1)
        except struct.error:
            break
        found.append(page)
    return found


def own_pages(found: Sequence[Page]) -> list[Page]:
    """The pages that are pictures of their own: no reduced copies, thumbnails or masks of others."""
    own = [page for page in found if not page.aside] or list(found)
    if not own:
        return []
    largest = max(own, key=lambda page: page.width * page.height)
    return [page for page in own if page is largest or not _is_copy(page, largest)]


def split_page_id(name: str) -> tuple[str, int]:
    """The name of the file of a sample, and the number of its page; 0 where the sample is the whole file."""
    file, mark, number = name.rpartition(PAGE_MARK)
    return (file, int(number)) if mark and number.isdecimal() and file.lower().endswith(SUFFIXES) else (name, 0)


def page_id(file: str, page: Page) -> str:
    """The name of a page as a sample."""
    return f"{file}{PAGE_MARK}{page.number}"


def pages_from_values(values: Sequence[int]) -> list[Page]:
    """Pages whose fields were written one behind the other."""
    fields = len(dataclasses.fields(Page))
    starts = range(0, len(values), fields)
    return [Page(*values[start : start + fields]) for start in starts]


def extract_page(data: bytes, offset: int, next_at: int) -> bytes:
    """The file with one page only: its header points there, and no page follows."""
    form = _byte_layout(data)
    assert form is not None
    place = 8 if form.entry == 20 else 4
    size = struct.calcsize(form.order + form.offset)
    patches = sorted([(place, offset), (next_at, 0)])
    view, done = memoryview(data), 0
    parts: list[bytes | memoryview] = []
    for at, value in patches:
        parts += [view[done:at], struct.pack(form.order + form.offset, value)]
        done = at + size
    return b"".join([*parts, view[done:]])


def each_page(data: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """The samples of a file, by their names: its pages if it has several, else itself."""
    own = own_pages(pages(lambda offset, size: data[offset : offset + size]))
    if len(own) < 2:
        yield name, data
    else:
        yield from ((page_id(name, page), extract_page(data, page.offset, page.next_at)) for page in own)


def only_page(data: bytes, name: str) -> bytes:
    """The file with its only page that is a picture of its own.

    Raises:
        BrokenFileError: It has several.
    """
    found = pages(lambda offset, size: data[offset : offset + size])
    if len(found) < 2:
        return data
    own = own_pages(found)
    if len(own) > 1:
        raise BrokenFileError(
            name, f"it has {len(own)} pages where one picture is expected; save each as a file of its own"
        )
    return extract_page(data, own[0].offset, own[0].next_at)


@lru_cache(maxsize=100_000)
def pages_of_file(path: Path, _size: int, _mtime: int) -> tuple[Page, ...]:
    """The pages of a file of this size and time of change; none if it cannot be read, which decoding will say."""
    try:
        with path.open("rb", buffering=0) as file:

            def read(offset: int, size: int) -> bytes:
                file.seek(offset)
                return file.read(size)

            return tuple(pages(read))
    except OSError:
        return ()


@cache
def silence_libtiff() -> None:
    """Stop libtiff from writing to standard error: its lines name no file, and ours do.

    Where Pillow holds libtiff in itself, as on Windows, it cannot be reached, and the lines are only noise.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


def _byte_layout(head: bytes) -> _ByteLayout | None:
    kinds = {
        b"II*\0": _ByteLayout("<", "I", "H", 12),
        b"MM\0*": _ByteLayout(">", "I", "H", 12),
        b"II+\0": _ByteLayout("<", "Q", "Q", 20),
        b"MM\0+": _ByteLayout(">", "Q", "Q", 20),
    }
    return kinds.get(head[:4])


def _page(read: Read, form: _ByteLayout, offset: int, number: int) -> tuple[Page, int]:
    data = read(offset, GUESS_BYTES)
    start = struct.calcsize(form.order + form.count)
    entries = form.unpack(form.count, data)
    end = start + entries * form.entry
    size = struct.calcsize(form.order + form.offset)
    if end + size > len(data):
        # Not more than a file can hold: the number may be damaged.
        data = read(offset, min(end + size, 2**21))
    following = form.unpack(form.offset, data[end:])
    tags = {}
    for place in range(start, end, form.entry):
        tag, kind = struct.unpack_from(form.order + "HH", data, place)
        if tag in (SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT):
            value = data[place + form.entry - size :]
            tags[tag] = form.unpack({3: "H", 16: "Q"}.get(kind, "I"), value)
    aside = tags.get(SUBFILE, 0) & (REDUCED | MASK) or tags.get(OLD_SUBFILE) == 2
    return Page(number, offset, offset + end, tags.get(WIDTH, 0), tags.get(HEIGHT, 0), int(bool(aside))), following


def _is_copy(page: Page, largest: Page) -> bool:
    if not (largest.width and largest.height):
        return False
    across, down = page.width / largest.width, page.height / largest.height
    # A copy's sides are rounded to whole pixels.
    same_shape = abs(across - down) <= 1.5 / min(largest.width, largest.height)
    return across * down < TINY_AREA or (same_shape and across <= HALF)
