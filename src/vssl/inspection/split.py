"""Divides good samples into training and calibration without a leak: copies, and blocks, stay on one side."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vssl.decisions.copies import CalibrationSet
from vssl.decisions.samples import metadata_column, parse_source, split_halves
from vssl.errors import ConfigError, DataError, EmptyDataError
from vssl.files import atomic
from vssl.inspection import achievable
from vssl.modalities.base import Chunk, Dataset, Modality
from vssl.modalities.copies import SampleMarks, content_hashes, hash_prefixes, window_spans
from vssl.training.model import build_modality, measure_spec
from vssl.types import Embeddings

BATCH = 256
LISTS = (".csv", ".parquet")


@dataclass(frozen=True)
class Division:
    """Two lists of good samples.

    Attributes:
        training, calibration: The lists.
        facts: What is in the data and how they were divided, in sentences.
    """

    training: Path
    calibration: Path
    facts: tuple[str, ...]


def divide(good: str, config: Any, folder: Path, block: str | None) -> Division:
    """Write the lists `training.parquet` and `calibration.parquet` into the folder.

    Args:
        good: A folder or list of pictures, or the rows of a list with a value in a column.
        config: Settings of the modality.
        block: Metadata column of samples that depend on each other, or None.

    Raises:
        ConfigError: The pictures lie in an archive, which a list cannot point into.
        DataError: The data cannot be read, or there are too few different samples.
    """
    source, condition = parse_source(good)
    root = _root(Path(source))
    modality = build_modality(config, measure_spec(source, config))
    dataset = modality.load(source)
    samples, units = _marked(modality, dataset)
    mask = np.ones(len(samples), bool) if condition is None else condition.matches(samples, source)
    if not mask.any():
        raise EmptyDataError(f"{good}: no sample has this value.")
    given = CalibrationSet(samples.where(mask), units[mask])
    _check_count(given, good, block)
    halves = dict(zip(("training", "calibration"), split_halves(given, block), strict=True))
    for name, half in halves.items():
        _write(half, root, folder / f"{name}.parquet")
    return Division(
        folder / "training.parquet", folder / "calibration.parquet", _facts(modality, dataset, given, halves, source)
    )


def _root(source: Path) -> Path:
    if source.is_dir():
        return source
    if source.suffix.lower() in LISTS or not source.exists():
        return source.parent
    raise ConfigError(
        f"{source} is not a folder or a list of pictures. Unpack an archive first: inspect divides files."
    )


def _marked(modality: Modality, dataset: Dataset) -> tuple[Embeddings, np.ndarray]:
    """The samples with their hashes and metadata, and for each a number that it shares with its copies only."""
    contents, signatures = list[str](), list[bytes]()
    for first in range(0, len(dataset), BATCH):
        rows = np.arange(first, min(first + BATCH, len(dataset)))
        raw = dataset.batch(rows)
        contents += content_hashes(raw)
        part = Chunk([dataset.ids[row] for row in rows.tolist()], dataset.metadata.take(pa.array(rows)), raw, ())
        signatures += modality.signatures(part)
    memory = {"contents": hash_prefixes(contents), **modality.remember(dataset)}
    copies = modality.copies(memory)
    marks = SampleMarks(contents, signatures, window_spans(dataset.metadata))
    units = np.arange(len(dataset)) if copies is None else copies.first(marks)
    columns = {name: dataset.metadata[name] for name in dataset.metadata.column_names}
    return Embeddings(pa.table({"id": pa.array(dataset.ids), "content": pa.array(contents), **columns})), units


def _check_count(given: CalibrationSet, good: str, block: str | None) -> None:
    counted, what = given.units, "different pictures"
    if block is not None:
        counted, what = metadata_column(given.samples, block, good), f"blocks (by {block})"
    count, needed = len(set(counted.tolist())), achievable.smallest_set()
    if count < needed:
        total = len(given)
        copies = f" among {total} (the others are copies of them)" if block is None and total > count else ""
        raise DataError(
            f"{good} has {count} {what}{copies}: too few. {needed} are needed for the weakest guarantee, that at most "
            f"10 % of good parts are rejected; 598 would allow 1 %. Half of them is for training, half for calibration."
        )


def _write(half: CalibrationSet, root: Path, path: Path) -> None:
    table = half.samples.table
    paths = pa.array([str((root / name).absolute()) for name in half.samples.ids])
    columns = {name: table[name] for name in table.column_names if name not in ("id", "content", "path")}
    with atomic(path) as file:
        pq.write_table(pa.table({"path": paths, **columns}), file)


def _facts(
    modality: Modality, dataset: Dataset, given: CalibrationSet, halves: dict[str, CalibrationSet], source: str
) -> tuple[str, ...]:
    different = len(set(given.units.tolist()))
    facts = [f"GOOD has {len(given):,} pictures."]
    if different < len(given):
        facts[0] = f"GOOD has {len(given):,} pictures, of which {different:,} differ; copies stay together."
    if dataset.broken:
        facts.append(f"{len(dataset.broken):,} cannot be read and are left out, such as {dataset.broken[0].id}.")
    facts += modality.notes(source)
    sizes = [len(half) for half in halves.values()]
    return (*facts, f"{sizes[0]:,} of them are for training and comparison, {sizes[1]:,} for calibration.")
