"""What an inspection was asked for, kept in FOLDER/inspect.json, so that the same request continues and another not."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vssl.decisions.samples import parse_source
from vssl.errors import RunExistsError, RunVersionError
from vssl.files import write_json
from vssl.training.model import build_modality, measure_spec

FILE = "inspect.json"
PARTS = ("run", "split", FILE, "commands.sh")
"""What an inspection writes into its folder; nothing else is ever removed."""


def data(good: str | Path, new: str | Path, config: Any) -> dict[str, Any]:
    """Names and fingerprints of the two sources.

    Raises:
        DataError: One of them cannot be read.
    """
    source = parse_source(good)[0]
    reader = build_modality(config, measure_spec(source, config))
    return {
        "GOOD": [str(good), reader.contents(source).fingerprint],
        "NEW": [str(new), reader.contents(parse_source(new)[0]).fingerprint],
    }


def claim(folder: Path, request: Mapping[str, Any], overwrite: bool) -> None:
    """Make the folder one of this request: a new one, or that of the same request earlier.

    Raises:
        RunExistsError: There is something else, and `overwrite` is not given or it is no inspection.
        RunVersionError: inspect.json is not readable.
        StorageError: The folder cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        earlier = _earlier(folder)
        if earlier == request:
            return
        # Without a run there is nothing to lose: an earlier start was refused, such as for too few pictures.
        if not overwrite and (folder / "run").exists():
            changed = ", ".join(key for key in request if earlier.get(key) != request[key])
            raise RunExistsError(
                f"{folder} holds an inspection of other data or with other settings ({changed}). Decide on other new "
                f"pictures with what it learned: vssl decide {folder / 'run'} NEW. Start again: --overwrite. Or name "
                "another folder with --out."
            )
        for name in PARTS:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    write_json(folder / FILE, dict(request))


def _earlier(folder: Path) -> dict[str, Any]:
    if not (folder / FILE).is_file():
        raise RunExistsError(f"{folder} is there already and is not an inspection. Name another folder with --out.")
    try:
        found: dict[str, Any] = json.loads((folder / FILE).read_text())
    except ValueError as error:
        raise RunVersionError(f"{folder / FILE} is not readable JSON: {error}. Start again: --overwrite.") from error
    return found
