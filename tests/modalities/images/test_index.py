import io
import os
import pickle
import tarfile
import unicodedata
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from vssl.errors import BrokenFileError, ConfigError, DataError, EmptyDataError, StorageError, TooManyBrokenError
from vssl.modalities import folders
from vssl.modalities.images.index import choose_canvas, open_index


@pytest.fixture(autouse=True)
def cache_in_tmp(tmp_path, monkeypatch):
    monkeypatch.setenv("VSSL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def put(path, width=12, height=8, mode="RGB", value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (width, height), value).save(path)
    return path


def test_a_folder_is_searched_at_any_depth_in_natural_order(data):
    for name in ("b/part10.png", "b/part2.PNG", "a/x/y/z.tiff", "top.jpeg"):
        put(data / name)
    index = open_index(data)
    assert index.ids == ["a/x/y/z.tiff", "b/part2.PNG", "b/part10.png", "top.jpeg"]
    assert index.sizes.tolist() == [(data / name).stat().st_size for name in index.ids]
    assert index.read(1) == (data / "b/part2.PNG").read_bytes()
    assert len(index) == 4
    assert index.metadata.num_rows == 4
    assert index.metadata.num_columns == 0


def test_other_files_are_counted_and_hidden_ones_passed_over(data):
    put(data / "a.png")
    put(data / ".thumbnails/a.png")
    put(data / ".hidden.png")
    for name in ("notes.txt", "more.TXT", "README"):
        (data / name).write_text("x")
    index = open_index(data)
    assert index.ids == ["a.png"]
    assert index.ignored == {".txt": 2, "": 1}


def test_a_folders_name_is_a_label_only_when_asked(data):
    put(data / "good/1.png")
    put(data / "line1/bad/2.png")
    put(data / "3.png")
    assert open_index(data).metadata.column_names == []
    assert open_index(data, "folder").metadata["label"].to_pylist() == ["data", "good", "bad"]


def test_an_empty_folder_says_what_was_looked_for_and_what_was_there(data):
    data.mkdir()
    with pytest.raises(EmptyDataError, match=r"\.png .*holds no file"):
        open_index(data)
    (data / "a.gif").write_text("x")
    with pytest.raises(EmptyDataError, match=r"1 \.gif"):
        open_index(data)


def test_one_image_is_a_data_set_of_one(data):
    path = put(data / "only.png")
    index = open_index(path)
    assert index.ids == ["only.png"]
    assert index.read(0) == path.read_bytes()


@pytest.mark.parametrize("name", ["nothing", "nothing.csv", "nothing.tar.xz"])
def test_a_path_that_does_not_exist_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="does not exist"):
        open_index(tmp_path / name)


def test_a_file_of_an_unknown_kind_is_refused(tmp_path):
    (tmp_path / "a.docx").write_text("x")
    with pytest.raises(DataError, match="known kind"):
        open_index(tmp_path / "a.docx")


def test_links_between_folders_that_form_a_circle_end(data):
    put(data / "a/1.png")
    (data / "a/back").symlink_to(data)
    assert open_index(data).ids == ["a/1.png"]


def test_a_link_that_points_nowhere_is_kept_and_broken_when_read(data):
    put(data / "1.png")
    (data / "2.png").symlink_to(data / "gone.png")
    index = open_index(data)
    assert index.ids == ["1.png", "2.png"]
    with pytest.raises(BrokenFileError, match=r"2\.png: No such file"):
        index.read(1)


def test_links_to_themselves_are_broken_images_or_no_images(data):
    put(data / "1.png")
    (data / "2.png").symlink_to("2.png")
    (data / "all").symlink_to("all")
    index = open_index(data)
    assert index.ids == ["1.png", "2.png"]
    assert index.ignored == {"": 1}
    with pytest.raises(BrokenFileError, match=r"2\.png: Too many levels of symbolic links"):
        index.read(1)


