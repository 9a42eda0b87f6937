"""python -m vssl.runtime EXPORT FILE...: decide on image files; a line of JSON each, status 1 if one is rejected."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from vssl.errors import VsslError
from vssl.modalities.images.folder_listing import list_pictures
from vssl.runtime.decider import load


def main(arguments: Sequence[str] | None = None) -> int:
    """Decide; errors end with status 2 and a message on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m vssl.runtime",
        description="Accept, review or reject images by an exported model and its policy. Prints a line of JSON for "
        "each. Ends with status 1 if one is rejected, and with 2 if something is wrong with the export.",
    )
    parser.add_argument("export", help="the export folder")
    parser.add_argument("data", nargs="*", type=Path, help="image files, or folders of them")
    parser.add_argument("--check", action="store_true", help="how far this computer's numbers are from the exporter's")
    parser.add_argument("--group", default="", help="the group of the images, where the policy has thresholds by group")
    parser.add_argument("--threads", type=int, default=1, help="cores to use; 1 by default")
    asked = parser.parse_args(arguments)
    rejected = False
    try:
        decider = load(asked.export, asked.threads)
        if asked.check:
            print(json.dumps(decider.check()))
        for decision in decider.decide_images(_files(asked.data), asked.group):
            rejected |= decision.decision == "reject"
            values = {name: None if value != value else value for name, value in asdict(decision).items()}
            print(json.dumps(values), flush=True)
    except VsslError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return int(rejected)


def _files(data: Sequence[Path]) -> list[Path]:
    """The pictures, found in folders as the library finds them; what is left aside there is said."""
    found: list[Path] = []
    for path in data:
        if path.is_dir():
            below = list_pictures(path)
            found += [path / name for name in below.names]
            for note in below.notes:
                print(f"Note on {path}: {note}", file=sys.stderr)
        else:
            found.append(path)
    return found


if __name__ == "__main__":
    sys.exit(main())
