"""What the values of a column do in a sample: count the rows, tell machines apart, or rise as times."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vssl.modalities.sensors.calendar_time import Times

MAX_LABEL_VALUES = 20
"""A label has at most so many values."""
MAX_SERIES = 1000
MIN_ROWS_PER_VALUE = 4
"""A value that names a series stands in at least so many rows, on average."""
MIN_ROWS = 16
"""In fewer rows a channel may count by chance."""

INDEX_WORDS = (
    "index idx row rows rowid rownum rowno no nr seq sequence record rec lfd lfdnr zeile obs observation unnamed"
)
LABEL_WORDS = (
    "class label labels target anomaly anomalies anomalous fault faulty failure defect outlier attack normal abnormal "
    "klasse fehler groundtruth truth gt anomalie anomalien changepoint changepoints störung stoerung ausfall "
    "error errors alarm alarms defekt anomalía fallo panne défaut"
)
CYCLE_WORDS = "cycle cycles zyklus"
MACHINE_WORDS = (
    "machine machines unit units device asset engine id ids maschine anlage gerät geraet equipment node host uid uuid "
    "machineid unitid deviceid assetid engineid sensorid serial"
)
PART_WORDS = "sensor pump motor press line station turbine robot vehicle car battery well site plant cell tool"
NEUTRAL_WORDS = "is has id no nr num number name type code flag the of true"
"""Words that may occur next to one of the others without changing what the column is."""
JAPANESE_MACHINE = ("号機", "機番", "設備", "機械")
JAPANESE_LABEL = ("異常", "故障", "ラベル", "正常")


@dataclass(frozen=True)
class NumberPattern:
    """What the numbers of a column do.

    Attributes:
        counts: Whether they count the rows, up, down or in another order, in enough rows.
        rises: Whether they are whole and each is more than the one before it.
        steps: Whether they are whole and go on by 0 or 1, or begin again.
        restarts: Whether they count the rows and begin again.
        few: Whether they are few whole numbers, small ones.
        single: Whether there is one value alone.
        short: Whether the rows are too few to tell.
        even: Whether each is more than the one before it by the same, in enough rows.
    """

    counts: bool = False
    rises: bool = False
    steps: bool = False
    restarts: bool = False
    few: bool = False
    single: bool = False
    short: bool = False
    even: bool = False


def name_words(name: str) -> set[str]:
    """The words of a column's name, in small letters."""
    return set(re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()))


def is_machine_name(name: str, text: bool) -> bool:
    """Whether a name says that a column tells machines apart; of texts also where it names a kind of machine."""
    own = name_words(name)
    kinds = f"{MACHINE_WORDS} {PART_WORDS}" if text or own & {"id", "no", "nr", "number", "code"} else MACHINE_WORDS
    return _is_named(own, kinds) or any(sign in name for sign in JAPANESE_MACHINE)


def _is_named(own: set[str], kinds: str) -> bool:
    """Whether the words of a name are of these, and of those that may occur next to them."""
    known = set(kinds.split())
    return bool(own & known) and own <= known | set(NEUTRAL_WORDS.split())


def exclusion_reason(name: str, fact: NumberPattern, several: bool, unnamed: bool = False) -> str:
    """Why a column of numbers is no channel; empty if it is one.

    Args:
        unnamed: Whether it is the first one of a file that does not name its columns.
        several: Whether the file holds several series, in each of which rows may be counted.
    """
    own = name_words(name)
    nameless = not name.strip() or name.startswith(("__index_level_", "Unnamed:")) or name.strip() == "#"
    if (
        fact.counts
        or (fact.rises and (nameless or own <= set(INDEX_WORDS.split())))
        or (nameless and fact.steps and not fact.single)
    ):
        return "counts the rows"
    if (nameless or unnamed) and fact.even:
        return "goes on by the same in each row, as times do; --time-column with --date-format s makes it the time"
    if fact.restarts and (several or _is_named(own, INDEX_WORDS)):
        return "counts the rows of each series"
    if fact.few and _is_label(name, own):
        return "looks like a label"
    if _is_named(own, CYCLE_WORDS) and fact.steps:
        return "counts cycles"
    if is_machine_name(name, False) and (fact.single or fact.rises or fact.few):
        return "names a machine or a part"
    return ""


def _is_label(name: str, own: set[str]) -> bool:
    """Whether a name says that a column is a label, also of a machine: its failure is one, its temperature is none."""
    if any(sign in name for sign in JAPANESE_LABEL):
        return True
    return bool(own & set(LABEL_WORDS.split())) and _is_named(own, f"{LABEL_WORDS} {MACHINE_WORDS} {PART_WORDS}")