def test_a_pipe_named_png_is_passed_over(data):
    put(data / "1.png")
    os.mkfifo(data / "2.png")
    assert open_index(data).ids == ["1.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_broken_when_read(data):
    put(data / "1.png").chmod(0)
    with pytest.raises(BrokenFileError, match="Permission denied"):
        open_index(data).read(0)


def test_a_name_that_is_not_text_is_refused_by_name(data):
    data.mkdir()
    with open(os.fsencode(data) + b"/bad\xff.png", "wb"):  # noqa: PTH123 - a path of bytes
        pass
    for source in (data, data / "bad\udcff.png"):
        with pytest.raises(DataError, match=r"bad\\udcff\.png"):
            open_index(source)


def test_opening_2000_files_opens_none_of_them(data, monkeypatch):
    for number in range(2000):
        path = data / f"{number % 20}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for target in ("builtins.open", "pathlib.Path.open", "os.open", "io.open"):
        monkeypatch.setattr(target, lambda *_, **__: pytest.fail("a file was opened"))
    index = open_index(data)
    assert len(index) == 2000
    assert index.ids[:2] == ["0/0.png", "0/20.png"]


def test_the_fingerprint_is_stable_and_notices_a_file_replaced_in_place(data):
    paths = [put(data / f"{number}.bmp") for number in range(3)]
    first = open_index(data).fingerprint
    assert open_index(data).fingerprint == first
    state = data.stat().st_mtime_ns
    before = paths[1].stat()
    with paths[1].open("r+b") as file:
        file.seek(60)
        file.write(b"\x7f")
    os.utime(paths[1], ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))
    assert data.stat().st_mtime_ns == state
    assert paths[1].stat().st_size == before.st_size
    assert open_index(data).fingerprint != first


def test_a_selection_is_small_to_send_and_reads_the_same_bytes(data):
    for number in range(300):
        put(data / f"some-folder/{number}.png", value=number % 256)
    index = open_index(data, "folder")
    part = index.select([7, 250])
    sent = pickle.loads(pickle.dumps(part))  # noqa: S301 - what a worker process gets
    assert sent.ids == [index.ids[7], index.ids[250]]
    assert sent.read(1) == index.read(250)
    assert sent.metadata.num_rows == 2
    assert len(pickle.dumps(part)) < 2500
    assert part.fingerprint != index.fingerprint
    assert index.select(range(300)).fingerprint == index.fingerprint


