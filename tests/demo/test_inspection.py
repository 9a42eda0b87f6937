"""Guarantees of the made-up inspection line."""

import csv
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vssl.errors import ConfigError, StorageError
from vssl.modalities.images.demo import inspection
from vssl.modalities.images.demo.inspection import LIMIT, MISREADING, Line, Part, parts, write

BORDERLINE_ONLY = Line(seed=5, size=32, defect_rate=0.0, borderline_rate=1.0)


def rows_of(listing: Path) -> list[dict[str, str]]:
    with listing.open(newline="") as file:
        return list(csv.DictReader(file))


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def same(one: Part, other: Part) -> bool:
    pictures = np.array_equal(one.image, other.image) and np.array_equal(one.mask, other.mask)
    return pictures and (one.supplier, one.camera, one.severity, one.label) == (
        other.supplier,
        other.camera,
        other.severity,
        other.label,
    )


def share(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


def within_binomial_error(found: float, expected: float, count: int) -> bool:
    return abs(found - expected) <= 4.0 * (expected * (1.0 - expected) / count) ** 0.5


def fine_contrast(part: Part) -> float:
    """How much neighbouring pixels differ on the face's lower left, where there is neither hole nor edge."""
    return float(np.abs(np.diff(part.image[24:48, 6:28].astype(float), axis=0)).mean())


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write(Line(seed=3), tmp_path / name, 8, labelled=True)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "other")


def test_another_seed_gives_other_pictures() -> None:
    one, other = next(parts(Line(seed=0), 1)), next(parts(Line(seed=1), 1))
    assert not np.array_equal(one.image, other.image)


def test_a_longer_run_begins_with_the_same_parts() -> None:
    assert all(itertools.starmap(same, zip(parts(Line(), 6), itertools.islice(parts(Line(), 20), 6), strict=True)))


@pytest.mark.parametrize("size", [32, 64, 96])
def test_pictures_are_grey_and_of_the_size_asked_for(size: int) -> None:
    for part in parts(Line(size=size), 3):
        assert part.image.shape == part.mask.shape == (size, size)
        assert part.image.dtype == np.uint8


def test_rates_and_shares_are_kept_within_binomial_error() -> None:
    line = Line(size=32, supplier_shares=(0.6, 0.3, 0.1), camera_shares=(0.8, 0.2))
    made = list(parts(line, 800))
    clear = share([part.defect != "none" and not part.borderline for part in made])
    assert within_binomial_error(clear, line.defect_rate, 800)
    assert within_binomial_error(share([part.borderline for part in made]), line.borderline_rate, 800)
    for supplier, expected in zip(line.suppliers, (0.6, 0.3, 0.1), strict=True):
        assert within_binomial_error(share([part.supplier == supplier for part in made]), expected, 800)
    assert within_binomial_error(share([part.camera == "cam-1" for part in made]), 0.8, 800)


def test_good_parts_have_no_mask_and_defective_ones_have_one() -> None:
    for part in parts(Line(defect_rate=0.5, borderline_rate=0.3), 60):
        assert part.mask.any() == (part.defect != "none") == (part.severity > 0.0)


def test_a_defect_changes_the_picture_inside_its_mask_only() -> None:
    damaged = Line(seed=4, defect_rate=1.0, borderline_rate=0.0)
    good = replace(damaged, defect_rate=0.0)
    seen = set()
    for with_defect, without in zip(parts(damaged, 60), parts(good, 60), strict=True):
        change = np.abs(with_defect.image.astype(int) - without.image.astype(int))
        inside, outside = change[with_defect.mask], change[~with_defect.mask]
        assert inside.max() >= 15, with_defect.defect
        assert outside.max() <= 0.2 * inside.max() + 2, with_defect.defect
        seen.add(with_defect.defect)
    assert seen == {"scratch", "pit", "stain", "dent", "chip"}


@pytest.mark.parametrize("camera", ["cam-1", "cam-2"])
def test_a_severer_defect_is_easier_to_see_than_a_borderline_one(camera: str) -> None:
    def visible(line: Line) -> float:
        good = parts(replace(line, defect_rate=0.0, borderline_rate=0.0), 40)
        pairs = zip(parts(line, 40), good, strict=True)
        return float(np.mean([np.abs(a.image.astype(float) - b.image).sum() for a, b in pairs]))

    clear = Line(cameras=(camera,), defect_rate=1.0, borderline_rate=0.0)
    assert visible(clear) > 2.0 * visible(replace(clear, defect_rate=0.0, borderline_rate=1.0))


def test_labels_are_noisy_near_the_limit_and_only_there() -> None:
    made = list(parts(BORDERLINE_ONLY, 300))
    wrong = [part for part in made if (part.label == "defect") != (part.severity >= LIMIT)]
    assert len(wrong) > 15
    assert all(abs(part.severity - LIMIT) <= MISREADING for part in wrong)
    assert {part.label for part in made} == {"ok", "defect"}
    assert all(part.borderline for part in made)


def test_clear_cases_are_always_labelled_rightly() -> None:
    for part in parts(Line(size=32, defect_rate=0.5, borderline_rate=0.0), 200):
        assert (part.label == "defect") == (part.defect != "none")


