"""Reads that fail: many in one process, and none ends it with a traceback or an abort."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path

from vssl.errors import VsslError
from vssl.modalities import sensors

config = sensors.Config(window="4", max_broken=0.0)
failed = 0
for path in sorted(Path(sys.argv[1]).iterdir()) * int(sys.argv[2]):
    try:
        sensors.build(config, sensors.measure(path, config)).load(path)
    except VsslError as error:
        failed += 1
        # What holds the frames of a read until the process ends.
        kept = error
        assert path.name in str(error), str(error)
print(failed)
sys.exit(2)
"""

ROWS = "".join(
    f"2026-01-05T{row // 3600:02d}:{row // 60 % 60:02d}:{row % 60:02d},{row / 7:.3f}\n" for row in range(60_000)
)
BROKEN = {
    "text.csv": ("time,x\n" + ROWS + "2026-01-05T20:00:00,bad\n" + "2026-01-05T20:00:01,1\n").encode(),
    "ragged.csv": ("time,x\n" + ROWS[:300_000] + "1\n" + ROWS[300_000:]).encode(),
    "twice.csv": ("time,x\n" + ROWS + ROWS).encode(),
    "empty.csv": b"",
    "header.csv": b"time,x\n",
    "binary.csv": bytes(range(256)) * 40,
    "zeros.csv": b"\0" * 5000,
    "utf16.csv": ("time,x\n" + ROWS[:5000]).encode("utf-16") + b"\xd8",
    "packed.csv.gz": b"\x1f\x8b\x08\x00" + b"no gzip" * 20,
    "plain.csv.xz": b"time,x\n1,2\n",
    "table.parquet": b"PAR1" + b"no table" * 40 + b"PAR1",
    "dates.csv": b"time,x\n" + b"".join(b"03/04/2024 08:00:%02d,1\n" % row for row in range(40)),
    "numbers.csv": b"x;y\n" + b"1,234;2,345\n" * 40,
    "year.csv": b"timestamp,x\n" + b"".join(b"17149824000000000%02d000,1.5\n" % row for row in range(40)),
    "none.csv": b"who,what\nkim,press\nlee,lathe\n",
}


@pytest.mark.parametrize("processes", range(5))
def test_forty_and_more_failing_reads_end_a_process_as_it_says(tmp_path: Path, processes: int):
    for name, content in BROKEN.items():
        (tmp_path / name).write_bytes(content)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), "3"],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "")
    assert int(done.stdout) == 3 * len(BROKEN)
