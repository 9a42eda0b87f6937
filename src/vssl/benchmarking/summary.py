"""Makes tables of the results of trials: mean and range over the seeds, and the sensitivity to the settings."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vssl import scores
from vssl.benchmarking import finetune
from vssl.benchmarking.methods import family
from vssl.evaluation.evaluators import declared_metrics
from vssl.training.health import HEALTHY, NO_GAIN

Result = Mapping[str, Any]
TOLERANCE = 0.02
"""A setting is as good as the best of its method if it is at most this much below it."""
R_AUROC = "retrieval/r_auroc/"
BEST_BASELINE = R_AUROC + "best_baseline"


def titles() -> dict[str, str]:
    """The title of each metric that has a column in the comparison."""
    declared = sorted(
        (declared_metrics() | finetune.METRICS).items(), key=lambda item: (item[1].priority, item[1].title)
    )
    return {name: metric.title for name, metric in declared if metric.title}


def baselines() -> list[str]:
    """The scores that do not use the learned variance."""
    return [name for name, config in scores.evaluated().items() if not config.learned]


def uncertainty_titles() -> dict[str, str]:
    """The title of the R-AUROC of each learned score, and of the best baseline."""
    learned = [name for name, config in scores.evaluated().items() if config.learned]
    return {R_AUROC + name: f"R-AUROC, {name}" for name in learned} | {BEST_BASELINE: "R-AUROC, best baseline"}


@dataclass(frozen=True)
class SeedRange:
    """The values of a metric over the seeds."""

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
        method: As it was written, with learning rate and batch size where the comparison varies them.
        results: One per seed.
    """

    method: str
    results: tuple[Result, ...]

    def metric(self, name: str) -> SeedRange:
        """The values of a metric, of the seeds that have it."""
        if name == BEST_BASELINE:
            return max((self.metric(R_AUROC + score) for score in baselines()), key=_mean_or_lowest)
        return SeedRange(tuple(result["values"][name] for result in self.results if name in result["values"]))

    def cost(self, name: str) -> SeedRange:
        return SeedRange(tuple(result["cost"][name] for result in self.results if name in result["cost"]))

    @property
    def reads_labels(self) -> bool:
        """Whether it is an upper bound, which methods without labels are not compared with."""
        return "label" in self.results[0]["settings"].get("objective", {})

    @property
    def remarks(self) -> str:
        """Whether it reads the labels, and what failed in any of the runs; "" if there is nothing to remark."""
        diverged = sum(result["outcome"] == "diverged" for result in self.results)
        done = [result["health"] for result in self.results if result["outcome"] == "done"]
        unhealthy, unproven = len(done) - done.count(HEALTHY) - done.count(NO_GAIN), done.count(NO_GAIN)
        spikes = sum(result.get("loss_spikes", 0) for result in self.results)
        counts = {"diverged": diverged, "not healthy": unhealthy, "not shown to have learned": unproven}
        labels = ["reads the labels"] if self.reads_labels else []
        return ", ".join(labels + [f"{n} {what}" for what, n in (counts | {"loss spikes": spikes}).items() if n])


@dataclass(frozen=True, eq=False)
class Table:
    """All rows under the same conditions and with the same budget, the best first.

    Attributes:
        data: Name of the data, or their paths where several have the same name.
        conditions: All conditions that the rows share except the budget, as JSON.
    """

    data: str
    budget: str
    encoder: str
    conditions: str
    rows: tuple[Row, ...]

    def is_best(self, row: Row, name: str) -> bool:
        """Whether its range over the seeds reaches that of the best row; rows that read labels are not compared."""
        others = [other.metric(name).values for other in self.rows if not other.reads_labels]
        best = max((values for values in others if values), key=np.mean, default=())
        own = row.metric(name).values
        return bool(own) and not row.reads_labels and max(own) >= min(best)

    @property
    def title(self) -> str:
        return f"{self.data}, {self.budget}, {self.encoder}"

    @property
    def chance(self) -> str:
        """The accuracy to compare with, as a sentence; "" without labels."""
        shares = [share for row in self.rows for share in row.metric("labels/largest_class").values]
        if not shares:
            return ""
        return f"Always predicting the largest class has an accuracy of {max(shares):.1%}."


def tables(results: Sequence[Result]) -> list[Table]:
    """One table for all results under equal conditions: data, label, budget, encoder, views, device."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        equal = [result["settings"].get(name) for name in ("encoder", "modality", "device")]
        conditions = json.dumps([_sources(result), *equal], sort_keys=True)
        groups.setdefault((conditions, result["budget"]), []).append(result)
    same_name = Counter(name for name, _ in {(result["data"], str(_sources(result))) for result in results})
    return [
        Table(_data(members[0], same_name), budget, _encoder(members[0]), conditions, _rows(members))
        for (conditions, budget), members in groups.items()
    ]


def _sources(result: Result) -> dict[str, Any]:
    """The paths of the data; results without them have a name only."""
    return dict(result.get("sources", {"train": result["data"]}))


def _data(result: Result, same_name: Mapping[str, int]) -> str:
    if same_name[result["data"]] == 1:
        return str(result["data"])
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
    same_name = Counter(name for name, _ in groups)
    rows = []
    for (name, _), members in groups.items():
        # The same method may have other settings in another version.
        version = f" (vssl {members[0]['versions']['vssl']})" if same_name[name] > 1 else ""
        rows.append(Row(name + version, tuple(members)))
    return tuple(sorted(rows, key=lambda row: -_mean_or_lowest(row.metric("linear/accuracy_100"))))


def sensitivity(table: Table, metric: str = "knn/accuracy") -> dict[str, tuple[float, int]]:
    """For each method with several settings: the share of them within `TOLERANCE` of its best, and their number.

    A setting whose runs diverged, or have no such metric, counts as outside.
    """
    means: dict[str, list[float]] = {}
    for row in table.rows:
        means.setdefault(family(row.results[0]["method"]), []).append(_mean_or_lowest(row.metric(metric)))
    return {
        name: (float(np.mean([value >= max(values) - TOLERANCE for value in values])), len(values))
        for name, values in means.items()
        if len(values) > 1 and max(values) > -np.inf
    }


def _mean_or_lowest(seed_range: SeedRange) -> float:
    return seed_range.mean if seed_range.values else -np.inf


def text(table: Table) -> str:
    """The table in Markdown."""
    columns = titles() | uncertainty_titles()
    heads = ["method", "seeds", *columns.values(), "samples/s", "GFLOP per sample", "remarks"]
    lines = [table.title, "", _line(heads), "|" + "---|" * len(heads)]
    for row in table.rows:
        cells = [f"**{row.metric(name)}**" if table.is_best(row, name) else str(row.metric(name)) for name in columns]
        cost = [str(row.cost(name)) for name in ("samples_per_s", "gflops_per_sample")]
        lines.append(_line([row.method, str(len(row.results)), *cells, *cost, row.remarks]))
    if table.chance:
        lines += ["", table.chance]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
