"""python -m vssl.runtime EXPORT FILE...: decide on image files; one line of JSON each, status 1 if one is rejected."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from vssl.errors import VsslError
from vssl.runtime.decider import Decider, load


def main(argv: Sequence[str] | None = None) -> int:
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
    arguments = parser.parse_args(argv)
    rejected = False
    try:
        decider = load(arguments.export, arguments.threads)
        if arguments.check:
            print(json.dumps(decider.check()))
        for decision in decider.decide_files(_files(decider, arguments.data), arguments.group):
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


def _files(decider: Decider, data: Sequence[Path]) -> list[Path]:
    """The files of samples, found in folders as the library finds them; notes say what is left out there."""
    files: list[Path] = []
    for path in data:
        if path.is_dir():
            below, notes = decider.file_wire.find_files(path)
            files += below
            for note in notes:
                print(f"Note on {path}: {note}", file=sys.stderr)
        else:
            files.append(path)
    return files


if __name__ == "__main__":
    sys.exit(main())
