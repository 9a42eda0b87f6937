"""Which kind of data a source looks like, by names and a bounded look at contents: for an error's advice, no more."""

import csv
import itertools
import os
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from vssl.files import COMPRESSED, opened
from vssl.modalities.events import files as logs
from vssl.modalities.images import archives, index
from vssl.modalities.images.names import SUFFIXES
from vssl.modalities.sensors import tables

KIND_NAMES = {"images": "images", "sensors": "series of numbers", "events": "event logs"}
FILES, LOOKED_INTO, BYTES, LINES = 2_000, 20, 2**14, 40
"""The most that is looked at: names, files that are opened, bytes and lines of each."""

_NUMBER = re.compile(r"[-+]?(\d[\d ']*)?[.,]?\d+([eE][-+]?\d+)?|nan|null|na|")
_DATE = re.compile(r"\d{1,4}([-./]\d{1,2}){2}.*|\d{1,2}:\d\d.*")
_DELIMITERS = ",;\t|"


def advice(source: str | Path, asked: str) -> str:
    """A sentence that says which `--modality` suits `source`; "" where `asked` may be right, or nothing is known."""
    found = count_kinds(source)
    if not found or asked in found:
        return ""
    first, *others = [kind for kind, _ in found.most_common()]
    how = f'add --modality {first} (in Python: modality="{first}")'
    if not others:
        return f"These look like {KIND_NAMES[first]}: {how}."
    counts = " and ".join(f"{count} {KIND_NAMES[kind]}" for kind, count in found.most_common())
    return f"There are files of several kinds: {counts}. Give one kind at a time; for the {KIND_NAMES[first]}, {how}."


def count_kinds(source: str | Path) -> Counter[str]:
    """How many files of each kind of data there are, by the modality that reads them."""
    found: Counter[str] = Counter()
    left = LOOKED_INTO
    for path in itertools.islice(_files(Path(source).expanduser()), FILES):
        kind = _by_name(path)
        if kind == "" and left > 0:
            left -= 1
            kind = _by_content(path)
        if kind:
            found[kind] += 1
    return found


def _files(source: Path) -> Iterator[Path]:
    if source.is_dir():
        for folder, folders, names in os.walk(source):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))
    elif source.suffix.lower() == ".zip" and zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as packed:
            yield from (Path(name) for name in packed.namelist() if not name.endswith("/"))
    elif source.is_file():
        yield source


def _by_name(path: Path) -> str | None:
    """The kind; "" where the content decides, None where neither says anything."""
    name = path.name.lower()
    if name.endswith(SUFFIXES) or archives.is_archive(path):
        return "images"
    if name.endswith((*tables.PARQUET_SUFFIXES, *tables.CSV_SUFFIXES)) or logs.is_log(name) or not path.suffix:
        return ""
    return None


def _by_content(path: Path) -> str | None:
    try:
        if path.name.lower().endswith(tables.PARQUET_SUFFIXES):
            return "images" if "path" in pq.read_schema(path).names else "sensors"
        with opened(path) as file:
            head = file.read(BYTES)
    except Exception:  # whatever is wrong with the file is not what the advice is about
        return None
    text = _text(head)
    return None if text is None else _of_lines(text, path)


def _text(head: bytes) -> str | None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[: len(head) // 2 * 2].decode("utf-16", errors="replace")
    return None if b"\0" in head else head.decode("utf-8-sig", errors="replace")


def _of_lines(text: str, path: Path) -> str | None:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    shown = lines[:LINES]
    delimiter = max(_DELIMITERS, key=lambda mark: min(line.count(mark) for line in shown[len(shown) // 2 :]))
    rows = list(csv.reader(shown, delimiter=delimiter))
    table = path.name.lower().removesuffix(path.suffix.lower() if path.suffix.lower() in COMPRESSED else "")
    if table.endswith(index.LIST_SUFFIXES) and any(cell.strip() == "path" for cell in rows[0]):
        return "images"
    # Headers and preambles stand above; below, a table of numbers has numbers.
    cells = [cell.strip() for row in rows[len(rows) // 2 :] for cell in row]
    plain = [cell for cell in cells if not _DATE.fullmatch(cell)]
    numbers = sum(bool(_NUMBER.fullmatch(cell.lower())) and bool(cell) for cell in plain)
    return "sensors" if numbers and 2 * numbers >= len(plain) else "events"
