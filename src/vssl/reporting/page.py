"""Builds RUN/report.html from the contents of the run folder. The page loads nothing from outside when it is opened."""

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
from vssl.reporting.decisions import PictureLoader, decision_section, no_pictures
from vssl.reporting.gallery import Pictures
from vssl.reporting.health import checks
from vssl.reporting.metric_docs import metric_rows
from vssl.reporting.pictures import Samples
from vssl.reporting.run_summary import summarise
from vssl.run import Run
from vssl.types import Embeddings

BROKEN_SHOWN = 100
# The page allows this one script, identified by its hash, and no other.
SLIDER = Path(__file__).with_name("slider.js").read_text()


def build(
    run: Run,
    pictures: Pictures,
    embeddings: str = "train",
    sample: int = 2000,
    load_pictures: PictureLoader = no_pictures,
) -> Path:
    """Write the report of a run, one self-contained page of at most about 5 MB.

    Args:
        run: The run folder; a section whose data are missing names the command that makes them.
        pictures: Loads the images of some ids; None where the original is no longer there.
        embeddings: Name of the embeddings to show.
        sample: Largest number of samples on the embedding map.
        load_pictures: Loads the images of some ids of a source, for the known samples that a policy compares with.

    Returns:
        The path of report.html. Equal data give an equal page.

    Raises:
        RunVersionError: evaluation.json is not readable JSON.
        StorageError: The folder cannot be written.
    """
    path = run.path / "report.html"
    # Names of files that are not Unicode survive as surrogates, which UTF-8 refuses.
    page = template("page.html.jinja").render(_content(run, pictures, embeddings, sample, load_pictures))
    with atomic(path) as file:
        file.write(page.encode("utf-8", "backslashreplace"))
    return path


def _content(
    run: Run, pictures: Pictures, embeddings: str, sample: int, load_pictures: PictureLoader
) -> dict[str, Any]:
    info, metrics, evaluation = run.info, run.metrics(), _evaluation(run)
    table = run.embeddings(embeddings) if embeddings in run.embedding_names() else None
    seed = info.get("settings", {}).get("seed", 0)
    samples = Samples(table, pictures, sample, seed) if table is not None and len(table) else None
    values = evaluation.get("values", {})
    return {
        "name": run.path.resolve().name,
        "info": info,
        "summary": summarise(info, values, samples.table if samples else None),
        "data_summary": _data_summary(info),
        "curves": curves(metrics),
        "checks": checks(metrics, samples.features if samples else None),
        "samples": samples,
        "embeddings": embeddings,
        "others": run.embedding_names(),
        "metric_rows": metric_rows(values),
        "evaluated": {key: value for key, value in evaluation.items() if value and key not in ("values", "skipped")},
        "skipped": evaluation.get("skipped", {}),
        "decided": decision_section(run, embeddings, load_pictures),
        "script": Markup(SLIDER),
        "script_hash": b64encode(sha256(SLIDER.encode()).digest()).decode(),
        "broken": info.get("broken", [])[:BROKEN_SHOWN],
        "notes": _notes(run, table, embeddings),
        "commands": _commands(run, embeddings),
    }


def _data_summary(info: dict[str, Any]) -> DataSummary | None:
    """What was measured on the training data; None for a run that does not record it."""
    if "modality" not in info.get("settings", {}):
        return None
    module = find("modalities", info["settings"]["modality"]["name"])
    data_summary: DataSummary = module.describe(from_dict(module.Spec, info["spec"], "spec"))
    return data_summary


def _notes(run: Run, table: Embeddings | None, name: str) -> list[str]:
    """How the training data were read, and those of the table that is shown if it differs."""
    of_training = run.notes
    of_table = [] if table is None else [note for note in table.notes if note not in of_training]
    return [*of_training, *(f"{name}: {note}" for note in of_table)]


def _commands(run: Run, embeddings: str) -> dict[str, str]:
    """The commands that make what is missing, ready to copy."""
    folder, name = shlex.quote(str(run.path)), shlex.quote(embeddings)
    # Only the location of the training data is known.
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


def template(name: str, *packages: str) -> jinja2.Template:
    """A template of this package, or of other ones, whose templates then may include those of this package."""
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package, "") for package in (*packages, "vssl.reporting")]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pretty"] = lambda data: json.dumps(data, indent=2, ensure_ascii=False)
    environment.filters["short"] = lambda text, most=26: text if len(text) <= most else "…" + text[-most + 1 :]
    return environment.get_template(name)
