"""The run folder: what training leaves behind and every later stage reads. All writes are atomic.

RUN/run.json               settings, specification of the data, versions, seed, fingerprint, status
RUN/model.safetensors      student, teacher, heads
RUN/training_index.safetensors  hashes by which the training samples are recognised
RUN/state/                 what resuming needs
RUN/metrics.jsonl          one line a logging step
RUN/embeddings/*.parquet   id, features, mean, log_variance, ambiguity, metadata
RUN/evaluation.json        the judges' figures
RUN/policy.json            thresholds, and what they guarantee
RUN/calibration/*.parquet  the samples that the policy stands on
RUN/decisions/*.parquet    id, decision, p_value, score, nearest
RUN/predictions/*.parquet  id, labels, decided, best, probability
RUN/report.html            one self-contained page
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from vssl.errors import RunExistsError, RunNotFoundError, RunVersionError
from vssl.files import write_json
from vssl.types import Embeddings

FORMAT = 3


class Run:
    """An existing run folder.

    Attributes:
        path: The folder.
        info: The content of run.json.
    """

    def __init__(self, path: str | Path) -> None:
        """Open the run folder at `path`.

        Raises:
            RunNotFoundError: There is no run.json.
            RunVersionError: The folder was written by an incompatible version.
        """
        self.path = Path(path)
        try:
            self.info: dict[str, Any] = json.loads((self.path / "run.json").read_text())
        except (FileNotFoundError, NotADirectoryError) as error:
            raise RunNotFoundError(
                f"{self.path} is not a run folder: it has no run.json. Train one: vssl train DATA --out {self.path}"
            ) from error
        except ValueError as error:
            raise RunVersionError(f"{self.path}/run.json is not readable JSON: {error}.") from error
        if not isinstance(self.info, dict):
            raise RunVersionError(f"{self.path}/run.json is not what a run writes there.")
        if self.info.get("format") != FORMAT:
            raise RunVersionError(
                f"{self.path} has run format {self.info.get('format')}; this version of vssl reads format {FORMAT}. "
                f"Use the one that wrote it (vssl {self.info.get('versions', {}).get('vssl', '?')}), or train again."
            )

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, status {self.info.get('status')!r})"

    @classmethod
    def create(cls, path: str | Path, info: dict[str, Any], overwrite: bool = False) -> Run:
        """Start a run folder.

        Raises:
            RunExistsError: The folder holds something already, and `overwrite` is not given.
            StorageError: The folder cannot be written.
        """
        path = Path(path)
        cls.check_free(path, overwrite)
        _clear(path)
        write_json(path / "run.json", {"format": FORMAT, **info})
        return cls(path)

    @staticmethod
    def check_free(path: str | Path, overwrite: bool) -> None:
        """Whether a run may start at `path`; asked before long work begins.

        Raises:
            RunExistsError: The folder holds something already, and `overwrite` is not given or it is no run folder.
        """
        path = Path(path)
        file = next((place for place in (path, *path.parents) if place.exists() and not place.is_dir()), None)
        if file is not None:
            raise RunExistsError(f"{file} is a file; name a folder for the run.")
        if not path.is_dir() or not any(path.iterdir()):
            return
        if not (path / "run.json").is_file():
            raise RunExistsError(f"{path} is not empty and is not a run folder. Name another --out.")
        if not overwrite:
            raise RunExistsError(
                f"{path} holds a run. Go on with it: vssl resume {path}. Start again: --overwrite. "
                "Or name another --out."
            )

    @property
    def notes(self) -> list[str]:
        """How the training data were read: what they were recognised as, and what was left out."""
        return self.info.get("notes", [])

    def update(self, **info: Any) -> None:
        """Change entries of run.json."""
        self.info.update(info)
        write_json(self.path / "run.json", self.info)

    def metrics(self) -> list[dict[str, Any]]:
        """The logged lines so far; a last line that a kill cut short is left out."""
        path = self.path / "metrics.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def embeddings(self, name: str) -> Embeddings:
        """The embeddings stored under `name`.

        Raises:
            RunNotFoundError: There are none; the message lists those there are.
        """
        return Embeddings(pq.read_table(self.embeddings_path(name)))

    def embeddings_path(self, name: str) -> Path:
        """The file of the embeddings stored under `name`.

        Raises:
            RunNotFoundError: There are none; the message lists those there are.
        """
        path = self.path / "embeddings" / f"{name}.parquet"
        if not path.is_file():
            there = ", ".join(self.embedding_names()) or "none yet; make some: vssl embed RUN DATA"
            raise RunNotFoundError(f"{self.path} has no embeddings {name!r}. There are: {there}.")
        return path

    def embedding_names(self) -> list[str]:
        return sorted(path.stem for path in (self.path / "embeddings").glob("*.parquet"))


def _clear(path: Path) -> None:
    for name in (
        "model.safetensors",
        "training_index.safetensors",
        "metrics.jsonl",
        "evaluation.json",
        "policy.json",
        "report.html",
    ):
        (path / name).unlink(missing_ok=True)
    for folder in ("state", "embeddings", "calibration", "decisions", "predictions"):
        shutil.rmtree(path / folder, ignore_errors=True)
