import io
import os
import pickle
import stat
import tarfile
import zipfile

import pytest

from vssl.errors import BrokenFileError, DataError
from vssl.modalities.images import archives, cache
from vssl.modalities.images.archives import open_archive

CONTENT = {"a/1.png": b"one", "a/2.png": b"two!", "../evil.png": b"up", "/etc/evil.png": b"absolute"}


@pytest.fixture(autouse=True)
def cache_in_tmp(tmp_path, monkeypatch):
    monkeypatch.setenv("VSSL_CACHE", str(tmp_path / "cache"))


def make_tar(path, mode="w", content=CONTENT, extra=()):
    with tarfile.open(path, mode) as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in extra:
            archive.addfile(info)
    return path


def make_zip(path, content=CONTENT):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def link(name, target, kind):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def read_all(path, **options):
    reader, table = open_archive(path, **options)
    reader = pickle.loads(pickle.dumps(reader))  # noqa: S301 - what a worker process gets
    return {row["name"]: reader.read(row["name"], row["offset"], row["size"]) for row in table.to_pylist()}


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("x.tar", "w"),
        ("x.tar.gz", "w:gz"),
        ("x.TGZ", "w:gz"),
        ("x.tar.xz", "w:xz"),
        ("x.txz", "w:xz"),
        ("x.tar.bz2", "w:bz2"),
    ],
)
def test_every_kind_of_tar_gives_its_members_bytes(tmp_path, name, mode):
    assert read_all(make_tar(tmp_path / name, mode)) == CONTENT


def test_a_zip_gives_its_members_bytes(tmp_path):
    assert read_all(make_zip(tmp_path / "x.zip")) == CONTENT


def test_no_member_is_written_to_disk_under_its_own_name(tmp_path):
    read_all(make_tar(tmp_path / "x.tar.xz", "w:xz"))
    read_all(make_zip(tmp_path / "x.zip"))
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"x.tar.xz", "x.zip", "plain.tar", "members.parquet"}


def test_symbolic_links_and_devices_are_skipped_and_hard_links_followed(tmp_path):
    extra = [
        link("soft.png", "/etc/passwd", tarfile.SYMTYPE),
        link("device.png", "", tarfile.CHRTYPE),
        link("hard.png", "a/1.png", tarfile.LNKTYPE),
    ]
    assert read_all(make_tar(tmp_path / "x.tar", extra=extra)) == CONTENT | {"hard.png": b"one"}
    with zipfile.ZipFile(make_zip(tmp_path / "x.zip"), "a") as archive:
        info = zipfile.ZipInfo("soft.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert read_all(tmp_path / "x.zip") == CONTENT


def test_the_current_folder_before_a_name_is_dropped(tmp_path):
    assert read_all(make_tar(tmp_path / "x.tar", content={"./b/1.png": b"1"})) == {"b/1.png": b"1"}


def test_of_two_members_of_one_name_the_later_counts(tmp_path):
    path = make_tar(tmp_path / "x.tar", content={"1.png": b"old"})
    make_tar(path, "a", content={"1.png": b"newer"})
    assert read_all(path) == {"1.png": b"newer"}


def test_a_second_start_reads_neither_the_archive_nor_its_table_of_contents_again(tmp_path, monkeypatch):
    path = make_tar(tmp_path / "x.tar.xz", "w:xz")
    first = read_all(path)
    monkeypatch.setattr(archives, "_build", lambda *_: pytest.fail("it was built again"))
    assert read_all(path) == first


def test_a_changed_archive_is_read_again(tmp_path):
    path = make_tar(tmp_path / "x.tar.gz", "w:gz")
    read_all(path)
    make_tar(path, "w:gz", content={"new.png": b"new"})
    assert read_all(path) == {"new.png": b"new"}


def test_refresh_reads_an_unchanged_archive_again(tmp_path, monkeypatch):
    path = make_tar(tmp_path / "x.tar")
    read_all(path)
    calls, build = [], archives._build
    monkeypatch.setattr(archives, "_build", lambda *arguments: calls.append(1) or build(*arguments))
    assert read_all(path, refresh=True) == CONTENT
    assert calls == [1]


@pytest.mark.parametrize(("name", "mode"), [("x.tar", "w"), ("x.tar.gz", "w:gz"), ("x.tar.xz", "w:xz"), ("x.zip", "")])
def test_a_truncated_archive_is_refused_and_leaves_nothing_in_the_cache(tmp_path, name, mode):
    content = {f"{i}.png": bytes(1000) + bytes([i]) for i in range(50)}
    path = make_tar(tmp_path / name, mode, content) if mode else make_zip(tmp_path / name, content)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(DataError, match=name):
        open_archive(path)
    assert list(cache.cache_folder().iterdir()) == []


def test_a_text_file_named_tar_is_refused(tmp_path):
    for name in ("x.tar", "x.tar.gz", "x.tar.bz2", "x.zip"):
        (tmp_path / name).write_text("just text")
        with pytest.raises(DataError, match=name):
            open_archive(tmp_path / name)


def test_an_encrypted_zip_is_refused_with_advice(tmp_path):
    path = make_zip(tmp_path / "x.zip", {"a.png": b"secret"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the encryption bit of the central directory
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"encrypted\. Unpack it"):
        open_archive(path)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 2**20)
    path = make_tar(tmp_path / "bomb.tar.gz", "w:gz", {"a.png": bytes(6 * 2**20)})
    with pytest.raises(DataError, match=r"bomb\.tar\.gz is larger than"):
        open_archive(path)
    assert list(cache.cache_folder().iterdir()) == []


def test_a_damaged_member_is_named(tmp_path):
    path = make_zip(tmp_path / "x.zip", {"a.png": bytes(range(256)) * 40})
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    reader, _ = open_archive(path)
    with pytest.raises(BrokenFileError, match=r"a\.png"):
        reader.read("a.png", 0, 256 * 40)


def test_an_archive_that_vanished_is_no_broken_image(tmp_path):
    path = make_tar(tmp_path / "x.tar")
    reader, table = open_archive(path)
    path.unlink()
    with pytest.raises(DataError, match="cannot be read any more") as caught:
        reader.read("a/1.png", table["offset"][0].as_py(), 3)
    assert not isinstance(caught.value, BrokenFileError)


def test_the_cache_drops_what_was_used_longest_ago_and_never_what_is_in_use(tmp_path, monkeypatch):
    def fill(name):
        return cache.entry(name, lambda folder: (folder / "data").write_bytes(bytes(100)) and None)

    old, other = fill("old"), fill("other")
    os.utime(old, (1, 1))
    os.utime(other, (2, 2))
    fill("old")
    monkeypatch.setattr(cache, "_in_use", set())
    monkeypatch.setattr(cache, "LIMIT_BYTES", 250)
    mine = fill("mine")
    assert (old.exists(), other.exists(), mine.exists()) == (True, False, True)
    monkeypatch.setattr(cache, "LIMIT_BYTES", 50)
    fill("another")
    assert mine.exists()
    assert not old.exists()
