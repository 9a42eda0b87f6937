"""The verb that answers over HTTP: serve."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from vssl.api.deciding import export
from vssl.api.names import Name
from vssl.errors import ConfigError
from vssl.run import Run


def serve(
    what: Run | Name,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    database: str = "",
    token_file: Name | None = None,
    threads: int | None = None,
    terminal: Console | None = None,
) -> None:
    """Decide over HTTP until interrupted: POST /v1/decide; /openapi.json describes all addresses.

    Args:
        what: A run with a policy, of which an export is made if there is no fresh one; or an export folder.
        host: Address to listen on; any other than this computer's own needs a token.
        port: Port to listen on.
        database: Where decisions are stored, as SQLAlchemy names it; by default decisions.sqlite in the export folder.
        token_file: A file with a word that every request must carry: Authorization: Bearer WORD.
        threads: Cores for one batch; all by default.
        terminal: Where to say that it has started; None is quiet.

    Raises:
        ExportError: There is no export, no policy, or it has expired.
        ConfigError: The extra `serve` is not installed, a setting is wrong, or the model takes event logs.
        StorageError: The database cannot be opened.
    """
    try:
        from vssl.serve.start import serve as start
    except ImportError as error:
        raise ConfigError(f"The service needs the extras: pip install 'vssl[onnx,serve]' ({error}).") from error
    folder = _export_of(what, terminal)

    def started() -> None:
        if terminal is not None:
            terminal.print(
                f"http://{host}:{port}/openapi.json describes what can be asked. Stop it with Ctrl-C.", soft_wrap=True
            )

    token = None if token_file is None else Path(token_file)
    start(folder, host, port, database, token, threads or os.cpu_count() or 1, started)


def _export_of(what: Run | Name, terminal: Console | None) -> Path:
    path = what.path if isinstance(what, Run) else Path(what)
    from vssl.runtime.folder import MANIFEST, read

    if (path / MANIFEST).exists():
        return path
    from vssl.export.folder import origin

    run, folder = Run(path), path / "export"
    if not (folder / MANIFEST).exists() or read(folder).about.get("made_from") != origin(run):
        if terminal is not None:
            terminal.print(f"Exporting {path} ...", soft_wrap=True)
        export(run, out=folder)
    return folder
