"""python -m vssl.serving EXPORT: `vssl serve` for a computer without torch."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from vssl.errors import VsslError
from vssl.serving.start import Settings, serve


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; errors end with status 2 and a message on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m vssl.serving",
        description="Decide over HTTP by an export, and store every decision in a database, until Ctrl-C.",
    )
    parser.add_argument("export", type=Path, help="the export folder")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; any other needs a token")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 8000 by default")
    parser.add_argument("--database", default="", help="by default decisions.sqlite in the export folder")
    parser.add_argument("--review-dir", type=Path, help="folder of samples for review; by default in the export folder")
    parser.add_argument(
        "--audit-rate", type=float, default=0.02, help="share of samples drawn at random for review, 0..1"
    )
    parser.add_argument("--token-file", type=Path, help="file with the access token that every request must carry")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="cores per batch; all by default")
    arguments = vars(parser.parse_args(argv))

    export = arguments.pop("export")
    try:
        serve(export, Settings(**arguments), lambda message: print(message, file=sys.stderr))
    except VsslError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
