"""From verdicts to data for a calibration: the samples that were drawn at random, as files with what people said.

People look at what the score calls odd. Thresholds from those would be far too high: the ordinary normals are missing
among them. So only the samples count that were drawn at random whatever their score was; they are like those to come.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from vssl.errors import ConfigError, EmptyDataError
from vssl.files import atomic
from vssl.modalities.images.decode import read_header
from vssl.serve.reviews import Reviews
from vssl.serve.samples import Samples
from vssl.serve.store import Store

SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}


@dataclass(frozen=True)
class Reviewed:
    """Samples with verdicts, as `vssl.calibrate` takes them.

    Attributes:
        normal, defects: Data; None for defects if there are none.
        caveats: What a reader of the policy must know, in sentences.
    """

    normal: str
    defects: str | None
    caveats: list[str]


def address(database: str) -> str:
    """A database as SQLAlchemy names it, from that or from the path of an SQLite file.

    Raises:
        ConfigError: There is no such file.
    """
    if "://" in database:
        return database
    if not Path(database).is_file():
        raise ConfigError(
            f"--from-reviews {database}: there is no such file. vssl serve writes EXPORT/decisions.sqlite."
        )
    return f"sqlite:///{Path(database).absolute()}"


def gather(database: str, samples: Path, modality: str, spec: Any, group: str | None, out: Path) -> Reviewed:
    """Write the samples that were drawn at random and judged, into a folder named by what is in it.

    Args:
        database: As SQLAlchemy names it.
        samples: The folder in which the service keeps samples.
        modality, spec: As in a run.
        group: Name for the column of the groups, or None.
        out: The folder above it.

    Raises:
        EmptyDataError: There are no normals among them.
        ConfigError: The run's series have one value a row.
    """
    rows = Reviews(Store(database)).labelled()
    kept = Samples(samples)
    judged = [(row, kept.get(row["content"])) for row in rows if row["verdict"] != "unsure"]
    there = [(row, data) for row, data in judged if data is not None]
    if not any(row["verdict"] == "normal" for row, _ in there):
        raise EmptyDataError(
            f"Of the samples that were drawn at random none has been called normal: {len(rows)} have a verdict, and "
            f"{len(judged) - len(there)} are not in {samples} any more. Judge more of them on the page of vssl serve; "
            "--audit says how many are drawn."
        )
    said = json.dumps([(row["content"], row["verdict"], row["group"]) for row, _ in there])
    folder = out / hashlib.sha256(said.encode()).hexdigest()[:12]
    normal, defects = WRITERS[modality](folder, there, spec, group)
    caveats = [f"Made of {len(there)} samples that were drawn at random in use and judged by people."]
    if unsure := len(rows) - len(judged):
        caveats.append(f"{unsure} more were left out because people were unsure: the promise holds for what is clear.")
    if gone := len(judged) - len(there):
        caveats.append(f"{gone} more were left out: they are not in {samples} any more.")
    return Reviewed(normal, defects if any(row["verdict"] == "defect" for row, _ in there) else None, caveats)


def _images(folder: Path, there: list[tuple[dict[str, Any], bytes]], _spec: Any, group: str | None) -> tuple[str, str]:
    columns: dict[str, list[str]] = {name: [] for name in ("path", "label", "at", *([group] if group else []))}
    for row, data in there:
        name = f"{row['number']}-{_plain(row['id'])}{SUFFIXES[read_header(data, row['id']).format]}"
        with atomic(folder / name) as file:
            file.write(data)
        for column, value in (("path", name), ("label", row["verdict"]), ("at", row["at"].isoformat())):
            columns[column].append(value)
        if group:
            columns[group].append(row["group"])
    path = folder / "samples.csv"
    with atomic(path) as file:
        pyarrow.csv.write_csv(pa.table(columns), file)
    return f"{path}:label=normal", f"{path}:label=defect"


def _series(folder: Path, there: list[tuple[dict[str, Any], bytes]], spec: Any, _group: str | None) -> tuple[str, str]:
    if spec.long is not None:
        raise ConfigError("--from-reviews is not there for series with one value a row: calibrate with --normal DATA.")
    channels = len(spec.channels)
    for row, data in there:
        values = np.frombuffer(data, "<f4").reshape(channels, -1)
        columns = {name: pa.array(own, from_pandas=True) for name, own in zip(spec.channels, values, strict=True)}
        if spec.time is not None:
            times = (np.arange(values.shape[1]) * round((spec.step_s or 1) * 1e9)).astype("datetime64[ns]")
            columns = {spec.time: pa.array(times), **columns}
        with atomic(folder / row["verdict"] / f"{row['number']}-{_plain(row['id'])}.parquet") as file:
            pq.write_table(pa.table(columns), file)
    return str(folder / "normal"), str(folder / "defect")


def _logs(folder: Path, there: list[tuple[dict[str, Any], bytes]], spec: Any, _group: str | None) -> tuple[str, str]:
    kind = spec.reading.format
    for row, data in there:
        name = f"{row['number']}-{_plain(row['id'])}"
        text = f"{name},{' '.join(data.decode().splitlines())}".encode() if kind == "sessions" else data
        with atomic(folder / row["verdict"] / f"{name}.{'jsonl' if kind == 'jsonl' else 'log'}") as file:
            file.write(text + b"\n")
    return str(folder / "normal"), str(folder / "defect")


WRITERS = {"images": _images, "sensors": _series, "events": _logs}


def _plain(name: str) -> str:
    """What of a sample's name can stand in that of a file."""
    return re.sub(r"\W+", "-", Path(name).stem)[:60]
