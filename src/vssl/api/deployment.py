"""The verbs that take a run to where decisions are made: `export`, `serve`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vssl.api.arguments import PathLike, shared_sentences
from vssl.api.training import load, train
from vssl.errors import ConfigError, ExportError
from vssl.run import Run

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["export", "serve"]


def export(
    run: Run | PathLike,
    *,
    out: PathLike | None = None,
    precision: Literal["float32", "int8"] = "float32",
    backbone_only: bool = False,
) -> Path:
    """Write a folder that decides on a computer without torch: an ONNX file, the policy and a parity report.

    Examples:
        vssl export RUN
        # In 8 bits, several times as fast
        vssl export RUN --precision int8
        # The weights of the encoder for other training code
        vssl export RUN --backbone-only

    The other computer needs Python with numpy, onnxruntime and Pillow: python -m vssl.runtime FOLDER DATA. If the run
    has a policy, the export gets its own: the same guarantee from the same samples, calibrated with the scores of the
    export. The command prints the parity with the run as JSON on standard output: differences, changed decisions,
    milliseconds per sample, megabytes.

    Args:
        run: The run folder.
        out: The folder to write. By default RUN/export, RUN/export-int8 or RUN/backbone.
        precision: Numeric precision. int8 is several times as fast, a quarter of the size, and less exact.
        backbone_only: Write only the encoder: its weights as safetensors (with timm's names for a timm encoder), and a
            program for `torch.export.load`.

    Raises:
        ExportError: The model or its score has no ONNX form, or the policy's samples are gone.
        ConfigError: The extra `onnx` is not installed.
        VsslError: See `vssl.errors`.
    """
    model = load(run, "cpu")
    if backbone_only:
        from vssl.exporting.backbone import export_backbone

        folder = Path(out or model.run.path / "backbone")
        export_backbone(model, folder)
        return folder
    try:
        from vssl.exporting import folder as exports
    except ImportError as error:
        raise ConfigError(
            f"Exports need the extra onnx: pip install '.[onnx]' in the folder of vssl ({error})."
        ) from error
    folder = Path(out or model.run.path / ("export" if precision == "float32" else f"export-{precision}"))
    exports.export(model, folder, precision)
    return folder


@shared_sentences(train)
def serve(
    run: Run | PathLike,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    database: str = "",
    token_file: PathLike | None = None,
    review_dir: PathLike | None = None,
    audit_rate: float = 0.02,
    threads: int | None = None,
    terminal: Console | None = None,
) -> None:
    """Decide over HTTP until interrupted, and store every decision in a database before it is returned.

    Examples:
        vssl serve RUN
        # A request
        curl -F files=@part.png http://127.0.0.1:8000/v1/decide
        # Reachable from other computers
        vssl serve RUN --host 0.0.0.0 --token-file token.txt

    The address in a browser shows a page with the samples that wait for a person's review. /openapi.json describes the
    HTTP interface, /v1/health reports whether the service works, and /metrics is for Prometheus. The service needs the
    extras: pip install '.[onnx,serve]' in the folder of vssl.

    Args:
        run: A run with a policy, which is exported unless its export is up to date; or an export folder.
        host: Address to listen on. Any other than this computer's own needs an access token.
        port: Port to listen on.
        database: Database of the decisions, as an SQLAlchemy URL: sqlite:///FILE or
            postgresql+psycopg://USER@HOST/NAME. By default decisions.sqlite in the export folder.
        token_file: A file with the access token that every request must carry: Authorization: Bearer TOKEN.
        review_dir: Folder for the samples that people are asked to review. By default the folder `samples` in the
            export folder.
        audit_rate: Share of the samples, in 0..1, that is drawn at random for review whatever was decided. Only these
            can calibrate a later policy: vssl calibrate RUN --from-reviews.
        threads: Number of CPU threads per batch. By default all cores.
        terminal: As in `train`.

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
    folder = _export_of(run, terminal)

    settings = start.Settings(
        host=host,
        port=port,
        database=database,
        token_file=None if token_file is None else Path(token_file),
        review_dir=None if review_dir is None else Path(review_dir),
        audit_rate=audit_rate,
        threads=threads or os.cpu_count() or 1,
    )
    start.serve(folder, settings, lambda message: terminal.print(message, soft_wrap=True) if terminal else None)


def _export_of(run: Run | PathLike, terminal: Console | None) -> Path:
    from vssl.runtime.folder import MANIFEST

    path = run.path if isinstance(run, Run) else Path(run)
    if (path / MANIFEST).exists():
        return path
    run, folder = Run(path), path / "export"
    if not _is_up_to_date(folder, run):
        if terminal is not None:
            terminal.print(f"Exporting {path} ...", soft_wrap=True)
        export(run, out=folder)
    return folder


def _is_up_to_date(folder: Path, run: Run) -> bool:
    """Whether there is an export of the run as it is now, whole and of this version's format."""
    from vssl.exporting.folder import run_hash
    from vssl.runtime.folder import read

    try:
        return read(folder).about.get("made_from") == run_hash(run)
    except ExportError:
        return False
