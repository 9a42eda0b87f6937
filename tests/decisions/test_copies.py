"""Copies among calibration samples: left out, refused, counted once; and whether the guarantee then holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from vssl import api
from vssl.decisions.copies import CalibrationSet, CopyFinder, marks, merge_copied_blocks, refuse_leakage
from vssl.decisions.samples import split_halves
from vssl.errors import DataError, NotEnoughDataError
from vssl.modalities import events, sensors
from vssl.modalities.copies import CopyMatches, ExactCopyDetector


def found(total: int, exact: int = 0, near: int = 0) -> CopyMatches:
    rows = np.arange(total)
    return CopyMatches(rows < exact, (rows >= exact) & (rows < exact + near))


@pytest.fixture
def hundred(embeddings_from):
    return embeddings_from("s", np.eye(100), content=pa.array([f"{row:016x}{row:016x}" for row in range(100)]))


@pytest.mark.parametrize(("exact", "near"), [(0, 0), (1, 0), (0, 25), (1, 24)])
def test_a_few_samples_that_were_seen_before_may_be_left_out(exact: int, near: int):
    refuse_leakage([str(row) for row in range(100)], found(100, exact, near), "normal samples", "the bank")


@pytest.mark.parametrize(
    ("exact", "near", "message"),
    [
        (2, 0, r"2 of 100 normal samples are in the bank too .0, 1.. They score lower"),
        (0, 26, r"26 of 100 normal samples are in the bank too .0, 1, 2, \.\.\..{3}26 of them as near copies .cropped"),
        (2, 3, r"5 of 100 .*, 3 of them as near copies"),
        (0, 100, r"100 of 100"),
    ],
)
def test_many_are_refused_with_their_names(exact: int, near: int, message: str):
    with pytest.raises(DataError, match=message):
        refuse_leakage([str(row) for row in range(100)], found(100, exact, near), "normal samples", "the bank")


def test_what_is_left_out_is_counted_and_said(hundred):
    class Copies(ExactCopyDetector):
        def seen(self, marks):
            return found(len(marks), 1, 7)

    caveats: list[str] = []
    table = hundred.table.append_column("signature", pa.array([b""] * 100, pa.binary()))
    finder = CopyFinder(Copies(None), None)
    left = finder.drop_leaked(finder.calibration_set(type(hundred)(table)), None, "defects", caveats)
    assert left.samples.ids == hundred.ids[8:]
    np.testing.assert_array_equal(left.units, np.arange(8, 100))
    assert caveats[0] == "1 defects were left out because they are in the training data."
    assert caveats[1].startswith("7 defects were left out because near copies of them")


def test_samples_without_traces_are_known_by_their_content(hundred):
    other = np.array([2**64 - 1], np.uint64)
    finder = CopyFinder(None, {"contents": other})  # type: ignore[arg-type]
    assert len(finder.drop_leaked(finder.calibration_set(hundred), None, "normal samples", [])) == 100
    with pytest.raises(DataError, match="in the bank too"):
        finder.drop_leaked(finder.calibration_set(hundred), hundred, "normal samples", [])
    assert len(marks(hundred)) == 100


def test_copies_are_never_on_both_sides_of_the_division(hundred):
    units = np.random.default_rng(0).integers(0, 30, 100)
    one, two = split_halves(CalibrationSet(hundred, units))
    assert not set(one.units) & set(two.units)
    assert len(one) + len(two) == 100
    assert 50 <= len(one) < 60


def test_blocks_of_which_most_is_copied_are_one():
    blocks = np.repeat(["a", "b", "c", "d"], 4)
    units = np.array([0, 1, 2, 3, 0, 1, 6, 7, 3, 9, 10, 11, 6, 7, 12, 13])
    numbers = merge_copied_blocks(blocks, units)
    assert numbers.reshape(4, 4)[:, 0].tolist() == [0, 0, 2, 0]  # c shares a single sample; d is like b, b like a


def test_too_few_that_differ_are_named_with_all_that_there_are():
    error = NotEnoughDataError(60, 299, "a guarantee", " A hint.", 300)
    assert str(error).startswith("300 samples, of which 60 differ (the others are copies of them), are not enough for")
    assert str(NotEnoughDataError(60, 299, "a guarantee", of=60)).startswith("60 samples are not enough")


def wave(path: Path, values: np.ndarray) -> Path:
    """A CSV file of two channels."""
    np.savetxt(path, values, fmt="%.3f", delimiter=",", header="a,b", comments="")
    return path


def series(seed: int, rows: int) -> np.ndarray:
    rng, time = np.random.default_rng(seed), np.arange(rows)
    waves = np.stack([np.sin(time / 9 + rng.uniform(0, 6)), np.cos(time / 14 + rng.uniform(0, 6))], 1)
    return waves + 0.15 * rng.normal(size=(rows, 2))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained on 3,000 rows, `train.csv` beside it."""
    folder = tmp_path_factory.mktemp("machine")
    api.train(
        wave(folder / "train.csv", series(0, 3000)), folder / "run", modality=sensors.Config(window="16"),
        steps=3, batch=32, device="cpu",
    )  # fmt: skip
    return folder / "run"


