"""Inspection pictures with real defects: unpacked, and divided into training and tested pictures.

    python -m benchmarks.data.inspection inspection-archives inspection

The folder of the archives holds ball-screw-pitting, deeppcb, cookies and aliens as `.tar.xz`. `division(folder, name,
seed)` gives the normal pictures to learn from, the tested ones, and where their defects are. What is alike is divided
as a whole, by place, time or group, so that a tested picture has no neighbour among those that were learned from.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tyro
from jaxtyping import Bool
from PIL import Image

from benchmarks.common.archive import unpacked
from vssl.errors import DataError

ARCHIVES = ("ball-screw-pitting", "deeppcb", "cookies", "aliens")
PLACES = 8
"""Places of the ball screw to learn from, of 15."""
FIRST_STEPS = 20
"""Steps of time of the ball screw to learn from, of 57; no pit is older."""
GROUPS = 5
"""Boards of DeepPCB to learn from, of 11."""
PER_GROUP = 25
"""Pairs that are drawn of each board of DeepPCB, so that a large group does not count most."""
LEARNED = {"cookies": 31, "aliens": 38}
"""Normal pictures to learn from where no part or lot is known; the others are tested."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Picture:
    """A tested picture.

    Attributes:
        path: Its file.
        defect: Whether it shows a defect.
        mask: The file that marks the defect, as large as the picture.
        boxes: Where the defects are: left, top, right, bottom in pixels.
    """

    path: Path
    defect: bool
    mask: Path | None = None
    boxes: tuple[Box, ...] = field(default=())

    @property
    def located(self) -> bool:
        """Whether it is known where the defects are; there are none in a normal picture."""
        return not self.defect or self.mask is not None or bool(self.boxes)

    def regions(self, height: int, width: int) -> Bool[np.ndarray, "n H W"]:
        """Each marked region brought to another size: a pixel belongs to it if any part of the pixel is marked."""
        if self.mask is None:
            with Image.open(self.path) as picture:
                full_width, full_height = picture.size
            shares = np.array(self.boxes, float).reshape(-1, 4) / (full_width, full_height, full_width, full_height)
            return np.array([_box(share, height, width) for share in shares]).reshape(-1, height, width)
        marked = np.asarray(Image.open(self.mask).convert("L")) > 0
        rows, columns = np.nonzero(marked)
        small = np.zeros((1, height, width), bool)
        small[0, rows * height // marked.shape[0], columns * width // marked.shape[1]] = True
        return small


def _box(share: np.ndarray, height: int, width: int) -> Bool[np.ndarray, "H W"]:
    left, top, right, bottom = share * (width, height, width, height)
    marked = np.zeros((height, width), bool)
    marked[int(top) : max(int(top) + 1, int(np.ceil(bottom))), int(left) : max(int(left) + 1, int(np.ceil(right)))] = 1
    return marked


@dataclass(frozen=True)
class Division:
    """A data set divided once.

    Attributes:
        train: Normal pictures to learn from.
        test: The tested pictures.
        boxed: Whether defects are marked by boxes, which also hold what is not defective.
    """

    train: tuple[Path, ...]
    test: tuple[Picture, ...]
    boxed: bool = False

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Lists of the training and of the tested pictures, as vssl reads them.

        The tested list has the column label, normal or defect.
        """
        folder.mkdir(parents=True, exist_ok=True)
        train, test = folder / "train.csv", folder / "test.csv"
        _write(train, ({"path": str(path.resolve())} for path in self.train))
        labels = ("normal", "defect")
        _write(test, ({"path": str(each.path.resolve()), "label": labels[each.defect]} for each in self.test))
        return train, test


def ball_screw_by_place(folder: Path, seed: int) -> Division:
    """Good pictures of some places are learned from; the other places are tested."""
    rows = _ball_screw(folder)
    places = sorted({row["place"] for row in rows})
    learned = {places[each] for each in np.random.default_rng(seed).permutation(len(places))[:PLACES]}
    train = [row for row in rows if row["place"] in learned and row["label"] == "good"]
    return _screws(folder, train, [row for row in rows if row["place"] not in learned])


def ball_screw_by_time(folder: Path, seed: int) -> Division:
    """The good pictures of the first steps are learned from; all later ones are tested."""
    rows = _ball_screw(folder)
    train = [row for row in rows if int(row["step"]) < FIRST_STEPS and row["label"] == "good"]
    return _screws(folder, train, [row for row in rows if int(row["step"]) >= FIRST_STEPS])


def _ball_screw(folder: Path) -> list[dict[str, str]]:
    return [row for row in _rows(folder / "ball-screw-pitting" / "labels.csv") if row["label"] != "unsure"]


def _screws(folder: Path, train: Iterable[dict[str, str]], test: Iterable[dict[str, str]]) -> Division:
    home = folder / "ball-screw-pitting"

    def picture(row: dict[str, str]) -> Picture:
        path = home / row["path"]
        defect = row["label"] == "pitted"
        mask = (home / "masks" / row["place"] / path.name).with_suffix(".png")
        return Picture(path, defect, mask if defect else None)

    return Division(tuple(home / row["path"] for row in train), tuple(map(picture, test)))


def deeppcb(folder: Path, seed: int) -> Division:
    """Templates of some boards are learned from; templates (normal) and tested pictures of the others are tested."""
    home, generator = folder / "deeppcb", np.random.default_rng(seed)
    boxes: dict[str, list[Box]] = {}
    for row in _rows(home / "boxes.csv"):
        left, top, right, bottom = (int(row[name]) for name in ("x1", "y1", "x2", "y2"))
        boxes.setdefault(row["id"], []).append((left, top, right, bottom))
    groups: dict[str, list[str]] = {}
    for row in _rows(home / "pairs.csv"):
        groups.setdefault(row["group"], []).append(row["id"])
    names = [sorted(groups)[each] for each in generator.permutation(len(groups))]
    drawn = {name: [groups[name][each] for each in generator.permutation(len(groups[name]))] for name in names}
    train = [(name, each) for name in names[:GROUPS] for each in drawn[name][:PER_GROUP]]
    test = [(name, each) for name in names[GROUPS:] for each in drawn[name][:PER_GROUP]]
    normals = tuple(Picture(home / "template" / group / f"{name}.png", False) for group, name in test)
    defects = (Picture(home / "tested" / group / f"{name}.png", True, boxes=tuple(boxes[name])) for group, name in test)
    learned = tuple(home / "template" / group / f"{name}.png" for group, name in train)
    return Division(learned, (*normals, *defects), boxed=True)


def cookies(folder: Path, seed: int) -> Division:
    """A part of the good cookies is learned from; the others and all cracked ones are tested."""
    home = folder / "cookies"
    good = sorted([*home.glob("train/good/*"), *home.glob("test/good/*")])
    marked = [Picture(path, True, home / "masks" / f"{path.stem}.png") for path in sorted(home.glob("train/cracked/*"))]
    others = [Picture(path, True) for path in sorted(home.glob("test/cracked/*"))]
    return _drawn("cookies", good, [*marked, *others], seed)


def aliens(folder: Path, seed: int) -> Division:
    """A part of the good figures is learned from; the others and all damaged ones are tested."""
    home = folder / "aliens"
    damaged = [Picture(path, True) for path in sorted((home / "damaged").iterdir())]
    return _drawn("aliens", sorted((home / "good").iterdir()), damaged, seed)


def _drawn(name: str, good: list[Path], defects: list[Picture], seed: int) -> Division:
    order = [good[each] for each in np.random.default_rng(seed).permutation(len(good))]
    count = LEARNED[name]
    return Division(tuple(order[:count]), (*(Picture(path, False) for path in order[count:]), *defects))


DIVISIONS: dict[str, Callable[[Path, int], Division]] = {
    "ball screw, by place": ball_screw_by_place,
    "ball screw, by time": ball_screw_by_time,
    "DeepPCB": deeppcb,
    "cookies": cookies,
    "aliens": aliens,
}


def division(folder: Path, name: str, seed: int) -> Division:
    """A data set divided by a seed.

    Raises:
        DataError: The folder lacks the data set.
    """
    made = DIVISIONS[name](folder, seed)
    missing = [path for path in (*made.train, *(each.path for each in made.test)) if not path.exists()]
    if missing or not made.train or not made.test:
        raise DataError(f"{folder} lacks pictures of {name!r}. Unpack them with python -m benchmarks.data.inspection.")
    return made


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: Iterable[dict[str, str]]) -> None:
    listed = list(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(listed[0]))
        writer.writeheader()
        writer.writerows(listed)


def main(archives: tyro.conf.Positional[Path], folder: tyro.conf.Positional[Path]) -> None:
    """Unpack the inspection sets.

    Args:
        archives: The folder with the archives NAME.tar.xz.
        folder: Gets a folder per data set.
    """
    for name in ARCHIVES:
        # An archive holds a folder of its own name.
        unpacked(archives / f"{name}.tar.xz", folder)
        print(f"{folder / name}: {sum(each.is_file() for each in (folder / name).rglob('*'))} files")


if __name__ == "__main__":
    tyro.cli(main)
