"""Unpack the infrared solar modules and write a list with their labels, as `vssl bench` takes it.

    python benchmarks/infrared_list.py infrared-solar-modules.tar.xz infrared/

The data set (Raptor Maps, MIT) keeps its 12 classes in a JSON file. Writes infrared/list.csv with the columns path,
label (the class) and state (normal or defect).
"""

from __future__ import annotations

import csv
import json
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
    with (folder / "list.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} images: {folder / 'list.csv'}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
