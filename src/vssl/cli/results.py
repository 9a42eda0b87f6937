"""What a command prints after its verb has run: results on standard output, sentences for people on standard error.

A printing function takes the result, and further parameters: those that the verb has too get the same values, and
others become options of the command.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vssl.cli.terminal import say
from vssl.run import Run

if TYPE_CHECKING:
    from vssl.api.inspection import Inspection
    from vssl.decisions.policy import Policy
    from vssl.decisions.probe import Predictions
    from vssl.decisions.result import Decisions
    from vssl.encoders.weights import Weights
    from vssl.evaluation import Metrics
    from vssl.types import Embeddings


def other(result: Any, /) -> None:
    """The path that was written; nothing if the verb returns nothing."""
    if result is not None:
        say(f"Written: {result.resolve() if isinstance(result, Path) else result}")


def trained(run: Run, /) -> None:
    from vssl.training.modes import describe_weights
    from vssl.training.patch_discriminator import describe_discriminator
    from vssl.training.training_gain import describe_gain, describe_progress

    minutes, status = run.info["progress"]["seconds"] / 60, run.info["status"]
    progress, gain = describe_progress(run.info), describe_gain(run.info)
    say(f"{status}: {progress} in {minutes:.1f} minutes, {run.info['health']}. {gain}".rstrip())
    if weights := describe_weights(run.info):
        say(weights)
    if discriminator := describe_discriminator(run.info):
        say(discriminator)
    say(f"Next: vssl resume {run.path}" if status == "interrupted" else f"Next: vssl embed {run.path} DATA")


def embedded(table: Embeddings, /, run: Path) -> None:
    say(f"{len(table)} samples embedded. Next: vssl evaluate {run}, or vssl report {run}")


def evaluated(metrics: Metrics, /, run: Path) -> None:
    from vssl.training.health import NOT_TRAINED
    from vssl.training.modes import describe_weights
    from vssl.training.training_gain import describe_gain, describe_progress

    print(json.dumps(metrics.to_dict(), indent=2))
    info = Run(run).info
    if info.get("health") == NOT_TRAINED:
        say(describe_weights(info))
        return
    health, gain = info.get("health", "not checked"), describe_gain(info)
    say(f"The encoder was trained on {describe_progress(info)}, {health}. {gain}".rstrip())


def calibrated(policy: Policy, /, run: Path) -> None:
    from vssl.decisions.describe import describe

    print("\n".join(describe(policy)))
    without = "" if policy.guaranteed else ", without a guarantee"
    say(f"{run}/policy.json is in force{without}. Next: vssl decide {run} DATA")


def decided(decisions: Decisions, /, fail_if_reject: bool = False) -> None:
    """Counts and measured rates.

    Args:
        fail_if_reject: End with exit status 1 if a sample is rejected.
    """
    for sentence in decisions.summary():
        say(sentence)
    print(json.dumps(decisions.counts(), indent=2))
    if fail_if_reject and decisions.count("reject"):
        sys.exit(1)


def inspected(result: Inspection, /, fail_if_reject: bool = False) -> None:
    """The result in sentences, and the commands that repeat it.

    Args:
        fail_if_reject: End with exit status 1 if a sample is rejected.
    """
    say("\n".join(["", *result.sentences, "", "Each step again:", *result.commands, ""]))
    print(json.dumps(result.decisions.counts(), indent=2))
    say(f"Look at it: {result.page.resolve()}")
    if fail_if_reject and result.decisions.count("reject"):
        sys.exit(1)


def predicted(predictions: Predictions, /, coverage: float, by_class: bool) -> None:
    from vssl.decisions.describe import percent

    total = len(predictions.table)
    empty = predictions.table["labels"].to_pylist().count([])
    say(
        f"{total:,} samples, by {predictions.labelled:,} labels: {predictions.decided:,} decided, "
        f"{total - predictions.decided - empty:,} to ask a person about, {empty:,} like no class. A set has "
        f"{predictions.mean_size if total else 0:.2f} classes on average, and holds the true one for "
        f"{percent(coverage)} of the samples{' of each class' if by_class else ''}, if they are like the labelled ones."
    )
    counts = {"samples": total, "decided": predictions.decided, "empty": empty, "file": str(predictions.path)}
    print(json.dumps(counts, indent=2))


def exported(folder: Path, /, backbone_only: bool) -> None:
    if backbone_only:
        say(f"{folder}: backbone.safetensors (the weights), backbone.pt2 (for torch.export.load), backbone.json.")
        return
    parity = json.loads((folder / "manifest.json").read_text())["parity"]
    print(json.dumps(parity, indent=2))
    decided = parity["decided"]
    if decided["samples"]:
        say(f"{decided['flips']:,} of {decided['samples']:,} known samples are decided differently from the run.")
    say(f"Copy {folder} to the other computer. There: python -m vssl.runtime {folder.name} DATA")


def listed(weights: list[Weights], /, action: str) -> None:
    from vssl.encoders.weights import CAUTION, weights_folder

    for one in weights:
        licence = (one.licence.strip().splitlines() or ["not known"])[0]
        print(f"{one.name}: {one.architecture}; licence: {licence}; source: {one.source or 'not known'}; {one.sha256}")
    if not weights:
        say(f"{weights_folder()} holds no weights. Add some: vssl weights add FILE")
    elif action == "add":
        (one,) = weights
        say(f"{CAUTION} Next: vssl train DATA --out RUN --encoder timm/{one.architecture} --pretrained {one.name}")


def compared(page: Path, /, out: Path) -> None:
    from vssl.benchmarking import suite, summary

    print("\n\n".join(summary.text(table) for table in summary.tables(suite.results(out))))
    other(page)


PRINTERS: dict[str, Callable[..., None]] = {
    "bench": compared,
    "calibrate": calibrated,
    "decide": decided,
    "embed": embedded,
    "evaluate": evaluated,
    "export": exported,
    "inspect": inspected,
    "probe": predicted,
    "resume": trained,
    "train": trained,
    "weights": listed,
}
"""The printing function of each verb; the results of other verbs are printed by `other`."""
