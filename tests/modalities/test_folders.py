"""Which files lie below a folder: the same names whatever the order of the listing, and a count of the others."""

import os

import pytest

from vssl.modalities import folders


def is_text(name):
    return folders.suffix(name) == ".txt"


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(path.name)
    return path


@pytest.fixture(params=[False, True])
def listing(request, monkeypatch):
    """Both orders of a listing: a file system guarantees none."""
    order = folders._listing

    def turned(folder):
        identity, items = order(folder)
        return identity, sorted(items, key=lambda item: item.name, reverse=request.param)

    monkeypatch.setattr(folders, "_listing", turned)


@pytest.mark.usefixtures("listing")
@pytest.mark.parametrize("link", ["aa_latest", "zz_latest"])
def test_a_linked_folder_has_the_name_of_the_real_one(tmp_path, link):
    put(tmp_path / "good/1.txt")
    put(tmp_path / "good/below/2.txt")
    (tmp_path / link).symlink_to("good")
    (tmp_path / "good/back").symlink_to(tmp_path)
    (tmp_path / "mm").symlink_to("good/below")
    found = folders.list_files(tmp_path, is_text)
    assert sorted(found.names) == ["good/1.txt", "good/below/2.txt"]
    assert sorted(found.links) == sorted([link, "good/back", "mm"])


@pytest.mark.usefixtures("listing")
def test_a_linked_file_is_counted_once_under_its_own_name(tmp_path):
    real = put(tmp_path / "data/good/1.txt")
    outside = put(tmp_path / "store/x.txt")
    hidden = put(tmp_path / "data/.store/y.txt")
    for name, target in (("latest", real), ("a", outside), ("b", outside), ("c", hidden)):
        (tmp_path / f"data/{name}.txt").symlink_to(target)
    found = folders.list_files(tmp_path / "data", is_text)
    assert sorted(found.names) == ["a.txt", "c.txt", "good/1.txt"]
    assert sorted(found.links) == ["b.txt", "latest.txt"]


@pytest.mark.usefixtures("listing")
def test_two_links_to_one_folder_elsewhere_give_the_name_of_the_first(tmp_path):
    put(tmp_path / "store/1.txt")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/b").symlink_to(tmp_path / "store")
    (tmp_path / "data/a").symlink_to(tmp_path / "store")
    found = folders.list_files(tmp_path / "data", is_text)
    assert (found.names, found.links) == (["a/1.txt"], ["b"])


def test_hidden_files_are_counted_but_for_what_systems_leave_everywhere(tmp_path):
    for name in ("a.txt", ".b.txt", "._a.txt", ".DS_Store", ".git/c.txt", "__MACOSX/a.txt", ".old/d.txt", ".x.png"):
        put(tmp_path / name)
    found = folders.list_files(tmp_path, is_text)
    assert found.names == ["a.txt"]
    assert sorted(found.hidden) == [".b.txt", ".old"]


def test_a_link_that_points_nowhere_is_no_other_files_link(tmp_path):
    put(tmp_path / "a.txt")
    for name in ("b.txt", "c.txt"):
        (tmp_path / name).symlink_to("gone.txt")
    assert sorted(folders.list_files(tmp_path, is_text).names) == ["a.txt", "b.txt", "c.txt"]
    assert os.path.lexists(tmp_path / "b.txt")
