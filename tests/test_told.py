"""What is left out is said, once, by every verb; bad input ends with status 2 and a message, whatever the verb."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from vssl import api
from vssl.cli import main
from vssl.modalities import images
from vssl.modalities.images.modality import ImageModality
from vssl.reporting.page import build
from vssl.run import Run

pytest_plugins = ["fixtures_runs", "fixtures_decisions"]

NOTE = "3 files were left aside: .raw"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Console], object]], str]:
    """`told(verb)`: what a verb says on a terminal while each source has a note."""
    monkeypatch.setattr(ImageModality, "notes", lambda self, source: [NOTE])

    def run(verb: Callable[[Console], object]) -> str:
        console = Console(file=io.StringIO(), width=200)
        verb(console)
        return console.file.getvalue()

    return run


def test_training_and_resuming_say_how_data_were_read(photos: Path, tmp_path: Path, told, quick) -> None:
    (photos / "kind-0" / "000.png").write_text("no picture")
    lenient = images.Config(max_broken=0.1)
    said = told(lambda console: api.train(photos, tmp_path / "run", modality=lenient, terminal=console, **quick))
    assert said.count(NOTE) == 1
    assert (
        said.count(f"Note on {photos.name}: 1 sample or file cannot be read and has no embedding: kind-0/000.png") == 1
    )
    run = Run(tmp_path / "run")
    assert run.notes == [NOTE]
    run.update(status="interrupted")
    assert told(lambda console: api.resume(run, terminal=console)).count(NOTE) == 1


def test_embedding_calibrating_and_deciding_say_it_once_for_each_source(trained: Run, line: Path, told, ask) -> None:
    other = trained.info["source"]
    said = told(lambda console: api.embed(trained, other, terminal=console))
    assert said.count(NOTE) == 1
    assert trained.embeddings("train").notes == [NOTE]

    normal, defects = f"{line}:label=ok", f"{line}:label=defect"
    settings = {**ask, "miss": 0.5, "confidence": 0.8, "device": "cpu"}
    said = told(lambda console: api.calibrate(trained, normal, defects=defects, terminal=console, **settings))
    assert said.count(NOTE) == 1
    said = told(lambda console: api.decide(trained, line, name="line", device="cpu", terminal=console))
    assert said.count(NOTE) == 1
    assert list(api.decide(trained, line, name="line", device="cpu").notes) == [NOTE]
    page = build(trained, lambda ids: [None for _ in ids], "line").read_text()
    assert NOTE in page


def test_drawing_views_says_it(photos: Path, tmp_path: Path, told) -> None:
    assert told(lambda console: api.views(photos, tmp_path / "views.png", terminal=console)).count(NOTE) == 1


def numbers(at: Path) -> Path:
    at.write_text("time,heat\n" + "".join(f"{row},{row}.5\n" for row in range(40)))
    return at


def binary(at: Path) -> Path:
    at.write_bytes(b"\0\1\2" * 100)
    return at


def text(at: Path, words: str) -> Path:
    at.write_text(words)
    return at


def parquet(at: Path, **columns: list) -> Path:
    pq.write_table(pa.table(columns), at)
    return at


BAD: dict[str, Callable[[Path], list[str]]] = {
    "no such folder": lambda at: ["train", str(at / "gone")],
    "an empty folder": lambda at: ["train", str(at)],
    "a log for pictures": lambda at: ["train", str(text(at / "x.log", "started\nstopped\n"))],
    "series for pictures": lambda at: ["train", str(numbers(at / "x.csv"))],
    "an empty list": lambda at: ["train", str(text(at / "x.csv", ""))],
    "a list of pictures that are gone": lambda at: ["train", str(text(at / "x.csv", "path\na.png\n"))],
    "a broken archive": lambda at: ["train", str(binary(at / "x.zip"))],
    "a broken Parquet list": lambda at: ["train", str(binary(at / "x.parquet"))],
    "broken pictures": lambda at: ["train", str(binary(at / "x.png"))],
    "pictures for series": lambda at: ["train", str(binary(at / "x.png")), "--modality", "sensors"],
    "text for series": lambda at: ["train", str(text(at / "x.csv", "a log\nof words\n")), "--modality", "sensors"],
    "a header for series": lambda at: ["train", str(text(at / "x.csv", "a,b\n")), "--modality", "sensors"],
    "an empty file for series": lambda at: ["train", str(text(at / "x.csv", "")), "--modality", "sensors"],
    "texts in Parquet for series": lambda at: [
        *("train", str(parquet(at / "x.parquet", name=["a", "b"])), "--modality", "sensors"),
    ],
    "no rows in Parquet for series": lambda at: [
        *("train", str(parquet(at / "x.parquet", heat=[])), "--modality", "sensors"),
    ],
    "broken Parquet for series": lambda at: ["train", str(binary(at / "x.parquet")), "--modality", "sensors"],
    "a ragged table": lambda at: ["train", str(text(at / "x.csv", "a,b\n1,2\n1,2,3\n")), "--modality", "sensors"],
    "too few rows": lambda at: ["train", str(text(at / "x.csv", "a,b\n1,2\n3,4\n")), "--modality", "sensors"],
    "a binary file for logs": lambda at: ["train", str(binary(at / "x.log")), "--modality", "events"],
    "an empty log": lambda at: ["train", str(text(at / "x.log", "")), "--modality", "events"],
    "a broken compressed log": lambda at: ["train", str(binary(at / "x.log.gz")), "--modality", "events"],
    "views of a log": lambda at: ["views", str(text(at / "x.log", "started\n"))],
    "no run": lambda at: ["embed", str(at / "run"), str(at)],
    "no such kind of data": lambda at: ["train", str(at), "--modality", "sounds"],
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_ends_with_status_2_and_a_message(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], what: str
) -> None:
    arguments = BAD[what](tmp_path)
    verb = ["--out", str(tmp_path / "out.png")] if arguments[0] == "views" else ["--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, *(verb if arguments[0] != "embed" else [])])
    said = capfd.readouterr().err
    assert ended.value.code == 2, said
    assert "Error: " in said
    assert "Traceback" not in said
    assert not (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.parametrize("damage", ["gone", "text", "empty"])
def test_data_that_break_later_end_every_verb_with_a_message(
    trained: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str], damage: str
) -> None:
    folder = tmp_path / "data"
    if damage != "gone":
        folder.mkdir()
        for row in range(3):
            (folder / f"{row}.png").write_text("" if damage == "empty" else "no picture")
    for verb in (["embed", str(trained.path), str(folder)], ["calibrate", str(trained.path), "--normal", str(folder)]):
        with pytest.raises(SystemExit) as ended:
            main(verb)
        said = capfd.readouterr().err
        assert ended.value.code == 2, said
        assert "Error: " in said
        assert "Traceback" not in said
