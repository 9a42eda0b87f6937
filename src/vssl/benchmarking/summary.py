"""From the results of trials to tables: mean, smallest and largest over the seeds, and how much the settings matter."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vssl.benchmarking.methods import family
from vssl.training.health import HEALTHY, NO_GAIN

Result = Mapping[str, Any]
WITHIN = 0.02
"""A setting is as good as the method's best if it reaches within 2 points of it."""
QUALITY = {
    "knn/accuracy": "kNN",
    "knn/whitened_accuracy": "kNN, whitened",
    "linear/accuracy_100": "linear",
    "linear/accuracy_10": "linear, 10 %",
    "linear/accuracy_1": "linear, 1 %",
    "finetune/accuracy_10": "fine-tuned, 10 %",
}
COLUMNS = QUALITY | {
    "retrieval/r_auroc/ambiguity": "R-AUROC",
    "retrieval/r_auroc/posterior_distance": "with distance",
    "retrieval/r_auroc/best_stand_in": "best stand-in",
}
STAND_INS = (
    "nn_distance",
    "knn_distance",
    "whitened_nn_distance",
    "latent_nn_distance",
    "feature_norm",
    "disagreement",
)


@dataclass(frozen=True)
class Spread:
    """A figure over the seeds."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    def __str__(self) -> str:
        if not self.values:
            return "-"
        digits = 3 if max(map(abs, self.values)) < 10 else 0
        low, mean, high = (f"{value:.{digits}f}" for value in (min(self.values), self.mean, max(self.values)))
        return mean if low == high else f"{mean} ({low} to {high})"


@dataclass(frozen=True, eq=False)
class Row:
    """One method with one setting on one data set and budget.

    Attributes:
        method: As it was written, with learning rate and batch where the comparison varies them.
        results: One a seed.
    """

    method: str
    results: tuple[Result, ...]

    def figure(self, name: str) -> Spread:
        """The values of a figure, of the seeds that have it."""
        if name == "retrieval/r_auroc/best_stand_in":
            return max((self.figure(f"retrieval/r_auroc/{item}") for item in STAND_INS), key=_mean_or_least)
        return Spread(tuple(result["values"][name] for result in self.results if name in result["values"]))

    def cost(self, name: str) -> Spread:
        return Spread(tuple(result["cost"][name] for result in self.results if name in result["cost"]))

    @property
    def reads_labels(self) -> bool:
        """Whether it is an upper bound, that no method without labels is to be measured by."""
        return "label" in self.results[0]["settings"].get("objective", {})

    @property
    def remarks(self) -> str:
        """What sets it apart and what went wrong in any of the runs, in words; "" if nothing did."""
        diverged = sum(result["outcome"] == "diverged" for result in self.results)
        done = [result["health"] for result in self.results if result["outcome"] == "done"]
        sick, unproven = len(done) - done.count(HEALTHY) - done.count(NO_GAIN), done.count(NO_GAIN)
        spikes = sum(result.get("loss_spikes", 0) for result in self.results)
        found = (
            (diverged, "diverged"),
            (sick, "not healthy"),
            (unproven, "not shown to have learned"),
            (spikes, "loss spikes"),
        )
        told = ["reads the labels"] if self.reads_labels else []
        return ", ".join(told + [f"{count} {what}" for count, what in found if count])


@dataclass(frozen=True, eq=False)
class Table:
    """All rows under the same conditions and with the same budget, the best first.

    Attributes:
        data: Name of the data, or their paths where others have the same name.
        conditions: All that is equal in all rows but the budget, as JSON.
    """

    data: str
    budget: str
    encoder: str
    conditions: str
    rows: tuple[Row, ...]

    def leads(self, row: Row, name: str) -> bool:
        """Whether no row that reads no labels is shown to be better: its range over the seeds reaches the best's."""
        rivals = [other.figure(name).values for other in self.rows if not other.reads_labels]
        best = max((values for values in rivals if values), key=np.mean, default=())
        own = row.figure(name).values
        return bool(own) and not row.reads_labels and max(own) >= min(best)

    @property
    def title(self) -> str:
        return f"{self.data}, {self.budget}, {self.encoder}"

    @property
    def chance(self) -> str:
        """What accuracies are to be held against, in words; "" if there are none."""
        shares = [share for row in self.rows for share in row.figure("labels/largest_class").values]
        if not shares:
            return ""
        return f"To say the largest class of every sample would be right for {max(shares):.1%} of them."


