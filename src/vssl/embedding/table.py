"""The stored table of embeddings: made in constant memory, and resumable after a kill.

The table grows in parts of `PART` samples or `PART_BYTES`, each written whole. A second start with the same model and
data goes on after the last part; at the end the parts become one Parquet file.
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from vssl.embedding.encode import embed_raw
from vssl.embedding.header import Identity, default_name, read_header
from vssl.errors import ConfigError, DataError, TooManyBrokenError
from vssl.files import atomic, write_json
from vssl.modalities.base import Chunk
from vssl.modalities.copies import content_hashes
from vssl.training.model import Model
from vssl.training.progress import print_notes, progress_bar
from vssl.types import Embeddings, to_arrow

PART = 16_384
PART_BYTES = 64 * 2**20
BATCH = 1_024


def embed(
    model: Model, source: str | Path, name: str | None = None, terminal: Console | None = None, *, pairs: int = 0
) -> Embeddings:
    """Embed all samples of `source` and store the table as RUN/embeddings/NAME.parquet; it is not made twice.

    Args:
        name: Name of the table; by default that of the source, or `train` for the data the run was trained on.
        terminal: Where to show progress; None is quiet.
        pairs: Pairs of random views of each sample that are drawn and compared, for the columns `disagreement` and
            `elbo_gap`; each pair costs as much as two more embeddings.

    Raises:
        ConfigError: The name is no plain name, or the run holds embeddings of other data under it.
        DataError: The data cannot be read, too many samples are broken, or a metadata column has a reserved name.
        StorageError: The table cannot be written; finished parts stay for the next start.
    """
    if pairs and model.modality.tiling is not None:
        raise ConfigError(
            "Random views of large pictures show single tiles of them, which say nothing of the rest: there are no "
            "--view-pairs, and no scores that compare views, for a run with tiles. Use another score, such as patches."
        )
    contents = model.modality.contents(source)
    identity = Identity.of(model, source, contents, pairs)
    name = name or ("train" if identity.fingerprint == model.run.info["fingerprint"] else default_name(source))
    if not name or Path(name).name != name or name.startswith("."):
        raise ConfigError(f"--name {name!r}: a table's name is a plain file name without folders.")
    stored = read_header(model.run, name).identity if name in model.run.embedding_names() else None
    if stored is not None and stored.source != identity.source:
        raise ConfigError(
            f"{model.run.path} holds embeddings {name!r} of {stored.source} already: choose another --name."
        )
    if stored is None or not stored.covers(identity):
        _make(model, source, contents.samples, identity, name, terminal)
    broken = read_header(model.run, name).broken
    print_notes(identity.source, read_header(model.run, name).notes, broken, terminal)
    total, what = (contents.samples, "samples") if contents.files is None else (contents.files, "files")
    if len(broken) > model.modality.max_broken * total:
        first = "; ".join(f"{item['id']}: {item['reason']}" for item in broken[:5])
        raise TooManyBrokenError(
            f"{len(broken)} of {total} {what} of {source} are broken. The table of the others is kept. First: {first}."
        )
    return model.run.embeddings(name)


def _make(
    model: Model, source: str | Path, samples: int, identity: Identity, name: str, terminal: Console | None
) -> None:
    folder = model.run.path / "embeddings"
    parts = _parts_folder(folder, name, identity)
    _write_missing_parts(model, source, samples, identity.pairs, parts, terminal)
    _join(parts, folder / f"{name}.parquet", identity, model.modality.notes(source))
    shutil.rmtree(parts)


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
    # The name of a part is the number of samples up to its end.
    done = max((int(path.stem.removeprefix("part-")) for path in parts.glob("part-*.parquet")), default=0)
    written = done
    with progress_bar("embedding", terminal) as on_progress:
        tables: list[pa.Table] = []
        broken: list[dict[str, str]] = []
        for chunk in model.modality.stream(source, start=min(done, total), size=BATCH) if done < total else ():
            tables.append(_table(model, chunk, pairs))
            broken += [{"id": item.id, "reason": item.reason} for item in chunk.broken]
            done += len(chunk.ids) + len(chunk.broken)
            on_progress(done, total)
            if done - written >= PART or sum(table.nbytes for table in tables) >= PART_BYTES or done == total:
                _write_part(parts / f"part-{done:012d}.parquet", tables, broken)
                tables, broken, written = [], [], done
    if tables or done < total:
        raise DataError(
            f"{source} had {total} samples when it was counted and {done} when it was read: it changes while it is "
            "being read. Embed a copy of it."
        )


def _table(model: Model, chunk: Chunk, pairs: int) -> pa.Table:
    clash = sorted(set(chunk.metadata.column_names) & set(Embeddings.COLUMNS))
    if clash:
        raise DataError(f"The metadata column {clash[0]!r} has a name that embeddings need themselves: rename it.")
    columns = {name: to_arrow(values) for name, values in embed_raw(model, chunk.raw, pairs).items()}
    columns["id"] = pa.array(chunk.ids, pa.string())
    columns["content"] = pa.array(content_hashes(chunk.raw), pa.string())
    columns["signature"] = pa.array(model.modality.signatures(chunk), pa.binary())
    ordered = {name: columns[name] for name in Embeddings.COLUMNS if name in columns}
    return pa.table(ordered | {name: chunk.metadata[name] for name in chunk.metadata.column_names})


def _write_part(path: Path, tables: list[pa.Table], broken: list[dict[str, str]]) -> None:
    table = pa.concat_tables(tables, promote_options="permissive")
    with atomic(path) as file:
        pq.write_table(table.replace_schema_metadata({"broken": json.dumps(broken)}), file)


def _join(parts: Path, path: Path, identity: Identity, notes: list[str]) -> None:
    """Make one file of the parts, one part in memory at a time."""
    files = sorted(parts.glob("part-*.parquet"))
    schemas = [pq.read_schema(file) for file in files]
    broken = [item for schema in schemas for item in json.loads(schema.metadata[b"broken"])]
    schema = pa.unify_schemas([schema.remove_metadata() for schema in schemas], promote_options="permissive")
    header = {"vssl": json.dumps({**asdict(identity), "broken": broken, "notes": notes})}
    with atomic(path) as file, pq.ParquetWriter(file, schema.with_metadata(header)) as writer:
        for part in files:
            # A part may lack a column that another has.
            table = pa.concat_tables([schema.empty_table(), pq.read_table(part)], promote_options="permissive")
            writer.write_table(table)
