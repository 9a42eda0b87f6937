"""Where the rows of a text table begin and end, and how its columns are called."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from vssl.errors import BrokenFileError
from vssl.modalities.sensors.cell_types import cell_type

SIMILAR_LINES = 5
"""So many lines that look like rows begin the table."""
UNIT = re.compile(
    r"[\[(<{].*[\])>}]|%|°.{0,2}|deg.?.?|[µumkKMGc]?(?:s|m|g|A|V|W|Wh|Hz|Pa|bar|N|Nm|l|J|F|Ω|Ohm|T|K|VA|var)|C|F|min|h|d|rpm|"
    r"(?:1|U|l|m|mm|km|m3|m³|kg|g|Nm3|imp)/(?:s|min|h|m3|m³|l|kg)|m/s[2²]|mm/s|g/cm3|m[2²3³]|ppm|ppb|pH|-|TS|RN|Smp|Avg|"
    r"Min|Max|Tot|dB.?|[yYmMdDhHsSaAtTjJ:./, -]{4,}|Text|Real|Bool|Float|Double|Int|Date|Time|String|℃"
)
SUMMARY = re.compile(
    r"(?:mean|average|avg|sum|total|min|max|minimum|maximum|std|stdev|median|count|end|eof|mittel|mittelwert|summe|gesamt|"
    r"ende|anzahl|moyenne|somme|fin|media|promedio|suma|合計|平均|最大|最小|終了)\b.*",
    re.I,
)


@dataclass(frozen=True)
class Heading:
    """Names of the columns, and the lines that are no rows.

    Attributes:
        names: Of the columns; column_1 and so on where the file gives none.
        kinds: What is in each column, as `cell_types.cell_type` says: n, s or t; - where it is empty.
        lines: Before the first row.
        preamble: Of them, those before the names.
        units: Of them, those between the names and the rows.
        given: Whether the file names its columns.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    lines: int
    preamble: int
    units: int
    given: bool

    def trailing(self, table: Sequence[Sequence[str]]) -> int:
        """How many lines at the end of a table are no rows, such as a mean; 0 where none is a row."""
        for count, row in enumerate(reversed(table)):
            # Others have another number of values, a word such as mean before them, or a text instead of a time.
            if len(row) == len(self.kinds) and not SUMMARY.fullmatch(next(filter(None, map(str.strip, row)), "")):
                pairs = zip(row, self.kinds, strict=True)
                if all(wanted != "s" or cell_type(cell) in "s-" for cell, wanted in pairs):
                    return count
        return 0


def parse_heading(table: Sequence[Sequence[str]], delimiter: str, name: str) -> Heading:
    """Where the rows begin in the first lines of a file, and what stands before them.

    Raises:
        BrokenFileError: The names are fewer or more than the values of a row.
    """
    table = _without_marked(table)
    kinds = _kinds(table)
    begin = _first_row(table, kinds)
    if begin is None:
        # Of text alone, or no rows at all: the first line with as many values has the names.
        begin = next(at for at, row in enumerate(table) if len(row) == len(kinds)) + 1
        names = _clean_names(table[begin - 1], len(kinds))
        return Heading(tuple(names), kinds, begin, begin - 1, 0, True)
    above = [at for at in range(begin) if table[at]]
    if not above:
        return _unnamed_columns(table, kinds)
    at, units = _find_names(table, above, kinds)
    names = _clean_names(table[at], len(kinds))
    if len(names) == len(kinds) + 1 and names[-1] == "Comment":
        # LabVIEW writes comments in the first row of each part alone.
        names.pop()
    _check_no_row(names, kinds, at, name)
    if len(names) != len(kinds):
        names = _pad_names(names, table, at, begin, kinds, delimiter, name)
    return Heading(tuple(names), kinds, begin, at, units, True)


