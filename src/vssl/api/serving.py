"""The verb that answers over HTTP: serve."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from vssl.api.deciding import export
from vssl.api.names import Name
from vssl.errors import ConfigError, ExportError
from vssl.run import Run


def serve(
    what: Run | Name,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    database: str = "",
    token_file: Name | None = None,
    samples: Name | None = None,
    audit: float = 0.02,
    threads: int | None = None,
    terminal: Console | None = None,
) -> None:
    """Decide over HTTP until interrupted: POST /v1/decide; / is a page for people, /openapi.json describes the rest.

    Args:
        what: A run with a policy, of which an export is made if there is no fresh one; or an export folder.
        host: Address to listen on; any other than this computer's own needs a token.
        port: Port to listen on.
        database: Where decisions are stored, as SQLAlchemy names it; by default decisions.sqlite in the export folder.
        token_file: A file with a word that every request must carry: Authorization: Bearer WORD.
        samples: Folder where samples are kept that people are asked about; by default in the export folder.
        audit: Share of the samples, 0..1, that is drawn at random for people to look at, whatever was decided: only
            from these does a later calibration learn (`calibrate(from_reviews=...)`).
        threads: Cores for one batch; all by default.
        terminal: Where to say that it has started; None is quiet.

    Raises:
        ExportError: There is no export, no policy, or it has expired.
        ConfigError: The extra `serve` is not installed, or a setting is wrong.
        StorageError: The database cannot be opened.
    """
    try:
        from vssl.serving import start
    except ImportError as error:
        raise ConfigError(
            f"The service needs the extras: pip install '.[onnx,serve]' in the folder of vssl ({error})."
        ) from error
    folder = _export_of(what, terminal)

    settings = start.Settings(
        host=host,
        port=port,
        database=database,
        token_file=None if token_file is None else Path(token_file),
        review_dir=None if samples is None else Path(samples),
        audit_rate=audit,
        threads=threads or os.cpu_count() or 1,
    )
    start.serve(folder, settings, lambda message: terminal.print(message, soft_wrap=True) if terminal else None)


def _export_of(what: Run | Name, terminal: Console | None) -> Path:
    path = what.path if isinstance(what, Run) else Path(what)
    from vssl.runtime.folder import MANIFEST

    if (path / MANIFEST).exists():
        return path
    run, folder = Run(path), path / "export"
    if not _is_of(folder, run):
        if terminal is not None:
            terminal.print(f"Exporting {path} ...", soft_wrap=True)
        export(run, out=folder)
    return folder


def _is_of(folder: Path, run: Run) -> bool:
    """Whether there is an export of the run as it is now, whole and of this version's format."""
    from vssl.exporting.folder import run_hash
    from vssl.runtime.folder import read

    try:
        return read(folder).about.get("made_from") == run_hash(run)
    except ExportError:
        return False
