"""Every script of `benchmarks/` starts, its record can be read again, and the pages have the tables of the records."""

from __future__ import annotations

import importlib
import json
import lzma
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tyro

from benchmarks.common.record import RESULTS, Record
from benchmarks.tables import TABLES
from benchmarks.tables.__main__ import PAGES, written
from vssl.errors import ConfigError
from vssl.modalities.images.demo.inspection import Line, write
from vssl.run import Run

pytest_plugins = ["fixtures_runs", "fixtures_decisions", "fixtures_exports"]

ROOT = Path(__file__).parents[1]
SCRIPTS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "benchmarks").rglob("*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
]
RUN_KEYS = {"command", "date", "versions", "machine", "seeds", "settings"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_explains_itself(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    assert ended.value.code == 0
    assert "usage" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_every_record_has_the_one_format(path: Path):
    record = Record.read(path)
    assert record.runs
    assert all(run.keys() - {"note"} == RUN_KEYS for run in record.runs)
    assert {row["run"] for row in record.rows} == set(range(len(record.runs)))


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_of_a_page_are_those_of_the_records(page: str):
    assert written(page) == (ROOT / page).read_text(encoding="utf-8"), "run python -m benchmarks.tables"


def test_every_table_is_on_a_page():
    pages = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in TABLES if f"<!-- table: {name} -->" not in pages] == []


def test_a_table_that_does_not_exist_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "page.md").write_text("<!-- table: nothing -->\n<!-- end of table -->\n")
    monkeypatch.setattr("benchmarks.tables.__main__.ROOT", tmp_path)
    with pytest.raises(ConfigError, match=r"page\.md: there is no table 'nothing'"):
        written("page.md")


def test_a_row_is_on_the_disk_when_it_is_added(tmp_path: Path):
    record = Record.create(tmp_path / "a.json", seeds=(0,), steps=3, data=tmp_path)
    record.add({"figure": 0.5})
    stored = json.loads((tmp_path / "a.json").read_text())
    assert stored["rows"] == [{"run": 0, "figure": 0.5}]
    (run,) = stored["runs"]
    assert (run["seeds"], run["settings"]) == ([0], {"steps": 3, "data": str(tmp_path)})


def test_a_resumed_record_keeps_its_rows_and_says_which_run_measured_them(tmp_path: Path):
    first = Record.create(tmp_path / "a.json", seeds=(0,))
    first.add({"seed": 0, "figure": 1.0})
    second = Record.resume(tmp_path / "a.json", seeds=(0, 1))
    assert second.holds(seed=0)
    assert not second.holds(seed=1)
    second.add({"seed": 1, "figure": 2.0})
    record = Record.read(tmp_path / "a.json")
    assert [(row["run"], row["figure"]) for row in record.rows] == [(0, 1.0), (1, 2.0)]
    assert [run["seeds"] for run in record.runs] == [[0], [0, 1]]


def test_a_run_without_rows_leaves_the_record_as_it_was(tmp_path: Path):
    Record.create(tmp_path / "a.json").add({"figure": 1.0})
    before = (tmp_path / "a.json").read_bytes()
    Record.create(tmp_path / "a.json", steps=2)
    assert (tmp_path / "a.json").read_bytes() == before


@pytest.fixture
def measured(tmp_path: Path) -> Callable[..., Record]:
    """`measured(script, *arguments)`: the record that a script writes."""

    def run(script: str, *arguments: object) -> Record:
        module = importlib.import_module(f"benchmarks.{script}")
        out = tmp_path / "record.json"
        module.main(tyro.cli(module.Options, args=[*map(str, arguments), "--out", str(out)]))
        return Record.read(out)

    return run


@pytest.mark.slow
def test_bounds_are_measured(measured):
    record = measured("guarantees.bounds", "--calibrations", 5, "--sizes", 50, 300, "--rates", 0.1)
    assert len(record.rows) == 5 * 3 * 2
    assert all(row["holds"] for row in record.rows if row["bound"] == "conformal")


@pytest.mark.slow
def test_the_guarantee_is_measured_with_several_pictures_per_part(measured):
    rows = measured("guarantees.dependent_samples", "--calibrations", 10).rows
    assert [row["holds"] for row in rows if row["blocks"]] == [True] * 3
    assert rows[-2]["block_proposed_rate"] == 1


@pytest.mark.slow
def test_methods_take_steps_in_turns(measured, pictures: Path):
    rows = measured("speed.objectives", pictures, "--methods", "vssl", "simclr", "--turns", 3).rows
    assert [row["method"] for row in rows] == ["vssl", "simclr"]
    assert rows[0]["ratio"] == [1, 1, 1]


@pytest.mark.slow
def test_reading_logs_is_measured_in_processes_of_their_own(measured):
    rows = measured("speed.events", "--lines", 2_000).rows
    assert [row["mode"] for row in rows] == ["windows", "sessions"]
    assert all(row["read_lines_per_s"] > 0 and row["memory_mib"] < 100 for row in rows)


