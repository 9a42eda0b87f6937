"""A made-up inspection line: pictures of machined parts with known defects, for the demo and for tests.

A part goes the way it would go in a factory: `surfaces` makes it, `defects` damages it, `cameras` takes its picture,
and an inspector, who is not perfect near the limit, gives it a label.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
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
from vssl.modalities.images.demo.surfaces import SUPPLIERS, surface

LIMIT = 0.35  # severity from which a part is to be rejected
MISREADING = 0.05  # the inspector reads a severity wrong by at most this much
BORDERLINE = 0.08  # borderline severities lie within this distance from the limit
CLEAR = (0.55, 1.0)  # severities of clear defects


@dataclass(frozen=True)
class Line:
    """An inspection line: who delivers, which cameras look, how often something is wrong, and how far things drifted.

    Attributes:
        seed: Everything random follows from it, part by part.
        suppliers: Names of `surfaces.SUPPLIERS`: north, east, west, and south, which the default line never sees.
        cameras: Names of `cameras.CAMERAS`: cam-1, cam-2, and cam-3, which the default line never sees.
        defect_rate: Share of parts with a clear defect, 0..1.
        borderline_rate: Share of parts whose defect is so near the limit that two inspectors may disagree, 0..1.
        size: Height and width of the pictures in pixels, from 32.
        supplier_shares: Share of each supplier, summing to 1; equal if none are given.
        camera_shares: Share of each camera, summing to 1; equal if none are given.
        wear: Drift: wear of the cutting tool, 0 (fresh) to 1 (blunt).
        illumination: Drift: brightness of the lamp, above 0; 1 is nominal.

    Raises:
        ConfigError: A name is not known, or a value is out of its range.
    """

    seed: int = 0
    suppliers: tuple[str, ...] = ("north", "east", "west")
    cameras: tuple[str, ...] = ("cam-1", "cam-2")
    defect_rate: float = 0.15
    borderline_rate: float = 0.01
    size: int = 96
    supplier_shares: tuple[float, ...] | None = None
    camera_shares: tuple[float, ...] | None = None
    wear: float = 0.0
    illumination: float = 1.0

    def __post_init__(self) -> None:
        _check("supplier", self.suppliers, self.supplier_shares, SUPPLIERS)
        _check("camera", self.cameras, self.camera_shares, CAMERAS)
        shares = {"defect_rate": self.defect_rate, "borderline_rate": self.borderline_rate, "wear": self.wear}
        shares["defect_rate + borderline_rate"] = self.defect_rate + self.borderline_rate
        for name, share in shares.items():
            if not 0.0 <= share <= 1.0:
                raise ConfigError(f"{name} has the value {share}; it must lie between 0 and 1.")
        if not self.illumination > 0.0:
            raise ConfigError(f"illumination is {self.illumination}; it must be above 0 (1 is nominal).")
        if self.size < 32:
            raise ConfigError(f"size is {self.size} pixels; below 32 the defects cannot be seen.")
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}; it must be 0 or more.")


def _check(kind: str, names: tuple[str, ...], shares: tuple[float, ...] | None, known: Collection[str]) -> None:
    if not names or len(set(names)) < len(names) or not set(names) <= set(known):
        raise ConfigError(f"{kind}s is {names}; give at least one name, each only once, of: {', '.join(known)}.")
    if shares is not None and not (len(shares) == len(names) and min(shares) >= 0 and abs(sum(shares) - 1.0) <= 1e-6):
        raise ConfigError(
            f"{kind}_shares is {shares}; it needs {len(names)} shares ({', '.join(names)}), 0 or more, that sum to 1."
        )


@dataclass(frozen=True)
class Part:
    """One inspected part.

    Attributes:
        image: The picture, grey levels 0..255.
        mask: The pixels of the defect; all False on a part without one.
        supplier: Who delivered it.
        camera: Which camera saw it.
        defect: none, or a key of `defects.DEFECTS`: scratch, pit, stain, dent, chip.
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
    rejected = severity + finding.uniform(-MISREADING, MISREADING) >= LIMIT
    light, face = surface(SUPPLIERS[supplier], line.size, line.wear, making)
    mask = np.zeros(light.shape, dtype=bool)
    if defect != "none":
        light, mask = damage(light, face, defect, severity, damaging)
    image = expose(light, CAMERAS[camera], line.illumination, exposing)
    return Part(image, mask, supplier, camera, defect, severity, "defect" if rejected else "ok", borderline)


def _finding(line: Line, rng: np.random.Generator) -> tuple[str, float, bool]:
    """What is wrong with a part: kind of defect, severity, and whether it is near the limit."""
    fate, defect = rng.random(), str(rng.choice(list(DEFECTS)))
    clear, near = rng.uniform(*CLEAR), rng.uniform(LIMIT - BORDERLINE, LIMIT + BORDERLINE)
    if fate < line.defect_rate:
        return defect, clear, False
    if fate < line.defect_rate + line.borderline_rate:
        return defect, near, True
    return "none", 0.0, False


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
        for name in ("images", "masks") if labelled else ("images",):
            (unfinished / name).mkdir(parents=True)
        rows = []
        for index, part in enumerate(made):
            name, shift = f"part-{index:05d}.png", "early" if index < (count + 1) // 2 else "late"
            Image.fromarray(part.image).save(unfinished / "images" / name)
            row = {"path": f"images/{name}", "supplier": part.supplier, "camera": part.camera, "shift": shift}
            if labelled:
                Image.fromarray(part.mask).save(unfinished / "masks" / name)
                row |= {"label": part.label, "defect": part.defect, "severity": f"{part.severity:.3f}"}
                row |= {"borderline": str(part.borderline).lower()}
            rows.append(row)
        _write_list(rows, unfinished / "parts.csv")
    return folder / "parts.csv"


def _write_list(rows: list[dict[str, str]], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
