"""From a trained run and data to a table of embeddings: in constant memory, and resumable after a kill.

The table grows in parts of `PART` samples, each written whole. A second start with the same model and data goes on
behind the last part; at the end the parts become one Parquet file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from vssl.errors import ConfigError, DataError, TooManyBrokenError
from vssl.files import atomic, write_json
from vssl.modalities.base import Chunk
from vssl.run import Run
from vssl.train.model import Model
from vssl.train.progress import counting
from vssl.types import Embeddings, Gaussian, Latent, View

PART = 16_384
BATCH = 1_024


@dataclass(frozen=True)
class Identity:
    """What a table of embeddings belongs to; stored in the Parquet file's metadata under `vssl`.

    Attributes:
        source: Where the data lay.
        fingerprint: Of the samples.
        metadata: Of their metadata, labels taken from folders included.
        model: SHA-256 of the model's file.
    """

    source: str
    fingerprint: str
    metadata: str
    model: str


def embed(model: Model, source: str | Path, name: str | None = None, terminal: Console | None = None) -> Embeddings:
    """Embed all samples of `source` and keep the table as RUN/embeddings/NAME.parquet.

    Args:
        name: Name of the table; by default that of the source, or `train` for the data the run was trained on.
        terminal: Where to show progress; None is quiet.

    Raises:
        ConfigError: The name is no plain name, or the run holds embeddings of other data under it.
        DataError: The data cannot be read, too many samples are broken, or a metadata column has a reserved name.
        StorageError: The table cannot be written; finished parts stay for the next start.
    """
    contents = model.modality.contents(source)
    total = contents.samples
    identity = Identity(str(Path(source).absolute()), contents.fingerprint, contents.metadata, model_hash(model))
    name = name or ("train" if contents.fingerprint == model.run.info["fingerprint"] else default_name(source))
    if not name or Path(name).name != name or name.startswith("."):
        raise ConfigError(f"--name {name!r}: a table's name is a plain file name without folders.")
    if name in model.run.embedding_names() and identity_of(model.run, name).source != identity.source:
        other = identity_of(model.run, name).source
        raise ConfigError(f"{model.run.path} holds embeddings {name!r} of {other} already: choose another --name.")
    folder = model.run.path / "embeddings"
    parts = _parts_folder(folder, name, identity)
    _write_missing_parts(model, source, total, parts, terminal)
    broken = _join(parts, folder / f"{name}.parquet", identity)
    shutil.rmtree(parts)
    if len(broken) > model.modality.max_broken * total:
        first = "; ".join(f"{item['id']}: {item['reason']}" for item in broken[:5])
        raise TooManyBrokenError(
            f"{len(broken)} of {total} samples of {source} are broken. The table of the others is kept. First: {first}."
        )
    return model.run.embeddings(name)


def identity_of(run: Run, name: str) -> Identity:
    """What the stored table `name` belongs to.

    Raises:
        RunNotFoundError: There is no such table.
    """
    data = json.loads(pq.read_schema(run.embeddings_path(name)).metadata[b"vssl"])
    return Identity(**{field.name: data[field.name] for field in fields(Identity)})


def embed_view(model: Model, view: View) -> dict[str, np.ndarray]:
    """The columns of a batch of views: features [B, F], mean [B, D], and log_variance and ambiguity if there is one."""
    features, latent = model(view)
    return _columns(features.cpu().numpy(), latent)


def model_hash(model: Model) -> str:
    """SHA-256 of the model's file: it changes whenever the weights do."""
    with (model.run.path / "model.safetensors").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def default_name(source: str | Path) -> str:
    """The source's name without its suffixes: `parts.tar.xz` gives parts."""
    return Path(source).resolve().name.split(".")[0]


def _columns(features: np.ndarray, latent: Latent) -> dict[str, np.ndarray]:
    columns = {"features": features, "mean": latent.mean.float().cpu().numpy()}
    if isinstance(latent, Gaussian):
        columns["log_variance"] = latent.log_variance.float().cpu().numpy()
        columns["ambiguity"] = columns["log_variance"].mean(1)
    return columns


def _parts_folder(folder: Path, name: str, identity: Identity) -> Path:
    """The folder of finished parts; emptied when they belong to another model or other data."""
    parts = folder / f".{name}.parts"
    written = parts / "identity.json"
    if not written.is_file() or json.loads(written.read_text()) != asdict(identity):
        shutil.rmtree(parts, ignore_errors=True)
        write_json(written, asdict(identity))
    return parts


def _write_missing_parts(model: Model, source: str | Path, total: int, parts: Path, terminal: Console | None) -> None:
    done = len(list(parts.glob("part-*.parquet"))) * PART
    with counting("embedding", terminal) as on_progress:
        tables: list[pa.Table] = []
        broken: list[dict[str, str]] = []
        for chunk in model.modality.stream(source, start=min(done, total), size=BATCH) if done < total else ():
            tables.append(_table(model, chunk))
            broken += [{"id": item.id, "reason": item.reason} for item in chunk.broken]
            done += len(chunk.ids) + len(chunk.broken)
            on_progress(done, total)
            if done % PART == 0 or done == total:
                _write_part(parts / f"part-{(done - 1) // PART:06d}.parquet", tables, broken)
                tables, broken = [], []


def _table(model: Model, chunk: Chunk) -> pa.Table:
    clash = sorted(set(chunk.metadata.column_names) & set(Embeddings.COLUMNS))
    if clash:
        raise DataError(f"The metadata column {clash[0]!r} has a name that embeddings need themselves: rename it.")
    columns = embed_view(model, model.modality.plain(chunk.raw.to(model.device)))
    arrays = {"id": pa.array(chunk.ids, pa.string())} | {name: to_arrow(values) for name, values in columns.items()}
    return pa.table(arrays | {name: chunk.metadata[name] for name in chunk.metadata.column_names})


def to_arrow(values: np.ndarray) -> pa.Array:
    """An array [N] as a column of numbers, [N, D] as a column of vectors of one length."""
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def _write_part(path: Path, tables: list[pa.Table], broken: list[dict[str, str]]) -> None:
    table = pa.concat_tables(tables, promote_options="permissive")
    with atomic(path) as file:
        pq.write_table(table.replace_schema_metadata({"broken": json.dumps(broken)}), file)


def _join(parts: Path, path: Path, identity: Identity) -> list[dict[str, str]]:
    """Make one file of the parts, one part in memory at a time; returns what was broken."""
    files = sorted(parts.glob("part-*.parquet"))
    schemas = [pq.read_schema(file) for file in files]
    broken = [item for schema in schemas for item in json.loads(schema.metadata[b"broken"])]
    bare = [schema.remove_metadata() for schema in schemas]
    schema = pa.unify_schemas(bare, promote_options="permissive")
    header = {"vssl": json.dumps({**asdict(identity), "broken": broken})}
    with atomic(path) as file, pq.ParquetWriter(file, schema.with_metadata(header)) as writer:
        for table in _tables(files):
            writer.write_table(table.cast(schema))
    return broken


def _tables(files: list[Path]) -> Iterator[pa.Table]:
    for file in files:
        yield pq.read_table(file)