def write_csv(folder, text, name="list.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_a_list_keeps_its_order_its_paths_and_its_other_columns(data, tmp_path):
    absolute = put(tmp_path / "elsewhere.png")
    put(data / "b.png")
    put(data / "a.png")
    path = write_csv(data, f"path,camera,shift\nb.png,left,1\n{absolute},right,\na.png,left,3\n")
    index = open_index(path)
    assert index.ids == ["b.png", str(absolute), "a.png"]
    assert index.metadata.to_pydict() == {"camera": ["left", "right", "left"], "shift": [1, None, 3]}
    assert index.read(1) == absolute.read_bytes()
    table = pa.table({"path": index.ids, "score": [0.5, 1.5, None]})
    pq.write_table(table, data / "list.parquet")
    assert open_index(data / "list.parquet").metadata["score"].to_pylist() == [0.5, 1.5, None]


def test_a_list_of_paths_alone_has_a_row_of_metadata_for_each(data):
    put(data / "1.png")
    index = open_index(write_csv(data, "path\n1.png\n"))
    assert (index.metadata.num_rows, index.metadata.num_columns) == (1, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path\na.png\nb.png\nc.png\n", r"2 of 3 files are missing: row 2: b\.png; row 3: c\.png"),
        ("path,x\na.png,1\n,2\n", "row 2: the column 'path' is empty"),
        ("path\na.png\na.png\n", r"row 2: the path 'a\.png' stands already in row 1"),
        ("path,gain\na.png,NaN\n", "row 1: the column 'gain' holds nan"),
        ("path,gain\na.png,-inf\n", "row 1: the column 'gain' holds -inf"),
        ("file\na.png\n", "needs one column named 'path'.*file"),
        ("", "cannot be read"),
        ("path,x\na.png,1\nb.png\n", r"cannot be read: .*Row #3: Expected 2 columns, got 1.* Row #1 is the heading"),
        ("path,x\na.png,1,\n", r"Row #2: Expected 2 columns, got 3"),
        ("path,x,x\na.png,1,2\n", r"has 2 columns named 'x'"),
        ("path\nself.png\n", r"row 1: 'self\.png' cannot be looked up: .*symbolic links"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_with_row_and_column(data, text, message):
    put(data / "a.png")
    (data / "self.png").symlink_to("self.png")
    with pytest.raises(DataError, match=message) as caught:
        open_index(write_csv(data, text))
    assert "list.csv" in str(caught.value)


def test_commas_at_the_ends_of_all_rows_are_no_columns(data):
    put(data / "a.png")
    index = open_index(write_csv(data, "path,label,,\na.png,good,,\n"))
    assert index.metadata.to_pydict() == {"label": ["good"]}


@pytest.mark.parametrize(
    ("encoding", "delimiter", "label"),
    [
        ("cp1252", ",", "größer"),
        ("cp932", ";", "不良"),
        ("utf-16", "\t", "良品"),
        ("utf-8-sig", ",", "rayé"),
        ("gb18030", ",", "划痕"),
        ("cp949", ",", "불량"),
        ("cp1251", ";", "брак"),
        ("cp1250", ";", "błąd"),
        ("cp1252", ",", "45°"),
    ],
)
def test_the_encoding_and_the_delimiter_of_a_list_are_recognised_and_said(data, encoding, delimiter, label):
    put(data / "a.png")
    (data / "list.csv").write_bytes(f"path{delimiter}label\r\na.png{delimiter}{label}\r\n".encode(encoding))
    index = open_index(data / "list.csv")
    assert index.metadata.to_pydict() == {"label": [label]}
    assert bool(index.remarks) == (encoding != "utf-8-sig")


def test_a_list_whose_encoding_is_not_recognised_is_refused_with_its_row(data):
    put(data / "a.png")
    (data / "list.csv").write_bytes(b"path,label\na.png,\x98\x81\xff\n")
    with pytest.raises(DataError, match=r"list\.csv, row 1: its encoding is not recognised.*UTF-8"):
        open_index(data / "list.csv")


@pytest.mark.parametrize(
    "values",
    [
        ["1E1", "10"],
        ["007", "8"],
        ["1.10", "1.1"],
        ["2024-05-06", "2024-05-07"],
        ["0x1A", "1"],
        ["1,5", "2"],
        ["99999999999999999999", "1"],
        ["true", "false"],
        ["12:30", "7"],
    ],
)
def test_codes_and_dates_of_a_list_stay_as_they_are_written(data, values):
    for name in "ab":
        put(data / f"{name}.png")
    rows = "".join(f'{name}.png,"{value}"\n' for name, value in zip("ab", values, strict=True))
    assert open_index(write_csv(data, f"path,lot\n{rows}")).metadata["lot"].to_pylist() == values


def test_columns_of_plain_numbers_are_numbers(data):
    for name in "ab":
        put(data / f"{name}.png")
    metadata = open_index(write_csv(data, "path,count,gain,note\na.png,-3,0.5,\nb.png,NA,2,\n")).metadata
    assert metadata.to_pydict() == {"count": [-3, None], "gain": [0.5, 2.0], "note": [None, None]}


def test_paths_with_composed_letters_are_found_under_decomposed_ones(data):
    put(data / unicodedata.normalize("NFD", "größe.png"))
    assert open_index(write_csv(data, "path\n" + unicodedata.normalize("NFC", "größe.png") + "\n")).read(0)


def test_paths_that_windows_wrote_are_found(data):
    put(data / "good/1.png")
    assert open_index(write_csv(data, "path\ngood\\1.png\n")).ids == ["good/1.png"]


def test_a_list_without_rows_is_empty(data):
    data.mkdir()
    with pytest.raises(EmptyDataError):
        open_index(write_csv(data, "path,label\n"))


def test_a_lists_own_labels_are_not_overwritten_by_folders(data):
    put(data / "a.png")
    path = write_csv(data, "path,label\na.png,good\n")
    assert open_index(path).metadata["label"].to_pylist() == ["good"]
    with pytest.raises(DataError, match="column 'label' already"):
        open_index(path, "folder")


@pytest.mark.parametrize("name", ["x.tar.xz", "x.zip"])
def test_an_archive_is_read_like_a_folder(data, name):
    for image in ("good/2.png", "good/10.png", "bad/1.png", "top.png", ".hidden/3.png"):
        put(data / image, value=len(image))
    (data / "notes.txt").write_text("x")
    path = data.parent / name
    if name.endswith("zip"):
        with zipfile.ZipFile(path, "w") as archive:
            for file in [*sorted(data.rglob("*.*g")), data / "notes.txt"]:
                archive.write(file, file.relative_to(data))
    else:
        with tarfile.open(path, "w:xz") as archive:
            archive.add(data, ".")
    index, folder = open_index(path, "folder"), open_index(data)
    assert index.ids == folder.ids == ["bad/1.png", "good/2.png", "good/10.png", "top.png"]
    assert [index.read(row) for row in range(4)] == [folder.read(row) for row in range(4)]
    assert index.metadata["label"].to_pylist() == ["bad", "good", "good", "x"]
    assert index.ignored == {".txt": 1}


def test_an_archive_without_images_is_empty(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        info = tarfile.TarInfo("a.json")
        archive.addfile(info, io.BytesIO())
    with pytest.raises(EmptyDataError, match=r"1 \.json"):
        open_index(tmp_path / "x.tar")


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("VSSL_CACHE", str(tmp_path / "file/cache"))
    with tarfile.open(tmp_path / "x.tar", "w"):
        pass
    with pytest.raises(StorageError, match=r"file/cache.*VSSL_CACHE"):
        open_index(tmp_path / "x.tar")


def test_a_file_of_too_many_bytes_is_refused_unread(data, monkeypatch):
    put(data / "1.png")
    monkeypatch.setattr("vssl.modalities.images.decode.MAX_BYTES", 10)
    with pytest.raises(BrokenFileError, match="more than 10"):
        open_index(data).read(0)


@pytest.mark.parametrize(
    ("width", "height", "size", "expected"),
    [
        (40, 24, None, (24, 40)),
        (400, 200, None, (48, 96)),
        (400, 200, 32, (16, 32)),
        (20, 10, 96, (10, 20)),
        (1000, 10, None, (8, 96)),
        (1, 1, None, (8, 8)),
    ],
)
def test_the_canvas_keeps_the_aspect_and_never_scales_up(data, width, height, size, expected):
    put(data / "1.png", width, height, "L")
    canvas = choose_canvas(open_index(data), size or 96)
    assert (canvas.height, canvas.width) == expected
    assert (canvas.channels, canvas.low, canvas.high) == (1, 0.0, 255.0)


def test_mixed_sizes_give_the_median_and_one_colour_image_makes_the_canvas_colour(data):
    for number, side in enumerate((10, 20, 90)):
        put(data / f"{number}.png", side, side, "L")
    assert choose_canvas(open_index(data)).channels == 1
    put(data / "3.png", 20, 20, "RGB")
    canvas = choose_canvas(open_index(data))
    assert (canvas.height, canvas.width, canvas.channels) == (20, 20, 3)


def test_the_range_of_16_bit_images_is_measured_and_broken_files_passed_over(data):
    data.mkdir()
    values = np.linspace(1000, 3000, 10_000).reshape(100, 100).astype(np.uint16)
    for number in range(3):
        Image.fromarray(values).save(data / f"{number}.png")
    (data / "broken.png").write_text("text")
    put(data / "rgb.png")
    canvas = choose_canvas(open_index(data))
    assert canvas.channels == 1
    assert canvas.low == pytest.approx(1002, abs=2)
    assert canvas.high == pytest.approx(2998, abs=2)


@pytest.mark.parametrize("values", [[7, 7], [0, 255]])
def test_wide_images_of_any_range_give_a_wide_canvas(data, values):
    data.mkdir()
    Image.fromarray(np.repeat(np.array([values], np.int32), 2000, axis=0)).save(data / "1.tif")
    assert choose_canvas(open_index(data)).wide


def test_the_sample_is_random_bounded_and_repeatable(data, monkeypatch):
    for number in range(40):
        put(data / f"{number}.png", 10 + number, 10)
    index, seen = open_index(data), []
    read = type(index).read
    monkeypatch.setattr(type(index), "read", lambda self, row: seen.append(row) or read(self, row))
    assert choose_canvas(index, sample=10, seed=3) == choose_canvas(index, sample=10, seed=3)
    assert seen[:10] == seen[10:]
    assert len(set(seen)) == 10
    assert seen[:10] != sorted(seen[:10])


def test_a_size_that_is_too_small_is_refused(data):
    put(data / "1.png")
    with pytest.raises(ConfigError, match="at least 8"):
        choose_canvas(open_index(data), size=4)


def test_nothing_readable_in_the_sample_is_refused_with_a_name(data):
    data.mkdir()
    (data / "1.png").write_text("text")
    with pytest.raises(TooManyBrokenError, match=r"1\.png: it is not an image"):
        choose_canvas(open_index(data))


def test_natural_order_is_the_same_for_any_order_of_listing():
    names = ["a10", "a9", "a09", "A1", "b/1", "b-1"]
    expected = [names[row] for row in folders.natural_order(names)]
    assert expected.index("a9") < expected.index("a10")
    turned = names[::-1]
    assert [turned[row] for row in folders.natural_order(turned)] == expected
