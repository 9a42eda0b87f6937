"""The times of real logs are those of their structured columns, line by line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
DATA = Path(__file__).parents[4] / "shared" / "data" / "event-logs"


@pytest.fixture(scope="module")
def loghub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sys.path.insert(0, str(BENCHMARKS))
    import log_times

    if not (DATA / log_times.ARCHIVE).is_file():
        pytest.skip(f"needs LogHub's labelled samples in {DATA / log_times.ARCHIVE}")
    return log_times.unpacked(DATA, tmp_path_factory.mktemp("loghub"))


@pytest.mark.parametrize(
    ("system", "clock"),
    [
        ("Android", "android"), ("Apache", "ctime"), ("BGL", "dotted"), ("HPC", "epoch"), ("Hadoop", "iso"),
        ("HealthApp", "health"), ("Linux", "syslog"), ("OpenSSH", "syslog"), ("Spark", "yy md"), ("Windows", "iso"),
        ("Zookeeper", "iso"),
    ],
)  # fmt: skip
def test_every_line_has_the_time_of_its_columns(loghub: Path, system: str, clock: str):
    import log_times

    assert log_times.wrong_times(loghub, system) == (clock, 2000, 0)
