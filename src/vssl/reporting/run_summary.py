"""The summary of a run: what was trained, its health, its most important metrics and what its ambiguity means."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vssl import scores
from vssl.reporting.metric_docs import MetricRow, metric_rows
from vssl.training.health import HEALTHY, NO_GAIN, NOT_TRAINED
from vssl.training.modes import describe_weights
from vssl.training.training_gain import describe_gain, describe_progress
from vssl.types import Embeddings

MAX_METRICS = 6
STATUS = {
    "done": "The training finished.",
    "running": "The training has not finished: it is still running, or it was killed.",
    "interrupted": "The training was interrupted; its last state can be used, and `vssl resume` continues it.",
    "diverged": "The training diverged: the loss is no longer a number. Do not use it; lower the learning rate.",
}


NOTHING_TO_FINISH = "The encoder was taken as it is (--train none)."


@dataclass(frozen=True)
class RunSummary:
    """The first section of the report.

    Attributes:
        tone: "good", "warning" or "bad".
        headline: A few words.
        trained: What was trained, on which data, for how long.
        status: How the training ended.
        health: Whether the representation has collapsed.
        metrics: The metrics with the highest priority; empty without an evaluation.
        uncertainty: What the ambiguity means here.
    """

    tone: str
    headline: str
    trained: str
    status: str
    health: str
    metrics: list[MetricRow]
    uncertainty: list[str]


def summarise(info: Mapping[str, Any], values: Mapping[str, float], table: Embeddings | None) -> RunSummary:
    """The summary of a run, from run.json, the values of its evaluation and its embeddings."""
    tone, headline = _tone(info)
    status = (
        NOTHING_TO_FINISH
        if _mode(info) == "none" and info.get("status") == "done"
        else STATUS.get(info.get("status", ""), f"The status of the training is {info.get('status')!r}.")
    )
    return RunSummary(
        tone, headline, _trained(info), status, _health(info), _main_metrics(values), _uncertainty(info, values, table)
    )


def duration(seconds: float) -> str:
    """A time in seconds, minutes or hours, whichever suits it."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _tone(info: Mapping[str, Any]) -> tuple[str, str]:
    health, status = info.get("health"), info.get("status")
    if status == "diverged":
        return "bad", "Diverged: do not use"
    if health == NOT_TRAINED:
        return "good", "Ready: the encoder keeps its initial weights"
    if health == NO_GAIN and _mode(info) == "adapt":
        return "good", "Finished: the encoder keeps its initial weights, which no adapted ones surpassed"
    if health == NO_GAIN:
        return "warning", "Finished, but nothing shows that the training helped"
    if health not in (None, HEALTHY):
        return "bad", f"Not healthy: {health}"
    if status != "done":
        return "warning", "Not finished" + (", healthy so far" if health else "")
    return ("good", "Finished and healthy") if health else ("warning", "Finished, health not assessed")


def _mode(info: Mapping[str, Any]) -> str | None:
    mode: str | None = (info.get("weights") or {}).get("mode")
    return mode


def _trained(info: Mapping[str, Any]) -> str:
    if _mode(info) == "none":
        encoder, source = info["settings"]["encoder"], info.get("source", "an unknown source")
        name = "/".join(filter(None, (encoder["name"], encoder.get("variant"))))
        return f"Encoder {name}, with data from {source}: {info.get('samples', 0):,} samples. {describe_weights(info)}"
    names = {kind: info.get("settings", {}).get(kind, {}).get("name") for kind in ("encoder", "objective")}
    what = " and ".join(f"{kind} {name}" for kind, name in names.items() if name) or "An encoder"
    progress, machine = info.get("progress", {}), info.get("machine", {})
    sentence = f"{what[:1].upper()}{what[1:]}, trained on data from {info.get('source', 'an unknown source')}"
    sentence += f": {describe_progress(info)}"
    if progress:
        sentence += f", for {duration(progress.get('seconds', 0.0))}"
    if machine:
        sentence += f", on {machine.get('device', 'an unknown device')} with {machine.get('cores', '?')} CPU cores"
    return f"{sentence}. {describe_weights(info)}".rstrip()


def _health(info: Mapping[str, Any]) -> str:
    health = info.get("health")
    if health is None:
        return "The health of the representation was not assessed."
    if health == NOT_TRAINED:
        return (
            "No training has changed the representation, so it was not checked for collapse. How far the features suit "
            "these data is for the calibration and the evaluation to say."
        )
    if health in (HEALTHY, NO_GAIN):
        healthy = "The representation has not collapsed: different samples get different embeddings."
        return f"{healthy} {describe_gain(info)}".rstrip()
    return f"The representation is not healthy: {health}. Everything below describes a broken encoder."


def _main_metrics(values: Mapping[str, float]) -> list[MetricRow]:
    """The metrics with the highest priority, each for one score only."""
    rows: dict[str, MetricRow] = {}
    for row in metric_rows(values):
        rows.setdefault(row.declared, row)
    return list(rows.values())[:MAX_METRICS]


def _uncertainty(info: Mapping[str, Any], values: Mapping[str, float], table: Embeddings | None) -> list[str]:
    if table is None:
        return []
    if _mode(info) == "none":
        return [
            "There is no posterior without training: the embeddings have no variance and no ambiguity, and scores that "
            "need them are not available (--train adapt trains a head)."
        ]
    if "ambiguity" not in table:
        return [
            "This method is deterministic: it gives each sample a point without a variance. That does not mean that "
            "the variance is zero; the method does not say how certain an embedding is."
        ]
    ambiguity = table.numpy("ambiguity")
    if not np.isfinite(ambiguity).all():
        return ["Some ambiguities are not finite numbers: the training diverged, and none of them can be trusted."]
    low, median, high = np.percentile(ambiguity, [5, 50, 95])
    return [
        "The ambiguity of a sample (its mean log-variance, in nats) says how uncertain the encoder is about the "
        "embedding among what it has learned. The higher it is, the less the embedding should be trusted.",
        f"Here the median is {median:.2f}, and 90 % of the samples are between {low:.2f} and {high:.2f}.",
        "It does not say that a sample is new: a sample unlike all training data may have a low ambiguity. "
        "Novelty needs a score of its own, the distance from the known data.",
        *_comparison(values),
    ]


def _comparison(values: Mapping[str, float]) -> list[str]:
    """The R-AUROC of the ambiguity, compared with the best score that does not use the learned variance."""
    prefix = "retrieval/r_auroc/"
    r_auroc = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
    if "ambiguity" not in r_auroc:
        return []
    own = r_auroc["ambiguity"]
    learned = {name for name, config in scores.evaluated().items() if config.learned}
    sentence = f"It detects samples whose nearest neighbour is wrong with an R-AUROC of {own:.2f} (0.5 is chance)"
    baselines = {name: value for name, value in r_auroc.items() if name not in learned}
    if not baselines:
        return [sentence + "."]
    best = max(baselines, key=lambda name: baselines[name])
    relation = "better than" if own > baselines[best] else "no better than"
    return [f"{sentence}, {relation} the best baseline score ({best}, {baselines[best]:.2f})."]
