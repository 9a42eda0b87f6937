"""The infrared solar modules, unpacked, with lists that hold their labels, as `vssl train` and `vssl bench` take them.

    python -m benchmarks.data.infrared infrared-solar-modules.tar.xz infrared

The data set (Raptor Maps, MIT) has 20,000 images of 12 classes, which a JSON file names. Writes infrared/infrared.csv
with the columns path, label (the class) and state (normal or defect), and the same in two parts, infrared-train.csv and
infrared-test.csv, which is a fifth of the images, drawn once with a fixed seed.
"""

from __future__ import annotations

import csv
import json
import random
import tarfile
from collections.abc import Sequence
from pathlib import Path

import tyro

ENTRIES = Path("InfraredSolarModules", "module_metadata.json")
NORMAL = "No-Anomaly"
Rows = Sequence[dict[str, str]]


def main(archive: tyro.conf.Positional[Path], folder: tyro.conf.Positional[Path]) -> None:
    """Unpack the infrared modules and write their lists.

    Args:
        archive: The data set as a tar archive.
        folder: Gets the images and the lists.
    """
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    entries = json.loads((folder / ENTRIES).read_text()).values()
    rows = [row_of(str(ENTRIES.parent / entry["image_filepath"]), entry["anomaly_class"]) for entry in entries]
    test = set(random.Random(0).sample(range(len(rows)), len(rows) // 5))
    write(folder / "infrared.csv", rows)
    write(folder / "infrared-train.csv", [row for number, row in enumerate(rows) if number not in test])
    write(folder / "infrared-test.csv", [row for number, row in enumerate(rows) if number in test])


def row_of(path: str, label: str) -> dict[str, str]:
    return {"path": path, "label": label, "state": "normal" if label == NORMAL else "defect"}


def normals_of(folder: Path) -> Path:
    """The list of the normal images among those to train on."""
    with (folder / "infrared-train.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["state"] == "normal"]
    return write(folder / "infrared-train-normal.csv", rows)


def write(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} images: {path}")
    return path


if __name__ == "__main__":
    tyro.cli(main)
