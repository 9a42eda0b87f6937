"""From verdicts to data for a calibration: the samples that were drawn at random, as files with what people said.

People look at what the score calls odd. Thresholds from those would be far too high: the ordinary normals are missing
among them. So only the samples count that were drawn at random whatever their score was; they are like those to come.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vssl.errors import ConfigError, EmptyDataError
from vssl.files import atomic
from vssl.modalities.events.files import Row
from vssl.modalities.events.reading import parser
from vssl.modalities.images.decode import read_header
from vssl.serving.reviews import Reviews
from vssl.serving.samples import Samples, window_of
from vssl.serving.store import Store

T = TypeVar("T")
Judged = tuple[dict[str, Any], bytes]
"""A row of `Reviews.labelled`, and what was sent."""

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
    reviews, kept = Reviews(Store(database)), Samples(samples)
    rows = reviews.labelled()
    # What cannot be used is passed over first, so that no copy of it takes the place of one that can.
    read = [row for row in rows if row["score"] is not None]
    named = [row for row in read if row["group"]] if group else read
    last = {row["content"]: row["verdict"] for row in reversed(read)}
    own = _newest((row["content"], row | {"verdict": last[row["content"]]}) for row in named)
    clear = [row for row in own if row["verdict"] != "unsure"]
    found = [(row, data) for row in clear if (data := kept.get(row["content"])) is not None]
    there = _one_of_each_session(found, spec) if modality == "events" else found
    copies = len(named) - len(own)
    caveats = [f"{copies} were copies of others: each counts once, by its last verdict."] if copies else []
    caveats += _left_out(
        {
            "they cannot be read or have no score: such a sample is reviewed, whatever the thresholds": len(rows)
            - len(read),
            f"they were sent without a {group}": len(read) - len(named),
            "people were unsure: the guarantee holds for what is clear": len(own) - len(clear),
            f"they are not in {samples} any more": len(clear) - len(found),
            "their lines name no session or several, or one that was sent again with other lines: of those the one "
            "that was judged last counts": len(found) - len(there),
            "they have no verdict: if people pass over what is hard to judge, the guarantee does not hold for "
            "that": reviews.unjudged(),
        }
    )
    if not any(row["verdict"] == "normal" for row, _ in there):
        raise EmptyDataError(
            f"Of the samples that were drawn at random none has been called normal that can be used: {len(rows)} have "
            f"a verdict. {' '.join(caveats)} Judge more of them on the page of vssl serve; --audit-rate says how many "
            "are drawn."
        )
    said = json.dumps([(row["number"], row["content"], row["verdict"], row["group"]) for row, _ in there])
    folder = out / hashlib.sha256(said.encode()).hexdigest()[:12]
    normal, defects = WRITERS[modality](folder, there, spec, group)
    made = f"Made of {len(there)} samples that were drawn at random in use and judged by people."
    return Reviewed(normal, defects if any(row["verdict"] == "defect" for row, _ in there) else None, [made, *caveats])


def _left_out(counts: dict[str, int]) -> list[str]:
    """A sentence for each reason for which some were left out."""
    return [f"{count} more were left out because {why}." for why, count in counts.items() if count]


def _newest(named: Iterable[tuple[str, T]]) -> list[T]:
    """The first of each name."""
    found: dict[str, T] = {}
    for name, item in named:
        found.setdefault(name, item)
    return list(found.values())


def _one_of_each_session(found: list[Judged], spec: Any) -> list[Judged]:
    """The first for each session: lines of one session are read as one sample, wherever they stand."""
    if spec.reading.format == "sessions" or not spec.reading.session:
        return found
    named = ((_sessions(data, spec), (row, data)) for row, data in found)
    return _newest((sessions.pop(), item) for sessions, item in named if len(sessions) == 1)


def _sessions(data: bytes, spec: Any) -> set[str]:
    """The sessions that lines name."""
    read = parser(spec.reading)
    rows = (Row(number, text, False, False) for number, text in enumerate(data.decode().split("\n"), 1))
    return {line.session for line in map(read, rows) if line.session}


def _images(folder: Path, there: list[Judged], _spec: Any, group: str | None) -> tuple[str, str]:
    columns: dict[str, list[Any]] = {name: [] for name in ("path", "label", "at", *([group] if group else []))}
    for row, data in there:
        name = f"{row['number']}-{_plain(row['id'])}{SUFFIXES[read_header(data, row['id']).format]}"
        with atomic(folder / name) as file:
            file.write(data)
        for column, value in (("path", name), ("label", row["verdict"]), ("at", row["at"])):
            columns[column].append(value)
        if group:
            columns[group].append(row["group"])
    # Parquet, as a CSV file would bring back the group 01 as the number 1.
    path = folder / "samples.parquet"
    with atomic(path) as file:
        pq.write_table(pa.table(columns), file)
    return f"{path}:label=normal", f"{path}:label=defect"


def _series(folder: Path, there: list[Judged], spec: Any, _group: str | None) -> tuple[str, str]:
    if spec.long is not None:
        raise ConfigError("--from-reviews is not there for series with one value a row: calibrate with --normal DATA.")
    channels = len(spec.channels)
    for row, data in there:
        values = window_of(data, (channels, spec.window))
        columns = {name: pa.array(own, from_pandas=True) for name, own in zip(spec.channels, values, strict=True)}
        if spec.time is not None:
            times = (np.arange(values.shape[1]) * round((spec.step_s or 1) * 1e9)).astype("datetime64[ns]")
            columns = {spec.time: pa.array(times), **columns}
        with atomic(folder / row["verdict"] / f"{row['number']}-{_plain(row['id'])}.parquet") as file:
            pq.write_table(pa.table(columns), file)
    return str(folder / "normal"), str(folder / "defect")


def _logs(folder: Path, there: list[Judged], spec: Any, _group: str | None) -> tuple[str, str]:
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