def _without_marked(table: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """The lines without those that programs mark as no part of the table: LabVIEW by their end, InfluxDB each."""
    ends = [at for at, row in enumerate(table) if row and row[0].strip() == "***End_of_Header***"]
    begin = ends[-1] + 1 if ends else 0
    return [
        [] if at < begin or (row and row[0].strip() in ("#group", "#datatype", "#default")) else row
        for at, row in enumerate(table)
    ]


def _kinds(table: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """What is in each column of the lines with the usual number of values."""
    last = [row for row in table[-100:] if row]
    widths = Counter(len(row) for row in last)
    width = max(widths, key=lambda number: (widths[number], number))
    rows = [row for row in last if len(row) == width]
    # The names are among them in a short file.
    found = []
    for cells in zip(*rows, strict=True):
        counts = Counter(cell_type(cell) for cell in cells)
        del counts["-"]
        most = max(counts, key=lambda one: (counts[one], one), default="-")
        found.append(most if most == "-" or counts[most] >= 0.5 * counts.total() else "t")
    return tuple(found)


def _is_row(row: Sequence[str], kinds: Sequence[str]) -> bool:
    """Whether a line has as many values as a row, times where they belong, and mostly numbers."""
    if len(row) != len(kinds):
        return False
    pairs = [(cell_type(cell), wanted) for cell, wanted in zip(row, kinds, strict=True) if wanted in "ns"]
    if any(wanted == "s" and found not in "s-" for found, wanted in pairs):
        return False
    good, known = sum(found == wanted for found, wanted in pairs), [found for found, _ in pairs if found != "-"]
    return not pairs or not known or good >= 0.5 * len(known)


def _first_row(table: Sequence[Sequence[str]], kinds: Sequence[str]) -> int | None:
    """The line from which on lines look like rows; None where there is none, or only text."""
    if not any(one in "ns" for one in kinds):
        return None

    @cache
    def is_good(at: int) -> bool:
        return _is_row(table[at], kinds) and any(map(str.strip, table[at]))

    filled = [at for at, row in enumerate(table) if row]
    for number, at in enumerate(filled):
        following = filled[number : number + SIMILAR_LINES]
        # One bad line among the first is an error of its own, not the end of what stands before the table.
        if is_good(at) and sum(map(is_good, following)) >= 0.6 * len(following):
            return at
    return None


def _find_names(table: Sequence[Sequence[str]], above: list[int], kinds: Sequence[str]) -> tuple[int, int]:
    """The line with the names: the last one above the rows that holds no units; and the lines of units below it."""
    at, units = above[-1], 0
    while units < 3 and len(above) > units + 1:
        line, before = table[above[-1 - units]], table[above[-2 - units]]
        if not _are_units(line) or len(_clean_names(before, len(kinds))) != len(kinds):
            break
        units += 1
        at = above[-1 - units]
    return at, units


def _are_units(row: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in row if cell.strip()]
    return sum(bool(UNIT.fullmatch(cell)) for cell in filled) >= 0.5 * len(filled)


def _check_no_row(names: Sequence[str], kinds: Sequence[str], at: int, name: str) -> None:
    """Check that the line with the names is no row that has more or fewer values than the others."""
    decimals = sum(cell_type(cell) == "n" and ("." in cell or "," in cell) for cell in names)
    if names and cell_type(names[0]) in "ns" and 2 * decimals >= len(kinds):
        problem = "stands where the names of columns do, and holds numbers: correct or remove it"
        raise BrokenFileError(name, f"line {at + 1} {problem}")


def _unnamed_columns(table: Sequence[Sequence[str]], kinds: Sequence[str]) -> Heading:
    """Rows from the first line on: the columns have numbers, or the first line has, from 0 or 1 on."""
    first = list(table[0])
    whole = len(first) > 1 and first in ([str(n) for n in range(len(first))], [str(n + 1) for n in range(len(first))])
    if whole and any("." in cell or "," in cell for row in table[1:4] for cell in row):
        return Heading(tuple(first), tuple(kinds), 1, 0, 0, True)
    return Heading(tuple(f"column_{number + 1}" for number in range(len(kinds))), tuple(kinds), 0, 0, 0, False)


def _clean_names(row: Sequence[str], width: int) -> list[str]:
    """The names of a line: without the mark of a comment, and without empty ones behind the last column."""
    names = [" ".join(cell.replace("\0", "").split()) for cell in row]
    if names and names[0].startswith("#") and len(names[0]) > 1:
        names[0] = names[0].lstrip("# ")
    elif names and names[0] == "#" and len(names) == width + 1:
        names = names[1:]
    while len(names) > width and not names[-1]:
        names.pop()
    return names


def _pad_names(
    names: list[str],
    table: Sequence[Sequence[str]],
    at: int,
    begin: int,
    kinds: Sequence[str],
    delimiter: str,
    name: str,
) -> list[str]:
    """Names for all columns: those behind the last name are empty, or the first counts the rows as R writes it."""
    while names and not names[-1]:
        names.pop()
    more = len(kinds) - len(names)
    if more > 0 and all(one == "-" for one in kinds[-more:]):
        return names + [""] * more
    numbers = [row[0].strip() for row in table[begin : begin + SIMILAR_LINES] if row]
    if more == 1 and delimiter in " \t" and numbers == [str(number + 1) for number in range(len(numbers))]:
        return ["", *names]
    advice = " (a decimal comma without quotes?)" if delimiter == "," and more > 0 else ""
    problem = f"names {len(names)} columns, but the rows have {len(kinds)} values{advice}"
    raise BrokenFileError(name, f"line {at + 1} {problem}: correct it, or name the --delimiter")
