"""Every script of `benchmarks/` starts, its record can be read again, and the pages have the tables of the records."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

from benchmarks.common.record import RESULTS, Record
from benchmarks.tables import TABLES
from benchmarks.tables.__main__ import PAGES, written
from vssl.errors import ConfigError

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