@pytest.mark.slow
def test_a_marked_stretch_of_a_series_is_measured_once(measured, tmp_path: Path):
    rng = np.random.default_rng(0)
    for part, count in (("train", 2_000), ("test", 1_000)):
        values = np.sin(np.arange(count) / 9) + 0.1 * rng.normal(size=count)
        truth = (np.arange(count) // 50 == 10) & (part == "test")
        columns = {"metric": values + 3 * truth} | ({"anomaly": truth.astype(int)} if part == "test" else {})
        pq.write_table(pa.table(columns), tmp_path / f"server-01.{part}.parquet")
    arguments = ("quality.series", "servers", tmp_path, "--seeds", 0, "--steps", 2, "--no-rivals")
    record = measured(*arguments)
    assert {row["score"] for row in record.rows} > {"novelty", "ambiguity"}
    assert max(row["vus_pr"] for row in record.rows) > 0.5
    assert measured(*arguments).rows == record.rows


@pytest.mark.slow
def test_sessions_are_ranked_beside_detectors_that_count(measured, tmp_path: Path):
    rng = np.random.default_rng(0)
    for name, kinds in (("train", 6), ("test_normal", 6), ("test_abnormal", 9)):
        lines = (" ".join(map(str, rng.integers(1, kinds, 20))) for _ in range(40))
        with lzma.open(tmp_path / f"{name}.txt.xz", "wt") as file:
            file.writelines(f"{number},{line}\n" for number, line in enumerate(lines))
    rows = measured(
        "quality.event_logs", "hadoop", tmp_path, "--seeds", 0, "--steps", 1, "--runs", tmp_path / "runs"
    ).rows
    auroc = {row["score"]: row["auroc"] for row in rows}
    assert auroc["new event"] > 0.9
    assert "novelty" in auroc


@pytest.mark.slow
def test_one_class_is_told_from_the_others(measured, draw_pictures: Callable[..., Path], tmp_path: Path):
    for seed, part in enumerate(("train", "test")):
        draw_pictures(tmp_path / "data" / part, count=64, seed=seed)
    rows = measured("quality.cifar_one_class", tmp_path / "data", "--steps", 2, "--runs", tmp_path / "runs").rows
    assert {"kind-0", "auroc"} < rows[0].keys()


@pytest.mark.slow
def test_mirrored_digits_are_scored(measured, tmp_path: Path):
    importlib.import_module("benchmarks.data.digits").main(tmp_path / "digits", count=100)
    rows = measured("quality.mirror_ood", tmp_path / "digits", "--seeds", 0, "--steps", 2).rows
    assert [row["views"] for row in rows] == ["inspection", "upright"]


@pytest.mark.slow
def test_raw_pixels_are_evaluated(measured, pictures: Path):
    (row,) = measured("quality.rivals", "pixels", pictures, "--modality.label-from", "folder").rows
    assert row["values"]["knn/accuracy"] > 0.5


@pytest.mark.slow
def test_corrupted_pictures_are_decided_on(measured, decided_run: Run, line: Path):
    (row,) = measured("quality.corruptions", decided_run.path, line, "--samples", 20).rows
    assert {"unchanged", "pure noise"} < row["rejected"].keys()


@pytest.mark.slow
def test_exports_are_compared_with_their_run(measured, decided_run: Run, line: Path):
    rows = measured("speed.exports", decided_run.path, line, "--turns", 1, "--starts", 1).rows
    assert [row["precision"] for row in rows] == ["float32", "int8", "float16, encoder"]
    assert rows[0]["decided"]["flips"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("script", ["quality.oracle_variance", "quality.whitening_exponent"])
def test_tables_of_embeddings_are_studied(measured, embeddings_from, tmp_path: Path, script: str):
    rng, labels = np.random.default_rng(0), [f"class {row % 3}" for row in range(300)]
    for name in ("training", "test"):
        features = rng.normal(size=(300, 8)) + 2 * np.eye(3, 8)[np.arange(300) % 3]
        table = embeddings_from(name, features, log_variance=rng.normal(size=(300, 8)), label=pa.array(labels)).table
        pq.write_table(table, tmp_path / f"{name}.parquet")
    rows = measured(script, tmp_path / "training.parquet", tmp_path / "test.parquet").rows
    assert all(0 <= row.get("r_auroc", row.get("auroc")) <= 1 for row in rows)


@pytest.mark.slow
def test_the_demos_masks_show_where_a_map_is_right(tmp_path: Path, quick):
    from benchmarks.quality import localise
    from vssl import api

    write(Line(seed=0), tmp_path / "parts", 40, labelled=True)
    api.train(tmp_path / "parts" / "parts.csv", tmp_path / "run", **quick)
    localise.main(tmp_path, parts=60, out=tmp_path / "record.json")
    (maps, *pictures) = Record.read(tmp_path / "record.json").rows
    assert 0 <= maps["aupro_0.3"] <= 1
    assert {row["score"] for row in pictures} > {"novelty", "patches"}
