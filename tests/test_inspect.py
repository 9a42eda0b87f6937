"""`vssl inspect`: from two folders to decisions, without a leak, repeatable command by command."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from vssl import api
from vssl.api.inspection import Inspection
from vssl.cli import main
from vssl.errors import ConfigError, DataError, NotEnoughDataError, RunExistsError
from vssl.inspection import achievable
from vssl.inspection.choose import choose
from vssl.modalities import images
from vssl.modalities.images.demo.inspection import Line, parts

GOOD, NEW, COPIES = 70, 12, 6


def write(folder: Path, line: Line, count: int) -> Path:
    folder.mkdir(parents=True)
    for number, part in enumerate(parts(line, count)):
        Image.fromarray(part.image).save(folder / f"{number:03d}-{part.label}.png")
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Good parts, some of them twice, and new ones, some with a defect."""
    root = tmp_path_factory.mktemp("parts")
    good = write(root / "good", Line(seed=1, size=32, defect_rate=0.0, borderline_rate=0.0), GOOD)
    for name in sorted(good.iterdir())[:COPIES]:
        shutil.copy(name, good / f"copy-{name.name}")
    return good, write(root / "new", Line(seed=2, size=32, defect_rate=0.3, borderline_rate=0.0), NEW)


@pytest.fixture(scope="module")
def inspected(folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Inspection]:
    out = tmp_path_factory.mktemp("inspected") / "out"
    return out, api.inspect(*folders, out, encoder="convnet/tiny", steps=2)


def contents(path: Path) -> list[bytes]:
    return [Path(name).read_bytes() for name in pq.read_table(path)["path"].to_pylist()]


def test_no_picture_or_copy_is_on_both_sides_of_the_division(inspected: tuple[Path, Inspection]):
    split = inspected[0] / "split"
    training, calibration = contents(split / "training.parquet"), contents(split / "calibration.parquet")
    assert len(training) + len(calibration) == GOOD + COPIES
    assert not set(training) & set(calibration)


def test_the_strongest_guarantee_is_made_and_said(inspected: tuple[Path, Inspection]):
    out, inspection = inspected
    assert inspection.decisions.policy.guarantee.false_alarm == 0.1
    said = " ".join(inspection.sentences)
    assert "allow a false-alarm rate of 10 %; for 5 % you need" in said
    counted = re.search(rf"GOOD has {GOOD + COPIES} pictures, of which (\d+) differ", said)
    assert counted is not None
    assert GOOD - 2 <= int(counted[1]) <= GOOD  # two different pictures of so few pixels may pass for copies
    assert inspection.page == out / "run" / "report.html"
    assert '<section id="result">' in inspection.page.read_text()


