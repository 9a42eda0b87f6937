import errno
import io
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vssl.errors import BrokenFileError, DataError, StorageError, TooManyBrokenError
from vssl.modalities.images import cache, store
from vssl.modalities.images.decode import Canvas
from vssl.modalities.images.index import FileReader, choose_canvas, open_index
from vssl.modalities.images.store import Unreadable, load, stream

CANVAS = Canvas(4, 4, 1)
INFRARED = Path(__file__).parents[4] / "shared/data/infrared-solar-modules.tar.xz"


@pytest.fixture(autouse=True)
def cache_in_tmp(tmp_path, monkeypatch):
    monkeypatch.setenv("VSSL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    """Twenty grey images, image k of value k; 3 and 11 are broken."""
    root = tmp_path / "data"
    root.mkdir()
    for value in range(20):
        Image.new("L", (4, 4), value).save(root / f"{value}.png")
    (root / "3.png").write_text("text")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG")
    (root / "11.png").write_bytes(buffer.getvalue()[:2000])
    return root


GOOD = [value for value in range(20) if value not in (3, 11)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stream_gives_all_images_in_order_and_names_the_broken(folder, workers):
    chunks = list(stream(open_index(folder, "folder"), CANVAS, batch=6, workers=workers))
    assert [chunk.rows.tolist() for chunk in chunks] == [
        [0, 1, 2, 4, 5],
        [6, 7, 8, 9, 10],
        [12, 13, 14, 15, 16, 17],
        [18, 19],
    ]
    assert np.concatenate([chunk.pixels for chunk in chunks])[:, 0, 0, 0].tolist() == GOOD
    broken = [item for chunk in chunks for item in chunk.broken]
    assert [item.id for item in broken] == ["3.png", "11.png"]
    assert "not an image" in broken[0].reason
    assert "truncated" in broken[1].reason


def test_a_stream_that_is_left_early_has_not_read_far_ahead(folder, monkeypatch):
    read = []
    monkeypatch.setattr(store, "decode", lambda data, name, canvas: read.append(name) or np.zeros((1, 4, 4), np.uint8))
    chunks = stream(open_index(folder), CANVAS, batch=2, workers=1)
    next(chunks)
    chunks.close()
    assert read == ["0.png", "1.png"]


def test_small_data_sets_start_no_process_and_large_ones_do(folder, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    index = open_index(folder)
    assert store._processes(index) == 1
    assert store._processes(index.select(np.zeros(100_000, dtype=int))) == 7


def run_script(path, text):
    path.write_text(text)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_worker_does_not_import_torch(tmp_path):
    code, variables = store._bootstrap()
    text = f"exec({code!r}, {variables!r})\nimport sys, {store.__name__}\nprint('torch' in sys.modules)"
    assert run_script(tmp_path / "worker.py", text) == ["False"]


def test_workers_do_not_run_a_script_without_a_main_guard_again(folder, tmp_path):
    text = f"""
print("started")
from vssl.modalities.images import decode, index, store
data = index.open_index({str(folder)!r})
print(sum(len(chunk.rows) for chunk in store.stream(data, decode.Canvas(4, 4, 1), workers=2)))
"""
    assert run_script(tmp_path / "unguarded.py", text) == ["started", "18"]


def test_a_worker_that_dies_is_reported(folder, monkeypatch):
    monkeypatch.setattr(store, "_bootstrap", lambda: ("import os; os._exit(1)", {}))
    with pytest.raises(DataError, match="process that decodes images died"):
        list(stream(open_index(folder), CANVAS, batch=1, workers=2))


def test_loading_drops_broken_rows_everywhere(folder):
    index = open_index(folder, "folder")
    data = load(index, CANVAS, max_broken=0.2)
    assert data.ids == [f"{value}.png" for value in GOOD]
    assert data.pixels[:, 0, 0, 0].tolist() == GOOD
    assert data.pixels.shape == (18, 1, 4, 4)
    assert data.metadata.num_rows == len(data) == 18
    assert [item.id for item in data.broken] == ["3.png", "11.png"]
    assert isinstance(data.broken[0], Unreadable)
    assert data.fingerprint == index.fingerprint


def test_progress_counts_every_file_once(folder):
    seen = []
    load(open_index(folder), CANVAS, max_broken=0.2, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (20, 20)


def test_a_second_start_decodes_nothing(folder, monkeypatch):
    first = load(open_index(folder), CANVAS, max_broken=0.2)
    monkeypatch.setattr(store, "stream", lambda *_, **__: pytest.fail("it was decoded again"))
    second = load(open_index(folder), CANVAS, max_broken=0.2)
    assert np.array_equal(first.pixels, second.pixels)
    assert first.broken == second.broken


def test_what_was_loaded_before_is_read_without_decoding_and_is_the_same(folder, monkeypatch):
    index, rows = open_index(folder), np.array([0, 1, 2, 3, 7, 11, 12, 19])
    decoded = list(store.read(index, CANVAS, rows, batch=3))
    load(index, CANVAS, 0.2)
    monkeypatch.setattr(store, "decode", lambda *_: pytest.fail("it was decoded again"))
    for chunk, before in zip(store.read(index, CANVAS, rows, batch=3), decoded, strict=True):
        np.testing.assert_array_equal(chunk.rows, before.rows)
        np.testing.assert_array_equal(chunk.pixels, before.pixels)
        assert chunk.broken == before.broken


def test_what_could_not_be_read_when_it_was_loaded_is_not_taken_from_the_cache(folder, monkeypatch):
    index, read = open_index(folder), FileReader.read

    def denied(files, name, offset, size):
        if name == "5.png":
            raise BrokenFileError(name, "Permission denied")
        return read(files, name, offset, size)

    monkeypatch.setattr(FileReader, "read", denied)
    load(index, CANVAS, 0.2)
    monkeypatch.setattr(FileReader, "read", read)
    (chunk,) = store.read(index, CANVAS, np.arange(20))
    assert chunk.pixels[:, 0, 0, 0].tolist() == GOOD


def test_another_canvas_or_a_file_replaced_in_place_is_decoded_anew(folder):
    assert load(open_index(folder), CANVAS, 0.2).pixels[0, 0, 0, 0] == 0
    assert load(open_index(folder), Canvas(8, 8, 3), 0.2).pixels.shape == (18, 3, 8, 8)
    before = folder.stat().st_mtime_ns
    Image.new("L", (4, 4), 200).save(folder / "0.png")
    assert folder.stat().st_mtime_ns == before
    assert load(open_index(folder), CANVAS, 0.2).pixels[0, 0, 0, 0] == 200


def test_a_file_that_could_not_be_read_is_tried_again_at_the_next_start(folder, monkeypatch):
    index, read = open_index(folder), FileReader.read

    def denied(files, name, offset, size):
        if name in ("5.png", "7.png"):
            raise BrokenFileError(name, "Permission denied")
        return read(files, name, offset, size)

    monkeypatch.setattr(FileReader, "read", denied)
    for _ in range(2):
        assert [item.id for item in load(index, CANVAS, 0.2).broken] == ["3.png", "5.png", "7.png", "11.png"]
    monkeypatch.setattr(FileReader, "read", read)
    assert load(index, CANVAS, 0.2).pixels[:, 0, 0, 0].tolist() == GOOD
    monkeypatch.setattr(store, "stream", lambda *_, **__: pytest.fail("it was decoded again"))
    assert len(load(index, CANVAS, 0.2)) == 18


def test_writing_to_the_pixels_leaves_the_cache_as_it_is(folder):
    load(open_index(folder), CANVAS, 0.2).pixels[:] = 99
    assert load(open_index(folder), CANVAS, 0.2).pixels[:, 0, 0, 0].tolist() == GOOD


def test_too_many_broken_files_are_refused_with_names_and_the_way_out(folder):
    with pytest.raises(TooManyBrokenError) as caught:
        load(open_index(folder), CANVAS)
    for part in ("2 of 20 files", "share of 0.1", "3.png: it is not an image", "11.png: ", "--max-broken 0.1"):
        assert part in str(caught.value)


def test_not_one_usable_file_is_refused_whatever_is_allowed(folder):
    with pytest.raises(TooManyBrokenError, match="Not one can be used"):
        load(open_index(folder).select([3]), CANVAS, max_broken=1.0)


@contextmanager
def room_for(size):
    """Files may not grow beyond `size` bytes: what a write meets is what it meets on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_reported_and_leaves_nothing_half_written(folder):
    index = open_index(folder)
    with room_for(200), pytest.raises(StorageError, match=r"cannot be written: File too large.*VSSL_CACHE"):
        load(index, CANVAS, 0.2)
    assert list(cache.cache_folder().iterdir()) == []
    assert len(load(index, CANVAS, 0.2)) == 18


def test_no_space_left_is_reported_with_the_folder(folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match=r"cache cannot be written: No space left"):
        load(open_index(folder), CANVAS, 0.2)
    assert list(cache.cache_folder().iterdir()) == []


def test_an_interrupted_start_leaves_nothing_that_a_later_one_trusts(folder):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(open_index(folder), CANVAS, 0.2, on_progress=interrupt)
    assert list(cache.cache_folder().iterdir()) == []


def test_two_that_build_the_same_entry_at_once_both_get_it_whole(folder):
    index = open_index(folder)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: load(index, CANVAS, 0.2).pixels[:, 0, 0, 0].tolist(), range(8)))
    assert results == [GOOD] * 8
    assert len(list(cache.cache_folder().iterdir())) == 1


@pytest.mark.slow
@pytest.mark.skipif(not INFRARED.exists(), reason="the infrared archive is not in ../shared/data")
def test_the_infrared_modules_are_read_as_they_are():
    index = open_index(INFRARED)
    canvas = choose_canvas(index)
    assert (len(index), index.ignored) == (20_000, {".json": 1, ".md": 1, "": 1})
    assert canvas == Canvas(40, 24, 1)
    data = load(index, canvas, workers=2)
    assert (data.pixels.shape, data.broken) == ((20_000, 1, 40, 24), [])
    last = np.asarray(Image.open(io.BytesIO(index.read(19_999))).convert("L"))
    assert np.array_equal(data.pixels[-1, 0], last)
