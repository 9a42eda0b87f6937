"""The verdict: what was trained, whether it is alive, how good it is and what its uncertainty says, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vssl.reporting.meanings import Figure, figures
from vssl.training.health import HEALTHY, NO_GAIN
from vssl.training.training_gain import describe_gain, describe_progress
from vssl.types import Embeddings

HEADLINES = 6
STATUS = {
    "done": "The training finished.",
    "running": "The training has not finished: it still goes on, or it was killed.",
    "interrupted": "The training was interrupted; what there is can be used, and `vssl resume` goes on with it.",
    "diverged": "The training diverged: the loss is no longer a number. Do not use it; lower the learning rate.",
}


@dataclass(frozen=True)
class Verdict:
    """What the reader must know who reads no further.

    Attributes:
        tone: "good", "warning" or "bad".
        headline: A few words.
        trained: What was trained, on what, for how long.
        status: How the training ended.
        health: Whether the representation is alive.
        figures: The most telling evaluation figures; empty if nobody evaluated.
        uncertainty: What the ambiguity means here.
    """

    tone: str
    headline: str
    trained: str
    status: str
    health: str
    figures: list[Figure]
    uncertainty: list[str]


def verdict(info: Mapping[str, Any], values: Mapping[str, float], table: Embeddings | None) -> Verdict:
    """The verdict on a run, from run.json, the evaluation's values and the embeddings."""
    tone, headline = _tone(info)
    shown = _most_telling(values)
    status = STATUS.get(info.get("status", ""), f"The status of the training is {info.get('status')!r}.")
    return Verdict(tone, headline, _trained(info), status, _health(info), shown, _uncertainty(values, table))


def duration(seconds: float) -> str:
    """A time in the unit in which people say it."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _tone(info: Mapping[str, Any]) -> tuple[str, str]:
    health, status = info.get("health"), info.get("status")
    if status == "diverged":
        return "bad", "Diverged: do not use"
    if health == NO_GAIN:
        return "warning", "Finished, and nothing shows that the training helped"
    if health not in (None, HEALTHY):
        return "bad", f"Not healthy: {health}"
    if status != "done":
        return "warning", "Not finished" + (", healthy so far" if health else "")
    return ("good", "Finished and healthy") if health else ("warning", "Finished, health not judged")


def _trained(info: Mapping[str, Any]) -> str:
    members = {kind: info.get("settings", {}).get(kind, {}).get("name") for kind in ("encoder", "objective")}
    what = " and ".join(f"{kind} {name}" for kind, name in members.items() if name) or "An encoder"
    progress, machine = info.get("progress", {}), info.get("machine", {})
    sentence = f"{what[:1].upper()}{what[1:]}, trained on data from {info.get('source', 'an unknown source')}"
    sentence += f": {describe_progress(info)}"
    if progress:
        sentence += f", for {duration(progress.get('seconds', 0.0))}"
    if machine:
        sentence += f", on {machine.get('device', 'an unknown device')} with {machine.get('cores', '?')} CPU cores"
    return sentence + "."


def _health(info: Mapping[str, Any]) -> str:
    health = info.get("health")
    if health is None:
        return "The health of the representation was not judged."
    if health in (HEALTHY, NO_GAIN):
        alive = "The representation is alive: different samples get different embeddings, in many directions."
        return f"{alive} {describe_gain(info)}".rstrip()
    return f"The representation is not healthy: {health}. Figures and pictures below describe a broken encoder."


def _most_telling(values: Mapping[str, float]) -> list[Figure]:
    kinds: dict[str, Figure] = {}
    for figure in figures(values):
        kinds.setdefault(figure.meaning.split(" Score:")[0], figure)
    return list(kinds.values())[:HEADLINES]


def _uncertainty(values: Mapping[str, float], table: Embeddings | None) -> list[str]:
    if table is None:
        return []
    if "ambiguity" not in table:
        return [
            "This method is deterministic: it gives each sample a point and no variance. "
            "That is no variance of zero; it says nothing about how certain an embedding is."
        ]
    ambiguity = table.numpy("ambiguity")
    if not np.isfinite(ambiguity).all():
        return ["Some ambiguities are not finite numbers: the training diverged, and none of them can be trusted."]
    low, middle, high = np.percentile(ambiguity, [5, 50, 95])
    return [
        "The ambiguity of a sample (its mean log-variance, in nats) says how far the encoder itself finds the sample "
        "undetermined among what it knows. Higher means: trust the embedding less.",
        f"Here the middle sample has {middle:.2f}, and nine of ten lie between {low:.2f} and {high:.2f}.",
        "It does not say that a sample is new: something never seen before may well get a low ambiguity. "
        "Novelty needs its own score, the distance from the known data.",
        *_worth(values),
    ]


def _worth(values: Mapping[str, float]) -> list[str]:
    own = values.get("retrieval/r_auroc/ambiguity")
    if own is None:
        return []
    prefix = "retrieval/r_auroc/"
    others = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
    # A third of the posterior distance is the ambiguity itself.
    for learned in ("ambiguity", "posterior_distance"):
        others.pop(learned, None)
    sentence = f"It finds samples whose nearest neighbour is wrong with an R-AUROC of {own:.2f} (0.5 is chance)"
    if not others:
        return [sentence + "."]
    best = max(others, key=lambda name: others[name])
    relation = "better than" if own > others[best] else "no better than"
    return [f"{sentence}, {relation} the best simple stand-in ({best}, {others[best]:.2f})."]
