"""From a trained run and data to a table of embeddings: in constant memory, and resumable after a kill.

The table grows in parts of `PART` samples, each written whole. A second start with the same model and data goes on
behind the last part; at the end the parts become one Parquet file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int8
from rich.console import Console
from torch import Tensor

from vssl.errors import ConfigError, DataError, TooManyBrokenError
from vssl.files import atomic, write_json
from vssl.modalities.base import Chunk, Contents
from vssl.modalities.copies import content_hashes
from vssl.run import Run
from vssl.stats.blocks import by_blocks
from vssl.training import devices
from vssl.training.model import Model
from vssl.training.progress import counting, print_notes
from vssl.types import Embeddings, Gaussian, View, to_arrow

PART = 16_384
BATCH = 1_024
ROWS, ROWS_OF_GPU = 32, 256  # embedded at once, whatever is asked for; see `vssl.stats.blocks`
GRID, SPANS, DEPTH = 8, 32, 32


@dataclass(frozen=True)
class Identity:
    """What a table of embeddings belongs to; stored in the Parquet file's metadata under `vssl`.

    Attributes:
        source: Where the data lay.
        fingerprint: Of the samples.
        metadata: Of their metadata, labels taken from folders included.
        model: SHA-256 of the model's file.
        preprocessing, backend: As in `Model`.
        pairs: How many pairs of views of each sample were compared.
    """

    source: str
    fingerprint: str
    metadata: str
    model: str
    preprocessing: str
    backend: str
    pairs: int = 0

    def serves(self, asked: Identity) -> bool:
        """Whether a table of this identity holds all that is asked for."""
        return replace(self, pairs=asked.pairs) == asked and self.pairs >= asked.pairs


def embed(
    model: Model, source: str | Path, name: str | None = None, terminal: Console | None = None, *, pairs: int = 0
) -> Embeddings:
    """Embed all samples of `source` and keep the table as RUN/embeddings/NAME.parquet; it is not made twice.

    Args:
        name: Name of the table; by default that of the source, or `train` for the data the run was trained on.
        terminal: Where to show progress; None is quiet.
        pairs: So many pairs of views of each sample are drawn and compared, for the columns `disagreement` and
            `elbo_gap`; each costs as much as two more embeddings.

    Raises:
        ConfigError: The name is no plain name, or the run holds embeddings of other data under it.
        DataError: The data cannot be read, too many samples are broken, or a metadata column has a reserved name.
        StorageError: The table cannot be written; finished parts stay for the next start.
    """
    identity, contents = _identity(model, source, pairs)
    name = name or ("train" if identity.fingerprint == model.run.info["fingerprint"] else default_name(source))
    if not name or Path(name).name != name or name.startswith("."):
        raise ConfigError(f"--name {name!r}: a table's name is a plain file name without folders.")
    stored = identity_of(model.run, name) if name in model.run.embedding_names() else identity
    if stored.source != identity.source:
        raise ConfigError(
            f"{model.run.path} holds embeddings {name!r} of {stored.source} already: choose another --name."
        )
    folder = model.run.path / "embeddings"
    if not stored.serves(identity) or not (folder / f"{name}.parquet").exists():
        parts = _parts_folder(folder, name, identity)
        _write_missing_parts(model, source, contents.samples, identity.pairs, parts, terminal)
        _join(parts, folder / f"{name}.parquet", identity, model.modality.notes(source))
        shutil.rmtree(parts)
    broken = broken_of(model.run, name)
    print_notes(identity.source, notes_of(model.run, name), broken, terminal)
    total, what = (contents.samples, "samples") if contents.files is None else (contents.files, "files")
    if len(broken) > model.modality.max_broken * total:
        first = "; ".join(f"{item['id']}: {item['reason']}" for item in broken[:5])
        raise TooManyBrokenError(
            f"{len(broken)} of {total} {what} of {source} are broken. The table of the others is kept. First: {first}."
        )
    return model.run.embeddings(name)


def _identity(model: Model, source: str | Path, pairs: int = 0) -> tuple[Identity, Contents]:
    contents = model.modality.contents(source)
    place = str(Path(source).absolute())
    hashes = (contents.fingerprint, contents.metadata, model_hash(model), model.preprocessing)
    return Identity(place, *hashes, model.backend, pairs), contents


def identity_of(run: Run, name: str) -> Identity:
    """What the stored table `name` belongs to.

    Raises:
        RunNotFoundError: There is no such table.
    """
    data = {"pairs": 0, **_header(run, name)}
    return Identity(**{field.name: data.get(field.name, "unknown") for field in fields(Identity)})


def source_of(samples: Embeddings) -> str:
    """Where the data of stored embeddings lay; "" for a table that was never stored."""
    return samples.header.get("source", "")


def broken_of(run: Run, name: str) -> list[dict[str, str]]:
    """The samples that are missing in the table `name` because they could not be read: `id` and `reason` of each.

    Raises:
        RunNotFoundError: There is no such table.
    """
    return _header(run, name)["broken"]


def notes_of(run: Run, name: str) -> list[str]:
    """How the data of the table `name` were read; see `Modality.notes`.

    Raises:
        RunNotFoundError: There is no such table.
    """
    return _header(run, name).get("notes", [])


def _header(run: Run, name: str) -> dict[str, Any]:
    return json.loads(pq.read_schema(run.embeddings_path(name)).metadata[b"vssl"])


def embed_raw(model: Model, raw: Tensor, pairs: int = 0) -> dict[str, np.ndarray]:
    """The columns of a batch of raw samples: the same to the last bit for a sample alone and among any others.

    Args:
        pairs: So many pairs of views of each sample are compared; see `embed`.
    """

    def work(block: Tensor) -> dict[str, Tensor]:
        block = block.to(model.device)
        return _columns(model, model.modality.eval_view(block)) | _compared(model, block, pairs)

    rows = ROWS if model.device.type == "cpu" else ROWS_OF_GPU
    sizes = model.modality.size_classes(raw)
    order = [torch.nonzero(sizes == size).flatten() for size in sizes.unique()] or [torch.arange(0)]
    found = [by_blocks(work, [raw[picked]], rows) for picked in order]
    back = torch.cat(order).argsort()
    return {name: torch.cat([part[name] for part in found])[back].numpy() for name in found[0]}


def embed_view(model: Model, view: View) -> dict[str, np.ndarray]:
    """The columns of a batch of views: features, mean, and what else there is."""
    return {name: values.numpy() for name, values in _columns(model, view).items()}


def _columns(model: Model, view: View) -> dict[str, Tensor]:
    features, latent, maps = model.forward_with_patches(view)
    columns = {"features": features, "mean": latent.mean.float()}
    if isinstance(latent, Gaussian):
        log_variance = latent.log_variance.float()
        columns |= {"log_variance": log_variance, "ambiguity": log_variance.mean(1)}
    columns |= {} if maps is None else {"patch_features": patch_features(maps)}
    raw_descriptor = model.modality.raw_descriptor(view)
    columns |= {} if raw_descriptor is None else {"raw_descriptor": raw_descriptor}
    return {name: values.cpu() for name, values in columns.items()}


def _compared(model: Model, raw: Tensor, pairs: int) -> dict[str, Tensor]:
    """The columns that only several views of a sample tell; none for 0 pairs.

    `disagreement` is 1 - the mean cosine of the features of all views, in 0..2; `elbo_gap` minus the mean over views
    and pairs of `Objective.elbo`, where there is one. Every sample is seen through the same views.
    """
    if not pairs:
        return {}
    directions: list[Tensor] = []
    bounds: list[Tensor] = []
    for both in _pairs_of_views(model, raw, pairs):
        features, latent = model(both)
        directions += F.normalize(features, dim=1).cpu().chunk(2)
        with devices.autocast(model.device, model.settings.precision):
            bound = model.objective.elbo(both, latent)
        bounds += [] if bound is None else list(bound.float().cpu().chunk(2))
    # The squared length of a sum of unit vectors counts each pair of them twice, and each with itself.
    count = len(directions)
    cosine = (torch.stack(directions).sum(0).square().sum(1) - count) / (count * (count - 1))
    columns = {"disagreement": 1 - cosine}
    return columns | ({"elbo_gap": -torch.stack(bounds).mean(0)} if bounds else {})


def _pairs_of_views(model: Model, raw: Tensor, pairs: int) -> Iterator[View]:
    """The first views of all samples and behind them the second ones, `pairs` times."""
    # Sample by sample: what is drawn for one of a batch depends on how many there are.
    generators = [(sample, torch.Generator(model.device).manual_seed(0)) for sample in raw.split(1)]
    for _ in range(pairs):
        drawn = [model.modality.views(sample, generator) for sample, generator in generators]
        views = [view for one in zip(*drawn, strict=True) for view in one]
        yield type(views[0]).cat(views)


def patch_features(maps: Float[Tensor, "B C h w"]) -> Int8[Tensor, "B P"]:
    """What is where, in few bytes: directions of the feature maps on a grid of `GRID` x `GRID` places.

    Maps of height 1 are a stretch of time, and get 1 x `SPANS` places.

    A fixed random rotation, of which `DEPTH` dimensions are kept, keeps cosines nearly as they are (Johnson and
    Lindenstrauss 1984); 8 bits a value suffice for unit vectors.
    """
    shape = (1, SPANS) if maps.shape[2] == 1 else (GRID, GRID)
    grid = F.normalize(F.adaptive_avg_pool2d(maps, shape), dim=1)
    rotation = torch.from_numpy(_rotation(maps.shape[1])).to(maps.device)
    units = F.normalize(torch.einsum("bchw,cd->bhwd", grid, rotation), dim=3)
    return (127 * units).round().to(torch.int8).flatten(1)


def grid_of(values: int) -> tuple[int, int]:
    """Rows and columns of the places that a column of so many values a sample holds."""
    return (1, SPANS) if values == SPANS * DEPTH else (GRID, GRID)


@cache
def _rotation(channels: int) -> Float[np.ndarray, "C d"]:
    noise = torch.randn(channels, channels, generator=torch.Generator().manual_seed(0))
    # With fewer channels the last dimensions are empty. An array: a tensor of a graph being traced holds no numbers.
    return F.pad(torch.linalg.qr(noise)[0][:, :DEPTH], (0, max(0, DEPTH - channels))).numpy()


def name_for(run: Run, source: str | Path) -> str:
    """The name of the table that holds the embeddings of `source`, or the first free one."""
    place, name = str(Path(source).absolute()), default_name(source)
    names = [name, *(f"{name}-{number}" for number in range(2, len(run.embedding_names()) + 3))]
    return next(n for n in names if n not in run.embedding_names() or identity_of(run, n).source == place)


def model_hash(model: Model) -> str:
    """SHA-256 of the model's file: it changes whenever the weights do."""
    with (model.run.path / "model.safetensors").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def default_name(source: str | Path) -> str:
    """The source's name without its suffixes: `parts.tar.xz` gives parts."""
    return Path(source).resolve().name.split(".")[0]


