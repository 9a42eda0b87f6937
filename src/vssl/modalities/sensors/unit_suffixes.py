"""Numbers with a unit behind each of them, such as 20.5 °C: the unit is recognised and taken off."""

import pyarrow as pa
import pyarrow.compute as pc

from vssl.modalities.sensors.cell_types import MISSING_WORDS
from vssl.modalities.sensors.numbers import clean_cells

NUMBER = r"[+-]?(?:\d[\d.,'’ \x{a0}\x{202f}]*?[.,]?|[.,]\d+)(?:[eE][+-]?\d+)?"
UNIT = r"[%‰°℃℉A-Za-zµμΩ$€][^\s;]{0,11}"
WITH_UNIT = rf"^{NUMBER}[ \x{{a0}}\x{{202f}}]*(?P<unit>{UNIT})$"
LIKE_NUMBERS = rf"^[^\w\s]{{0,2}} ?{NUMBER}[^\d]{{0,12}}$"
MAX_STATES = 20
"""With at most so many values texts that begin with a number may be the names of states."""


def common_unit(column: pa.Array | pa.ChunkedArray) -> str:
    """The one unit that stands behind all numbers of a column of texts; empty where some have another or none."""
    cells = _filled(column)
    found = pc.struct_field(pc.extract_regex(cells, WITH_UNIT), "unit")
    units = found.unique()
    return units[0].as_py() or "" if len(units) == 1 else ""


def strip_unit(column: pa.Array | pa.ChunkedArray, unit: str) -> pa.Array:
    """The texts without the unit behind them, those too that have none."""
    cells = clean_cells(column)
    bare = pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(cells, 0, -len(unit)))
    return pc.if_else(pc.ends_with(cells, unit), bare, cells)


def mixed_examples(column: pa.Array | pa.ChunkedArray) -> tuple[str, str] | None:
    """Two values of a column most of whose texts begin with a number, and are no names of states; else None."""
    cells = _filled(column)
    like = pc.match_substring_regex(cells, LIKE_NUMBERS)
    values = cells.filter(like).unique()
    if 2 * (pc.sum(like).as_py() or 0) <= len(cells) or len(values) <= MAX_STATES:
        return None
    return values[0].as_py(), values[len(values) // 2].as_py()


def _filled(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    cells = clean_cells(column).drop_null()
    return cells.filter(pc.invert(pc.is_in(pc.utf8_lower(cells), pa.array([*MISSING_WORDS, ""]))))
