"""The verb that takes a run to another computer: export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from vssl import api
from vssl.cli.terminal import RunFolder, say


def export(
    run: RunFolder,
    out: Path | None = None,
    precision: Literal["float32", "int8"] = "float32",
    backbone_only: bool = False,
) -> None:
    """Write a folder that decides on a computer without torch: one ONNX file, the policy, and a report of parity.

    There it takes Python with numpy, onnxruntime and Pillow: python -m vssl.runtime FOLDER IMAGES. A run with a policy
    gives its export a policy of its own, for the same guarantee, from the same samples, with the export's own numbers.
    Prints the parity as JSON on standard output: differences, decisions that changed, milliseconds, megabytes.

    Example: vssl export RUN

    In 8 bits, several times as fast: vssl export RUN --precision int8

    The encoder's weights for your own training code: vssl export RUN --backbone-only

    Args:
        run: The run folder.
        out: The folder to write; by default RUN/export, RUN/export-int8 or RUN/backbone.
        precision: float32, or int8.
        backbone_only: The encoder alone: its weights as safetensors, and a program for torch.export.load.
    """
    folder = api.export(run, out=out, precision=precision, backbone_only=backbone_only)
    if backbone_only:
        say(f"{folder}: backbone.safetensors (the weights), backbone.pt2 (for torch.export.load), backbone.json.")
        return
    parity = json.loads((folder / "manifest.json").read_text())["parity"]
    print(json.dumps(parity, indent=2))
    decided = parity["decided"]
    if decided["samples"]:
        say(f"{decided['flips']:,} of {decided['samples']:,} known samples are decided otherwise than by the run.")
    say(f"Copy {folder} to the other computer. There: python -m vssl.runtime {folder.name} IMAGES")
