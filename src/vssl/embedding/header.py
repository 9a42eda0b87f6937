"""What a stored table of embeddings belongs to (model, data, computer), and the names of tables.

The header is JSON in the metadata of the Parquet file, under `vssl`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pyarrow.parquet as pq

from vssl.modalities.base import Contents
from vssl.run import Run
from vssl.training.model import Model


@dataclass(frozen=True)
class Identity:
    """Which model embedded which data with what: two tables of one identity hold the same numbers.

    Attributes:
        source: Absolute path of the data.
        fingerprint: Hash of the samples.
        metadata: Hash of their metadata, labels taken from folder names included.
        model: SHA-256 of the model's file.
        preprocessing, backend: As in `Model`.
        pairs: Pairs of views of each sample that were compared.
    """

    source: str
    fingerprint: str
    metadata: str
    model: str
    preprocessing: str
    backend: str
    pairs: int = 0

    @classmethod
    def of(cls, model: Model, source: str | Path, contents: Contents, pairs: int = 0) -> Identity:
        """The identity that a table of `source` gets."""
        path = str(Path(source).absolute())
        data = (path, contents.fingerprint, contents.metadata)
        return cls(*data, model_hash(model), model.preprocessing, model.backend, pairs)

    def covers(self, other: Identity) -> bool:
        """Whether a table of this identity holds all columns of the other one."""
        return replace(self, pairs=other.pairs) == other and self.pairs >= other.pairs


@dataclass(frozen=True)
class TableHeader:
    """What is stored with a table of embeddings besides its rows.

    Attributes:
        identity: Which model embedded which data.
        broken: Samples that are missing because they could not be read: `id` and `reason` of each.
        notes: How the data were read; see `Modality.notes`.
    """

    identity: Identity
    broken: list[dict[str, str]]
    notes: list[str]


def read_header(run: Run, name: str) -> TableHeader:
    """The header of the run's table `name`, without reading its rows.

    Raises:
        RunNotFoundError: There is no such table.
    """
    data = json.loads(pq.read_schema(run.embeddings_path(name)).metadata[b"vssl"])
    return TableHeader(
        Identity(**{field.name: data[field.name] for field in fields(Identity)}), data["broken"], data["notes"]
    )


def model_hash(model: Model) -> str:
    """SHA-256 of the model's file: it changes whenever the weights do."""
    with (model.run.path / "model.safetensors").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def default_name(source: str | Path) -> str:
    """The source's name without its suffixes: `parts.tar.xz` gives parts."""
    return Path(source).resolve().name.split(".")[0]


def table_name(run: Run, source: str | Path) -> str:
    """The name of the run's table of `source`, or the first name that no table has yet; train for the training data."""
    path, name = str(Path(source).absolute()), default_name(source)
    names = ["train"] if path == run.info["source"] else []
    names += [name, *(f"{name}-{number}" for number in range(2, len(run.embedding_names()) + 3))]
    taken = run.embedding_names()
    return next(n for n in names if n not in taken or read_header(run, n).identity.source == path)