ASK = {"bank": "train", "block": "block", "false_alarm": 0.2, "score": "knn", "device": "cpu", "overwrite": True}


def test_training_rows_that_begin_a_row_later_are_refused(machine: Path, tmp_path: Path):
    with pytest.raises(DataError, match=r"of 746 normal samples are in the training data too .* as near copies"):
        api.calibrate(machine, wave(tmp_path / "later.csv", series(0, 3000)[3:]), **ASK)


def test_an_overlap_with_the_training_is_left_out_and_said(machine: Path, tmp_path: Path):
    mixed = np.concatenate([series(0, 3000)[2701:], series(5, 4000)])
    policy = api.calibrate(machine, wave(tmp_path / "mixed.csv", mixed), **ASK)
    (said,) = (caveat for caveat in policy.caveats if "left out" in caveat)
    assert 70 <= int(said.split()[0]) <= 76
    assert policy.samples["normal"] == 4299 // 4 - 3 - int(said.split()[0])


def test_a_bank_that_overlaps_with_the_normals_is_noticed_too(machine: Path, tmp_path: Path):
    normal = wave(tmp_path / "new.csv", series(5, 4000))
    bank = wave(tmp_path / "bank.csv", series(5, 4000)[5:3000])
    with pytest.raises(DataError, match="in the bank too"):
        api.calibrate(machine, normal, **(ASK | {"bank": bank}))


def test_a_file_that_is_there_twice_counts_once(machine: Path, tmp_path: Path):
    wave(tmp_path / "a.csv", series(5, 4000))
    once = api.calibrate(machine, tmp_path, **ASK).samples["normal blocks"]
    wave(tmp_path / "b.csv", series(5, 4000)[3:])
    policy = api.calibrate(machine, tmp_path, **ASK)
    assert once <= policy.samples["normal blocks"] <= once + 1
    assert any("normal blocks are copies of others" in caveat for caveat in policy.caveats)


def test_too_few_blocks_are_named_in_a_whole_sentence(machine: Path, tmp_path: Path):
    with pytest.raises(NotEnoughDataError, match="counted in blocks by block: it needs at least"):
        api.calibrate(machine, wave(tmp_path / "few.csv", series(5, 40)), **ASK)


def test_later_data_of_the_same_machine_are_neither_known_nor_copies(machine: Path, tmp_path: Path):
    policy = api.calibrate(machine, wave(tmp_path / "new.csv", series(5, 4000)), **ASK)
    assert policy.caveats == ()


@pytest.mark.parametrize("stamped", [True, False])
def test_lines_of_a_log_are_known_whichever_window_they_are_in(tmp_path: Path, stamped: bool):
    rng = np.random.default_rng(0)
    words = ("opened", "closed", "read", "sent", "lost", "found")

    def lines(start: int, count: int) -> list[str]:
        stamps = (
            f"2025-01-01 {at // 3600:02d}:{at // 60 % 60:02d}:{at % 60:02d} " for at in range(start, start + count)
        )
        return [(stamp if stamped else "") + f"{rng.choice(words)} {rng.integers(10**6)}" for stamp in stamps]

    def write(name: str, text: list[str]) -> Path:
        (tmp_path / name).write_text("\n".join(line for pair in text for line in (pair, "heartbeat")) + "\n")
        return tmp_path / name

    known, new = lines(0, 1000), lines(40_000, 3000)
    train = write("train.log", known)
    settings = {"modality": events.Config(), "steps": 2, "batch": 16, "device": "cpu"}
    run = api.train(train, tmp_path / "run", **settings)
    ask = {"bank": "train", "false_alarm": 0.05, "score": "knn", "device": "cpu", "overwrite": True}
    with pytest.raises(DataError, match="in the training data too"):
        api.calibrate(run, write("shifted.log", known[3:]), **ask)
    assert api.calibrate(run, write("new.log", new), **ask).caveats == ()
    policy = api.calibrate(run, write("both.log", [*known[903:], *new]), **ask)
    assert any("left out because near copies of them" in caveat for caveat in policy.caveats)


@pytest.mark.slow
@pytest.mark.parametrize("of", ["training", "normals"])
def test_the_promise_is_kept_with_a_fifth_of_copies_and_would_not_be_without_finding_them(of: str):
    from benchmarks.guarantees.calibration_with_copies import violations

    assert violations("series", of, True, 60, 1)["holds"]
    assert violations("series", of, False, 60, 1)["violation_rate"] > 0.2


@pytest.mark.slow
def test_hardly_any_copied_picture_counts_towards_the_promise():
    from benchmarks.guarantees.calibration_with_copies import false_alarms

    for of in ("training", "normals"):
        _, counted = false_alarms("pictures", of, True, np.random.default_rng(0))
        assert 185 <= counted <= 198
