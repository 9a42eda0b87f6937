"""The benchmark of inspection pictures: what is alike is on one side of a division, and figures are what they say."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tyro
from PIL import Image

from benchmarks.common.detection import detected, located
from benchmarks.common.record import Record
from benchmarks.common.rivals import anomalib_patchcore
from benchmarks.common.rivals.anomalib_patchcore import Job
from benchmarks.data.inspection import DIVISIONS, GROUPS, PLACES, Picture, division
from vssl.errors import DataError

SCREW = "path,label,place,step"


def picture(path: Path, value: int = 100, size: tuple[int, int] = (64, 48)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(str(path)) + value).integers(0, 20, (size[1], size[0], 3))
    Image.fromarray((value + noise).astype(np.uint8)).save(path)
    return path


def mask(path: Path, box: tuple[int, int, int, int] = (8, 8, 16, 16)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    marked = np.zeros((48, 64), np.uint8)
    marked[box[1] : box[3], box[0] : box[2]] = 255
    Image.fromarray(marked).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All four sets as their archives lay them out, with few pictures."""
    screw, board = tmp_path / "ball-screw-pitting", tmp_path / "deeppcb"
    lines = [SCREW]
    for place in range(15):
        for step in (0, 19, 20, 56):
            label = "pitted" if step == 56 else "unsure" if (place, step) == (3, 20) else "good"
            name = f"{label}/{place:02d}/{step}.png"
            picture(screw / name)
            lines.append(f"{name},{label},{place:02d},{step}")
            if label == "pitted":
                mask(screw / "masks" / f"{place:02d}" / f"{step}.png")
    (screw / "labels.csv").write_text("\n".join(lines))
    pairs, boxes = ["group,id"], ["group,id,x1,y1,x2,y2,kind"]
    for group in range(11):
        for number in range(3):
            picture(board / "template" / f"g{group}" / f"{group}-{number}.png")
            picture(board / "tested" / f"g{group}" / f"{group}-{number}.png")
            pairs.append(f"g{group},{group}-{number}")
            boxes.append(f"g{group},{group}-{number},4,4,12,12,open")
    (board / "pairs.csv").write_text("\n".join(pairs))
    (board / "boxes.csv").write_text("\n".join(boxes))
    for number in range(40):
        picture(tmp_path / "cookies" / "train" / "good" / f"{number}.png")
        picture(tmp_path / "aliens" / "good" / f"{number}.png")
    for number in range(12):
        picture(tmp_path / "cookies" / "train" / "cracked" / f"{number}.png", 180)
        mask(tmp_path / "cookies" / "masks" / f"{number}.png")
        picture(tmp_path / "aliens" / "damaged" / f"{number}.png", 180)
    picture(tmp_path / "cookies" / "test" / "cracked" / "01.png", 180)
    return tmp_path


@pytest.mark.parametrize("name", DIVISIONS)
def test_no_picture_is_both_learned_from_and_tested_and_all_learned_from_are_normal(folder: Path, name: str):
    made = division(folder, name, seed=0)
    assert not set(made.train) & {each.path for each in made.test}
    assert {each.defect for each in made.test} == {True, False}
    bad = ("pitted", "unsure", "tested", "cracked", "damaged")
    assert not [path for path in made.train if set(path.parts) & set(bad)]
    assert not [each for each in made.test if "unsure" in each.path.parts]


def test_places_steps_and_boards_are_on_one_side_only(folder: Path):
    by_place = division(folder, "ball screw, by place", seed=1)
    learned = {path.parent.name for path in by_place.train}
    assert len(learned) == PLACES
    assert not learned & {each.path.parent.name for each in by_place.test}
    by_time = division(folder, "ball screw, by time", seed=1)
    assert {path.stem for path in by_time.train} == {"0", "19"}
    assert {each.path.stem for each in by_time.test} == {"20", "56"}
    boards = division(folder, "DeepPCB", seed=1)
    learned = {path.parent.name for path in boards.train}
    assert len(learned) == GROUPS
    assert not learned & {each.path.parent.name for each in boards.test}


