"""What a person is told of the pictures of a source, and that a tidy folder needs no word."""

import json
import re

import numpy as np
import picture_files
import pytest
from PIL import Image

import vssl
from vssl.modalities.images import Config, build, measure
from vssl.modalities.images.index import open_index


@pytest.fixture(autouse=True)
def cache_in_tmp(tmp_path, monkeypatch):
    monkeypatch.setenv("VSSL_CACHE", str(tmp_path / "cache"))


def photograph(path, width=40, height=40, colour=True, seed=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(values if colour else values[..., 0]).save(path, **options)
    return path


def mask(path, width=40, height=40, value=255):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("L", (width, height))
    picture.paste(value, (5, 5, 20, 15))
    picture.save(path)
    return path


def notes(source, size=96, trained_on=None):
    config = Config(size=size)
    return build(config, measure(trained_on or source, config)).notes(source)


def test_a_tidy_folder_needs_no_word(tmp_path):
    for number in range(20):
        photograph(tmp_path / f"data/{number % 2}/{number}.png", seed=number)
    assert notes(tmp_path / "data") == []


def test_photographs_of_many_sizes_need_no_word(tmp_path):
    for number in range(12):
        photograph(tmp_path / f"data/{number}.jpg", 40 + 3 * number, 80 - 4 * number, seed=number)
    assert notes(tmp_path / "data") == []


@pytest.mark.parametrize(
    ("width", "height", "words"),
    [
        (200, 3000, "200 x 3,000 pixels .* shrunk to 8 x 96, 31.2-fold: a mark of 25 x 31.2 pixels becomes one"),
        (900, 600, "900 x 600 pixels .* shrunk to 96 x 64, 9.38-fold: a mark of 9.38 pixels becomes one"),
    ],
)
def test_pictures_that_are_shrunk_more_than_fourfold_are_named_with_the_factor_and_what_to_do(
    tmp_path, width, height, words
):
    photograph(tmp_path / "data/1.jpg", width, height)
    (note,) = notes(tmp_path / "data")
    assert re.search(words, note)
    assert re.search(r"--tile 256 .*--size", note)


def test_files_left_aside_are_counted_with_what_to_do_about_other_pictures(tmp_path):
    photograph(tmp_path / "data/1.png")
    photograph(tmp_path / "data/.old/1.png")
    for name in ("a.heic", "b.heic", "c.txt"):
        (tmp_path / "data" / name).write_text("x")
    found = notes(tmp_path / "data")
    assert found == [
        "Hidden files and folders left aside: 1 (.old).",
        "Files left aside because of their suffix: 2 .heic, 1 .txt. Save pictures such as .heic as PNG or JPEG to have "
        "them read.",
    ]


@pytest.mark.parametrize("suffix", ["jfif", "jpe", "jif", "JFIF", "dib"])
def test_other_suffixes_of_the_same_formats_are_read(tmp_path, suffix):
    photograph(tmp_path / f"data/1.{suffix}", format="BMP" if suffix == "dib" else "JPEG")
    assert len(open_index(tmp_path / "data")) == 1


def test_training_keeps_what_was_left_out_in_the_run(tmp_path):
    for number in range(16):
        photograph(tmp_path / f"data/{number}.png", 8, 8, seed=number)
    (tmp_path / "data/x.gif").write_text("x")
    run = vssl.train(tmp_path / "data", tmp_path / "run", steps=1, batch=8)
    assert "1 .gif" in json.loads((tmp_path / "run/run.json").read_text())["notes"][0]
    assert "1 .gif" in run.notes[0]


@pytest.mark.parametrize(
    ("masks", "where"),
    [
        ("ground_truth/bad/{:03d}_mask.png", "in ground_truth"),
        ("Masks/{:03d}.png", "in Masks"),
        ("train/{:03d}_mask.png", "beside the pictures of their names"),
        ("labels/{:03d}-gt.bmp", "beside the pictures of their names"),
    ],
)
def test_masks_by_name_and_content_are_left_aside_and_said(tmp_path, masks, where):
    for number in range(12):
        photograph(tmp_path / f"data/train/{number:03d}.png", seed=number)
        mask(tmp_path / "data" / masks.format(number))
    index = open_index(tmp_path / "data")
    assert index.ids == [f"train/{number:03d}.png" for number in range(12)]
    (note,) = notes(tmp_path / "data")
    assert re.search(rf"Masks left aside.*: 12 {where} \(.*\)\.", note)


def test_photographs_with_names_like_masks_are_read_with_a_word(tmp_path):
    for number in range(6):
        photograph(tmp_path / f"data/no_mask/{number}.png", seed=number)
        photograph(tmp_path / f"data/mask/{number}.png", seed=number + 9)
    assert len(open_index(tmp_path / "data")) == 12
    (note,) = notes(tmp_path / "data")
    assert re.search("may be masks of others, by their names: 6 in mask", note)


def test_a_folder_of_masks_alone_is_read_as_asked(tmp_path):
    for number in range(3):
        mask(tmp_path / f"ground_truth/{number}_mask.png")
    assert len(open_index(tmp_path / "ground_truth")) == 3


def test_drawings_of_any_name_beside_photographs_are_said(tmp_path):
    for number in range(12):
        photograph(tmp_path / f"data/good/{number}.png", colour=False, seed=number)
        mask(tmp_path / f"data/x/{number}.png", value=200)
    (note,) = notes(tmp_path / "data")
    assert re.search(r"Of 24 pictures looked into, 12 have a few values only.*x/0\.png", note)


def test_two_kinds_of_pictures_are_counted(tmp_path):
    for number in range(8):
        photograph(tmp_path / f"data/{number}.png", seed=number)
        photograph(tmp_path / f"data/small/{number}.png", 20, 20, colour=False, seed=number)
    (tmp_path / "data/deep.png").write_bytes(
        picture_files.png16(np.random.default_rng(0).integers(0, 65536, (40, 40, 3), dtype=np.uint16))
    )
    (note,) = notes(tmp_path / "data")
    assert re.search("of 17 looked at, 9 of colour and 8 of grey", note)
    assert re.search("16 of 8 bits a value and 1 of 16 bits a value", note)
    assert re.search("9 of 40 x 40 pixels and 8 of 20 x 20 pixels", note)


def test_pictures_unlike_those_of_the_training_are_said(tmp_path):
    photograph(tmp_path / "grey/1.png", colour=False)
    photograph(tmp_path / "colour/1.png")
    photograph(tmp_path / "wide/1.png", 160, 40)
    assert re.search("colours of 1 of 1 are dropped", notes(tmp_path / "colour", trained_on=tmp_path / "grey")[0])
    assert re.search("these are all grey", notes(tmp_path / "grey", trained_on=tmp_path / "colour")[0])
    found = notes(tmp_path / "wide", trained_on=tmp_path / "colour")
    assert re.search("another shape .* stretched to 40 x 40", found[-1])
