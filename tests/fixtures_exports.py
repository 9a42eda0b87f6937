"""A tiny run with a policy of accept, review and reject, and its export. Loaded by `pytest_plugins`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from vssl.run import Run


@pytest.fixture(scope="session")
def decided_run(tiny_run: Run, line: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose policy has two thresholds."""
    from vssl import api

    run = Run(shutil.copytree(tiny_run.path, tmp_path_factory.mktemp("export") / "run"))
    promise = {"false_alarm": 0.1, "miss": 0.3, "confidence": 0.8}
    api.calibrate(run, f"{line}:label=ok", defects=f"{line}:label=defect", device="cpu", **promise)
    return run


@pytest.fixture(scope="session")
def exported(decided_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export in float32; not to be changed."""
    from vssl import api

    return api.export(decided_run, out=tmp_path_factory.mktemp("float32") / "export")
