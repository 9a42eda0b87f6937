"""Each page of a TIFF file is a sample; copies of pages are none."""

import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from vssl.errors import DataError
from vssl.modalities.images import store, tiff
from vssl.modalities.images.decode import Canvas, decode
from vssl.modalities.images.index import choose_canvas, open_index


@pytest.fixture(autouse=True)
def cache_in_tmp(tmp_path, monkeypatch):
    monkeypatch.setenv("VSSL_CACHE", str(tmp_path / "cache"))


def stack(path, values=(10, 80, 200), size=(12, 8), **options):
    """A file with one page of each value, its first in the corner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pages = [Image.new("L", size, value) for value in values]
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:], **options)
    return path


def means(index):
    return [round(decode(index.read(row), "a", Canvas(8, 12, 1)).mean()) for row in range(len(index))]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "tiff_lzw"},
        {"compression": "tiff_adobe_deflate"},
        {"compression": "jpeg"},
        {"big_tiff": True},
    ],
)
def test_each_page_of_a_stack_is_a_sample(tmp_path, options):
    stack(tmp_path / "data/good/a.tif", **options)
    Image.new("L", (12, 8), 30).save(tmp_path / "data/b.png")
    index = open_index(tmp_path / "data", "folder")
    assert index.ids == ["b.png", "good/a.tif#page=1", "good/a.tif#page=2", "good/a.tif#page=3"]
    assert means(index) == [30, 10, 80, 200]
    assert index.metadata["label"].to_pylist() == ["data", "good", "good", "good"]
    assert index.remarks == ("Pages read as samples of their own: 3 of 1 TIFF file (good/a.tif).",)


def test_pages_are_decoded_in_several_processes_and_kept_as_any_other(tmp_path):
    stack(tmp_path / "data/a.tif", range(0, 250, 10))
    index = open_index(tmp_path / "data")
    (chunk,) = store.stream(index, Canvas(8, 12, 1), workers=2)
    assert chunk.pixels[:, 0, 0, 0].tolist() == list(range(0, 250, 10))
    data = store.load(index.select([3, 20]), Canvas(8, 12, 1))
    assert data.ids == ["a.tif#page=4", "a.tif#page=21"]
    assert data.pixels[:, 0, 0, 0].tolist() == [30, 200]


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_pages_in_archives_are_samples_too(tmp_path, name):
    file = stack(tmp_path / "a.tif")
    if name.endswith("zip"):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(file, "in/a.tif")
    else:
        with tarfile.open(tmp_path / name, "w:gz" if name.endswith("gz") else "w") as archive:
            archive.add(file, "in/a.tif")
    for _ in range(2):  # the second start reads the cached table
        index = open_index(tmp_path / name / "in")
        assert index.ids == [f"in/a.tif#page={number}" for number in (1, 2, 3)]
        assert means(index) == [10, 80, 200]


def test_a_list_names_files_of_several_pages_or_single_pages(tmp_path):
    stack(tmp_path / "a.tif")
    stack(tmp_path / "b.tif")
    path = tmp_path / "list.csv"
    path.write_text("path,lot\na.tif,x\nb.tif#page=2,y\n")
    index = open_index(path)
    assert index.ids == ["a.tif#page=1", "a.tif#page=2", "a.tif#page=3", "b.tif#page=2"]
    assert index.metadata["lot"].to_pylist() == ["x", "x", "x", "y"]
    assert means(index) == [10, 80, 200, 80]
    path.write_text("path\na.tif\na.tif#page=2\n")
    with pytest.raises(DataError, match=r"the page a\.tif#page=2 and its whole file too"):
        open_index(path)
    path.write_text("path\na.tif\nb.tif#page=7\n")
    with pytest.raises(DataError, match=r"row 2: 'b\.tif#page=7': the file has 3 pages"):
        open_index(path)


def test_a_file_of_one_page_keeps_its_name_and_alone_it_is_a_data_set(tmp_path):
    stack(tmp_path / "one.tif", [70])
    assert open_index(tmp_path / "one.tif").ids == ["one.tif"]
    assert len(open_index(stack(tmp_path / "three.tif"))) == 3


def picture_with_copies(path, first_is_small):
    large = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 300), dtype=np.uint8))
    copies = [large.resize((150, 100)), large.resize((30, 20))]
    pages = [*copies, large] if first_is_small else [large, *copies]
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:])


@pytest.mark.parametrize("first_is_small", [True, False])
def test_thumbnails_and_reduced_copies_are_left_out_and_said(tmp_path, first_is_small):
    picture_with_copies(tmp_path / "a.tif", first_is_small)
    index = open_index(tmp_path)
    assert index.ids == ["a.tif"]
    canvas = choose_canvas(index, size=300)
    assert (canvas.height, canvas.width) == (200, 300)
    left = "a.tif#page=1, a.tif#page=2" if first_is_small else "a.tif#page=2, a.tif#page=3"
    assert index.remarks == (
        f"TIFF pages left aside, as they are thumbnails, reduced copies or masks of others: 2 ({left}).",
    )


def page(number=1, width=100, height=80, aside=0):
    return tiff.Page(number, 8, 8, width, height, aside)


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ([page(1), page(2)], [1, 2]),
        ([page(1), page(2, aside=1)], [1]),
        ([page(1, aside=1), page(2, aside=1)], [1, 2]),
        ([page(1), page(2, 50, 40)], [1]),
        ([page(1), page(2, 60, 48)], [1, 2]),
        ([page(1), page(2, 80, 100)], [1, 2]),
        ([page(1), page(2, 40, 80)], [1, 2]),
        ([page(1), page(2, 10, 40)], [1]),
        ([], []),
    ],
)
def test_a_page_is_a_copy_if_it_says_so_or_is_much_smaller(pages, expected):
    assert [kept.number for kept in tiff.own_pages(pages)] == expected


def test_damaged_directories_end_the_pages_without_an_error(tmp_path):
    data = bytearray(stack(tmp_path / "a.tif").read_bytes())
    rng = np.random.default_rng(0)
    for _ in range(300):
        broken = bytes(data[: rng.integers(0, len(data))]) if rng.random() < 0.5 else bytearray(data)
        if isinstance(broken, bytearray):
            for place in rng.integers(4, len(data), 3):
                broken[place] = rng.integers(0, 256)
        content = bytes(broken)
        assert len(tiff.pages(lambda offset, size, content=content: content[offset : offset + size])) <= 100
    circle = bytes(data)
    found = tiff.pages(lambda offset, size: circle[offset : offset + size])
    data[found[2].next_at : found[2].next_at + 4] = found[0].offset.to_bytes(4, "little")
    assert len(tiff.pages(lambda offset, size: bytes(data)[offset : offset + size])) == 3


def test_what_libtiff_finds_wrong_is_said_with_the_files_name_and_not_on_standard_error(tmp_path, capfd):
    path = stack(tmp_path / "a.tif", [7], (64, 64), compression="tiff_adobe_deflate")
    data = bytearray(path.read_bytes())
    data[12:30] = b"\xff" * 18
    path.write_bytes(data)
    index = open_index(tmp_path)
    (chunk,) = store.stream(index, Canvas(8, 12, 1), workers=1)
    assert [item.id for item in chunk.broken] == ["a.tif"]
    assert capfd.readouterr().err == ""