def number_pattern(column: pa.ChunkedArray) -> NumberPattern | None:
    """What the numbers of a column do; None where they are no whole numbers, or one is missing."""
    if pa.types.is_boolean(column.type):
        return NumberPattern(few=True, single=len(column.unique()) == 1)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)) or not len(column):
        return None
    if pa.types.is_floating(column.type):
        first = column.slice(0, 256).drop_null().to_numpy()
        if (first != np.floor(first)).any():
            return NumberPattern(even=True) if _is_evenly_spaced(column) else None
    values = column.drop_null().cast(pa.float64(), safe=False).to_numpy()
    if not len(values) or (values != np.floor(values)).any() or not np.isfinite(values).all():
        return None
    low, high, whole = values.min(), values.max(), len(values) == len(column)
    steps = np.diff(values)
    is_range = whole and len(values) >= MIN_ROWS and high - low == len(values) - 1
    counts = is_range and len(np.unique(values)) == len(values)
    again = (steps == 0) | (steps == 1) | (values[1:] <= low + 1)
    small = low >= -1 and high <= 1000
    return NumberPattern(
        counts,
        whole and len(values) > 1 and bool((steps > 0).all()),
        whole and bool(again.all()),
        _restarts(values, steps) if whole else False,
        bool(small and len(np.unique(values)) <= MAX_LABEL_VALUES),
        low == high,
        len(values) < MIN_ROWS,
        _is_evenly_spaced(column),
    )


def _is_evenly_spaced(column: pa.ChunkedArray) -> bool:
    if column.null_count or len(column) < MIN_ROWS:
        return False
    values = column.cast(pa.float64(), safe=False)
    first, steps = np.diff(values.slice(0, 3).to_numpy()), np.empty(0)
    if first[0] > 0 and abs(first[1] - first[0]) <= 0.01 * first[0]:
        steps = np.diff(values.to_numpy())
    # Times of 0.001 s that were written with six digits.
    return bool(len(steps) and np.isfinite(steps).all() and (np.abs(steps - steps[0]) <= 0.01 * steps[0]).all())


def _restarts(values: np.ndarray, steps: np.ndarray) -> bool:
    """Whether numbers go on by 1, and at times begin at the first one again."""
    back = steps != 1
    return len(values) >= MIN_ROWS and 0 < back.sum() <= len(steps) / 8 and bool((values[1:][back] == values[0]).all())


def is_monotonic(times: Times) -> bool:
    """Whether each time is later than the one before it, or each is earlier."""
    steps = np.diff(times)
    return bool((steps > 0).all() or (steps < 0).all())


def series_columns(table: Mapping[str, pa.ChunkedArray], times: Times | None) -> dict[str, str]:
    """The columns that tell several series of a file apart, and some of their values.

    Args:
        table: The columns that are neither times nor floats.
    """
    found = {}
    for name, column in table.items():
        text = not (pa.types.is_integer(column.type) or pa.types.is_boolean(column.type))
        codes, values = _factorise(column)
        if not 2 <= len(values) <= min(MAX_SERIES, len(codes) / MIN_ROWS_PER_VALUE) or (codes < 0).any():
            continue
        named = is_machine_name(name, text) and not pa.types.is_boolean(column.type)
        if named or (times is not None and _separates_series(codes, times, text)):
            found[name] = ", ".join(map(repr, values[:3])) + (", ..." if len(values) > 3 else "")
    return found


def _factorise(column: pa.ChunkedArray) -> tuple[np.ndarray, list[object]]:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    whole = whole if pa.types.is_dictionary(whole.type) else pc.dictionary_encode(whole)
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.combine_chunks()
    return whole.indices.fill_null(-1).to_numpy(zero_copy_only=False), whole.dictionary.to_pylist()


def _separates_series(codes: np.ndarray, times: Times, text: bool) -> bool:
    """Whether times begin again, or run beside each other, from one value to the next and not within a value."""
    steps, change = np.diff(times), np.diff(codes) != 0
    order = np.argsort(codes, kind="stable")
    own, same = np.diff(times[order]), np.diff(codes[order]) == 0
    if (steps > 0).all():
        return text and _take_turns(own, codes[order][1:], same, change, steps)
    if is_monotonic(times) or not (own[same] > 0).all():
        return False
    back = np.flatnonzero(steps <= 0)
    # How many rows before had such a time already: a single row that came late is no series.
    far = max(int((times[: at + 1] >= times[at + 1]).sum()) for at in back[:8])
    return len(back) >= 0.05 * len(steps) or far >= 10


def _take_turns(own: Times, codes: np.ndarray, same: np.ndarray, change: np.ndarray, steps: Times) -> bool:
    """Whether values take turns, each at a step of its own that is regular and longer than that of the file."""
    if change.mean() < 0.3:
        return False
    for code in np.unique(codes):
        mine = own[same & (codes == code)]
        if len(mine) < MIN_ROWS_PER_VALUE - 1:
            return False
        usual = np.median(mine)
        if (np.abs(mine - usual) <= 0.25 * usual).mean() < 0.8 or usual < 1.5 * np.median(steps):
            return False
    return True