def test_seeds_divide_differently(folder: Path):
    assert division(folder, "cookies", 0).train != division(folder, "cookies", 1).train
    assert division(folder, "cookies", 0).train == division(folder, "cookies", 0).train


def test_a_missing_set_is_named_with_the_command_that_unpacks_it(folder: Path):
    (folder / "ball-screw-pitting" / "good" / "00" / "0.png").unlink()
    with pytest.raises(DataError, match=r"ball screw.*benchmarks\.data\.inspection"):
        division(folder, "ball screw, by time", 0)


def test_a_region_keeps_at_least_one_pixel_when_it_is_brought_to_a_smaller_size(tmp_path: Path):
    path = picture(tmp_path / "a.png")
    by_mask = Picture(path, True, mask(tmp_path / "mask.png", (63, 47, 64, 48)))
    by_box = Picture(path, True, boxes=((10, 10, 11, 11), (63, 47, 64, 48)))
    assert by_mask.regions(12, 16).sum() == 1
    assert by_box.regions(12, 16).sum((1, 2)).tolist() == [1, 1]


def test_misses_count_defects_below_what_the_share_of_normals_exceeds():
    scores = np.concatenate([np.arange(100.0), [98.5, 97.5, 94.5, 50.0]])
    figures = detected(scores, np.arange(104) >= 100)
    # One of 100 normals is above 98, and five are above 94.
    assert figures["misses_at_0.01"] == 3 / 4
    assert figures["misses_at_0.05"] == 1 / 4


def test_a_perfect_map_hits_every_region_and_a_wrong_one_none(tmp_path: Path):
    pictures = [
        Picture(picture(tmp_path / "good.png"), False),
        Picture(picture(tmp_path / "bad.png"), True, mask(tmp_path / "mask.png")),
        Picture(picture(tmp_path / "unknown.png"), True),
    ]
    truth = np.zeros((3, 48, 64), np.float32)
    truth[1, 8:16, 8:16] = 1
    figures = located(truth, pictures, boxed=False)
    assert (figures["regions"], figures["hits_at_0.01"]) == (1, 1.0)
    assert figures["aupro_0.3"] > 0.99
    noise = np.random.default_rng(0).random(truth.shape).astype(np.float32) * (1 - truth)
    assert located(noise, pictures, boxed=False)["hits_at_0.01"] == 0
    assert located(truth[:1], pictures[:1], boxed=False) == {}


def test_a_job_is_done_once_and_again_when_it_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    started = []

    def other_environment(command: list[str], check: bool) -> None:
        started.append(command)
        result = {"scores": np.ones(1), "maps": np.zeros((1, 2, 2)), "figures": np.array(json.dumps({"memory": 3}))}
        np.savez(Path(command[-1]).with_name("result.npz"), **result)

    monkeypatch.setattr(subprocess, "run", other_environment)
    job = Job(["a.png"], ["b.png"], 8, 8, "weights.safetensors")
    results = [anomalib_patchcore.run(Path("python"), job, tmp_path / "scratch") for _ in range(2)]
    assert len(started) == 1
    assert results[1].figures == {"memory": 3}
    anomalib_patchcore.run(Path("python"), Job(["a.png"], ["c.png"], 8, 8, "weights.safetensors"), tmp_path / "scratch")
    assert len(started) == 2


@pytest.mark.slow
def test_a_network_from_scratch_is_measured(folder: Path, tmp_path: Path):
    from benchmarks.quality import inspection

    arguments = [folder, "--weights", "none", "--sets", "cookies", "--rows", "scratch", "--seeds", 0, "--steps", 2]
    out = tmp_path / "record.json"
    inspection.main(
        tyro.cli(inspection.Options, args=[*map(str, arguments), "--out", str(out), "--runs", str(tmp_path / "runs")])
    )
    (row,) = Record.read(out).rows
    assert {"auroc", "misses_at_0.01", "hits_at_0.01", "aupro_0.3", "ms_per_picture", "fit_s"} <= row.keys()
    assert (row["normals"], row["defects"]) == (9, 13)
