"""Names as they were meant: in zip files of any tool, and in lists of any office."""

import io
import struct
import zipfile
import zlib

import pytest
from PIL import Image

from vssl.errors import EmptyDataError
from vssl.modalities import encodings
from vssl.modalities.images.index import open_index


@pytest.fixture(autouse=True)
def cache_in_tmp(tmp_path, monkeypatch):
    monkeypatch.setenv("VSSL_CACHE", str(tmp_path / "cache"))


def write_zip(path, names, encoding="cp437", extra=lambda _: b""):
    """A zip file whose names are bytes of an encoding, without the flag that says UTF-8."""
    picture = io.BytesIO()
    Image.new("L", (8, 8)).save(picture, "PNG")
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            info = zipfile.ZipInfo(f"{number:04d}.{'x' * (len(name.encode(encoding)) - 5)}")
            info.extra = extra(name)
            archive.writestr(info, picture.getvalue() + bytes([number]))
    data = path.read_bytes()
    for number, name in enumerate(names):
        raw = name.encode(encoding)
        data = data.replace(f"{number:04d}.{'x' * (len(raw) - 5)}".encode(), raw)
    path.write_bytes(data)
    return path


def test_backslashes_divide_folders_and_what_macos_adds_is_hidden(tmp_path):
    names = [rf"line1\{label}\{number:02d}.png" for label in ("good", "scratch") for number in range(3)]
    path = write_zip(tmp_path / "a.zip", [*names, r"__MACOSX\line1\good\._00.png", r"line1\.cache\x.png"])
    index = open_index(path, "folder")
    assert index.ids == [name.replace("\\", "/") for name in names]
    assert index.metadata["label"].to_pylist() == ["good"] * 3 + ["scratch"] * 3
    assert index.remarks == ("Hidden files and folders left aside: 1 (line1/.cache/x.png).",)
    part = open_index(path / "line1/scratch", "folder")
    assert [part.read(row)[-1] for row in range(3)] == [3, 4, 5]
    with pytest.raises(EmptyDataError, match="At its top: line1"):
        open_index(path / "line2")


@pytest.mark.parametrize(
    ("encoding", "labels"),
    [
        ("cp932", ["不良", "良品"]),
        ("cp932", ["キズ", "テスト", "表面"]),
        ("gb18030", ["合格品", "检测/不良"]),
        ("cp949", ["불량", "정상"]),
        ("big5", ["不良", "良品"]),
        ("cp866", ["брак", "норма"]),
        ("cp437", ["défaut", "größe"]),
        ("utf-8", ["不良", "größe"]),
    ],
)
def test_names_of_a_zip_file_that_do_not_say_their_encoding_are_read_as_they_were_meant(tmp_path, encoding, labels):
    path = write_zip(tmp_path / "a.zip", [f"{label}/0.png" for label in labels], encoding)
    index = open_index(path)
    assert {name.removesuffix("/0.png") for name in index.ids} == set(labels)
    assert all(index.read(row).startswith(b"\x89PNG") for row in range(len(index)))
    if encoding not in ("cp437", "utf-8"):
        assert f"were read as {encoding.upper()}" in index.remarks[0]
    assert open_index(path / labels[0]).ids == [f"{labels[0]}/0.png"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_a_name_in_another_encoding_than_the_others_is_no_traceback(tmp_path, encoding):
    names = [f"良品/{row}番.png" for row in range(99)]
    path = write_zip(tmp_path / "a.zip", [*names, "x" * 20 + ".png"], encoding)
    path.write_bytes(path.read_bytes().replace(b"x" * 16, b"\xff" * 16))
    index = open_index(path, "folder")
    assert set(names) < set(index.ids)
    assert len(index) == 100


def test_names_that_were_misread_before_they_were_stored_as_utf8_are_mended(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for label in ("良品", "不良"):
            archive.writestr(f"{label}/0.png".encode("cp932").decode("cp437"), b"x")
    assert set(open_index(tmp_path / "a.zip", "folder").metadata["label"].to_pylist()) == {"良品", "不良"}


@pytest.mark.parametrize("name", ["Ω α/1.png", "größe/1.png", "良品/1.png", "état°/1.png"])
def test_names_that_are_utf8_by_their_flag_stay_so(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, b"x")
    assert open_index(tmp_path / "a.zip").ids == [name]


def test_the_name_in_utf8_beside_the_old_one_is_taken_if_it_belongs_to_it(tmp_path):
    def told(name):
        body = b"\1" + struct.pack("<I", zlib.crc32(name.encode("cp932"))) + "良品A/0.png".encode()
        return struct.pack("<HH", 0x7075, len(body)) + body

    assert open_index(write_zip(tmp_path / "a.zip", ["良品/0.png"], "cp932", told)).ids == ["良品A/0.png"]
    other = write_zip(tmp_path / "b.zip", ["不良/0.png"], "cp932", lambda _: told("良品/0.png"))
    assert open_index(other).ids == ["不良/0.png"]


@pytest.mark.parametrize(
    ("encoding", "texts"),
    [
        ("cp1252", ["größer"]),
        ("cp1252", ["rayé", "bon état"]),
        ("cp1252", ["Änderung"]),
        ("cp1252", ["45°"]),
        ("cp1251", ["брак"]),
        ("cp932", ["カメラ1"]),
        ("cp949", ["양품", "불량"]),
        ("gb18030", ["划痕"]),
        ("utf-8", ["rayé", "良品"]),
    ],
)
def test_the_encoding_is_the_one_that_gives_words_of_one_script(encoding, texts):
    assert encodings.guess([text.encode(encoding) for text in texts]) == encoding
