"""The verb that answers over HTTP: serve."""

from __future__ import annotations

from pathlib import Path

from tyro.conf import Positional

from vssl import api
from vssl.cli.terminal import terminal


def serve(
    what: Positional[Path],
    host: str = "127.0.0.1",
    port: int = 8000,
    database: str = "",
    token_file: Path | None = None,
    samples: Path | None = None,
    audit: float = 0.02,
    threads: int | None = None,
) -> None:
    """Decide over HTTP, and keep every decision in a database, until Ctrl-C.

    Needs the extras: pip install '.[onnx,serve]' in the folder of vssl. A decision is stored before it is answered.
    In a browser it shows what waits for a person. /openapi.json describes what programs can ask, /v1/health whether it
    works, /metrics is for Prometheus.

    Example: vssl serve RUN

    Ask it: curl -F files=@part.png http://127.0.0.1:8000/v1/decide

    For other computers: vssl serve RUN --host 0.0.0.0 --token-file token.txt

    Args:
        what: A run with a policy, of which an export is made if there is no fresh one; or an export folder.
        host: Address to listen on; any other than this computer's own needs a token.
        port: Port to listen on.
        database: Where decisions are stored: sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME; by default
            decisions.sqlite in the export folder.
        token_file: A file with a word that every request must carry: Authorization: Bearer WORD.
        samples: Folder where samples are kept that people are asked about; by default in the export folder.
        audit: Share of the samples, 0 to 1, drawn at random for people to look at whatever was decided. Only these make
            an honest calibration later: vssl calibrate RUN --from-reviews.
        threads: Cores for one batch; all by default.
    """
    api.serve(
        what,
        host=host,
        port=port,
        database=database,
        token_file=token_file,
        samples=samples,
        audit=audit,
        threads=threads,
        terminal=terminal(),
    )
