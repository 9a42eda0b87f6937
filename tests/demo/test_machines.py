"""The demos with a machine's data, small."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from vssl.demo import tour
from vssl.errors import RunExistsError
from vssl.run import Run


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sensors", "events"])
def test_a_policy_is_made_kept_or_broken_and_said(kind: str, tmp_path: Path):
    terminal = Console(file=io.StringIO(), width=400)
    found = tour.demo(kind, tmp_path / "demo", steps=10, terminal=terminal)
    assert found[0].startswith("Guarantee: at most 1 % of normal")
    assert any(sentence.startswith("False alarms") and "Guaranteed: at most 1 %" in sentence for sentence in found)
    assert any("AUROC" in sentence for sentence in found)
    run = Run(tmp_path / "demo" / "run")
    assert run.info["settings"]["modality"]["name"] == kind
    assert found[-1] == f"Look at it: {run.path / 'report.html'}"
    said = terminal.file.getvalue()
    assert all(sentence in said for sentence in found)
    with pytest.raises(RunExistsError, match="--overwrite"):
        tour.demo(kind, tmp_path / "demo")
