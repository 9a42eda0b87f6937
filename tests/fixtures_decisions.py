"""A tiny run with a policy, and the line it decides on. Loaded by `pytest_plugins`, with `fixtures_runs`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from vssl.run import Run


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory, draw_pictures: Callable[..., Path]) -> Path:
    """A list of 200 samples that the run has not seen: `label` ok or defect (40), `camera`, `block` and `time`."""
    folder = draw_pictures(tmp_path_factory.mktemp("line"), count=200, seed=1)
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*.png"))
    defect = np.arange(len(paths)) % 5 == 0
    for path in np.array(paths, dtype=object)[defect]:
        pixels = np.asarray(Image.open(folder / path)).copy()
        pixels[4:12, 4:12] = 255
        Image.fromarray(pixels).save(folder / path)
    pq.write_table(
        pa.table(
            {
                "path": [str(path) for path in paths],
                "label": np.where(defect, "defect", "ok"),
                "camera": [f"cam-{row // 5 % 2 + 1}" for row in range(len(paths))],
                "block": [f"lot-{row // 10}" for row in range(len(paths))],
                "time": pa.array(np.arange(len(paths)) / 8),
            }
        ),
        folder / "line.parquet",
    )
    return folder / "line.parquet"


@pytest.fixture
def changed(line: Path, tmp_path: Path) -> Callable[[pa.Table], Path]:
    """`changed(table)`: the line with another list, in a folder of its own."""

    def write(table: pa.Table) -> Path:
        folder = Path(shutil.copytree(line.parent, tmp_path / f"line-{len(list(tmp_path.iterdir()))}"))
        pq.write_table(table, folder / "line.parquet")
        return folder / "line.parquet"

    return write


@pytest.fixture
def ask() -> dict[str, float]:
    """A guarantee that a tiny calibration can keep."""
    return {"false_alarm": 0.1, "confidence": 0.9}


@pytest.fixture
def calibrated(trained: Run, line: Path, ask: dict[str, float]) -> Run:
    """A run with a policy from the normals of the line, with half of them as the bank."""
    from vssl import api

    api.calibrate(trained, f"{line}:label=ok", device="cpu", **ask)
    return trained
