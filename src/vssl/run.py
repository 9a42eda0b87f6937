"""The run folder: what training writes and every later stage reads. All writes are atomic.

RUN/run.json               settings, specification of the data, versions, seed, fingerprint, status
RUN/model.safetensors      student, teacher, heads
RUN/training_index.safetensors  hashes by which the training samples are recognised
RUN/state/                 the checkpoint that resuming needs
RUN/metrics.jsonl          one line per logging step
RUN/embeddings/*.parquet   id, features, mean, log_variance, ambiguity, metadata
RUN/evaluation.json        metrics of the embeddings
RUN/policy.json            thresholds and their guarantee
RUN/calibration/*.parquet  the bank and the calibration samples of the policy
RUN/decisions/*.parquet    id, decision, p_value, score, nearest
RUN/predictions/*.parquet  id, labels, decided, best, probability
RUN/report.html            one self-contained page
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vssl.errors import RunExistsError, RunNotFoundError, RunVersionError
from vssl.files import write_json

if TYPE_CHECKING:
    from vssl.types import Embeddings

FORMAT = 4


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
            raise RunVersionError(f"{self.path}/run.json does not describe a run: it is no JSON object.")
        if (written := self.info.get("format")) != FORMAT:
            raise RunVersionError(
                f"{self.path} has run format {written}; this version of vssl reads format {FORMAT}. The run is "
                f"unchanged. Use the version that wrote it, vssl {self.info.get('versions', {}).get('vssl', 'unknown')}"
                f", or train again into another folder: vssl train DATA --out RUN."
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
        """Check that a run may be written to `path`, before long work begins.

        Raises:
            RunExistsError: The folder holds something already, and `overwrite` is not given or it is no run folder.
        """
        path = Path(path)
        file = next((part for part in (path, *path.parents) if part.exists() and not part.is_dir()), None)
        if file is not None:
            raise RunExistsError(f"{file} is a file; name a folder for the run.")
        if not path.is_dir() or not any(path.iterdir()):
            return
        if not (path / "run.json").is_file():
            raise RunExistsError(f"{path} is not empty and is not a run folder. Name another folder with --out.")
        if not overwrite:
            raise RunExistsError(
                f"{path} holds a run. Continue it: vssl resume {path}. Replace it: --overwrite. "
                "Or name another folder with --out."
            )

    @property
    def notes(self) -> list[str]:
        """Notes on the training data: what they were recognised as, and what was left out."""
        return list(self.info.get("notes", []))

    def update(self, **info: Any) -> None:
        """Change entries of run.json."""
        self.info.update(info)
        write_json(self.path / "run.json", self.info)

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl, without a last line that was cut short when the process was killed."""
        path = self.path / "metrics.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def embeddings(self, name: str) -> Embeddings:
        """The embeddings stored under `name`.

        Raises:
            RunNotFoundError: There are none; the message lists the names of those that exist.
        """
        import pyarrow.parquet as pq

        from vssl.types import Embeddings

        return Embeddings(pq.read_table(self.embeddings_path(name)))

    def embeddings_path(self, name: str) -> Path:
        """The file of the embeddings stored under `name`.

        Raises:
            RunNotFoundError: There are none; the message lists the names of those that exist.
        """
        path = self.path / "embeddings" / f"{name}.parquet"
        if not path.is_file():
            names = ", ".join(self.embedding_names()) or "none yet; make some: vssl embed RUN DATA"
            raise RunNotFoundError(f"{self.path} has no embeddings {name!r}. There are: {names}.")
        return path

    def embedding_names(self) -> list[str]:
        """Names of the stored embeddings."""
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
