"""The times of real logs are those of their structured columns, line by line.

LogHub (Zhu et al. 2023, ISSRE, "Loghub: A large collection of system log datasets for AI-driven log analytics") has
2,000 lines of each of several systems, raw and divided into columns. Here the columns are read by a format that is
written down for each system, and the raw lines by what vssl recognises.
"""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vssl.modalities import events
from vssl.modalities.events.files import find_logs, read_lines
from vssl.modalities.events.reading import detect_parser, make_parser

DATA = Path(__file__).parents[4] / "shared" / "data" / "event-logs"
ARCHIVE = DATA / "loghub-2k.tar.xz"
Columns = Mapping[str, str]


def dated(form: str, *names: str) -> Callable[[Columns], float]:
    def second(row: Columns) -> float:
        text = " ".join(row[name] for name in names)
        year = "" if "%y" in form.lower() else "2000 "
        return datetime.strptime(year + text, ("%Y " if year else "") + form).replace(tzinfo=UTC).timestamp()

    return second


def of_health_app(row: Columns) -> float:
    seconds, _, thousandths = row["Time"].rpartition(":")
    return dated("%Y%m%d-%H:%M:%S", "Time")({"Time": seconds}) + int(thousandths) / 1000


# How the columns of each system say the time; stamps without a year are in 2000, as vssl has them.
SYSTEMS: dict[str, tuple[str, Callable[[Columns], float]]] = {
    "Android": ("android", dated("%m-%d %H:%M:%S.%f", "Date", "Time")),
    "Apache": ("ctime", dated("%a %b %d %H:%M:%S %Y", "Time")),
    "BGL": ("dotted", dated("%Y-%m-%d-%H.%M.%S.%f", "Time")),
    "HPC": ("epoch", lambda row: float(row["Time"])),
    "Hadoop": ("iso", dated("%Y-%m-%d %H:%M:%S,%f", "Date", "Time")),
    "HealthApp": ("health", of_health_app),
    "Linux": ("syslog", dated("%b %d %H:%M:%S", "Month", "Date", "Time")),
    "OpenSSH": ("syslog", dated("%b %d %H:%M:%S", "Date", "Day", "Time")),
    "Spark": ("yy md", dated("%y/%m/%d %H:%M:%S", "Date", "Time")),
    "Windows": ("iso", dated("%Y-%m-%d %H:%M:%S", "Date", "Time")),
    "Zookeeper": ("iso", dated("%Y-%m-%d %H:%M:%S,%f", "Date", "Time")),
}


@pytest.fixture(scope="module")
def loghub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw lines and the columns of all systems in one folder."""
    if not ARCHIVE.is_file():
        pytest.skip(f"needs LogHub's labelled samples in {ARCHIVE}")
    folder = tmp_path_factory.mktemp("loghub")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    for path in (DATA / "raw").glob("*_2k.log"):
        (folder / "loghub-2k" / path.name).write_bytes(path.read_bytes())
    return folder / "loghub-2k"


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_line_has_the_time_of_its_columns(loghub: Path, system: str):
    clock, time_of = SYSTEMS[system]
    path = loghub / f"{system}_2k.log"
    reading = detect_parser(find_logs(path), events.Config())
    read = make_parser(reading)
    times = [read(row).time_s for row in read_lines(find_logs(path)[0])]
    text = (loghub / f"{system}_2k.log_structured.csv").read_text()
    truth = [time_of(row) for row in csv.DictReader(io.StringIO(text))]
    assert reading.timestamp_format == clock
    assert len(times) == 2000
    assert times == pytest.approx(truth, abs=1e-3, rel=0)
