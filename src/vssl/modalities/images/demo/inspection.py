"""A made-up inspection line: pictures of machined parts with known defects, for the demo and for tests.

A part goes the way it would go in a factory: `surfaces` makes it, `defects` damages it, `cameras` takes its picture,
and an inspector, who is not perfect near the limit, gives it a label.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from vssl.errors import ConfigError
from vssl.modalities.demo import new_folder
from vssl.modalities.images.demo.cameras import CAMERAS, expose
from vssl.modalities.images.demo.defects import DEFECTS, damage
from vssl.modalities.images.demo.line import Line
from vssl.modalities.images.demo.surfaces import SUPPLIERS, surface

__all__ = ["LIMIT", "MISREADING", "Line", "Part", "parts", "write"]

LIMIT = 0.35  # severity from which a part is to be rejected
MISREADING = 0.05  # the inspector reads a severity wrong by at most this much
BORDERLINE = 0.08  # borderline severities lie within this distance from the limit
CLEAR = (0.55, 1.0)  # severities of clear defects


@dataclass(frozen=True)
class Part:
    """One inspected part.

    Attributes:
        image: The picture, grey levels 0..255.
        mask: The pixels of the defect; all False on a part without one.
        supplier: Who delivered it.
        camera: Which camera saw it.
        defect: none, or a key of `defects.DEFECTS`: scratch, pit, stain.
        severity: True severity of the defect, 0 (none) to 1.
        label: Given by the inspector. The true one is `severity >= LIMIT`; within `MISREADING` of it they may differ.
        borderline: Whether the part was made to be near the limit.
    """

    image: UInt8[np.ndarray, "H W"]
    mask: Bool[np.ndarray, "H W"]
    supplier: str
    camera: str
    defect: str
    severity: float
    label: Literal["ok", "defect"]
    borderline: bool


def parts(line: Line, count: int) -> Iterator[Part]:
    """The first `count` parts of the line. Part i depends on the line and i only.

    So a longer run begins with the same parts, and lines that differ only in their rates, wear or illumination show
    the same parts under the other circumstances.

    Raises:
        ConfigError: `count` is below 1.
    """
    if count < 1:
        raise ConfigError(f"count is {count}; a run needs at least one part.")
    return (_part(line, index) for index in range(count))


def _part(line: Line, index: int) -> Part:
    # One stream for each stage: the same surface comes out with and without a defect.
    streams = np.random.SeedSequence([line.seed, index]).spawn(5)
    origin, finding, making, damaging, exposing = map(np.random.default_rng, streams)
    supplier = str(origin.choice(line.suppliers, p=line.supplier_shares))
    camera = str(origin.choice(line.cameras, p=line.camera_shares))
    defect, severity, borderline = _finding(line, finding)
    label: Literal["ok", "defect"] = "defect" if _is_rejected(severity, finding) else "ok"
    good = surface(SUPPLIERS[supplier], line.size, line.wear, making)
    light, mask = good.light, np.zeros(good.light.shape, dtype=bool)
    if defect != "none":
        light, mask = damage(good, defect, severity, damaging)
    image = expose(light, CAMERAS[camera], line.illumination, exposing)
    return Part(image, mask, supplier, camera, defect, severity, label, borderline)


def _finding(line: Line, rng: np.random.Generator) -> tuple[str, float, bool]:
    """What is wrong with a part: kind of defect, severity, and whether it is near the limit."""
    fate, defect = rng.random(), str(rng.choice(list(DEFECTS)))
    clear, near = rng.uniform(*CLEAR), rng.uniform(LIMIT - BORDERLINE, LIMIT + BORDERLINE)
    if fate < line.defect_rate:
        return defect, clear, False
    if fate < line.defect_rate + line.borderline_rate:
        return defect, near, True
    return "none", 0.0, False


def _is_rejected(severity: float, rng: np.random.Generator) -> bool:
    return severity + rng.uniform(-MISREADING, MISREADING) >= LIMIT


def write(line: Line, folder: Path, count: int, labelled: bool) -> Path:
    """Write parts as a data set: `images/part-00000.png` and a list, which also names the shift (early, then late).

    Args:
        folder: Made by this call; it appears complete or not at all.
        labelled: Also write the columns label, defect, severity and borderline, and `masks/part-00000.png`
            (white is defect). Without them nothing in the folder tells good from bad but the pictures themselves.

    Returns:
        The list, `folder/parts.csv`, with a `path` relative to the folder.

    Raises:
        ConfigError: `count` is below 1, or the folder is there already.
        StorageError: The folder cannot be written.
    """
    made = parts(line, count)
    with new_folder(folder) as unfinished:
        _write_all(made, unfinished, count, labelled)
    return folder / "parts.csv"


def _write_all(made: Iterator[Part], folder: Path, count: int, labelled: bool) -> None:
    for name in ("images", "masks") if labelled else ("images",):
        (folder / name).mkdir(parents=True)
    rows = []
    for index, part in enumerate(made):
        name = f"part-{index:05d}.png"
        Image.fromarray(part.image).save(folder / "images" / name)
        if labelled:
            Image.fromarray(part.mask).save(folder / "masks" / name)
        shift = "early" if index < (count + 1) // 2 else "late"
        rows.append({"path": f"images/{name}", **_row(part, shift, labelled)})
    _write_list(rows, folder / "parts.csv")


def _row(part: Part, shift: str, labelled: bool) -> dict[str, str]:
    row = {"supplier": part.supplier, "camera": part.camera, "shift": shift}
    if labelled:
        row |= {"label": part.label, "defect": part.defect, "severity": f"{part.severity:.3f}"}
        row |= {"borderline": str(part.borderline).lower()}
    return row


def _write_list(rows: list[dict[str, str]], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        file.flush()
        os.fsync(file.fileno())
