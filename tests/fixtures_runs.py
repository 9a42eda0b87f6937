"""The tiny run and its data as a test's own copies, to be changed at will. Loaded by `pytest_plugins`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from vssl.run import Run


@pytest.fixture
def trained(tiny_run: Run, tmp_path: Path) -> Run:
    """The run."""
    return Run(shutil.copytree(tiny_run.path, tmp_path / "trained"))


@pytest.fixture
def photos(tiny_run: Run, tmp_path: Path) -> Path:
    """The pictures that it was trained on, in the folders kind-0 to kind-3; sizes and times of change are the same."""
    return Path(shutil.copytree(tiny_run.info["source"], tmp_path / "photos"))


@pytest.fixture(scope="session")
def quick() -> dict[str, Any]:
    """Settings for `api.train` with which a run takes a fraction of a second."""
    return {"encoder": "convnet/tiny", "steps": 12, "batch": 16, "device": "cpu", "precision": "float32"}
