import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vssl.errors import RunExistsError, RunNotFoundError, RunVersionError
from vssl.run import FORMAT, Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", {"status": "running", "versions": {"vssl": "0.1.0"}})


def add_table(run: Run, name: str) -> None:
    folder = run.path / "embeddings"
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table({"id": ["a"]}), folder / f"{name}.parquet")


def test_what_a_run_was_created_with_is_read_back(run: Run) -> None:
    assert Run(str(run.path)).info == {"format": FORMAT, "status": "running", "versions": {"vssl": "0.1.0"}}


def test_an_update_changes_what_it_names_and_keeps_the_rest(run: Run) -> None:
    run.update(status="done", health="healthy")
    info = Run(run.path).info
    assert info["status"] == "done"
    assert info["health"] == "healthy"
    assert info["versions"] == {"vssl": "0.1.0"}


def test_a_folder_without_a_run_is_named_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match=r"has no run\.json.*vssl train DATA --out"):
        Run(tmp_path)
    with pytest.raises(RunNotFoundError, match="nowhere"):
        Run(tmp_path / "nowhere")


def test_a_file_in_the_place_of_a_run_folder_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"")
    with pytest.raises(RunNotFoundError, match=r"photo\.png"):
        Run(tmp_path / "photo.png")


@pytest.mark.parametrize("written", [1, 2, FORMAT + 6])
def test_a_run_of_another_version_is_refused_unchanged_and_both_ways_out_are_named(run: Run, written: int) -> None:
    run.update(format=written)
    before = (run.path / "run.json").read_bytes()
    with pytest.raises(RunVersionError, match=rf"run format {written};.*reads format 4\..*vssl 0\.1\.0.*vssl train"):
        Run(run.path)
    assert (run.path / "run.json").read_bytes() == before


CORRUPTED = {
    "cut short": b'{"format": 1, "sta',
    "empty": b"",
    "another kind of JSON": b"[]",
    "not text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("content", CORRUPTED.values(), ids=CORRUPTED)
def test_a_corrupted_run_json_is_named(run: Run, content: bytes) -> None:
    (run.path / "run.json").write_bytes(content)
    with pytest.raises(RunVersionError, match=r"run\.json|run format"):
        Run(run.path)


def test_a_place_is_free_when_nothing_is_there_or_the_folder_is_empty(tmp_path: Path) -> None:
    Run.check_free(tmp_path / "new", overwrite=False)
    Run.check_free(tmp_path, overwrite=False)


def test_a_run_is_not_overwritten_unless_asked(run: Run) -> None:
    with pytest.raises(RunExistsError, match=r"vssl resume .*--overwrite"):
        Run.check_free(run.path, overwrite=False)
    with pytest.raises(RunExistsError):
        Run.create(run.path, {"status": "new"})
    assert Run(run.path).info["status"] == "running"
    Run.check_free(run.path, overwrite=True)


def test_a_folder_of_other_things_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("ten years of work")
    for overwrite in (False, True):
        with pytest.raises(RunExistsError, match="is not a run folder"):
            Run.create(tmp_path, {}, overwrite=overwrite)
    assert [item.name for item in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(RunExistsError, match="is a file"):
        Run.check_free(tmp_path / "file", overwrite=True)


def test_overwriting_takes_everything_of_the_old_run_away(run: Run) -> None:
    add_table(run, "train")
    for name in ("model.safetensors", "metrics.jsonl", "evaluation.json", "report.html"):
        (run.path / name).write_text("old")
    Run.create(run.path, {"status": "new"}, overwrite=True)
    assert [item.name for item in run.path.iterdir()] == ["run.json"]


def test_a_place_below_a_file_is_refused_by_the_files_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunExistsError, match="file is a file"):
        Run.create(tmp_path / "file" / "run", {})


def test_metrics_leave_out_a_last_line_that_was_cut_short(run: Run) -> None:
    assert run.metrics() == []
    lines = [json.dumps({"step": step}) + "\n" for step in (10, 20, 30)]
    (run.path / "metrics.jsonl").write_text("".join(lines)[:-4])
    assert run.metrics() == [{"step": 10}, {"step": 20}]


def test_missing_embeddings_are_answered_with_those_there_are(run: Run) -> None:
    with pytest.raises(RunNotFoundError, match=r"no embeddings 'test'.*none yet.*vssl embed RUN DATA"):
        run.embeddings("test")
    add_table(run, "train")
    add_table(run, "late")
    assert run.embedding_names() == ["late", "train"]
    assert run.embeddings("late").ids == ["a"]
    with pytest.raises(RunNotFoundError, match="There are: late, train"):
        run.embeddings("test")
