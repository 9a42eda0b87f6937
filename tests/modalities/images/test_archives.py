import errno
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


@pytest.mark.parametrize("damage", [b"x", bytes(512)], ids=["changed", "zeroed"])
def test_a_tar_with_a_damaged_header_in_the_middle_does_not_lose_its_tail(tmp_path, damage):
    path = make_tar(tmp_path / "x.tar", content={f"{i}.png": b"\1" * 512 for i in range(3)})
    data = path.read_bytes()
    path.write_bytes(data[:1024] + damage + data[1024 + len(damage) :])
    with pytest.raises(DataError, match=r"x\.tar is damaged.*no header at byte 1,024, behind 1 files"):
        open_archive(path)


def test_a_tar_may_end_without_the_zeros_that_end_it(tmp_path):
    path = make_tar(tmp_path / "x.tar", content={"a.png": bytes(512)})
    path.write_bytes(path.read_bytes()[:1024])
    assert read_all(path) == {"a.png": bytes(512)}


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.zip"])
def test_an_archive_that_may_not_be_read_is_no_cache_that_may_not_be_written(tmp_path, monkeypatch, name):
    path = tmp_path / name
    path.touch()

    def forbidden(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("io.open", forbidden)  # where pathlib opens, as of Python 3.11
    monkeypatch.setattr("builtins.open", forbidden)
    with pytest.raises(DataError, match=rf"{name} cannot be read: Permission denied"):
        archives._build(path, tmp_path)


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


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_an_archive_that_vanished_is_no_broken_image(tmp_path, make):
    path = make(tmp_path / ("x.tar" if make is make_tar else "x.zip"))
    reader, table = open_archive(path)
    path.unlink()
    with pytest.raises(DataError, match="cannot be read any more") as caught:
        reader.read("a/1.png", table["offset"][0].as_py(), 3)
    assert not isinstance(caught.value, BrokenFileError)


def fill(number):
    """An entry of 100 bytes."""
    return cache.cached_entry(
        f"pixels-{number:032x}", lambda folder: (folder / "data").write_bytes(bytes(100)) and None
    )


def test_the_cache_drops_what_was_used_longest_ago_and_never_what_is_in_use(tmp_path, monkeypatch):
    others = cache.cache_folder() / "photos"
    others.mkdir()
    (others / "own.png").write_bytes(bytes(1000))
    old, other = fill(1), fill(2)
    os.utime(old, (1, 1))
    os.utime(other, (2, 2))
    fill(1)
    monkeypatch.setattr(cache, "_in_use", set())
    monkeypatch.setattr(cache, "LIMIT_BYTES", 250)
    mine = fill(3)
    assert (old.exists(), other.exists(), mine.exists()) == (True, False, True)
    monkeypatch.setattr(cache, "LIMIT_BYTES", 50)
    fill(4)
    assert mine.exists()
    assert not old.exists()
    assert (others / "own.png").exists()


def test_the_drafts_of_a_process_that_was_killed_go_and_those_of_a_living_one_stay(tmp_path):
    root = cache.cache_folder()
    killed, living, others = (root / name for name in (f".archive-{1:032x}.abc_", f".pixels-{2:032x}.abc_", ".ssh"))
    for folder in (killed, living, others):
        folder.mkdir()
        (folder / "data").touch()
        os.utime(folder, (1, 1))
    os.utime(killed / "data", (1, 1))
    os.utime(others / "data", (1, 1))
    fill(1)
    assert (killed.exists(), living.exists(), others.exists()) == (False, True, True)