def test_a_worn_tool_roughens_every_supplier_s_lay_and_keeps_the_brightness() -> None:
    for supplier in ("north", "east", "west", "south"):
        line = Line(suppliers=(supplier,), cameras=("cam-1",), defect_rate=0.0, borderline_rate=0.0)
        fresh, worn = list(parts(line, 15)), list(parts(replace(line, wear=1.0), 15))
        assert np.mean([*map(fine_contrast, worn)]) > 1.3 * np.mean([*map(fine_contrast, fresh)])
        assert np.mean([p.image.mean() for p in worn]) == pytest.approx(
            np.mean([p.image.mean() for p in fresh]), rel=0.05
        )


def test_a_brighter_lamp_brightens_every_picture() -> None:
    dim, bright = parts(Line(illumination=0.7), 15), parts(Line(illumination=1.1), 15)
    assert all(one.image.mean() < 0.9 * other.image.mean() for one, other in zip(dim, bright, strict=True))


def test_cameras_and_suppliers_differ_more_than_parts_of_one_kind() -> None:
    def spread(groups: list[list[float]]) -> float:
        return float(np.std([np.mean(group) for group in groups]) / np.mean([np.std(group) for group in groups]))

    clean = Line(defect_rate=0.0, borderline_rate=0.0)
    brightness = [
        [p.image.mean() for p in parts(replace(clean, cameras=(c,)), 40)] for c in ("cam-1", "cam-2", "cam-3")
    ]
    texture = [
        [fine_contrast(p) for p in parts(replace(clean, suppliers=(s,), cameras=("cam-1",)), 40)]
        for s in ("north", "east", "west")
    ]
    assert spread(brightness) > 0.8
    assert spread(texture) > 0.8


def test_a_camera_and_a_supplier_that_the_default_line_never_sees_can_be_used() -> None:
    part = next(parts(Line(suppliers=("south",), cameras=("cam-3",)), 1))
    assert (part.supplier, part.camera) == ("south", "cam-3")


def test_the_unlabelled_list_and_folder_give_nothing_away(tmp_path: Path) -> None:
    rows = rows_of(write(BORDERLINE_ONLY, tmp_path / "line", 6, labelled=False))
    assert list(rows[0]) == ["path", "supplier", "camera", "shift"]
    assert sorted(files_of(tmp_path / "line")) == [*(f"images/part-{i:05d}.png" for i in range(6)), "parts.csv"]


def test_labelled_and_unlabelled_pictures_are_the_same(tmp_path: Path) -> None:
    write(Line(), tmp_path / "with", 4, labelled=True)
    write(Line(), tmp_path / "without", 4, labelled=False)
    unlabelled = files_of(tmp_path / "without")
    unlabelled.pop("parts.csv")
    assert unlabelled.items() <= files_of(tmp_path / "with").items()


def test_the_labelled_list_says_what_the_parts_are(tmp_path: Path) -> None:
    line = Line(defect_rate=0.5, borderline_rate=0.3)
    rows = rows_of(write(line, tmp_path / "line", 12, labelled=True))
    for row, part in zip(rows, parts(line, 12), strict=True):
        assert np.array_equal(np.asarray(Image.open(tmp_path / "line" / row["path"])), part.image)
        mask = Image.open(tmp_path / "line" / row["path"].replace("images", "masks"))
        assert np.array_equal(np.asarray(mask), part.mask)
        assert (row["supplier"], row["camera"]) == (part.supplier, part.camera)
        assert (row["label"], row["defect"]) == (part.label, part.defect)
        assert float(row["severity"]) == pytest.approx(part.severity, abs=0.001)
        assert row["borderline"] == ("true" if part.borderline else "false")


def test_the_early_shift_comes_before_the_late_one(tmp_path: Path) -> None:
    rows = rows_of(write(Line(), tmp_path / "line", 5, labelled=False))
    assert [row["shift"] for row in rows] == ["early", "early", "early", "late", "late"]


def test_a_write_that_fails_half_way_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(inspection, "_write_list", full_disk)
    with pytest.raises(StorageError, match="No space left"):
        write(Line(), tmp_path / "line", 2, labelled=True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_already_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(ConfigError, match="there already"):
        write(Line(), tmp_path, 2, labelled=True)
    assert files_of(tmp_path) == {"mine.txt": b"keep"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"suppliers": ("nord",)}, "north, east, west, south"),
        ({"cameras": ("cam-9",)}, "cam-1, cam-2, cam-3"),
        ({"cameras": ()}, "at least one"),
        ({"cameras": ("cam-1", "cam-1")}, "only once"),
        ({"defect_rate": 1.2}, "defect_rate"),
        ({"borderline_rate": -0.1}, "borderline_rate"),
        ({"defect_rate": float("nan")}, "defect_rate"),
        ({"defect_rate": 0.7, "borderline_rate": 0.6}, "defect_rate . borderline_rate"),
        ({"supplier_shares": (0.5, 0.6, -0.1)}, "supplier_shares"),
        ({"supplier_shares": (0.5, 0.5)}, "3 shares"),
        ({"camera_shares": (0.5, 0.4)}, "sum to 1"),
        ({"wear": 2.0}, "wear"),
        ({"illumination": 0.0}, "illumination"),
        ({"size": 8}, "size"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Line(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, -3])
def test_a_run_without_parts_is_refused_at_once(count: int, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one part"):
        parts(Line(), count)
    with pytest.raises(ConfigError, match="at least one part"):
        write(Line(), tmp_path / "line", count, labelled=True)