def _parts_folder(folder: Path, name: str, identity: Identity) -> Path:
    """The folder of finished parts; emptied when they belong to another model or other data."""
    parts = folder / f".{name}.parts"
    written = parts / "identity.json"
    if not written.is_file() or json.loads(written.read_text()) != asdict(identity):
        shutil.rmtree(parts, ignore_errors=True)
        write_json(written, asdict(identity))
    return parts


def _write_missing_parts(
    model: Model, source: str | Path, total: int, pairs: int, parts: Path, terminal: Console | None
) -> None:
    done = len(list(parts.glob("part-*.parquet"))) * PART
    with counting("embedding", terminal) as on_progress:
        tables: list[pa.Table] = []
        broken: list[dict[str, str]] = []
        for chunk in model.modality.stream(source, start=min(done, total), size=BATCH) if done < total else ():
            tables.append(_table(model, chunk, pairs))
            broken += [{"id": item.id, "reason": item.reason} for item in chunk.broken]
            done += len(chunk.ids) + len(chunk.broken)
            on_progress(done, total)
            if done % PART == 0 or done == total:
                _write_part(parts / f"part-{(done - 1) // PART:06d}.parquet", tables, broken)
                tables, broken = [], []
    if tables or done < total:
        raise DataError(
            f"{source} had {total} samples when it was counted and {done} when it was read: it changes while it is "
            "being read. Embed a copy of it."
        )


