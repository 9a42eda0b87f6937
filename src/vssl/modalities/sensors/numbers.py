"""Numbers as a country writes them: which sign divides off the decimals, and which the thousands."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64

from vssl.modalities.sensors.cell_types import MISSING_WORDS

MIN_GROUPED = 50
"""So many values with exactly three digits behind a comma are thousands, where others are whole and below 1000."""
END = r"(?:[eE][+-]?\d+)?$"
SHAPES = {
    "whole": r"^[+-]?\d{1,3}$",
    "long": r"^[+-]?\d{4,}$",
    "point?": r"^[+-]?[1-9]\d{0,2}\.\d{3}$",
    "comma?": r"^[+-]?[1-9]\d{0,2},\d{3}$",
    "points": r"^[+-]?\d{1,3}(?:\.\d{3}){2,}$",
    "commas": r"^[+-]?\d{1,3}(?:,\d{3}){2,}$",
    "commas point": rf"^[+-]?\d{{1,3}}(?:,\d{{3}})+\.\d*{END}",
    "points comma": rf"^[+-]?\d{{1,3}}(?:\.\d{{3}})+,\d*{END}",
    "marks": "^[+-]?\\d{1,3}(?:['’ \u00a0\u202f]\\d{3})+$",
    "marks point": "^[+-]?\\d{1,3}(?:['’ \u00a0\u202f]\\d{3})+\\.\\d*$",
    "marks comma": "^[+-]?\\d{1,3}(?:['’ \u00a0\u202f]\\d{3})+,\\d*$",
    "point": rf"^[+-]?(?:\d+\.\d*|\.\d+){END}",
    "comma": rf"^[+-]?(?:\d+,\d*|,\d+){END}",
    "exponent": r"^[+-]?\d+[eE][+-]?\d+$",
    "other": r"(?i)^[+-]?(?:inf|infinity|nan)$",
}
"""Ways to write a number; a value is of the first that fits."""
POINT, COMMA = {"point", "commas point", "commas", "marks point"}, {"comma", "points comma", "points", "marks comma"}


class NotANumberError(Exception):
    """A value is no number. Holds its row within the column, from 0, the value, and why it is none."""

    def __init__(self, row: int, value: str, why: str) -> None:
        super().__init__(row, value, why)
        self.row, self.value, self.why = row, value, why


@dataclass(frozen=True)
class NumberFormats:
    """How often each way to write a number is seen in a column, and where first; missing ones by their word."""

    shapes: Mapping[str, int]
    rows: Mapping[str, int]
    words: Mapping[str, int]
    odd: int | None

    @property
    def decimal(self) -> str:
        """The decimal sign that the column shows without doubt; empty where it shows none, "?" where it shows both."""
        point, comma = bool(POINT & set(self.shapes)), bool(COMMA & set(self.shapes))
        if point and comma:
            return "?"
        if point or comma:
            return "." if point else ","
        # A comma beside whole numbers of four digits and more does not divide off thousands.
        if "long" in self.shapes and ("comma?" in self.shapes) != ("point?" in self.shapes):
            return "," if "comma?" in self.shapes else "."
        many = "whole" in self.shapes and "point?" not in self.shapes and self.shapes.get("comma?", 0) >= MIN_GROUPED
        return "." if many else ""

    @property
    def unclear(self) -> str:
        """The shape that may be thousands or decimals; empty where there is none."""
        return next((shape for shape in ("comma?", "point?") if shape in self.shapes and not self.decimal), "")


def number_formats(column: pa.Array | pa.ChunkedArray) -> NumberFormats:
    """How the numbers of a column of texts are written."""
    counted = pc.value_counts(clean_cells(column).drop_null())
    counted = counted.filter(pc.not_equal(counted.field("values"), ""))
    # Each different value, in the order of the first of each, and how often it stands.
    values, counts = counted.field("values"), counted.field("counts").to_numpy()
    shapes: Counter[str] = Counter()
    rows: dict[str, int] = {}
    rest = np.ones(len(values), bool)
    for shape, pattern in SHAPES.items():
        fits = rest & pc.match_substring_regex(values, pattern).to_numpy(zero_copy_only=False)
        if fits.any():
            shapes[shape], rows[shape] = int(counts[fits].sum()), int(np.flatnonzero(fits)[0])
            rest &= ~fits
        if not rest.any():
            break
    words: Counter[str] = Counter()
    for at in np.flatnonzero(rest):
        if (word := values[at].as_py()).lower() in MISSING_WORDS:
            words[word], rest[at] = int(counts[at]), False
    firsts = {shape: _row_of(column, values[at].as_py()) for shape, at in rows.items() if "?" in shape}
    odd = _row_of(column, values[int(rest.argmax())].as_py()) if rest.any() else None
    return NumberFormats(shapes, firsts, words, odd)


def parse_numbers(column: pa.Array | pa.ChunkedArray, decimal: str) -> tuple[Float64[np.ndarray, " n"], Counter[str]]:
    """The numbers of a column of texts, NaN where one is missing, and the words that stood there.

    Args:
        decimal: The decimal sign; thousands may be divided off by the other one, a blank or an apostrophe.

    Raises:
        NotANumberError: A value is neither a number nor a known word for a missing one.
    """
    cells = clean_cells(column)
    words: Counter[str] = Counter()
    thousands = "," if decimal == "." else "."
    grouped = rf"^[+-]?\d{{1,3}}(?:[{thousands}'’ \x{{a0}}\x{{202f}}]\d{{3}})+(?:[{decimal}]\d*)?(?:[eE][+-]?\d+)?$"
    is_grouped = pc.match_substring_regex(cells, grouped)
    bare = pc.if_else(is_grouped, pc.replace_substring_regex(cells, rf"[{thousands}'’ \x{{a0}}\x{{202f}}]", ""), cells)
    # A value with the other sign that is no group of three is none.
    if decimal == ",":
        has_point = pc.match_substring(bare, ".")
        bare = pc.if_else(has_point, pa.scalar("?", pa.string()), pc.replace_substring(bare, ",", "."))
    good = pc.match_substring_regex(bare, r"(?i)^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf|infinity|nan)$")
    wrong = np.flatnonzero(~good.fill_null(True).to_numpy(zero_copy_only=False))
    for row in wrong:
        value = cells[int(row)].as_py()
        if value and value.lower() not in MISSING_WORDS:
            raise NotANumberError(int(row), value, f"no number with the decimal sign {decimal!r}")
        words[value] += bool(value)
    numbers = pc.cast(pc.replace_substring_regex(pc.if_else(good, bare, None), r"^\+", ""), pa.float64())
    return numbers.fill_null(np.nan).to_numpy(zero_copy_only=False), +words


def clean_cells(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Texts without blanks around them, and with a plain minus sign before the number: some programs write 20,5-."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    plain = pc.replace_substring(pc.utf8_trim_whitespace(whole.cast(pa.string())), "\u2212", "-")
    if not pc.any(pc.ends_with(plain, "-")).as_py():
        return plain
    return pc.replace_substring_regex(plain, r"^(\d[\d.,'’ ]*)-$", r"-\1")


def _row_of(column: pa.Array | pa.ChunkedArray, value: str) -> int:
    return int(pc.index(clean_cells(column), value).as_py())
