"""Builds RUN/report.html: gathers what the run folder holds and fills the page. The page loads nothing when opened."""

from __future__ import annotations

import json
import shlex
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from vssl.config import find, from_dict
from vssl.errors import RunVersionError
from vssl.files import atomic
from vssl.modalities.data_summary import DataSummary
from vssl.reporting.curves import curves
from vssl.reporting.decisions import Elsewhere, decided, nowhere
from vssl.reporting.gallery import Pictures
from vssl.reporting.health import checks
from vssl.reporting.meanings import figures
from vssl.reporting.pictures import Samples
from vssl.reporting.verdict import verdict
from vssl.run import Run
from vssl.types import Embeddings

BROKEN_SHOWN = 100
# The page allows this one script, known by its hash, and no other.
SLIDER = Path(__file__).with_name("slider.js").read_text()


def build(
    run: Run, pictures: Pictures, embeddings: str = "train", sample: int = 2000, elsewhere: Elsewhere = nowhere
) -> Path:
    """Write the report of a run, one self-contained page of at most about 5 MB.

    Args:
        run: The run folder; sections whose data are missing say which command makes them.
        pictures: Gives the images of some ids, None where the original is no longer there.
        embeddings: Name of the embeddings to show.
        sample: The most samples on the embedding map.
        elsewhere: Gives the images of some ids of a source, for the known samples that a policy compares with.

    Returns:
        The path of report.html. Equal data give an equal page.

    Raises:
        RunVersionError: evaluation.json is not readable JSON.
        StorageError: The folder cannot be written.
    """
    path = run.path / "report.html"
    # Names of files that are not Unicode survive as surrogates, which UTF-8 refuses.
    page = (
        _template().render(_content(run, pictures, embeddings, sample, elsewhere)).encode("utf-8", "backslashreplace")
    )
    with atomic(path) as file:
        file.write(page)
    return path


def _content(run: Run, pictures: Pictures, embeddings: str, sample: int, elsewhere: Elsewhere) -> dict[str, Any]:
    info, metrics, evaluation = run.info, run.metrics(), _evaluation(run)
    table = run.embeddings(embeddings) if embeddings in run.embedding_names() else None
    seed = info.get("settings", {}).get("seed", 0)
    samples = Samples(table, pictures, sample, seed) if table is not None and len(table) else None
    values = evaluation.get("values", {})
    return {
        "name": run.path.resolve().name,
        "info": info,
        "verdict": verdict(info, values, samples.table if samples else None),
        "facts": _facts(info),
        "curves": curves(metrics),
        "checks": checks(metrics, samples.features if samples else None),
        "samples": samples,
        "embeddings": embeddings,
        "others": run.embedding_names(),
        "figures": figures(values),
        "judged": {key: value for key, value in evaluation.items() if value and key not in ("values", "skipped")},
        "skipped": evaluation.get("skipped", {}),
        "decided": decided(run, embeddings, elsewhere),
        "script": Markup(SLIDER),
        "script_hash": b64encode(sha256(SLIDER.encode()).digest()).decode(),
        "broken": info.get("broken", [])[:BROKEN_SHOWN],
        "notes": _notes(run, table, embeddings),
        "commands": _commands(run, embeddings),
    }


def _facts(info: dict[str, Any]) -> DataSummary | None:
    """What was measured on the training data; None for a run that does not say."""
    if "modality" not in info.get("settings", {}):
        return None
    module = find("modalities", info["settings"]["modality"]["name"])
    return module.describe(from_dict(module.Spec, info["spec"], "spec"))


def _notes(run: Run, table: Embeddings | None, name: str) -> list[str]:
    """How the training data were read, and those of the table that is shown where they are others."""
    of_training = run.notes
    of_table = [] if table is None else [note for note in table.notes if note not in of_training]
    return [*of_training, *(f"{name}: {note}" for note in of_table)]


def _commands(run: Run, embeddings: str) -> dict[str, str]:
    """The commands that make what is missing, ready to be copied."""
    folder, name = shlex.quote(str(run.path)), shlex.quote(embeddings)
    # Only the training's own data are known by where they came from.
    source = shlex.quote(run.info.get("source", "DATA"))
    data = source if embeddings == "train" else f"DATA --name {name}"
    return {
        "train": run.info.get("command") or f"vssl train {source} --out {folder}",
        "embed": f"vssl embed {folder} {data}",
        "evaluate": f"vssl evaluate {folder} --table {name}",
        "decide": f"vssl decide {folder} {data}",
    }


def _evaluation(run: Run) -> dict[str, Any]:
    path = run.path / "evaluation.json"
    try:
        return json.loads(path.read_text()) if path.exists() else {}
    except json.JSONDecodeError as error:
        raise RunVersionError(
            f"{path} is not readable JSON (line {error.lineno}); make it again: vssl evaluate {run.path}"
        ) from error


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("vssl.reporting", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pretty"] = lambda data: json.dumps(data, indent=2, ensure_ascii=False)
    environment.filters["short"] = lambda text, most=26: text if len(text) <= most else "…" + text[-most + 1 :]
    return environment.get_template("page.html.jinja")