@pytest.mark.slow
def test_the_printed_commands_give_the_same_decisions(
    inspected: tuple[Path, Inspection], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out, inspection = inspected
    lines = [line for line in (out / "commands.sh").read_text().splitlines() if line.startswith("vssl ")]
    assert lines == inspection.commands
    for line in lines:
        words = [word.replace(str(out / "run"), str(tmp_path / "again")) for word in shlex.split(line)]
        main(words[1:])
    again = pq.read_table(tmp_path / "again" / "decisions" / "new.parquet")
    assert again["id"].equals(inspection.decisions.table["id"])
    assert np.array_equal(again["score"].to_numpy(), inspection.decisions.table["score"].to_numpy())
    assert again["decision"].equals(inspection.decisions.table["decision"])


def test_the_same_inspection_is_continued_and_another_refused(
    inspected: tuple[Path, Inspection], folders: tuple[Path, Path]
):
    out, inspection = inspected
    model = (out / "run" / "model.safetensors").stat().st_mtime_ns
    again = api.inspect(*folders, out, encoder="convnet/tiny", steps=2)
    assert again.commands == inspection.commands
    assert (out / "run" / "model.safetensors").stat().st_mtime_ns == model
    with pytest.raises(RunExistsError, match=r"\(steps\)"):
        api.inspect(*folders, out, encoder="convnet/tiny", steps=3)
    with pytest.raises(RunExistsError, match=r"\(NEW\).*vssl decide"):
        api.inspect(folders[0], folders[0], out, encoder="convnet/tiny", steps=2)


def test_a_folder_that_is_no_inspection_is_never_touched(folders: tuple[Path, Path], tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("ten years of work")
    for overwrite in (False, True):
        with pytest.raises(RunExistsError, match="is not an inspection"):
            api.inspect(*folders, tmp_path, steps=2, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_interrupted_inspection_goes_on(folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("vssl.api.inspection.calibrate", killed)
        with pytest.raises(KeyboardInterrupt):
            api.inspect(*folders, tmp_path / "out", encoder="convnet/tiny", steps=2)
    model = (tmp_path / "out" / "run" / "model.safetensors").stat().st_mtime_ns
    inspection = api.inspect(*folders, tmp_path / "out", encoder="convnet/tiny", steps=2)
    assert (tmp_path / "out" / "run" / "model.safetensors").stat().st_mtime_ns == model
    assert inspection.decisions.table.num_rows == NEW


def test_too_few_good_pictures_are_refused_with_the_number_it_takes(folders: tuple[Path, Path], tmp_path: Path):
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(folders[0].iterdir())[:12]:
        shutil.copy(path, few)
    with pytest.raises(DataError, match=r"12 different pictures: too few\. 58 are needed"):
        api.inspect(few, folders[1], tmp_path / "out", steps=2)
    shutil.copy(sorted(folders[0].iterdir())[20], few)  # nothing was learned yet, so more pictures are no other request
    with pytest.raises(DataError, match=r"13 different pictures: too few\."):
        api.inspect(few, folders[1], tmp_path / "out", steps=2)


def test_a_guarantee_that_the_pictures_do_not_allow_is_refused(folders: tuple[Path, Path], tmp_path: Path):
    with pytest.raises(NotEnoughDataError, match="299"):
        api.inspect(*folders, tmp_path / "out", encoder="convnet/tiny", steps=2, false_alarm=0.01)


def test_other_kinds_of_data_and_archives_are_refused_in_plain_words(folders: tuple[Path, Path], tmp_path: Path):
    with pytest.raises(ConfigError, match="images so far"):
        api.inspect(*folders, tmp_path / "out", modality="sensors", steps=2)
    archive = shutil.make_archive(str(tmp_path / "good"), "zip", folders[0])
    with pytest.raises(ConfigError, match="Unpack"):
        api.inspect(archive, folders[1], tmp_path / "out", steps=2)


def test_blocks_stay_together(folders: tuple[Path, Path], tmp_path: Path):
    rows = [f"{path},{number // 2}" for number, path in enumerate(sorted(write_many(tmp_path)))]
    (tmp_path / "good.csv").write_text("\n".join(["path,part", *rows]) + "\n")
    api.inspect(tmp_path / "good.csv", folders[1], tmp_path / "out", encoder="convnet/tiny", steps=2, block="part")
    split = tmp_path / "out" / "split"
    blocks = [set(pq.read_table(split / f"{name}.parquet")["part"].to_pylist()) for name in ("training", "calibration")]
    assert not blocks[0] & blocks[1]


def write_many(folder: Path) -> list[Path]:
    made = write(folder / "good", Line(seed=5, size=32, defect_rate=0.0, borderline_rate=0.0), 132)
    return list(made.iterdir())


@pytest.mark.parametrize(
    ("count", "rate", "sentence"),
    [
        (194, 0.02, "194 good parts for calibration allow a false-alarm rate of 2 %; for 1 % you need 105 more"),
        (299, 0.01, "299 good parts for calibration allow a false-alarm rate of 1 %."),
    ],
)
def test_what_more_parts_would_allow_is_counted(count: int, rate: float, sentence: str):
    assert achievable.explain(count, rate, 0.95, "good parts").startswith(sentence)


def test_surfaces_get_the_views_of_textures_and_parts_that_lie_one_way_are_not_mirrored(
    folders: tuple[Path, Path], tmp_path: Path
):
    surfaces = tmp_path / "surfaces"
    surfaces.mkdir()
    rng = np.random.default_rng(0)
    for number in range(40):
        Image.fromarray(rng.integers(0, 255, (32, 32), np.uint8)).save(surfaces / f"{number}.png")
    assert choose(surfaces, images.Config(), "auto").modality.views == "texture"
    assert choose(folders[0], images.Config(), "auto").modality.views == "upright"
    assert choose(folders[0], images.Config(views="inspection", size=40), "auto").modality == images.Config(
        views="inspection", size=40
    )
