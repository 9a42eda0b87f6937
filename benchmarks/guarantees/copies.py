"""How many planted copies are found, and how many different samples are taken for copies, on real data.

    python -m benchmarks.guarantees.copies --data DATA

Pictures: half of a data set trains; 150 of these are saved again at several JPEG qualities, brightened, shifted by a
pixel, or given noise. The other half are different pictures, so each that is called a copy is a false positive, unless
they really are alike: the ball screw is photographed at each position every few hours, and is split by position and at
random. Series and logs: the first 60 % train; the same without their first rows or lines are copies, and what comes
later is not.
"""

from __future__ import annotations

import json
import lzma
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import tyro
from PIL import Image

from benchmarks import tables
from benchmarks.common.record import RESULTS, Record
from vssl.modalities import events, images, sensors
from vssl.modalities.copies import CopyDetector, SampleMarks, content_hashes, hash_prefixes, window_spans

PLANTED, TRAINING, LATER = 150, 2000, 500
Picture = Image.Image


@dataclass(frozen=True)
class Options:
    """Recall and false positives of the search for copies.

    Attributes:
        data: Folder with the public data sets.
        seed: Random seed of the split and the noise.
        out: File of the record.
    """

    data: Path
    seed: int = 0
    out: Path = RESULTS / "copies.json"


def saved(picture: Picture, quality: int) -> Picture:
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(BytesIO(buffer.getvalue())).convert("RGB")


def brighter(picture: Picture, factor: float) -> Picture:
    return saved(Image.fromarray((np.asarray(picture) * factor).clip(0, 255).astype(np.uint8)), 90)


def shifted(picture: Picture, axis: int) -> Picture:
    pixels = np.asarray(picture)
    pads = [(int(at == axis), 0) for at in range(3)]
    return saved(Image.fromarray(np.pad(pixels, pads, "edge")[: len(pixels), : pixels.shape[1]]), 90)


def noisy(picture: Picture) -> Picture:
    pixels = np.asarray(picture)
    noise = np.random.default_rng(pixels.size).normal(0, 3, pixels.shape)
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


PLANTS: dict[str, Callable[[Picture], Picture]] = {
    "quality 70": lambda picture: saved(picture, 70),
    "quality 85": lambda picture: saved(picture, 85),
    "quality 95": lambda picture: saved(picture, 95),
    "5 % brighter": lambda picture: brighter(picture, 1.05),
    "15 % brighter": lambda picture: brighter(picture, 1.15),
    "a pixel lower": lambda picture: shifted(picture, 0),
    "a pixel to the right": lambda picture: shifted(picture, 1),
    "noise of 3 levels": noisy,
}


def marks(modality: Any, source: Path) -> SampleMarks:
    contents: list[str] = []
    signatures: list[bytes] = []
    tables = []
    for chunk in modality.stream(source):
        contents += content_hashes(chunk.raw)
        signatures += modality.signatures(chunk)
        tables.append(chunk.metadata)
    return SampleMarks(contents, signatures, window_spans(pa.concat_tables(tables, promote_options="permissive")))


def trained(kind: ModuleType, source: Path, config: Any) -> tuple[Any, CopyDetector]:
    """The modality and the search for copies, as a training stores them."""
    modality = kind.build(config, kind.measure(source, config))
    dataset = modality.load(source)
    contents = hash_prefixes(content_hashes(dataset.batch(np.arange(len(dataset)))))
    return modality, modality.copies({"contents": contents, **modality.remember(dataset)})


def share_called(copies: CopyDetector, of: SampleMarks) -> float:
    """The share of the samples that are taken for copies of training samples."""
    seen = copies.seen(of)
    return float((seen.exact | seen.near).mean())


def share_within(copies: CopyDetector, of: SampleMarks) -> float:
    """The share of the samples that are taken for copies of each other."""
    return 1 - len(set(copies.first(of).tolist())) / len(of)


