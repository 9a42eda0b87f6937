"""Unpack the infrared solar modules and write lists with their labels, as `vssl bench` takes them.

    python benchmarks/infrared_list.py infrared-solar-modules.tar.xz infrared/

The data set (Raptor Maps, MIT) keeps its 12 classes in a JSON file. Writes infrared/infrared.csv with the columns path,
label (the class) and state (normal or defect), and the same in two parts, infrared-train.csv and infrared-test.csv:
a fifth of the images, drawn once and for all, is for testing.
"""

from __future__ import annotations

import csv
import json
import random
import sys
import tarfile
from pathlib import Path

ENTRIES = Path("InfraredSolarModules", "module_metadata.json")


def main(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    entries = json.loads((folder / ENTRIES).read_text())
    rows = []
    for entry in entries.values():
        path, label = ENTRIES.parent / entry["image_filepath"], entry["anomaly_class"]
        rows.append({"path": path, "label": label, "state": "normal" if label == "No-Anomaly" else "defect"})
    tested = set(random.Random(0).sample(range(len(rows)), len(rows) // 5))
    write(folder / "infrared.csv", rows)
    write(folder / "infrared-train.csv", [row for place, row in enumerate(rows) if place not in tested])
    write(folder / "infrared-test.csv", [row for place, row in enumerate(rows) if place in tested])


def write(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} images: {path}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
