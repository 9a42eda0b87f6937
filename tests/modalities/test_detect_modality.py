"""Data of another kind than was asked for are answered with the --modality to give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from vssl import api
from vssl.errors import DataError
from vssl.modalities.detect_modality import advice, count_kinds


def numbers(rows: int = 50, mark: str = ",", decimal: str = ".") -> str:
    lines = [mark.join(["time", "pressure", "heat"])]
    lines += [mark.join([f"2024-05-06 08:{row:02d}:00", f"{row}{decimal}25", str(7 - row)]) for row in range(rows)]
    return "\n".join(lines) + "\n"


def log(rows: int = 50) -> str:
    lines = [f"2024-05-06 08:00:{row:02d},{row:03d} INFO door {row} opened, then closed" for row in range(rows)]
    return "\n".join(lines) + "\n"


def parquet(at: Path, **columns: list) -> Path:
    pq.write_table(pa.table(columns), at)
    return at


WRITE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a log": (lambda at: (at / "x.log").write_text(log()), "events"),
    "a log without a suffix": (lambda at: (at / "messages").write_text(log()), "events"),
    "a log named as text": (lambda at: (at / "x.txt").write_text(log()), "events"),
    "lines of a level and a message": (
        lambda at: (at / "x.csv").write_text("level,message\n" + "INFO,door opened\nWARN,hot\n" * 20),
        "events",
    ),
    "a table of numbers": (lambda at: (at / "x.csv").write_text(numbers()), "sensors"),
    "decimal commas": (lambda at: (at / "x.csv").write_text(numbers(mark=";", decimal=",")), "sensors"),
    "UTF-16": (lambda at: (at / "x.csv").write_text(numbers(mark="\t"), encoding="utf-16"), "sensors"),
    "a preamble": (lambda at: (at / "x.csv").write_text("Device: pump 7\nOperator: A. B.\n\n" + numbers()), "sensors"),
    "one column": (lambda at: (at / "x.csv").write_text("\n".join(f"{row}.5" for row in range(40))), "sensors"),
    "Parquet": (lambda at: parquet(at / "x.parquet", heat=[1.0, 2.0]), "sensors"),
    "a picture": (lambda at: Image.new("RGB", (8, 8)).save(at / "x.png"), "images"),
    "a list of pictures": (lambda at: (at / "x.csv").write_text("path,label\na.png,1\nb.png,0\n"), "images"),
    "a list in Parquet": (lambda at: parquet(at / "x.parquet", path=["a.png"]), "images"),
    "something unknown": (lambda at: (at / "x.bin").write_bytes(b"\0\1"), ""),
    "nothing": (lambda at: None, ""),
}


@pytest.mark.parametrize("what", WRITE)
def test_a_kind_of_data_is_recognised(tmp_path: Path, what: str) -> None:
    write, expected = WRITE[what]
    write(tmp_path)
    assert set(count_kinds(tmp_path)) == ({expected} if expected else set())


@pytest.mark.parametrize("what", [what for what, (_, kind) in WRITE.items() if kind])
def test_training_with_the_wrong_kind_names_the_right_one(tmp_path: Path, what: str) -> None:
    write, expected = WRITE[what]
    (tmp_path / "data").mkdir()
    write(tmp_path / "data")
    for asked in {"images", "sensors"} - {expected}:
        with pytest.raises(DataError, match=f"--modality {expected} "):
            api.train(tmp_path / "data", tmp_path / "run", modality=asked, steps=1, device="cpu")


def test_one_file_is_answered_too(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text(log())
    with pytest.raises(DataError, match=r'event logs: add --modality events \(in Python: modality="events"\)'):
        api.train(path, tmp_path / "run", steps=1)
    with pytest.raises(DataError, match="--modality events"):
        api.views(path, tmp_path / "views.png")


def test_a_mixture_is_said_to_be_one(tmp_path: Path) -> None:
    for row in range(3):
        (tmp_path / f"{row}.log").write_text(log())
    parquet(tmp_path / "x.parquet", heat=[1.0])
    found = advice(tmp_path, "images")
    assert found == (
        "There are files of several kinds: 3 event logs and 1 series of numbers. Give one kind at a time; for the "
        'event logs, add --modality events (in Python: modality="events").'
    )


def test_nothing_is_said_where_the_asked_kind_is_there(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text(log())
    assert advice(tmp_path, "events") == ""
    assert advice(tmp_path / "gone", "images") == ""
