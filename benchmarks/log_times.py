"""Whether the time of each line is that of the structured columns of LogHub's labelled samples.

    python benchmarks/log_times.py ../shared/data/event-logs

LogHub (Zhu et al. 2023, ISSRE, "Loghub: A large collection of system log datasets for AI-driven log analytics") has
2,000 lines of each of several systems, raw and divided into columns. What the columns say is read here by a format
that is written down for each system; what vssl reads is recognised from the raw lines alone.
"""

from __future__ import annotations

import csv
import io
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from vssl.modalities import events
from vssl.modalities.events.files import find_logs, read_lines
from vssl.modalities.events.reading import detect_parser, make_parser

Columns = Mapping[str, str]
ARCHIVE = "loghub-2k.tar.xz"


def _dated(form: str, *names: str) -> Callable[[Columns], float]:
    def second(row: Columns) -> float:
        text = " ".join(row[name] for name in names)
        year = "" if "%y" in form.lower() else "2000 "
        return datetime.strptime(year + text, ("%Y " if year else "") + form).replace(tzinfo=UTC).timestamp()

    return second


def _health(row: Columns) -> float:
    before, _, thousandths = row["Time"].rpartition(":")
    return _dated("%Y%m%d-%H:%M:%S", "Time")({"Time": before}) + int(thousandths) / 1000


TRUTH: dict[str, Callable[[Columns], float]] = {
    "Android": _dated("%m-%d %H:%M:%S.%f", "Date", "Time"),
    "Apache": _dated("%a %b %d %H:%M:%S %Y", "Time"),
    "BGL": _dated("%Y-%m-%d-%H.%M.%S.%f", "Time"),
    "HPC": lambda row: float(row["Time"]),
    "Hadoop": _dated("%Y-%m-%d %H:%M:%S,%f", "Date", "Time"),
    "HealthApp": _health,
    "Linux": _dated("%b %d %H:%M:%S", "Month", "Date", "Time"),
    "OpenSSH": _dated("%b %d %H:%M:%S", "Date", "Day", "Time"),
    "Spark": _dated("%y/%m/%d %H:%M:%S", "Date", "Time"),
    "Windows": _dated("%Y-%m-%d %H:%M:%S", "Date", "Time"),
    "Zookeeper": _dated("%Y-%m-%d %H:%M:%S,%f", "Date", "Time"),
}
"""How the columns of each system say the time; stamps without a year are in 2000, as vssl has them."""


def wrong_times(folder: Path, system: str) -> tuple[str, int, int]:
    """The clock that was recognised, the number of lines, and of those whose time is not that of the columns.

    Args:
        folder: With SYSTEM_2k.log and SYSTEM_2k.log_structured.csv.
    """
    path = folder / f"{system}_2k.log"
    reading = detect_parser(find_logs(path), events.Config())
    read = make_parser(reading)
    times = [read(row).time_s for row in read_lines(find_logs(path)[0])]
    text = (folder / f"{system}_2k.log_structured.csv").read_text()
    truth = [TRUTH[system](row) for row in csv.DictReader(io.StringIO(text))]
    assert len(times) == len(truth)
    wrong = sum(own is None or abs(own - true) > 1e-3 for own, true in zip(times, truth, strict=True))
    return reading.timestamp_format, len(truth), wrong


def unpacked(data: Path, folder: Path) -> Path:
    """The raw lines and the columns of all systems in one folder."""
    with tarfile.open(data / ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    made = folder / "loghub-2k"
    for path in (data / "raw").glob("*_2k.log"):
        (made / path.name).write_bytes(path.read_bytes())
    return made


def main(data: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = unpacked(data, Path(folder))
        for system in TRUTH:
            clock, lines, wrong = wrong_times(made, system)
            print(f"{system:10} {clock:8} {wrong:5,} of {lines:,} lines with another time")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