def picture_row(name: str, training: Sequence[Path], different: Sequence[Path]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        known = _written(Path(folder, "training"), [Image.open(path).convert("RGB") for path in training])
        modality, copies = trained(images, known, images.Config())
        chosen = training[:: max(1, len(training) // PLANTED)][:PLANTED]
        recall: dict[str, float] = {}
        for how, change in PLANTS.items():
            copied = _written(Path(folder, how), [change(Image.open(path).convert("RGB")) for path in chosen])
            recall[how] = share_called(copies, marks(modality, copied))
        new = _written(Path(folder, "new"), [Image.open(path).convert("RGB") for path in different])
        of = marks(modality, new)
        about = {"kind": "pictures", "data": name, "training": len(training), "different": len(different)}
        return about | {"recall": recall} | _false_positives(copies, of)


def _false_positives(copies: CopyDetector, of: SampleMarks) -> dict[str, float]:
    return {"false_positive_rate": share_called(copies, of), "false_positive_rate_within": share_within(copies, of)}


def _written(folder: Path, pictures: Sequence[Picture]) -> Path:
    folder.mkdir()
    for row, picture in enumerate(pictures):
        picture.save(folder / f"{row:05d}.png")
    return folder


def picture_rows(options: Options, folder: Path) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(options.seed)

    def halves(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
        order = [paths[row] for row in rng.permutation(len(paths))[: 2 * TRAINING]]
        return order[: len(order) // 2], order[len(order) // 2 :][:LATER]

    about = json.loads((folder / "InfraredSolarModules/module_metadata.json").read_text()).values()
    normal = [
        folder / "InfraredSolarModules" / item["image_filepath"]
        for item in about
        if item["anomaly_class"] == "No-Anomaly"
    ]
    yield picture_row("infrared modules", *halves(normal))
    yield picture_row("cookies", *halves(sorted((folder / "cookies").glob("t*/good/*"))))
    yield picture_row("aliens", *halves(sorted((folder / "aliens/good").glob("*"))))
    screw = sorted((folder / "ball-screw-pitting/good").glob("*/*.jpg"))
    positions = sorted({path.parent.name for path in screw})[::3]
    apart = [path for path in screw if path.parent.name in positions]
    yield picture_row("ball screw, by position", [path for path in screw if path not in apart], apart)
    yield picture_row("ball screw, at random", *halves(screw))


def sequence_row(name: str, kind: ModuleType, parts: tuple[Path, Path, Path], config: Any) -> dict[str, Any]:
    training, copied, later = parts
    modality, copies = trained(kind, training, config)
    about = {"kind": "series" if kind is sensors else "logs", "data": name}
    return (
        about
        | {"recall": share_called(copies, marks(modality, copied))}
        | _false_positives(copies, marks(modality, later))
    )


def series_rows(data: Path, folder: Path) -> Iterator[dict[str, Any]]:
    for train in sorted((data / "server-metrics-asd").glob("*.train.parquet")):
        test = pq.read_table(str(train).replace(".train.", ".test.")).drop(["anomaly"])
        yield sequence_row(
            train.name.split(".")[0], sensors, _tables(folder, pq.read_table(train), test), sensors.Config()
        )
    for train in sorted((data / "ucr-anomaly").glob("*.train.parquet"))[::4]:
        test = pq.read_table(str(train).replace(".train.", ".test.")).drop(["anomaly"])
        yield sequence_row(
            f"ucr {train.name[:3]}", sensors, _tables(folder, pq.read_table(train), test), sensors.Config()
        )
    for name, file in (("hydraulic rig", "hydraulic-rig/sensors"), ("water", "water-quality-gecco/gecco.train")):
        rows = pq.read_table(data / f"{file}.parquet")
        cut = rows.num_rows * 6 // 10
        yield sequence_row(name, sensors, _tables(folder, rows.slice(0, cut), rows.slice(cut)), sensors.Config())
    files = [pq.read_table(path) for path in sorted((data / "oil-wells-3w/normal").glob("*.parquet"))]
    known, copied, later = (folder / name for name in ("wells", "wells-again", "other-wells"))
    for where in (known, copied, later):
        where.mkdir()
    for row, table in enumerate(files):
        pq.write_table(table, (known if row % 2 else later) / f"{row:02d}.parquet")
        if row % 2:
            pq.write_table(table.slice(13), copied / f"{row:02d}.parquet")
    yield sequence_row("oil wells", sensors, (known, copied, later), sensors.Config(stride="64"))


def _tables(folder: Path, train: pa.Table, later: pa.Table) -> tuple[Path, Path, Path]:
    paths = (folder / "known.parquet", folder / "copied.parquet", folder / "later.parquet")
    for path, table in zip(paths, (train, train.slice(7), later), strict=True):
        pq.write_table(table, path)
    return paths


def log_rows(data: Path, folder: Path) -> Iterator[dict[str, Any]]:
    logs = {path.stem: path.read_text(errors="replace") for path in sorted(folder.rglob("*_2k.log"))}
    logs |= {path.stem: path.read_text(errors="replace") for path in sorted((data / "event-logs/raw").glob("*.log"))}
    for name in ("hdfs", "healthapp"):
        (path,) = (data / f"event-logs/{name}-raw").glob("*.xz")
        logs[path.stem.removesuffix(".log")] = lzma.decompress(path.read_bytes()).decode()
    for name, text in logs.items():
        lines = text.splitlines()
        yield sequence_row(name, events, _logs(folder, lines), events.Config())
        # As if the system wrote no time, date and host: what is left repeats.
        bare = [" ".join(line.split()[4:]) or line for line in lines]
        yield sequence_row(f"{name}, first four words cut off", events, _logs(folder, bare), events.Config())


def _logs(folder: Path, lines: Sequence[str]) -> tuple[Path, Path, Path]:
    cut, paths = len(lines) * 6 // 10, (folder / "known.log", folder / "copied.log", folder / "later.log")
    for path, part in zip(paths, (lines[:cut], lines[7:cut], lines[cut:]), strict=True):
        path.write_text("\n".join(part) + "\n")
    return paths


ARCHIVES = (
    *("infrared-solar-modules", "inspection/cookies", "inspection/aliens", "inspection/ball-screw-pitting"),
    "event-logs/loghub-2k",
)


def main(options: Options) -> None:
    torch.set_num_threads(1)
    record = Record.create(options.out, seeds=(options.seed,))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for archive in ARCHIVES:
            with tarfile.open(options.data / f"{archive}.tar.xz") as packed:
                packed.extractall(folder, filter="data")
        rows = (picture_rows(options, folder), series_rows(options.data, folder), log_rows(options.data, folder))
        for row in chain(*rows):
            record.add(row)
    tables.show("copies", record)


if __name__ == "__main__":
    main(tyro.cli(Options))
