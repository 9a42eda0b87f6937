"""python -m vssl.serve EXPORT: `vssl serve` for a computer without torch."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from vssl.errors import VsslError
from vssl.serve.start import serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer until interrupted; errors end with status 2 and a message on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m vssl.serve",
        description="Decide over HTTP by an export, and keep every decision in a database, until Ctrl-C.",
    )
    parser.add_argument("export", type=Path, help="the export folder")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; any other needs a token")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on")
    parser.add_argument("--database", default="", help="by default decisions.sqlite in the export folder")
    parser.add_argument("--token-file", type=Path, help="a file with a word that every request must carry")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="cores for one batch; all by default")
    asked = parser.parse_args(arguments)

    def started() -> None:
        print(
            f"http://{asked.host}:{asked.port}/openapi.json describes what can be asked. Stop it with Ctrl-C.",
            file=sys.stderr,
        )

    try:
        serve(asked.export, asked.host, asked.port, asked.database, asked.token_file, asked.threads, started)
    except VsslError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
