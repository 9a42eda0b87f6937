"""Guarantees of the made-up controller."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from vssl.errors import ConfigError
from vssl.modalities import events
from vssl.modalities.events.demo import FAULTS, SESSION, Job, jobs, write


def messages(job: Job) -> list[str]:
    """The texts without cell and job."""
    return [text.split(" ", 2)[2] for _, text in job.lines]


def faulty(fault: str) -> list[Job]:
    return [job for job in jobs(0, 60, 1, 1.0) if job.fault == fault]


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_writes_the_same_bytes_and_another_one_does_not(tmp_path: Path):
    sizes = {"training": 30, "known": 10, "holdout": 30}
    one, same, other = (
        files_of(write(tmp_path / name, seed, **sizes)) for name, seed in (("one", 0), ("same", 0), ("other", 1))
    )
    assert one == same
    assert all(one[name] != other[name] for name in one)


def test_a_job_depends_on_the_settings_and_its_number_only():
    assert list(jobs(5, 3, 3, 0.5)) == list(jobs(0, 8, 3, 0.5))[5:]


def test_a_fault_changes_what_it_says_and_nothing_else():
    well = {job.name: job for job in jobs(0, 60, 1)}
    for job in jobs(0, 60, 1, 1.0):
        before, after = Counter(messages(well[job.name])), Counter(messages(job))
        gone, new = before - after, after - before
        if job.fault == "missing":
            assert [text.startswith("INFO clamp: closed") for text in gone] == [True]
        else:
            assert not gone
        assert {"repeated": 2, "alarm": 1}.get(job.fault, 0) == len(new)


def test_in_the_wrong_order_the_spindle_runs_before_the_clamp_closes():
    for job in faulty("order"):
        texts = messages(job)
        closed = next(row for row, text in enumerate(texts) if "closed" in text)
        assert texts.index("INFO spindle: at speed") < closed


def test_a_slow_spindle_takes_six_seconds_or_more_and_a_good_one_less_than_two():
    def seconds(job: Job) -> float:
        row = messages(job).index("INFO spindle: at speed")
        return (job.lines[row][0] - job.lines[row - 1][0]).total_seconds()

    assert min(map(seconds, faulty("slow"))) > 6
    assert max(map(seconds, jobs(0, 60, 1))) < 2


def test_every_fault_occurs_and_so_often_as_asked():
    found = Counter(job.fault for job in jobs(0, 2000, 2, 0.2))
    assert set(found) == {"none", *FAULTS}
    assert 1 - found["none"] / 2000 == pytest.approx(0.2, abs=0.03)


def test_the_lines_are_in_the_order_of_their_times_and_the_cells_work_at_once(tmp_path: Path):
    text = (write(tmp_path / "made", training=40, known=2, holdout=2) / "training.log").read_text()
    lines = text.splitlines()
    assert lines == sorted(lines, key=lambda line: line[:23])
    names = [re.search(SESSION, line)[0] for line in lines]  # type: ignore[index]
    assert sum(a != b for a, b in pairwise(names)) > 80


def test_the_truth_is_that_of_the_files(tmp_path: Path):
    folder = write(tmp_path / "made", training=4, known=2, holdout=60)
    truth = {row["job"]: row["fault"] for row in csv.DictReader((folder / "truth.csv").open())}
    for name in ("ok", "fault"):
        found = set(re.findall(SESSION, (folder / "holdout" / f"{name}.log").read_text()))
        assert found == {job for job, fault in truth.items() if (fault == "none") == (name == "ok")}


def test_the_templates_of_the_controller_are_found(tmp_path: Path):
    path = write(tmp_path / "made", training=200, known=2, holdout=2) / "training.log"
    config = replace(events.Config(), session=SESSION)
    spec = events.measure(path, config)
    found = {template.text.partition("<session> ")[2] for template in spec.templates}
    assert {"INFO spindle: at speed", "INFO clamp: opened", "INFO clamp: closed at <number> bar"} <= found
    assert len(events.build(config, spec).load(path)) == 200


def test_nothing_is_written_over_a_folder(tmp_path: Path):
    with pytest.raises(ConfigError, match="is there already"):
        write(tmp_path)
