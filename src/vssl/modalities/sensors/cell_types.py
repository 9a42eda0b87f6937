"""What a cell of a table may be: a number in any country's writing, a date or time, a word for a missing value."""

import re
from functools import lru_cache

WORDS = (
    "n/a na nan null none nil - -- --- ---- ----- . .. ... ? ?? * ** *** **** ***** ****** # ## ### #### ##### ###### "
    "#n/a #na #nv #null! #div/0! #value! #wert! #ref! #bezug! #name? #num! #zahl! #bezug #n/v <na> (null) \\n "
    "missing nodata no_data fehlt 1.#ind -1.#ind 1.#qnan -1.#qnan -nan 欠測 欠損"
)
MISSING_WORDS = frozenset(WORDS.split()) | {"no data", "#n/a n/a"}
"""Words, in small letters, that stand where a number is missing. A state such as OFF, Bad or Overflow is none."""

GROUPED = r"\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d{1,3}(?:\.\d{3})+(?:,\d*)?|\d{1,3}(?:['’ \u00a0\u202f]\d{3})+(?:[.,]\d*)?"
NUMBER = re.compile(
    rf"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+|{GROUPED})(?:[eE][+-]?\d+)?|\d[\d.,'’ ]*-|[+-]?(?:inf|nan|infinity)", re.I
)
DATE = (
    r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}\.?|\d{4}年\d{1,2}月\d{1,2}日|\d{1,2}[-./ ]?[a-zäé]{3,9}\.?[-./, ]{0,2}\d{2,4}"
    r"|[a-zäé]{3,9}\.? \d{1,2},? \d{4}"
)
CLOCK = (
    r"\d{1,2}(?:[:h]\d{2}(?:[:.]\d{2}(?:[.,:]\d{1,9})?)?|時\d{1,2}分(?:\d{1,2}秒)?)(?: ?[ap]\.?m\.?)?"
    r"(?: ?(?:z|utc|gmt|[+-]\d{2}(?::?\d{2})?))?"
)
DATETIME = re.compile(rf"(?:[a-z]{{2,9}}\.?,? )?(?:{DATE})(?:(?:,? |t|-|:)\s*{CLOCK})?|{CLOCK}", re.I)


def is_missing(cell: str) -> bool:
    """Whether a cell is empty or one of the known words for a missing value."""
    cell = cell.strip()
    return not cell or cell.lower() in MISSING_WORDS


# The cells of a file's beginning are asked about by each step that looks at it.
@lru_cache(maxsize=2**15)
def cell_type(cell: str) -> str:
    """What a cell is: "n" a number (or true, false), "s" a date or time, "-" missing, "t" other text."""
    cell = cell.strip()
    # Numbers are the most, and a date such as 06.05.2024 is none.
    if NUMBER.fullmatch(cell) or cell.lower() in ("true", "false"):
        return "n"
    if is_missing(cell):
        return "-"
    return "s" if DATETIME.fullmatch(cell) else "t"
