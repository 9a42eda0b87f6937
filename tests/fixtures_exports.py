"""A tiny run with a policy of accept, review and reject, and its export. Loaded by `pytest_plugins`."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving import log_lines
from vssl.run import Run


@pytest.fixture(scope="session")
def decided_run(tiny_run: Run, line: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose policy has two thresholds."""
    from vssl import api

    run = Run(shutil.copytree(tiny_run.path, tmp_path_factory.mktemp("export") / "run"))
    guarantee = {"false_alarm": 0.1, "miss": 0.3, "confidence": 0.8}
    api.calibrate(run, f"{line}:label=ok", defects=f"{line}:label=defect", device="cpu", **guarantee)
    return run


@pytest.fixture(scope="session")
def exported(decided_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export in float32; not to be changed."""
    from vssl import api

    return api.export(decided_run, out=tmp_path_factory.mktemp("float32") / "export")


@pytest.fixture(scope="session")
def series_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of a tiny run on series of two channels, with a policy; not to be changed."""
    from vssl import api
    from vssl.modalities import sensors

    folder = tmp_path_factory.mktemp("series")
    for name, rows in (("learn", 600), ("known", 1600)):
        values = np.random.default_rng(rows).normal(size=(rows, 2))
        pq.write_table(pa.table({"pressure": values[:, 0], "heat": values[:, 1]}), folder / f"{name}.parquet")
    run = api.train(
        folder / "learn.parquet",
        folder / "run",
        modality=sensors.Config(window="16", stride="16"),
        encoder="temporal/tiny",
        steps=5,
        batch=32,
        precision="float32",
        device="cpu",
    )
    api.calibrate(run, folder / "known.parquet", bank="train", false_alarm=0.1, device="cpu")
    return api.export(run)


@pytest.fixture(scope="session")
def log_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of a tiny run on a log in windows of 10 lines, with a policy; not to be changed."""
    from vssl import api
    from vssl.modalities import events

    folder = tmp_path_factory.mktemp("log")
    for name, lines in (("learn", 1500), ("known", 3000)):
        (folder / f"{name}.log").write_text("\n".join(log_lines(lines, seed=lines)) + "\n")
    run = api.train(
        folder / "learn.log",
        folder / "run",
        modality=events.Config(window="10"),
        encoder="event_transformer",
        steps=5,
        batch=32,
        precision="float32",
        device="cpu",
    )
    api.calibrate(run, folder / "known.log", bank="train", false_alarm=0.1, device="cpu")
    return api.export(run)
