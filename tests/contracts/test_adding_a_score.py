"""Adding a score with a column of its own takes two files: the score, and the declaration of the column."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vssl
from vssl.run import Run

pytest_plugins = ["fixtures_runs", "fixtures_decisions"]
pytestmark = pytest.mark.slow

COLUMN = """
    Column("feature_length", "float32", "length of `features`", lambda view: view.features.norm(dim=1)),
)


def columns_of_view("""

SCORE = '''
"""Feature length: the length of the features, negated."""

from dataclasses import dataclass

from torch import nn

from vssl.scores.base import Score, ScoreConfig


class Negative(nn.Module):
    def forward(self, column):
        return -column.double()


@dataclass(frozen=True)
class Config(ScoreConfig):
    """Minus the length of the features."""

    columns = ("feature_length",)
    uses_bank = False
    meaning = "Minus the length of the features."


EVALUATED = {"feature_length": Config()}


def fit(_config, bank):
    return Score(("feature_length",), Negative())
'''

USE = """
import sys, numpy as np, vssl
from vssl import runtime
run, line = sys.argv[1:]
vssl.calibrate(run, line + ":label=ok", device="cpu", false_alarm=0.1, confidence=0.9, score="feature_length")
decisions = vssl.decide(run, line, name="line", device="cpu").table
samples = vssl.Run(run).embeddings("line")
np.testing.assert_array_equal(decisions["score"].to_numpy(), -samples.numpy("feature_length").astype(float))
decider = runtime.load(vssl.export(run))
raw = vssl.load(run, "cpu").modality.load(line).batch(np.arange(20)).numpy()
outputs = decider.outputs(raw)
np.testing.assert_allclose(outputs["feature_length"], samples.numpy("feature_length")[:20], rtol=1e-4)
np.testing.assert_allclose(outputs["score"], -outputs["feature_length"])
"""


def test_two_files_add_a_score_with_a_column_that_is_embedded_decided_by_and_exported(
    trained: Run, line: Path, tmp_path: Path
) -> None:
    home = tmp_path / "src" / "vssl"
    shutil.copytree(Path(vssl.__file__).parent, home, ignore=shutil.ignore_patterns("__pycache__"))
    (home / "scores" / "feature_length.py").write_text(SCORE.lstrip())
    columns = home / "types" / "columns.py"
    declared = columns.read_text()
    columns.write_text(declared.replace("\n)\n\n\ndef columns_of_view(", COLUMN, 1))
    assert columns.read_text() != declared

    environment = os.environ | {"PYTHONPATH": str(home.parent)}
    command = [sys.executable, "-c", USE, str(trained.path), str(line)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
