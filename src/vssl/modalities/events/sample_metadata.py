"""The metadata of samples as a table: where they stood, how many events they had, and labels where asked for."""

from collections.abc import Sequence

import pyarrow as pa

from vssl.errors import DataError
from vssl.files import COMPRESSED
from vssl.modalities.events.collector import Sample
from vssl.modalities.events.files import LogFile
from vssl.modalities.lengths import Length

COLUMNS = {
    "source": pa.string(),
    "first": pa.int64(),
    "last": pa.int64(),
    "time": pa.timestamp("ms", tz="UTC"),
    "events": pa.int64(),
    "unknown": pa.int64(),
    "unknown_text": pa.string(),
    "damaged": pa.int64(),
}
"""File, first and last line, time of the first, number of events, of unknown ones, the first of these, damaged ones."""

WINDOW_COLUMNS = {"series": pa.string(), "start": pa.int64(), "end": pa.int64(), "block": pa.string()}
"""Of windows that overlap: file, first line and the one behind the last, what to count as one; as series have them."""

WINDOWS_PER_BLOCK = 8


def label_column(
    samples: Sequence[Sample], files: Sequence[LogFile], label_from: str, in_lines: bool
) -> list[str | None] | None:
    """The label of each sample: that of its lines, or the name of its file or folder; None where none was asked for.

    Raises:
        DataError: Both were asked for.
    """
    if in_lines and label_from != "none":
        raise DataError("--line-label and --label-from both give labels: take one of them.")
    if in_lines:
        return [item.metadata["label"] for item in samples]
    if label_from == "none":
        return None
    paths = {file.name: file.path for file in files}
    names = {name: path.parent.name if label_from == "folder" else _stem(path.name) for name, path in paths.items()}
    return [names[item.metadata["source"]] for item in samples]


def _stem(name: str) -> str:
    for suffix in COMPRESSED:
        name = name.removesuffix(suffix)
    return name.rpartition(".")[0] or name


def metadata_table(
    samples: Sequence[Sample],
    labels: list[str | None] | None,
    fields: Sequence[str],
    clock: bool,
    window: Length | None,
) -> pa.Table:
    """One row per sample.

    Args:
        window: Length of the windows, where they overlap.

    Raises:
        DataError: A field that is to be kept has the name of another column.
    """
    if clash := sorted(set(fields) & {*COLUMNS, *(WINDOW_COLUMNS if window else ()), "label"}):
        raise DataError(f"--metadata-fields {clash[0]}: the samples have a column of this name already.")
    columns = {
        name: pa.array([_value(item, name) for item in samples], kind)
        for name, kind in COLUMNS.items()
        if clock or name != "time"
    }
    if window is not None:
        rows = [_window(item, window) for item in samples]
        for at, (name, kind) in enumerate(WINDOW_COLUMNS.items()):
            columns[name] = pa.array([row[at] for row in rows], kind)
    columns |= {name: pa.array([item.metadata.get(name) for item in samples], pa.string()) for name in fields}
    if labels is not None:
        columns["label"] = pa.array(labels, pa.string())
    return pa.table(columns)


def _window(item: Sample, window: Length) -> tuple[str, int, int, str]:
    source, first, last = (item.metadata[name] for name in ("source", "first", "last"))
    position = (item.metadata["time"] or 0) if window.is_time else first - 1
    return source, first, last + 1, f"{source}#{int(position // (WINDOWS_PER_BLOCK * window.size))}"


def _value(item: Sample, name: str) -> str | int | None:
    value = item.metadata[name]
    return None if value is None else round(1000 * value) if name == "time" else value