def _table(model: Model, chunk: Chunk, pairs: int) -> pa.Table:
    clash = sorted(set(chunk.metadata.column_names) & set(Embeddings.COLUMNS))
    if clash:
        raise DataError(f"The metadata column {clash[0]!r} has a name that embeddings need themselves: rename it.")
    columns = embed_raw(model, chunk.raw, pairs)
    arrays = {"id": pa.array(chunk.ids, pa.string())} | {name: to_arrow(values) for name, values in columns.items()}
    arrays["content"] = pa.array(content_hashes(chunk.raw), pa.string())
    arrays["signature"] = pa.array(model.modality.signatures(chunk), pa.binary())
    return pa.table(arrays | {name: chunk.metadata[name] for name in chunk.metadata.column_names})


def _write_part(path: Path, tables: list[pa.Table], broken: list[dict[str, str]]) -> None:
    table = pa.concat_tables(tables, promote_options="permissive")
    with atomic(path) as file:
        pq.write_table(table.replace_schema_metadata({"broken": json.dumps(broken)}), file)


def _join(parts: Path, path: Path, identity: Identity, notes: list[str]) -> None:
    """Make one file of the parts, one part in memory at a time."""
    files = sorted(parts.glob("part-*.parquet"))
    schemas = [pq.read_schema(file) for file in files]
    broken = [item for schema in schemas for item in json.loads(schema.metadata[b"broken"])]
    bare = [schema.remove_metadata() for schema in schemas]
    schema = pa.unify_schemas(bare, promote_options="permissive")
    header = {"vssl": json.dumps({**asdict(identity), "broken": broken, "notes": notes})}
    with atomic(path) as file, pq.ParquetWriter(file, schema.with_metadata(header)) as writer:
        for table in _tables(files):
            # A part may lack a column that another has.
            writer.write_table(pa.concat_tables([schema.empty_table(), table], promote_options="permissive"))


def _tables(files: list[Path]) -> Iterator[pa.Table]:
    for file in files:
        yield pq.read_table(file)
