"""What the world hands to vssl, through the public API: an error that names the file, or no error at all."""

import errno
import os
import re
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from vssl import api
from vssl.errors import (
    ConfigError,
    DataError,
    EmptyDataError,
    RunVersionError,
    StorageError,
    TooManyBrokenError,
    VsslError,
)
from vssl.files import write_json
from vssl.modalities import images
from vssl.run import Run
from vssl.training import checkpoint

pytest_plugins = ["fixtures_runs"]

Quick = dict[str, Any]


def tolerant(share: float = 0.5) -> images.Config:
    return images.Config(max_broken=share)


def png_header(width: int, height: int) -> bytes:
    """A PNG file that claims a size and holds no pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\1\0IDAT"


def truncated_jpeg(photo: Path) -> bytes:
    """The first half of a JPEG file."""
    path = photo.with_suffix(".whole")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path, "JPEG")
    return path.read_bytes()[: path.stat().st_size // 2]


def broken_link(photo: Path) -> None:
    photo.symlink_to("nowhere.png")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a text file": (lambda path: path.write_text("notes of the night shift"), "not an image of the formats"),
    "an empty file": (lambda path: path.write_bytes(b""), "it is empty"),
    "a truncated JPEG": (lambda path: path.write_bytes(truncated_jpeg(path)), "truncated"),
    "a header of 60,000 x 60,000 pixels": (
        lambda path: path.write_bytes(png_header(60_000, 60_000)),
        "more than 100,000,000|60000 x 60000",
    ),
    "a file that cannot be read": (broken_link, "No such file"),
}


@pytest.mark.parametrize(("spoil", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_named_and_skipped_in_training_and_embedding(
    photos: Path, tmp_path: Path, quick: Quick, spoil: Callable[[Path], object], reason: str
) -> None:
    name = "kind-2/010.png"
    (photos / name).unlink()
    spoil(photos / name)
    run = api.train(photos, tmp_path / "run", modality=tolerant(), **quick)
    assert run.info["samples"] == 63
    (broken,) = run.info["broken"]
    assert broken["id"] == name
    assert re.search(reason, broken["reason"])
    table = api.embed(run, photos)
    assert len(table) == 63
    assert name not in table.ids


@pytest.mark.parametrize(("spoil", "reason"), BROKEN.values(), ids=BROKEN)
def test_more_broken_files_than_allowed_are_refused_by_name(
    photos: Path, tmp_path: Path, quick: Quick, spoil: Callable[[Path], object], reason: str
) -> None:
    (photos / "kind-2/010.png").unlink()
    spoil(photos / "kind-2/010.png")
    with pytest.raises(TooManyBrokenError, match=rf"1 of 64 .*kind-2/010\.png: .*({reason}).*--max-broken"):
        api.train(photos, tmp_path / "run", **quick)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(photos: Path, tmp_path: Path, quick: Quick) -> None:
    (photos / "kind-2/010.png").chmod(0)
    with pytest.raises(TooManyBrokenError, match=r"kind-2/010\.png: Permission denied"):
        api.train(photos, tmp_path / "run", **quick)


def test_an_empty_folder_is_refused_by_name(tmp_path: Path, quick: Quick) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmptyDataError, match=r"no image in .*/empty"):
        api.train(tmp_path / "empty", tmp_path / "run", **quick)
    assert not (tmp_path / "run").exists()


def test_a_folder_without_images_is_told_what_it_holds(tmp_path: Path, quick: Quick) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(EmptyDataError, match=r"1 \.txt"):
        api.train(tmp_path, tmp_path / "run", **quick)


def test_one_image_is_too_few_to_train_on_and_enough_to_embed(
    photos: Path, trained: Run, tmp_path: Path, quick: Quick
) -> None:
    photo = photos / "kind-0/000.png"
    with pytest.raises(EmptyDataError, match=r"000\.png holds 1 usable samples; training needs 16"):
        api.train(photo, tmp_path / "run", **quick)
    assert api.embed(trained, photo).ids == ["000.png"]


def test_images_of_one_pixel_train_and_embed(tmp_path: Path, quick: Quick) -> None:
    (tmp_path / "dots").mkdir()
    for number in range(32):
        Image.new("RGB", (1, 1), (8 * number, 0, 0)).save(tmp_path / "dots" / f"{number}.png")
    run = api.train(tmp_path / "dots", tmp_path / "run", **quick)
    assert np.isfinite(api.embed(run, tmp_path / "dots").features).all()


def test_images_of_mixed_sizes_formats_and_modes_train_and_embed(photos: Path, tmp_path: Path, quick: Quick) -> None:
    Image.new("L", (1, 1), 9).save(photos / "dot.png")
    Image.new("RGB", (300, 20)).save(photos / "wide.jpg")
    Image.new("RGBA", (20, 300), (9, 9, 9, 128)).save(photos / "tall.webp")
    Image.new("P", (33, 17)).save(photos / "palette.bmp")
    Image.new("CMYK", (40, 40)).save(photos / "print.tif")
    run = api.train(photos, tmp_path / "run", **quick)
    assert run.info["broken"] == []
    table = api.embed(run, photos)
    assert len(table) == 69
    assert np.isfinite(table.features).all()


def test_a_list_that_names_missing_files_names_them_and_their_rows(photos: Path, tmp_path: Path, quick: Quick) -> None:
    path = photos / "parts.csv"
    path.write_text("path,camera\nkind-0/000.png,left\ngone.png,right\nkind-0/004.png,left\nlost.png,left\n")
    message = r"parts\.csv: 2 of 4 files are missing: row 2: gone\.png; row 4: lost\.png"
    with pytest.raises(DataError, match=message):
        api.train(path, tmp_path / "run", **quick)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_number_of_a_list_that_is_none_is_named_with_row_and_column(
    photos: Path, trained: Run, suffix: str, value: str
) -> None:
    path = photos / f"parts.{suffix}"
    columns = {"path": ["kind-0/000.png", "kind-0/004.png"], "wear": [0.5, float(value)]}
    if suffix == "csv":
        path.write_text(
            "path,wear\n" + "".join(f"{name},{wear}\n" for name, wear in zip(*columns.values(), strict=True))
        )
    else:
        pq.write_table(pa.table(columns), path)
    with pytest.raises(DataError, match=rf"parts\.{suffix}, row 2: the column 'wear' holds {value}"):
        api.embed(trained, path)


def test_a_list_without_paths_is_told_its_columns(photos: Path, trained: Run) -> None:
    (photos / "parts.csv").write_text("file,label\na.png,ok\n")
    with pytest.raises(DataError, match=r"parts\.csv needs one column named 'path'.*'file', 'label'"):
        api.embed(trained, photos / "parts.csv")


def test_metadata_with_the_name_of_an_embeddings_column_are_refused_before_training(
    photos: Path, tmp_path: Path, quick: Quick
) -> None:
    rows = [f"{path.relative_to(photos)},0" for path in sorted(photos.rglob("*.png"))]
    (photos / "parts.csv").write_text("\n".join(["path,mean", *rows]))
    with pytest.raises(DataError, match=r"parts\.csv: the metadata column 'mean'.*rename it"):
        api.train(photos / "parts.csv", tmp_path / "run", **quick)
    assert not (tmp_path / "run").exists()


def test_a_damaged_archive_is_named(photos: Path, trained: Run) -> None:
    path = Path(shutil.make_archive(str(photos.parent / "packed"), "xztar", photos))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"packed\.tar\.xz is damaged"):
        api.embed(trained, path)


def test_data_of_an_unknown_kind_are_told_the_kinds_there_are(tmp_path: Path, trained: Run) -> None:
    (tmp_path / "parts.docx").write_text("")
    with pytest.raises(DataError, match=r"parts\.docx is neither.*\.png.*\.csv.*\.zip"):
        api.embed(trained, tmp_path / "parts.docx")


def test_deep_images_in_data_of_8_bits_are_named_and_not_squeezed(photos: Path, trained: Run) -> None:
    Image.fromarray(np.full((16, 16), 40_000, np.uint16)).save(photos / "deep.png")
    with pytest.raises(TooManyBrokenError, match=r"deep\.png: it has 16-bit values in a data set of 8-bit"):
        api.embed(trained, photos)
    assert len(trained.embeddings("photos")) == 64


def refuse(number: int) -> Callable[..., None]:
    def write(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return write


def test_a_place_without_permission_to_write_is_named(
    photos: Path, tmp_path: Path, quick: Quick, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vssl.files.tempfile.mkstemp", refuse(errno.EACCES))
    with pytest.raises(StorageError, match=r"run/run\.json cannot be written: Permission denied"):
        api.train(photos, tmp_path / "run", **quick)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(photos: Path, tmp_path: Path, quick: Quick) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(StorageError, match=r"closed/run.*Permission denied"):
        api.train(photos, tmp_path / "closed" / "run", **quick)


def test_a_disk_that_is_full_while_the_model_is_saved_leaves_a_run_that_can_go_on(
    photos: Path, tmp_path: Path, quick: Quick, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", refuse(errno.ENOSPC))
        with pytest.raises(StorageError, match=r"latest\.safetensors cannot be written: No space left on device"):
            api.train(photos, tmp_path / "run", **quick)
    left = [path.name for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert sorted(left) == ["metrics.jsonl", "run.json", "training_index.safetensors"]
    with pytest.raises(VsslError, match="no model yet"):
        api.load(tmp_path / "run")
    assert api.resume(tmp_path / "run").info["status"] == "done"


def test_a_disk_that_is_full_keeps_the_last_good_model(
    trained: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = ("model.safetensors", "state/latest.safetensors")
    before = [(trained.path / name).read_bytes() for name in files]
    trained.update(source=str(photos))
    monkeypatch.setattr("vssl.files.os.fsync", refuse(errno.ENOSPC))
    with pytest.raises(StorageError, match="No space left on device"):
        api.resume(trained)
    assert [(trained.path / name).read_bytes() for name in files] == before


@pytest.mark.parametrize("verb", [api.load, api.resume, api.evaluate, api.report])
def test_a_run_of_another_version_is_named_with_its_version(trained: Run, verb: Callable[[Path], object]) -> None:
    write_json(trained.path / "run.json", trained.info | {"format": 99, "versions": {"vssl": "7.0"}})
    with pytest.raises(RunVersionError, match=r"trained has run format 99.*vssl 7\.0"):
        verb(trained.path)


def test_settings_that_this_version_does_not_know_are_named(trained: Run) -> None:
    trained.info["settings"]["objective"]["sharpness"] = 3
    trained.update()
    with pytest.raises(ConfigError, match="'sharpness'"):
        api.load(trained.path)


def test_a_damaged_model_is_named(trained: Run, photos: Path) -> None:
    path = trained.path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(VsslError, match=r"model\.safetensors is damaged"):
        api.embed(trained, photos)


def test_data_that_changed_since_are_not_resumed_on(trained: Run, photos: Path) -> None:
    trained.update(source=str(photos))
    (photos / "kind-0/000.png").unlink()
    with pytest.raises(VsslError, match="photos have changed since"):
        api.resume(trained)