def tables(results: Sequence[Result]) -> list[Table]:
    """One table for all results under equal conditions: data, label, budget, encoder, views, device."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        equal = [result["settings"].get(name) for name in ("encoder", "modality", "device")]
        conditions = json.dumps([_sources(result), *equal], sort_keys=True)
        groups.setdefault((conditions, result["budget"]), []).append(result)
    alike = Counter(name for name, _ in {(result["data"], str(_sources(result))) for result in results})
    return [
        Table(_data(members[0], alike), budget, _encoder(members[0]), conditions, _rows(members))
        for (conditions, budget), members in groups.items()
    ]


def _sources(result: Result) -> dict[str, Any]:
    """Where the data lie; of results before 0.5 the name alone."""
    return result.get("sources", {"train": result["data"]})


def _data(result: Result, alike: Mapping[str, int]) -> str:
    if alike[result["data"]] == 1:
        return result["data"]
    return ", ".join(f"{role} {where}" for role, where in _sources(result).items() if where)


def _encoder(result: Result) -> str:
    encoder = result["settings"]["encoder"]
    return "/".join(str(encoder[key]) for key in ("name", "variant") if key in encoder)


def _rows(results: Sequence[Result]) -> tuple[Row, ...]:
    varied = len({(result["learning_rate"], result["batch"]) for result in results}) > 1
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        suffix = f", lr {result['learning_rate']:g}, batch {result['batch']}" if varied else ""
        settings = {name: value for name, value in result["settings"].items() if name != "seed"}
        groups.setdefault((result["method"] + suffix, json.dumps(settings, sort_keys=True)), []).append(result)
    alike = Counter(name for name, _ in groups)
    rows = []
    for (name, _), members in groups.items():
        # The same words meant other settings to another version.
        version = f" (vssl {members[0]['versions']['vssl']})" if alike[name] > 1 else ""
        rows.append(Row(name + version, tuple(members)))
    return tuple(sorted(rows, key=lambda row: -_mean_or_least(row.figure("linear/accuracy_100"))))


def sensitivity(table: Table, figure: str = "knn/accuracy") -> dict[str, tuple[float, int]]:
    """For each method tried with several settings: the share of them within 2 points of its best, and how many.

    A setting whose runs diverged, or have no such figure, is not within.
    """
    means: dict[str, list[float]] = {}
    for row in table.rows:
        means.setdefault(family(row.results[0]["method"]), []).append(_mean_or_least(row.figure(figure)))
    return {
        name: (float(np.mean([value >= max(found) - WITHIN for value in found])), len(found))
        for name, found in means.items()
        if len(found) > 1 and max(found) > -np.inf
    }


def _mean_or_least(spread: Spread) -> float:
    return spread.mean if spread.values else -np.inf


def text(table: Table) -> str:
    """The table in Markdown."""
    heads = ["method", "seeds", *COLUMNS.values(), "images/s", "GFLOP an image", "remarks"]
    lines = [table.title, "", _line(heads), "|" + "---|" * len(heads)]
    for row in table.rows:
        figures = [f"**{row.figure(name)}**" if table.leads(row, name) else str(row.figure(name)) for name in COLUMNS]
        cost = [str(row.cost(name)) for name in ("samples_per_s", "gflops_per_image")]
        lines.append(_line([row.method, str(len(row.results)), *figures, *cost, row.remarks]))
    if table.chance:
        lines += ["", table.chance]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
